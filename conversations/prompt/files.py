"""Turns attachments into blocks for a model. The same file always gives the same bytes, for prompt caches."""

from base64 import b64encode
from collections.abc import Iterable, Mapping
from typing import Any

from conversations.inspection import Kind
from conversations.models import Attachment, Message
from conversations.models.attachment import TEXT, map_block, reference_in
from conversations.models.message import text_block
from upstreams.chat import Block
from upstreams.models import ChatModel


class AttachedFiles:
    """The files of some messages, for one model. `remarks` names those that are sent in part or not at all."""

    def __init__(self, messages: Iterable[Message], reader: ChatModel) -> None:
        blocks = (block for message in messages for block in message.blocks)
        self._files = Attachment.objects.find_referenced(blocks)
        self._reader = reader
        self._unseen = 0
        self._remarks: dict[str, None] = {}

    @property
    def remarks(self) -> tuple[str, ...]:
        """One sentence for each problem, without repetitions."""
        if not self._unseen:
            return tuple(self._remarks)
        images = "An image was" if self._unseen == 1 else f"{self._unseen} images were"
        return f"{images} left out: {self._reader} does not accept images.", *self._remarks

    def expand(self, block: Mapping[str, Any]) -> Block:
        """Replaces references to files, in tool results too, by the files; returns other blocks unchanged."""
        return map_block(block, self._expand)

    def _expand(self, block: Mapping[str, Any]) -> Block:
        key = reference_in(block)
        if key is None:
            return block
        file = self._files.get(str(key))
        try:
            return self._missing(str(block.get("name", "file"))) if file is None else self._block(file)
        except FileNotFoundError:
            return self._missing(str(file))
        except OSError:
            self._remark(f"“{file}” was left out: it cannot be read at the moment. Try again later.")
            return text_block(f"[A file, {file}, cannot be read at the moment.]")

    def _block(self, file: Attachment) -> Block:
        if file.is_image:
            return self._image(file)
        if file.kind == Kind.TEXT:
            return document(file.name, text_of(file.read_content()))
        if self._reader.can_read_pdf:
            return {"type": "document", "source": base64(file), "title": file.name}
        return self._pdf_as_text(file)

    def _image(self, file: Attachment) -> Block:
        if self._reader.can_see:
            return {"type": "image", "source": base64(file)}
        self._unseen += 1
        return text_block(f"[An image, {file.name}, is not shown to you.]")

    def _pdf_as_text(self, file: Attachment) -> Block:
        text = text_of(file.read_content(TEXT))
        if not text.strip():
            self._remark(f"“{file}” was left out: {self._reader} does not read PDF files, and this one has no text.")
            return text_block(f"[A PDF file, {file.name}, has no readable text.]")
        part = "its text" if file.is_text_whole else "the first part of its text"
        self._remark(f"“{file}” was sent as {part}: {self._reader} does not read PDF files.")
        return document(file.name, text)

    def _missing(self, name: str) -> Block:
        self._remark(f"“{name}” was left out: the file no longer exists.")
        return text_block(f"[A file, {name}, no longer exists.]")

    def _remark(self, sentence: str) -> None:
        self._remarks[sentence] = None


def base64(file: Attachment) -> dict[str, str]:
    return {"type": "base64", "media_type": file.media_type, "data": b64encode(file.read_content()).decode()}


def document(title: str, text: str) -> Block:
    return {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": text}, "title": title}


def text_of(content: bytes) -> str:
    return content.decode("utf-8", "replace")
