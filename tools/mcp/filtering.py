"""Removes invalid entries from a server's list of tools, because the SDK rejects the whole list for one of them.

Imported with the SDK, on first use.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCResponse, methods
from pydantic import ValidationError

if TYPE_CHECKING:
    from mcp.shared._stream_protocols import ReadStream

_METHOD: Final = "tools/list"
_OLDEST_VERSION: Final = "2025-11-25"

type ServerMessage = SessionMessage | Exception


class FilteredStream:
    """A server's messages on their way to the session. `listed` has the names in all lists, before filtering."""

    def __init__(self, stream: ReadStream[ServerMessage], protocol_version: Callable[[], str | None]) -> None:
        self.listed: list[str] = []
        self._stream, self._protocol_version = stream, protocol_version

    async def receive(self) -> ServerMessage:
        return self._filter(await self._stream.receive())

    async def aclose(self) -> None:
        await self._stream.aclose()

    @property
    def last_context(self) -> Any:
        return getattr(self._stream, "last_context", None)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ServerMessage:
        return self._filter(await anext(self._stream))

    async def __aenter__(self) -> Self:
        await self._stream.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return await self._stream.__aexit__(kind, error, trace)

    def _filter(self, item: ServerMessage) -> ServerMessage:
        if isinstance(item, SessionMessage) and isinstance(item.message, JSONRPCResponse):
            result = item.message.result
            if isinstance(tools := result.get("tools"), list):
                self.listed += [_name_of(entry) for entry in tools]
                item.message.result = {**result, "tools": [tool for tool in tools if self._is_valid(result, tool)]}
        return item

    def _is_valid(self, result: dict[str, Any], entry: object) -> bool:
        version = self._protocol_version() or _OLDEST_VERSION
        try:
            methods.parse_server_result(_METHOD, version, {**result, "tools": [entry]})
        except ValidationError:
            return False
        return True


def _name_of(entry: object) -> str:
    name = entry.get("name") if isinstance(entry, dict) else None
    return name if isinstance(name, str) and name else "an unnamed tool"
