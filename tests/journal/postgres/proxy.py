"""A proxy in front of a server's socket, which can cut connections at a chosen moment."""

import asyncio
from pathlib import Path
from types import TracebackType
from typing import Self

COMMITTED = b"C\x00\x00\x00\x0bCOMMIT\x00"
"""The server's answer to COMMIT."""


class Proxy:
    """A context that forwards connections to a Unix socket.

    Args:
        target: the server's socket.

    Attributes:
        url: of the database `contract` behind the proxy, for the user postgres.
        cut_after: name of a prepared statement; the answer to the next commit of a transaction with
            it is lost with its connection. Empty: none.
        open_connections: connections that are forwarded now.
        is_down: no connection is let through.
    """

    def __init__(self, target: Path) -> None:
        self._target = target
        self._server: asyncio.Server
        self._tasks: set[asyncio.Task[None]] = set()
        self.url = ""
        self.cut_after = ""
        self.is_down = False
        self.open_connections: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"postgresql://postgres@127.0.0.1:{port}/contract"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.close()
        self.cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """Cut all connections."""
        for writer in self.open_connections:
            writer.transport.abort()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.is_down:
            writer.transport.abort()
            return
        self.open_connections.add(writer)
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        server_reader, server_writer = await asyncio.open_unix_connection(str(self._target))
        cut = asyncio.Event()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._forward(reader, server_writer, cut))
                group.create_task(self._forward_answers(server_reader, writer, cut))
        except* OSError:
            pass
        finally:
            self.open_connections.discard(writer)
            self._tasks.discard(task)
            server_writer.close()
            writer.close()

    async def _forward(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, cut: asyncio.Event
    ) -> None:
        while data := await reader.read(1 << 16):
            if self.cut_after and f"\0{self.cut_after}\0".encode() in data:
                self.cut_after = ""
                cut.set()
            writer.write(data)
            await writer.drain()
        writer.transport.abort()

    async def _forward_answers(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, cut: asyncio.Event
    ) -> None:
        while data := await reader.read(1 << 16):
            if cut.is_set() and COMMITTED in data:
                break
            writer.write(data)
            await writer.drain()
        writer.transport.abort()
