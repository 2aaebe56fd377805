"""The site's own tools for models: search a person's conversations, and read files attached to this one."""

import re
from collections.abc import Sequence
from typing import Any, Final

from asgiref.sync import sync_to_async
from django.db.models import Q
from django.urls import reverse

from conversations.inspection import Kind
from conversations.models import Attachment, Conversation, Message, Role
from conversations.models.attachment import TEXT
from conversations.models.message import MessageQuerySet
from conversations.prompt.files import text_of
from tools import builtin
from tools.builtin import BuiltinTool, CallContext
from tools.results import ToolResult

NEWEST = 5_000
"""Messages that one search examines, which bounds its time."""
AT_ONCE = 100
"""Messages per query; other work on the database runs in between."""
MOST_HITS = 20
MOST_WORDS = 10
EXCERPT = 240
"""Characters of a message in a result."""
LONGEST_READ = 20_000
"""Characters of a file that one call reads."""
MOST_FILES = 50

_PLAIN: Final = re.compile(r"[0-9a-z]+")


def register() -> None:
    for tool in (SEARCH, READ):
        builtin.register(tool)


# ---------------------------------------------------------------- finding messages


async def search(context: CallContext, arguments: dict[str, Any]) -> ToolResult:
    words = list(dict.fromkeys(arguments["query"].lower().split()))[:MOST_WORDS]
    if not words:
        return ToolResult.from_text("Enter at least one word to search for.", is_error=True)
    # 5.0 is an integer, too, where schemas are concerned.
    limit = int(arguments.get("limit", 10))
    keys = await sync_to_async(candidates)(context, words)
    hits: list[str] = []
    for start in range(0, len(keys), AT_ONCE):
        hits += await sync_to_async(hits_among)(context, keys[start : start + AT_ONCE], words, limit - len(hits))
        if len(hits) >= limit:
            break
    told = "\n\n".join(hits) or "No messages found. Try fewer or other words."
    return ToolResult.from_text(told)


def searched(context: CallContext) -> MessageQuerySet:
    others = Conversation.objects.visible_to(context.user).exclude(pk=context.conversation_pk or 0)
    return Message.objects.filter(conversation__in=others, deleted_at=None)


def candidates(context: CallContext, words: Sequence[str]) -> list[int]:
    """Keys of messages that may have all the words, newest first; those without them are left to the database.

    It holds blocks as JSON, with letters and quotes escaped in its own way, so it is asked only for what no way of
    escaping changes: plain letters and digits.
    """
    newest = searched(context).order_by("-pk")[:NEWEST]
    holds = Q()
    for word in words:
        for part in _PLAIN.findall(word):
            holds &= Q(blocks__icontains=part)
    found = Message.objects.filter(holds, pk__in=newest.values("pk")).order_by("-pk")
    return list(found.values_list("pk", flat=True))


def hits_among(context: CallContext, keys: Sequence[int], words: Sequence[str], limit: int) -> list[str]:
    messages = searched(context).filter(pk__in=keys).select_related("conversation", "author").order_by("-pk")
    found: list[str] = []
    for message in messages.prefetch_related("generations"):
        if len(found) == limit:
            break
        text = message.text
        if all(word in text.lower() for word in words):
            found.append(told(message, text, words))
    return found


def told(message: Message, text: str, words: Sequence[str]) -> str:
    conversation = message.conversation
    there = f"{reverse('conversation', args=[conversation.pk])}?branch={message.branch_id}&from={message.pk}"
    head = f"“{conversation}”, {author(message)}, {message.created_at:%Y-%m-%d %H:%M} UTC"
    return f"{head}\n{there}#m{message.pk}\n{excerpt(text, words)}"


def author(message: Message) -> str:
    if message.role == Role.USER:
        return str(message.author or "somebody who left")
    return (message.generation and message.generation.model_name) or "a model"


