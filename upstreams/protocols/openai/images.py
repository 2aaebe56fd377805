"""Images in replies of the Chat Completions API, as blocks of the Messages API."""

import re
from collections.abc import Iterator
from io import StringIO
from typing import Any, Final

from upstreams.events import ReplyEvent

_DATA_URL: Final = re.compile(r"data:([^;,]{0,100})[^,]{0,200};base64,", re.IGNORECASE)
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_SHOWABLE: Final = ("data", "http", "https")


def find_address(entry: object) -> str:
    """The URL of an image, in the shapes that servers use. Returns "" if there is none that can be an image's."""
    match entry:
        case {"image_url": {"url": str(url)}} | {"image_url": str(url)} | {"url": str(url)} | {"image": str(url)}:
            address = url
        case {"source": {"type": "url", "url": str(url)}}:
            address = url
        case {"source": {"type": "base64", "media_type": str(media_type), "data": str(data)}}:
            address = f"data:{media_type};base64,{data}"
        case {"b64_json": str(data)} | {"result": str(data)}:
            address = f"data:image/png;base64,{data}"
        case str():
            address = entry
        case _:
            return ""
    scheme = _SCHEME.match(address)
    return address if scheme is None or scheme[0][:-1].lower() in _SHOWABLE else ""


class ImageBlock:
    """An image of a reply. It is whole when another block begins, because a server may cut its URL into pieces."""

    can_open = is_whole = True

    def __init__(self, address: str, index: object) -> None:
        self._address, self._index = StringIO(), index
        self._address.write(address)
        self._is_data = address[:5].lower() == "data:"
        self._has_grown = False

    def continues_with(self, address: str, index: object) -> bool:
        """Whether an entry is the next piece of this image's URL: it has no scheme, and no index of its own."""
        return self._is_data and not _SCHEME.match(address) and index in (None, self._index)

    def grow(self, piece: str) -> None:
        self._address.write(piece)
        self._has_grown = True

    def opening_block(self) -> dict[str, Any]:
        return {"type": "image", "source": self._build_source()}

    def new_events(self) -> Iterator[ReplyEvent]:
        return iter(())

    def closing_fields(self, *, is_cut: bool = False) -> dict[str, Any]:
        return {"source": self._build_source()} if self._has_grown else {}

    def _build_source(self) -> dict[str, str]:
        address = self._address.getvalue()
        if address[:4].lower() == "http":
            return {"type": "url", "url": address}
        head = _DATA_URL.match(address)
        # A URL without a scheme is taken as the data alone, which some servers send.
        is_bare = head is None and not _SCHEME.match(address)
        data = address if is_bare else address[head.end() :] if head else ""
        return {"type": "base64", "media_type": head[1] if head else "", "data": data}


def build_address(source: object) -> str:
    """The URL of an image block's source; "" if there is none."""
    match source:
        case {"type": "url", "url": str(url)}:
            return url
        case {"type": "base64", "data": str(data), **facts}:
            return f"data:{facts.get('media_type') or 'image/png'};base64,{data}"
    return ""
