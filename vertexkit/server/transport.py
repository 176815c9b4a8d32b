"""Writes the responses of one turn of the event loop together, each in one piece."""

import asyncio
from collections.abc import Callable
from typing import Any

MAX_BATCHED_BYTES = 16 * 1024
"""More bytes than this are written at once, so that a client that does not read pauses the app."""


class WriteBatch:
    """The transports that have bytes to write at the end of this turn of the event loop."""

    def __init__(self) -> None:
        self._transports: list[BatchedTransport] = []

    def add(self, transport: "BatchedTransport") -> None:
        """Flush this transport at the end of the turn."""
        if not self._transports:
            asyncio.get_running_loop().call_soon(self._flush)
        self._transports.append(transport)

    def _flush(self) -> None:
        transports, self._transports = self._transports, []
        for transport in transports:
            transport.flush()


class BatchedTransport:
    """A transport that collects what is written in one turn of the event loop.

    uvicorn writes the head and the body of a response one after the other. Written in one piece they
    cost one system call instead of two, and wake the client once. The responses of a turn are
    written one directly after the other, so that a client of many connections is woken once for
    several of them.

    What is not defined here is the transport's own.

    Args:
        transport: writes the bytes.
        batch: flushes this object at the end of a turn.
    """

    def __init__(self, transport: asyncio.Transport, batch: WriteBatch) -> None:
        self._transport = transport
        self._batch = batch
        self._unwritten = bytearray()
        self.is_closing: Callable[[], bool] = transport.is_closing

    def write(self, data: bytes) -> None:
        """Write bytes at the end of this turn."""
        is_first = not self._unwritten
        self._unwritten += data
        if len(self._unwritten) > MAX_BATCHED_BYTES:
            self.flush()
        elif is_first:
            self._batch.add(self)

    def flush(self) -> None:
        """Write now."""
        if self._unwritten:
            data, self._unwritten = self._unwritten, bytearray()
            if not self._transport.is_closing():
                self._transport.write(data)

    def write_eof(self) -> None:
        """Write, and then close the writing end."""
        self.flush()
        self._transport.write_eof()

    def close(self) -> None:
        """Write, and then close the connection."""
        self.flush()
        self._transport.close()

    def abort(self) -> None:
        """Write what the system takes at once, and close the connection."""
        self.flush()
        self._transport.abort()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
