"""The list of tool servers, and a server's own pages."""

from typing import Any

from django.contrib import messages
from django.db.models import Count, Q
from django.db.models.functions import Lower
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import AuthenticatedRequest
from chatsite.process.threads import database_sync_to_async
from tools import builtin, catalogue
from tools.forms import HEADERS, ToolServerForm
from tools.models import Tool, ToolServer
from upstreams.views.access import administrators_only

_SECRETS = [f"header_value_{number}" for number in range(HEADERS)]


@administrators_only
@require_safe
def index(request: AuthenticatedRequest) -> HttpResponse:
    catalogue.sync_builtin_tools()
    servers = ToolServer.objects.annotate(
        tools_allowed=Count("tools", filter=Q(tools__is_allowed=True, tools__is_gone=False, tools__fault="")),
        tools_known=Count("tools", filter=Q(tools__is_gone=False)),
    ).order_by(Lower("name"))
    built_in = Tool.objects.filter(server=None, name__in=builtin.registered_tools()).prefetch_related("groups")
    return render(request, "tools/index.html", {"servers": servers, "tools": built_in.order_by("pk")})


@administrators_only
@sensitive_post_parameters(*_SECRETS)
@require_http_methods(["GET", "HEAD", "POST"])
def add(request: AuthenticatedRequest) -> HttpResponse:
    return _form_page(request, ToolServerForm(request.POST or None), None)


@administrators_only
@require_safe
def show(request: AuthenticatedRequest, server_pk: int) -> HttpResponse:
    server = get_object_or_404(ToolServer, pk=server_pk)
    return render(request, "tools/server.html", server_context(server))


@administrators_only
@sensitive_post_parameters(*_SECRETS)
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: AuthenticatedRequest, server_pk: int) -> HttpResponse:
    server = get_object_or_404(ToolServer, pk=server_pk)
    # A second copy, because validation writes even invalid values into the form's instance.
    stored = ToolServer.objects.get(pk=server_pk)
    return _form_page(request, ToolServerForm(request.POST or None, instance=server), stored)


def _form_page(request: AuthenticatedRequest, form: ToolServerForm, stored: ToolServer | None) -> HttpResponse:
    if form.is_valid():
        server = form.save()
        messages.success(request, f"Saved {server}.")
        return redirect("tool_server", server.pk)
    context = {"form": form, "server": stored}
    return render(request, "tools/server_form.html", context, status=422 if form.is_bound else 200)


@administrators_only
@require_POST
def set_enabled(request: AuthenticatedRequest, server_pk: int) -> HttpResponse:
    server = get_object_or_404(ToolServer, pk=server_pk)
    server.is_enabled = request.POST.get("enabled") == "on"
    server.save(update_fields=["is_enabled"])
    return redirect("tool_server", server_pk)


@administrators_only
@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: AuthenticatedRequest, server_pk: int) -> HttpResponse:
    server = get_object_or_404(ToolServer, pk=server_pk)
    if request.method == "POST":
        server.delete()
        messages.success(request, f"Deleted {server.name}.")
        return redirect("tools")
    return render(request, "tools/server_delete.html", {"server": server})


@administrators_only
@require_POST
async def check(request: AuthenticatedRequest, server_pk: int) -> HttpResponse:
    """Updates the server's tools and shows the result. Async, so that a slow server holds no thread."""
    server = await database_sync_to_async(get_object_or_404)(ToolServer, pk=server_pk)
    await catalogue.check_server(server)
    if not request.htmx:
        return redirect("tool_server", server_pk)
    context = await database_sync_to_async(server_context)(server)
    return await database_sync_to_async(render)(request, "tools/_tools.html", context)


def server_context(server: ToolServer) -> dict[str, Any]:
    """The server and its tools: in the server's order, with those it no longer lists at the end."""
    tools = server.tools.prefetch_related("groups").order_by("is_gone", "pk")
    return {"server": server, "tools": tools, **count_tools(server)}


def count_tools(server: ToolServer) -> dict[str, int]:
    listed = server.tools.filter(is_gone=False)
    return {"tools_known": listed.count(), "tools_allowed": listed.filter(is_allowed=True, fault="").count()}