def excerpt(text: str, words: Sequence[str]) -> str:
    """Returns the text around the first match, on one line."""
    line = " ".join(text.split())
    places = [place for word in words if (place := line.lower().find(word)) >= 0]
    start = max(0, min(places, default=0) - EXCERPT // 3)
    end = start + EXCERPT
    return f"{'…' if start else ''}{line[start:end]}{'…' if end < len(line) else ''}"


SEARCH = BuiltinTool(
    name="search_conversations",
    title="Search conversations",
    description=(
        "Finds messages in the person's other conversations, newest first. A message matches if its text contains "
        "every word of the query, in any order and case. Parts of words match, synonyms do not. Returns each "
        "conversation's title, the author, the date, the URL on this site and a short excerpt. Searches only the "
        f"newest {NEWEST:,} messages. Does not search deleted messages, results of tools, attached files or this "
        "conversation."
    ),
    input_schema={
        "type": "object",
        "properties": {
            "query": {
                "type": "string",
                "minLength": 1,
                "maxLength": 200,
                "description": f"A few words that the message contains. Only the first {MOST_WORDS} are used.",
            },
            "limit": {
                "type": "integer",
                "minimum": 1,
                "maximum": MOST_HITS,
                "description": "The maximum number of messages. The default is 10.",
            },
        },
        "required": ["query"],
        "additionalProperties": False,
    },
    run=search,
    # What it finds becomes readable for everybody in the conversation that it is found for.
    ask_first=True,
)


# ---------------------------------------------------------------- reading a file


async def read(context: CallContext, arguments: dict[str, Any]) -> ToolResult:
    return await sync_to_async(part_of_file)(context, arguments)


def part_of_file(context: CallContext, arguments: dict[str, Any]) -> ToolResult:
    files = readable(context)
    name = str(arguments.get("name", "")).strip()
    if not name:
        return ToolResult.from_text(listed(files))
    named = those_called(name, files)
    if not named:
        return ToolResult.from_text(f"No file is named “{name}”. {listed(files)}", is_error=True)
    if len(named) > 1:
        return ToolResult.from_text(f"Several files have this name. Use an id instead. {listed(named)}", is_error=True)
    [file] = named
    try:
        text = text_of(file.content(TEXT if file.kind == Kind.PDF else ""))
    except OSError:
        return ToolResult.from_text(f"“{file}” no longer exists.", is_error=True)
    if not text.strip():
        return ToolResult.from_text(f"“{file}” has no readable text.", is_error=True)
    return ToolResult.from_text(passage(file, text, arguments))


def readable(context: CallContext) -> list[Attachment]:
    """Files with text that were sent here, the newest first; of copies, which edits leave behind, the last."""
    sent = Attachment.objects.visible_to(context.user).filter(
        conversation=context.conversation_pk, message__isnull=False, kind__in=[Kind.TEXT, Kind.PDF]
    )
    return list({file.stored: file for file in sent.order_by("pk")}.values())[::-1]


def those_called(name: str, files: Sequence[Attachment]) -> list[Attachment]:
    """By id, or by name, and by a name in other capitals where none is exactly that."""
    exact = [file for file in files if name in (str(file.uuid), file.name)]
    return exact or [file for file in files if name.lower() == file.name.lower()]


def listed(files: Sequence[Attachment]) -> str:
    if not files:
        return "No text file or PDF is attached in this conversation."
    lines = [f"{file} ({file.get_kind_display()}, id {file.uuid})" for file in files[:MOST_FILES]]
    more = [f"and {len(files) - MOST_FILES} older ones"] if len(files) > MOST_FILES else []
    return "\n".join(["Files, newest first:", *lines, *more])


def passage(file: Attachment, text: str, arguments: dict[str, Any]) -> str:
    """The lines, and of them the characters, that were asked for, under a head that says which they are."""
    # Cut at line feeds alone, as editors count: str.splitlines knows line ends that nobody sees.
    lines = text.removesuffix("\n").split("\n")
    first = int(arguments.get("first_line", 1))
    last = min(int(arguments.get("last_line", len(lines))), len(lines))
    if first > last:
        return f"[{file} has {len(lines):,} lines; there is nothing in lines {first} to {last}.]"
    chosen = "\n".join(lines[first - 1 : last])
    start = int(arguments.get("offset", 0))
    shown = chosen[start : start + int(arguments.get("length", LONGEST_READ))]
    if not shown and start:
        return f"[There are {len(chosen):,} characters; there is nothing at offset {start}.]"
    end = start + len(shown)
    head = f"{file}: lines {first} to {last} of {len(lines)}, characters {start} to {end} of {len(chosen)}"
    further = f"; continue with the same lines and offset {end}" if end < len(chosen) else ""
    cut = "" if file.is_text_whole else "; only the first part of its text is stored"
    return f"[{head}{further}{cut}]\n{shown}"


_LINE: Final = {"type": "integer", "minimum": 1}

READ = BuiltinTool(
    name="read_attached_file",
    title="Read attached file",
    description=(
        "Reads a text file or the text of a PDF that is attached in this conversation. Without a name, it lists the "
        f"files. Returns at most {LONGEST_READ:,} characters at a time, and the first line says how to continue. "
        "Lines and characters can be selected. Characters are counted from 0 within the selected lines."
    ),
    input_schema={
        "type": "object",
        "properties": {
            "name": {"type": "string", "maxLength": 200, "description": "The file's name, or its id from the list."},
            "first_line": {**_LINE, "description": "Counted from 1."},
            "last_line": {**_LINE, "description": "Inclusive."},
            "offset": {"type": "integer", "minimum": 0, "description": "Characters to skip at the beginning."},
            "length": {"type": "integer", "minimum": 1, "maximum": LONGEST_READ, "description": "Characters to read."},
        },
        "additionalProperties": False,
    },
    run=read,
    allowed=True,
)
