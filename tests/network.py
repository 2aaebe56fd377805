"""A network in front of the site that can go away without a word, as a laptop's does."""

import asyncio
import threading
from contextlib import suppress
from typing import Self


class Network:
    """`with Network(port) as network:` passes every byte between `network.url` and the site.

    After `cut()`, connections stay open and new ones are accepted, but no byte passes in either direction. After
    `restore()`, new connections work. Those from before stay silent for good.
    """

    def __init__(self, port: int) -> None:
        self._site_port = port
        self._is_cut = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="network", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = self._run(asyncio.start_server(self._connect, "127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def cut(self) -> None:
        self._is_cut = True

    def restore(self) -> None:
        self._is_cut = False

    def _run[T](self, work: "asyncio.Future[T] | object") -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)  # type: ignore[arg-type]

    async def _end(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut:
            await self._swallow(reader)
        site_reader, site_writer = await asyncio.open_connection("127.0.0.1", self._site_port)
        await asyncio.gather(self._pass(reader, site_writer), self._pass(site_reader, writer))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(1 << 16):
                if self._is_cut:
                    await self._swallow(reader)
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            if not self._is_cut:
                with suppress(OSError):
                    writer.close()

    async def _swallow(self, reader: asyncio.StreamReader) -> None:
        """Reads and forgets everything, and never returns. The other side learns nothing, not even of an end."""
        with suppress(OSError):
            while await reader.read(1 << 16):
                pass
        await asyncio.Event().wait()
