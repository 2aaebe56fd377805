"""Translates content parts of the Chat Completions API into blocks of the Messages API."""

import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Mapping, Sequence
from typing import Any, Final

from gateway.problems import Problem

type Block = dict[str, Any]

_IMAGES: Final = ("image/jpeg", "image/png", "image/gif", "image/webp")
_PDF: Final = "application/pdf"
_OTHER_NAMES: Final = {
    **{"image/jpg": "image/jpeg", "image/pjpeg": "image/jpeg", "image/jfif": "image/jpeg"},
    **{"image/x-png": "image/png", "image/apng": "image/png", "application/x-pdf": _PDF},
}
_BEGINNINGS: Final = (
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"GIF8[79]a"), "image/gif"),
    (re.compile(rb"RIFF.{4}WEBP", re.DOTALL), "image/webp"),
    (re.compile(rb"%PDF-"), _PDF),
)
_BEGINNING_LENGTH: Final = 16
"""Characters of base64 that hold the longest of these beginnings."""


def blocks_of(content: str | Sequence[Mapping[str, Any]], path: str) -> list[Block]:
    """The blocks of a message's content, without blank text, which servers refuse."""
    if isinstance(content, str):
        return [_text(content)] if content.strip() else []
    blocks = [_block(part, f"{path}.{place}") for place, part in enumerate(content)]
    return [block for block in blocks if block["type"] != "text" or block["text"].strip()]


def _text(text: str) -> Block:
    return {"type": "text", "text": text}


def _block(part: Mapping[str, Any], path: str) -> Block:
    match part:
        case {"type": "text", "text": str(text)} | {"type": "refusal", "refusal": str(text)}:
            return _text(text)
        case {"type": "image_url", "image_url": {"url": str(url)}}:
            return {"type": "image", "source": _image(url, f"{path}.image_url.url")}
        case {"type": "file", "file": {"file_data": str(url)}}:
            document = {"type": "document", "source": _document(url, f"{path}.file.file_data")}
            name = part["file"].get("filename")
            return {**document, "title": name} if name else document
        case {"type": "file"}:
            raise Problem.at(
                f"{path}.file.file_data", "is required, because this model cannot read files that are stored elsewhere."
            )
    raise Problem.at(f"{path}.type", f'parts of type "{part["type"]}" are not supported by this model.')


def _image(url: str, path: str) -> dict[str, str]:
    if url.startswith(("https://", "http://")):
        return {"type": "url", "url": url}
    media_type, data = _data_url(url, path)
    if media_type not in _IMAGES:
        raise Problem.at(path, "must be a JPEG, PNG, GIF or WebP image for this model.")
    return {"type": "base64", "media_type": media_type, "data": data}


def _document(url: str, path: str) -> dict[str, str]:
    media_type, data = _data_url(url, path)
    if media_type == _PDF:
        return {"type": "base64", "media_type": _PDF, "data": data}
    if not media_type.startswith("text/"):
        raise Problem.at(path, "must be a PDF or plain text for this model.")
    try:
        return {"type": "text", "media_type": "text/plain", "data": b64decode(data, validate=True).decode()}
    except (NotBase64, UnicodeDecodeError):
        raise Problem.at(path, "must be UTF-8 text encoded as base64.") from None


def _data_url(url: str, path: str) -> tuple[str, str]:
    """Returns media type and data. The data may be megabytes long, so nothing searches it.

    The beginning of the data decides the type: clients often declare another, which servers refuse.
    """
    head, _, data = url.partition(",")
    scheme, _, described = head.partition(":")
    media_type, *parameters = described.lower().split(";")
    if scheme.lower() != "data" or "base64" not in parameters:
        raise Problem.at(path, "must be a data: URL with base64.")
    return _detect_type(data) or _OTHER_NAMES.get(media_type, media_type), data


def _detect_type(data: str) -> str | None:
    try:
        beginning = b64decode(data[:_BEGINNING_LENGTH])
    except ValueError:
        return None
    return next((media_type for pattern, media_type in _BEGINNINGS if pattern.match(beginning)), None)
