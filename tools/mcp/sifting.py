"""A server's list of tools without the entries that are none: for one of them, the SDK refuses all of it.

Imported with the SDK, on first use.
"""

from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, Self

from mcp.shared._stream_protocols import ReadStream
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCResponse, methods
from pydantic import ValidationError

_METHOD: Final = "tools/list"
_OLDEST: Final = "2025-11-25"

type Item = SessionMessage | Exception


class SiftedStream:
    """What a server says, on its way to the session; `listed` are the names in all lists, as they came."""

    def __init__(self, stream: ReadStream[Item], version: Callable[[], str | None]) -> None:
        self.listed: list[str] = []
        self._stream, self._version = stream, version

    async def receive(self) -> Item:
        return self._sifted(await self._stream.receive())

    async def aclose(self) -> None:
        await self._stream.aclose()

    @property
    def last_context(self) -> Any:
        return getattr(self._stream, "last_context", None)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Item:
        return self._sifted(await anext(self._stream))

    async def __aenter__(self) -> Self:
        await self._stream.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return await self._stream.__aexit__(kind, error, trace)

    def _sifted(self, item: Item) -> Item:
        if isinstance(item, SessionMessage) and isinstance(item.message, JSONRPCResponse):
            result = item.message.result
            if isinstance(tools := result.get("tools"), list):
                self.listed += [_name_of(entry) for entry in tools]
                item.message.result = {**result, "tools": [tool for tool in tools if self._is_tool(result, tool)]}
        return item

    def _is_tool(self, result: dict[str, Any], entry: object) -> bool:
        try:
            methods.parse_server_result(_METHOD, self._version() or _OLDEST, {**result, "tools": [entry]})
        except ValidationError:
            return False
        return True


def _name_of(entry: object) -> str:
    name = entry.get("name") if isinstance(entry, dict) else None
    return name if isinstance(name, str) and name else "one without a name"
