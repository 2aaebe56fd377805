"""Addresses of conversations, for pages and for sockets."""

from django.urls import path

from conversations.consumers import ConversationConsumer
from conversations.views import edits, pages, turns

urlpatterns = [
    path("", pages.home, name="home"),
    path("turns/", turns.begin, name="begin"),
    path("conversations/", pages.conversations, name="conversations"),
    path("conversations/<int:pk>/", pages.show, name="conversation"),
    path("conversations/<int:pk>/messages/", pages.messages, name="messages"),
    path("conversations/<int:pk>/messages/<int:message_pk>/source/", pages.source, name="message_source"),
    path("conversations/<int:pk>/turns/", turns.post, name="turns"),
    path("conversations/<int:pk>/stop/", turns.stop, name="stop"),
    path("conversations/<int:pk>/title/", edits.rename, name="rename"),
    path("conversations/<int:pk>/settings/", edits.settings, name="conversation_settings"),
    path("conversations/<int:pk>/delete/", edits.delete, name="delete"),
    path("conversations/<int:pk>/restore/", edits.restore, name="restore"),
]

websocket_urlpatterns = [path("ws/conversations/<int:pk>/", ConversationConsumer.as_asgi())]
