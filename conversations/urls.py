"""Addresses of conversations, for pages and for sockets."""

from django.urls import path

from conversations.consumers import ConversationTab, Tab
from conversations.views import (
    attachments,
    context,
    conversation,
    deleted,
    members,
    messages,
    pages,
    tools,
    turns,
    unsent,
)

urlpatterns = [
    path("", pages.home, name="home"),
    path("turns/", turns.begin, name="begin"),
    path("deleted/", deleted.index, name="deleted"),
    path("new/settings/", conversation.first_settings, name="first_settings"),
    path("conversations/", pages.conversations, name="conversations"),
    path("conversations/found/", pages.find, name="find_conversations"),
    path("conversations/<int:pk>/", pages.show, name="conversation"),
    path("conversations/<int:pk>/messages/", pages.messages, name="messages"),
    path("conversations/<int:pk>/messages/<int:message_pk>/source/", pages.source, name="message_source"),
    path("conversations/<int:pk>/messages/<int:message_pk>/retries/", messages.retry, name="retry"),
    path("conversations/<int:pk>/messages/<int:message_pk>/edits/", messages.edit, name="edit"),
    path("conversations/<int:pk>/messages/<int:message_pk>/continuations/", messages.continue_answer, name="continue"),
    path("conversations/<int:pk>/messages/<int:message_pk>/tool-decisions/", tools.decide, name="decide"),
    path("conversations/<int:pk>/messages/<int:message_pk>/delete/", messages.delete, name="delete_message"),
    path("conversations/<int:pk>/messages/<int:message_pk>/restore/", messages.restore, name="restore_message"),
    path("conversations/<int:pk>/messages/<int:message_pk>/forks/", messages.fork, name="fork"),
    path("conversations/<int:pk>/members/", members.show, name="members"),
    path("conversations/<int:pk>/members/<int:person_pk>/remove/", members.remove, name="remove_member"),
    path("attachments/", attachments.attach, name="attach"),
    path("conversations/<int:pk>/attachments/", attachments.attach, name="attach_in"),
    path("attachments/<uuid:key>/", attachments.show, name="attachment"),
    path("attachments/<uuid:key>/thumbnail/", attachments.thumbnail, name="attachment_thumbnail"),
    path("attachments/<uuid:key>/encoding/", attachments.read_again, name="attachment_encoding"),
    path("attachments/<uuid:key>/remove/", attachments.remove, name="remove_attachment"),
    path("unsent/", unsent.save, name="unsent"),
    path("conversations/<int:pk>/unsent/", unsent.save, name="unsent_in"),
    path("conversations/<int:pk>/turns/", turns.post, name="turns"),
    path("conversations/<int:pk>/stop/", turns.stop, name="stop"),
    path("conversations/<int:pk>/context/", context.show, name="context"),
    path("conversations/<int:pk>/omissions/", context.trim, name="trim"),
    path("conversations/<int:pk>/omissions/undo/", context.undo_trimming, name="undo_trimming"),
    path("conversations/<int:pk>/summaries/", context.summarise, name="summarise"),
    path("conversations/<int:pk>/title/", conversation.rename, name="rename"),
    path("conversations/<int:pk>/settings/", conversation.settings, name="conversation_settings"),
    path("conversations/<int:pk>/delete/", conversation.delete, name="delete"),
    path("conversations/<int:pk>/restore/", conversation.restore, name="restore"),
]

websocket_urlpatterns = [
    path("ws/", Tab.as_asgi()),
    path("ws/conversations/<int:pk>/", ConversationTab.as_asgi()),
]
