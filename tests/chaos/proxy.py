"""A small TCP proxy that a round breaks: it cuts, and it goes dead while looking alive."""

import asyncio
import contextlib
from pathlib import Path
from types import TracebackType
from typing import Self

CHUNK = 65_536


class Proxy:
    """Forwards a loopback port to another, or to a Unix socket.

    `cut` resets every connection, `freeze` swallows what comes, `go_dead` for good on those there are.
    """

    def __init__(self, target: int | Path) -> None:
        self._target = target
        self._pipes: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._dead: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._flowing = asyncio.Event()
        self._flowing.set()
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        self._flowing.set()
        self.cut()
        await asyncio.gather(*self._pipes, return_exceptions=True)

    def cut(self) -> None:
        """Reset every connection, in the middle of whatever it carries."""
        for writer in self._writers:
            writer.transport.abort()

    def go_dead(self) -> None:
        """Carry nothing more on the connections there are, without a sign; new ones work."""
        self._dead |= self._writers

    def freeze(self) -> None:
        """Forward nothing more, and say nothing of it: connections are half open."""
        self._flowing.clear()

    def thaw(self) -> None:
        """Work again; what was half open stays dead: the other end of a broken line never comes back."""
        self._flowing.set()
        self.cut()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            await self._flowing.wait()
            there, back = await self._connect()
        except OSError:
            writer.transport.abort()
            self._writers.discard(writer)
            return
        self._writers.add(back)
        for source, sink in ((reader, back), (there, writer)):
            task = asyncio.create_task(self._pipe(source, sink))
            self._pipes.add(task)
            task.add_done_callback(self._pipes.discard)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self._target, Path):
            return await asyncio.open_unix_connection(self._target)
        return await asyncio.open_connection("127.0.0.1", self._target)

    async def _pipe(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(CHUNK):
                await self._flowing.wait()
                if sink not in self._dead:
                    sink.write(data)
                    await sink.drain()
        if sink in self._dead:
            return
        # A connection that ends while frozen ends unheard, as on a broken line.
        await self._flowing.wait()
        self._writers.discard(sink)
        sink.close()
