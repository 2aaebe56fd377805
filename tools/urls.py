"""The URLs of the tool pages."""

from django.urls import path

from tools.views import servers, tools

urlpatterns = [
    path("", servers.index, name="tools"),
    path("servers/add/", servers.add, name="tool_server_add"),
    path("servers/<int:server_pk>/", servers.show, name="tool_server"),
    path("servers/<int:server_pk>/edit/", servers.edit, name="tool_server_edit"),
    path("servers/<int:server_pk>/enabling/", servers.set_enabled, name="tool_server_enabling"),
    path("servers/<int:server_pk>/delete/", servers.delete, name="tool_server_delete"),
    path("servers/<int:server_pk>/check/", servers.check, name="tool_server_check"),
    path("<int:tool_pk>/", tools.edit, name="tool"),
    path("<int:tool_pk>/allowing/", tools.set_allowed, name="tool_allowing"),
    path("<int:tool_pk>/asking/", tools.set_ask_first, name="tool_asking"),
]
