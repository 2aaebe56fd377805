"""Keeps the tools that are known in step with what servers list and what is built in."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from asgiref.sync import sync_to_async
from django.db import transaction
from django.utils import timezone

from tools import builtin
from tools.arguments import schema_fault
from tools.errors import NotAToolServer, Refused, ToolServerError, Unreachable
from tools.limits import LIMITS
from tools.mcp import client
from tools.mcp.client import ListedTool, Listing
from tools.models import Tool, ToolServer
from tools.names import wire_name
from tools.results import text_block

_FOLLOWED: Final = ["title", "description", "input_schema", "annotations", "fault", "seen_at", "is_gone"]

_HINTS: Final[dict[type[ToolServerError], str]] = {
    Unreachable: "Check the address, and that the server runs.",
    Refused: "Check its headers and their values.",
    NotAToolServer: "Check the path of the address.",
}


@dataclass
class Changes:
    """What a check found that was not so before."""

    new: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    left_out: int = 0
    faulty: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        found = [("New", self.new), ("changed", self.changed), ("gone", self.gone)]
        told = [f"{what}: {_few(names)}" for what, names in found if names]
        if self.left_out:
            told.append(f"more than {LIMITS.tools} tools are listed, of which the first are taken")
        words = "; ".join(told)
        sentences = [f"{words[:1].upper()}{words[1:]}."] if words else []
        if self.faulty:
            entries = "1 entry was" if len(self.faulty) == 1 else f"{len(self.faulty)} entries were"
            sentences.append(f"{entries} skipped, not being described as the protocol asks: {_few(self.faulty)}.")
        return " ".join(sentences)


async def check(server: ToolServer) -> None:
    """Asks the server for its tools and stores them, or why it could not be asked; `server` shows the outcome too."""
    listing: Listing | None = None
    try:
        listing = await client.list_tools(server.endpoint())
    except ToolServerError as failure:
        server.check_error = for_administrators(failure)
    else:
        server.check_error = ""
        server.protocol_version, server.about = listing.protocol_version[:20], _clean(listing.about)[:200]
    server.checked_at = timezone.now()
    await sync_to_async(_store)(server, listing)


def for_administrators(failure: ToolServerError) -> str:
    """A failure's words with what the server said, and what to do instead of asking an administrator."""
    words = str(failure).partition(" An administrator")[0]
    return " ".join(filter(None, [words, failure.detail, _HINTS.get(type(failure))]))


def keep_builtin() -> None:
    """Gives each built-in tool its row; what an administrator decided about one stays."""
    known = {tool.name: tool for tool in Tool.objects.filter(server=None)}
    for name, declared in builtin.registered().items():
        schema = dict(declared.input_schema)
        tool = known.get(name) or Tool(
            name=name, wire_name=name, is_allowed=declared.allowed, ask_first=declared.ask_first
        )
        said = (declared.title, declared.description, schema)
        if tool.pk and (tool.title, tool.description, tool.input_schema) == said:
            continue
        tool.title, tool.description, tool.input_schema = said
        if tool.pk:
            tool.save(update_fields=["title", "description", "input_schema"])
        else:
            Tool.objects.bulk_create([tool], ignore_conflicts=True)


@transaction.atomic
def _store(server: ToolServer, listing: Listing | None) -> None:
    asked = ToolServer.objects.select_for_update().filter(
        pk=server.pk, url=server.url, sealed_headers=server.sealed_headers
    )
    # The answer is of no use when the server was deleted, or made another one, in the meantime.
    if not asked.exists():
        return
    if listing is not None:
        changes = _take(server, listing)
        server.check_note = str(changes)
    server.save(update_fields=["checked_at", "check_error", "check_note", "protocol_version", "about"])


def _take(server: ToolServer, listing: Listing) -> Changes:
    known = {tool.name: tool for tool in server.tools.all()}
    taken = {tool.wire_name for tool in known.values()}
    is_first = not known
    changes, fresh, again = Changes(left_out=listing.left_out), [], []
    changes.faulty += [_clean(name)[: LIMITS.name_length] for name in listing.faulty]
    for listed in listing.tools:
        if not 0 < len(listed.name) <= LIMITS.name_length or listed.name != _clean(listed.name):
            changes.faulty.append(_clean(listed.name)[:40] or "one without a name")
            continue
        tool = known.get(listed.name)
        fields = _fields(listed)
        if tool is None:
            name = wire_name(server.slug, listed.name)
            if name in taken:
                changes.faulty.append(listed.name)
                continue
            taken.add(name)
            tool = Tool(server=server, name=listed.name, wire_name=name)
            fresh.append(tool)
            changes.new += [] if is_first else [listed.name]
        else:
            again.append(tool)
            if tool.is_allowed and any(getattr(tool, key) != fields[key] for key in ("description", "input_schema")):
                changes.changed.append(listed.name)
        for key, value in fields.items():
            setattr(tool, key, value)
        tool.seen_at, tool.is_gone = server.checked_at, False
    gone = [tool for tool in known.values() if tool not in again and not tool.is_gone]
    changes.gone = [tool.name for tool in gone]
    server.tools.filter(pk__in=[tool.pk for tool in gone]).update(is_gone=True)
    Tool.objects.bulk_create(fresh)
    Tool.objects.bulk_update(again, _FOLLOWED)
    return changes


def _fields(listed: ListedTool) -> dict[str, Any]:
    fault = schema_fault(listed.input_schema)
    return {
        "title": _clean(listed.title)[: LIMITS.title_length],
        "description": _clean(listed.description)[: LIMITS.description_length],
        "input_schema": {} if fault else listed.input_schema,
        "annotations": {key: value for key, value in listed.annotations.items() if isinstance(value, bool)},
        "fault": _clean(fault)[:300],
    }


def _clean(words: str) -> str:
    """What any database can keep."""
    kept: str = text_block(words)["text"]
    return kept


def _few(names: Sequence[str]) -> str:
    shown = ", ".join(names[:5])
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown
