"""The settings of one tool."""

import json

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from accounts.models import AuthenticatedRequest
from tools.forms import ToolForm
from tools.models import Tool
from tools.views.servers import count_tools
from upstreams.views.access import administrators_only


@administrators_only
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: AuthenticatedRequest, tool_pk: int) -> HttpResponse:
    tool = get_object_or_404(Tool.objects.select_related("server"), pk=tool_pk)
    form = ToolForm(request.POST if request.method == "POST" else None, instance=tool)
    if form.is_valid():
        form.save()
        messages.success(request, f"Saved {tool}.")
        return redirect(_list_url(tool))
    context = {"form": form, "tool": tool, "schema": json.dumps(tool.input_schema, indent=2, ensure_ascii=False)}
    return render(request, "tools/tool_form.html", context, status=422 if form.is_bound else 200)


@administrators_only
@require_POST
def set_allowed(request: AuthenticatedRequest, tool_pk: int) -> HttpResponse:
    tool = get_object_or_404(Tool.objects.select_related("server"), pk=tool_pk)
    tool.allow(request.POST.get("allowed") == "on")
    return _row(request, tool)


@administrators_only
@require_POST
def set_ask_first(request: AuthenticatedRequest, tool_pk: int) -> HttpResponse:
    tool = get_object_or_404(Tool.objects.select_related("server"), pk=tool_pk)
    tool.ask_first = request.POST.get("ask") == "on"
    tool.save(update_fields=["ask_first"])
    return _row(request, tool)


def _row(request: AuthenticatedRequest, tool: Tool) -> HttpResponse:
    if not request.htmx:
        return redirect(_list_url(tool))
    context = {"tool": tool, "server": tool.server, **(count_tools(tool.server) if tool.server else {})}
    return render(request, "tools/_tool_saved.html", context)


def _list_url(tool: Tool) -> str:
    page = reverse("tool_server", args=[tool.server.pk]) if tool.server else reverse("tools")
    return f"{page}#tool-{tool.pk}"
