"""Updates the stored tools from what servers list and from what is built in."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import transaction
from django.utils import timezone

from chatsite.process.threads import database_sync_to_async
from tools import builtin
from tools.arguments import find_schema_fault
from tools.errors import AccessDenied, NotAToolServer, ToolServerError, ToolServerUnreachable
from tools.limits import LIMITS
from tools.mcp import client
from tools.mcp.listed import ListedTool, ToolListing
from tools.models import Tool, ToolServer
from tools.names import wire_name
from tools.results import make_storable

_UPDATED_FIELDS: Final = ["title", "description", "input_schema", "annotations", "fault", "seen_at", "is_gone"]

_HINTS: Final[dict[type[ToolServerError], str]] = {
    ToolServerUnreachable: "Check the address, and that the server is running.",
    AccessDenied: "Check its headers and their values.",
    NotAToolServer: "Check the path of the address.",
}


@dataclass
class ListingChanges:
    """How a server's list differs from the stored tools. Each list holds tool names."""

    new: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    invalid: list[str] = field(default_factory=list)
    left_out: int = 0

    def __str__(self) -> str:
        lists = [("New", self.new), ("changed", self.changed), ("removed", self.gone)]
        parts = [f"{what}: {_join_few(names)}" for what, names in lists if names]
        if self.left_out:
            parts.append(f"the server lists more than {LIMITS.tools} tools; only the first {LIMITS.tools} are used")
        words = "; ".join(parts)
        sentences = [f"{words[:1].upper()}{words[1:]}."] if words else []
        if self.invalid:
            is_one = len(self.invalid) == 1
            what = (
                "1 tool with an invalid description was"
                if is_one
                else f"{len(self.invalid)} tools with invalid descriptions were"
            )
            sentences.append(f"{what} skipped: {_join_few(self.invalid)}.")
        return " ".join(sentences)


async def check_server(server: ToolServer) -> None:
    """Asks the server for its tools, and stores them or the failure. Updates `server` itself too."""
    listing: ToolListing | None = None
    try:
        listing = await client.list_tools(server.build_endpoint())
    except ToolServerError as failure:
        server.check_error = describe_for_administrators(failure)
    else:
        server.check_error = ""
        server.protocol_version, server.about = listing.protocol_version[:20], make_storable(listing.about)[:200]
    server.checked_at = timezone.now()
    await database_sync_to_async(_store)(server, listing)


def describe_for_administrators(failure: ToolServerError) -> str:
    """The failure, the server's own words, and what to do about it."""
    return " ".join(filter(None, [failure.summary, failure.detail, _HINTS.get(type(failure))]))


def sync_builtin_tools() -> None:
    """Creates and updates the rows of built-in tools. Keeps what administrators have decided about them."""
    stored = {tool.name: tool for tool in Tool.objects.filter(server=None)}
    for name, builtin_tool in builtin.registered_tools().items():
        tool = stored.get(name)
        fields = {
            "title": builtin_tool.title,
            "description": builtin_tool.description,
            "input_schema": dict(builtin_tool.input_schema),
        }
        if tool is None:
            decisions = {"is_allowed": builtin_tool.allowed, "ask_first": builtin_tool.ask_first}
            new = Tool(name=name, wire_name=name, **fields, **decisions)
            Tool.objects.bulk_create([new], ignore_conflicts=True)
        elif _set_fields(tool, fields):
            tool.save(update_fields=fields)


@transaction.atomic
def _store(server: ToolServer, listing: ToolListing | None) -> None:
    asked = ToolServer.objects.select_for_update().filter(
        pk=server.pk, url=server.url, sealed_headers=server.sealed_headers
    )
    # Discards the answer if the server was deleted or its settings changed in the meantime.
    if not asked.exists():
        return
    if listing is not None:
        server.check_note = str(_update_tools(server, listing))
    server.save(update_fields=["checked_at", "check_error", "check_note", "protocol_version", "about"])


def _update_tools(server: ToolServer, listing: ToolListing) -> ListingChanges:
    stored = {tool.name: tool for tool in server.tools.all()}
    wire_names = {tool.wire_name for tool in stored.values()}
    invalid = [make_storable(name)[: LIMITS.name_length] for name in listing.invalid]
    changes = ListingChanges(invalid=invalid, left_out=listing.left_out)
    new, known = [], []
    for listed in listing.tools:
        tool = stored.get(listed.name) or _build_tool(server, listed.name, wire_names)
        if tool is None:
            changes.invalid.append(make_storable(listed.name)[:40] or "an unnamed tool")
            continue
        described = (tool.description, tool.input_schema)
        _set_fields(tool, {**_read_fields(listed), "seen_at": server.checked_at, "is_gone": False})
        if tool.name not in stored:
            new.append(tool)
            continue
        known.append(tool)
        if tool.is_allowed and described != (tool.description, tool.input_schema):
            changes.changed.append(tool.name)
    gone = [tool for tool in stored.values() if tool not in known and not tool.is_gone]
    # At the first check every tool is new, which is not worth a note.
    changes.new = [tool.name for tool in new] if stored else []
    changes.gone = [tool.name for tool in gone]
    server.tools.filter(pk__in=[tool.pk for tool in gone]).update(is_gone=True)
    Tool.objects.bulk_create(new)
    Tool.objects.bulk_update(known, _UPDATED_FIELDS)
    return changes


def _build_tool(server: ToolServer, name: str, wire_names: set[str]) -> Tool | None:
    """An unsaved tool, or None if its name cannot be stored or models could not tell it from another's."""
    if not 0 < len(name) <= LIMITS.name_length or name != make_storable(name):
        return None
    unique = wire_name(server.slug, name)
    if unique in wire_names:
        return None
    wire_names.add(unique)
    return Tool(server=server, name=name, wire_name=unique)


def _read_fields(listed: ListedTool) -> dict[str, Any]:
    fault = find_schema_fault(listed.input_schema)
    return {
        "title": make_storable(listed.title)[: LIMITS.title_length],
        "description": make_storable(listed.description)[: LIMITS.description_length],
        "input_schema": {} if fault else listed.input_schema,
        "annotations": {key: value for key, value in listed.annotations.items() if isinstance(value, bool)},
        "fault": make_storable(fault)[:300],
    }


def _set_fields(tool: Tool, fields: dict[str, Any]) -> bool:
    """Sets the fields. Returns whether any of them changed."""
    is_changed = any(getattr(tool, name) != value for name, value in fields.items())
    for name, value in fields.items():
        setattr(tool, name, value)
    return is_changed


def _join_few(names: Sequence[str]) -> str:
    shown = ", ".join(names[:5])
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown
