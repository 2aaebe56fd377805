"""Content blocks as they are shown: the same for a page, an update and a reply that still grows."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

from conversations.inspection import Kind
from conversations.live.tool_cards import Card, cards_of
from conversations.markdown import render
from conversations.models import Message, Role
from conversations.models.attachment import SHOWN_HEIGHT, SHOWN_WIDTH, reference_in

SHOWN = {"text": "text", "thinking": "thinking"}
"""The field that holds what is shown, by kind of block; other kinds are kept and not shown."""

REMEMBERED_LENGTH = 10_000
"""Characters; longer texts are rare enough to be rendered anew, and too large to be kept by the hundred."""


@dataclass(frozen=True, slots=True)
class ShownBlock:
    """`html` is safe: it comes from the Markdown renderer alone. `id` is the container's."""

    id: str
    kind: str
    html: str
    is_open: bool = False
    card: Card | None = None


def element_id(message_pk: int, index: int) -> str:
    return f"m{message_pk}-b{index}"


def shown_blocks(message: Message) -> list[ShownBlock]:
    """The blocks of a message that is not growing."""
    # As in `render`: people's line ends are meant.
    breaks = message.role == Role.USER
    cards = cards_of(message.blocks, message.generation) if message.role == Role.ASSISTANT else {}
    shown = []
    for index, block in enumerate(message.blocks):
        place = element_id(message.pk, index)
        if text := shown_text(block):
            shown.append(ShownBlock(place, block["type"], rendered(text, breaks)))
        elif block.get("type") == "tool_use" and (card := cards.get(str(block.get("id")))):
            shown.append(ShownBlock(place, "tool_use", "", card=card))
    return shown


@dataclass(frozen=True, slots=True)
class AttachedFile:
    """A file that stands in a message; sizes of an image are those of its thumbnail."""

    key: str
    kind: str
    name: str
    size: int
    pages: int | None = None
    width: int | None = None
    height: int | None = None


def attached_files(blocks: list[dict[str, Any]]) -> list[AttachedFile]:
    """The files that a person's message refers to: images first, both in their order."""
    files = [attached_file(block, key) for block in blocks if (key := reference_in(block))]
    return sorted(files, key=lambda file: file.kind != Kind.IMAGE)


def attached_file(block: Mapping[str, Any], key: UUID) -> AttachedFile:
    width, height = shown_size(block.get("width"), block.get("height"))
    facts = {"kind": block.get("kind", "text"), "name": block.get("name", ""), "size": block.get("size", 0)}
    return AttachedFile(key=str(key), pages=block.get("pages"), width=width, height=height, **facts)


def shown_size(width: int | None, height: int | None) -> tuple[int | None, int | None]:
    """A thumbnail's size on the page, known before it is there, so that nothing moves when it comes."""
    if not width or not height:
        return None, None
    share = min(1, SHOWN_WIDTH / width, SHOWN_HEIGHT / height)
    return max(1, round(width * share)), max(1, round(height * share))


def shown_text(block: Mapping[str, Any]) -> str:
    text = block.get(SHOWN.get(block.get("type", ""), ""), "")
    return text if isinstance(text, str) else ""


def rendered(text: str, breaks: bool) -> str:
    return remembered(text, breaks) if len(text) <= REMEMBERED_LENGTH else render(text, breaks=breaks)


@lru_cache(maxsize=512)
def remembered(text: str, breaks: bool) -> str:
    return render(text, breaks=breaks)
