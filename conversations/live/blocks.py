"""Content blocks as people see them, the same on a page, in an update and in a growing reply."""

from collections.abc import Mapping
from dataclasses import dataclass
from sys import getsizeof
from threading import Lock
from typing import Any, Final
from uuid import UUID

from cachetools import LRUCache, cached

from conversations.inspection import Kind
from conversations.live.tool_cards import ToolCard, build_cards
from conversations.markdown import Renderer
from conversations.models import Message, Role
from conversations.models.attachment import ANSWERED_IMAGE, THUMBNAIL_HEIGHT, THUMBNAIL_WIDTH, reference_in

SHOWN = {"text": "text", "thinking": "thinking"}
"""The field to show, by kind of block. Other kinds are stored but not shown."""

RENDERED_BYTES: Final = 8_000_000
"""How much HTML of texts is kept, so that a page that is looked at again costs nothing to render."""


@dataclass(frozen=True, slots=True)
class AttachedFile:
    """A file in a message. The width and height of an image are those on the page."""

    key: str
    kind: str
    name: str
    size: int
    pages: int | None = None
    encoding: str = ""
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True, slots=True)
class ShownBlock:
    """`html` is safe, because it always comes from the Markdown renderer. `id` is the id of the element."""

    id: str
    kind: str
    html: str
    is_open: bool = False
    card: ToolCard | None = None
    image: AttachedFile | None = None


def element_id(message_pk: int, index: int) -> str:
    return f"m{message_pk}-b{index}"


def shown_blocks(message: Message) -> list[ShownBlock]:
    """The blocks of a message that is not growing."""
    is_typed = message.role == Role.USER
    cards = build_cards(message.blocks, message.generation) if message.role == Role.ASSISTANT else {}
    shown, renderer = [], Renderer()
    for index, block in enumerate(message.blocks):
        block_id = element_id(message.pk, index)
        if text := shown_text(block):
            shown.append(ShownBlock(block_id, block["type"], render_text(renderer, text, is_typed)))
        elif block.get("type") == "tool_use" and (card := cards.get(str(block.get("id")))):
            shown.append(ShownBlock(block_id, "tool_use", "", card=card))
        elif not is_typed and (image := answered_image(block)):
            shown.append(ShownBlock(block_id, "image", "", image=image))
    return shown


def attached_files(blocks: list[dict[str, Any]]) -> list[AttachedFile]:
    """The files of a person's message, images first, otherwise in order."""
    files = [attached_file(block, key) for block in blocks if (key := reference_in(block))]
    return sorted(files, key=lambda file: file.kind != Kind.IMAGE)


def attached_file(block: Mapping[str, Any], key: UUID) -> AttachedFile:
    return describe_file(block, key, THUMBNAIL_WIDTH, THUMBNAIL_HEIGHT)


def answered_image(block: Mapping[str, Any]) -> AttachedFile | None:
    """The stored file of an image that a model answered with."""
    key = reference_in(block) if block.get("type") == "image" else None
    return describe_file(block, key, ANSWERED_IMAGE, ANSWERED_IMAGE) if key else None


def describe_file(block: Mapping[str, Any], key: UUID, most_width: int, most_height: int) -> AttachedFile:
    width, height = fit_on_page(block.get("width"), block.get("height"), most_width, most_height)
    facts = {"kind": block.get("kind", "text"), "name": block.get("name", ""), "size": block.get("size", 0)}
    facts["encoding"] = block.get("encoding", "")
    return AttachedFile(key=str(key), pages=block.get("pages"), width=width, height=height, **facts)


def fit_on_page(
    width: int | None, height: int | None, most_width: int, most_height: int
) -> tuple[int | None, int | None]:
    """Returns the size of an image on the page, which keeps its place free until it has loaded."""
    if not width or not height:
        return None, None
    share = min(1, most_width / width, most_height / height)
    return max(1, round(width * share)), max(1, round(height * share))


def shown_text(block: Mapping[str, Any]) -> str:
    text = block.get(SHOWN.get(block.get("type", ""), ""), "")
    return text if isinstance(text, str) else ""


@cached(
    LRUCache[tuple[str, bool], str](RENDERED_BYTES, getsizeof),
    key=lambda renderer, text, is_typed: (text, is_typed),
    lock=Lock(),
)
def render_text(renderer: Renderer, text: str, is_typed: bool) -> str:
    return renderer.render_typed(text) if is_typed else renderer.render(text)
