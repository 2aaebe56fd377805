"""The site's own tools for models: search a person's conversations, and read files attached to this one."""

from collections.abc import Sequence
from typing import Any, Final

from django.db.models import Q
from django.urls import reverse

from chatsite.process.threads import database_sync_to_async
from chatsite.values.folding import fold
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


def register() -> None:
    for tool in (SEARCH, READ):
        builtin.register(tool)


# ---------------------------------------------------------------- finding messages


async def search(context: CallContext, arguments: dict[str, Any]) -> ToolResult:
    words = list(dict.fromkeys(fold(arguments["query"]).split()))[:MOST_WORDS]
    if not words:
        return ToolResult.from_text("Enter at least one word to search for.", is_error=True)
    # JSON Schema counts 5.0 as an integer.
    limit = int(arguments.get("limit", 10))
    keys = await database_sync_to_async(find_candidates)(context, words)
    hits: list[str] = []
    for start in range(0, len(keys), AT_ONCE):
        some = keys[start : start + AT_ONCE]
        hits += await database_sync_to_async(find_hits)(context, some, words, limit - len(hits))
        if len(hits) >= limit:
            break
    return ToolResult.from_text("\n\n".join(hits) or "No messages found. Try fewer or other words.")


def searchable_messages(context: CallContext) -> MessageQuerySet:
    others = Conversation.objects.visible_to(context.user).exclude(pk=context.conversation_pk or 0)
    return Message.objects.filter(conversation__in=others, deleted_at=None)


def find_candidates(context: CallContext, words: Sequence[str]) -> list[int]:
    """Returns the keys of messages that may contain all words, newest first.

    The database looks at all that is stored of a message, which is more than its text.
    """
    newest = searchable_messages(context).order_by("-pk")[:NEWEST]
    contains_all = Q()
    for word in words:
        contains_all &= Q(blocks__icontains=word)
    found = Message.objects.filter(contains_all, pk__in=newest.values("pk")).order_by("-pk")
    return list(found.values_list("pk", flat=True))


def find_hits(context: CallContext, keys: Sequence[int], words: Sequence[str], limit: int) -> list[str]:
    messages = searchable_messages(context).filter(pk__in=keys).select_related("conversation", "author").order_by("-pk")
    found: list[str] = []
    for message in messages.prefetch_related("generations"):
        if len(found) == limit:
            break
        text = message.text
        folded = fold(text)
        if all(word in folded for word in words):
            found.append(describe_hit(message, text, words))
    return found


def describe_hit(message: Message, text: str, words: Sequence[str]) -> str:
    conversation = message.conversation
    there = f"{reverse('conversation', args=[conversation.pk])}?branch={message.branch_id}&from={message.pk}"
    head = f"“{conversation}”, {author_name(message)}, {message.created_at:%Y-%m-%d %H:%M} UTC"
    return f"{head}\n{there}#m{message.pk}\n{excerpt(text, words)}"


def author_name(message: Message) -> str:
    if message.role == Role.USER:
        return str(message.author or "Former user")
    return (message.generation and message.generation.model_name) or "a model"


def excerpt(text: str, words: Sequence[str]) -> str:
    """Returns the text around the first match, on one line."""
    line = " ".join(text.split())
    places = [place for word in words if (place := fold(line).find(word)) >= 0]
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
    # Everyone in the conversation can read the results.
    ask_first=True,
)


# ---------------------------------------------------------------- reading a file


async def read(context: CallContext, arguments: dict[str, Any]) -> ToolResult:
    return await database_sync_to_async(read_part)(context, arguments)


def read_part(context: CallContext, arguments: dict[str, Any]) -> ToolResult:
    files = list_readable(context)
    name = str(arguments.get("name", "")).strip()
    if not name:
        return ToolResult.from_text(describe_files(files))
    named = match_files(name, files)
    if not named:
        return ToolResult.from_text(f"No file is named “{name}”. {describe_files(files)}", is_error=True)
    if len(named) > 1:
        problem = f"Several files have this name. Use an id instead. {describe_files(named)}"
        return ToolResult.from_text(problem, is_error=True)
    [file] = named
    try:
        text = text_of(file.read_content(TEXT if file.kind == Kind.PDF else ""))
    except FileNotFoundError:
        return ToolResult.from_text(f"“{file}” no longer exists.", is_error=True)
    except OSError:
        return ToolResult.from_text(f"“{file}” cannot be read at the moment.", is_error=True)
    if not text.strip():
        return ToolResult.from_text(f"“{file}” has no readable text.", is_error=True)
    return ToolResult.from_text(passage(file, text, arguments))


def list_readable(context: CallContext) -> list[Attachment]:
    """Returns the files with text that were sent here, newest first. Of copies left by edits, only the latest."""
    sent = Attachment.objects.visible_to(context.user).filter(
        conversation=context.conversation_pk, message__isnull=False, kind__in=[Kind.TEXT, Kind.PDF]
    )
    return list({file.stored: file for file in sent.order_by("pk")}.values())[::-1]


def match_files(name: str, files: Sequence[Attachment]) -> list[Attachment]:
    """Matches files by id or exact name, else by name ignoring case."""
    exact = [file for file in files if name in (str(file.uuid), file.name)]
    return exact or [file for file in files if name.lower() == file.name.lower()]


def describe_files(files: Sequence[Attachment]) -> str:
    if not files:
        return "No text file or PDF is attached in this conversation."
    lines = [f"{file} ({file.get_kind_display()}, id {file.uuid})" for file in files[:MOST_FILES]]
    more = [f"and {len(files) - MOST_FILES} older ones"] if len(files) > MOST_FILES else []
    return "\n".join(["Files, newest first:", *lines, *more])


def passage(file: Attachment, text: str, arguments: dict[str, Any]) -> str:
    """Returns the requested lines and characters, under a header that names the range."""
    # Only line feeds count, as in editors: str.splitlines splits at invisible separators too.
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
