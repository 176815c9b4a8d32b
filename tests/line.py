"""One connection to a server, on which bytes are sent as they are, and answers read."""

import asyncio
import contextlib
import json
from dataclasses import dataclass
from typing import Any

PATIENCE = 20.0
"""Seconds after which what does not come counts as never coming."""


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, byte by byte from the socket."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def execution(self) -> str:
        execution = self.json["execution"]
        assert isinstance(execution, str)
        return execution

    @property
    def refusal(self) -> tuple[int, str]:
        """Status and code; the body is a problem that says both."""
        assert self.headers["content-type"] == "application/problem+json"
        assert self.headers["content-length"] == str(len(self.body))
        assert self.json["status"] == self.status
        assert self.json["title"]
        assert self.json["detail"]
        return self.status, self.json["code"]


class Line:
    """One connection to the app, on which bytes are sent as they are."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def answer(self) -> Answer:
        """The next answer on this connection."""
        async with asyncio.timeout(PATIENCE):
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.strip().split("\r\n")
            fields = [line.split(": ", 1) for line in lines]
            headers = {name.lower(): value for name, value in fields}
            body = await self._reader.readexactly(int(headers.get("content-length", "0")))
        return Answer(int(first.split(" ")[1]), headers, body)

    async def end(self) -> None:
        """Say that nothing more will come."""
        self._writer.write_eof()

    async def rest(self) -> bytes:
        """All that still comes until the other side closes."""
        async with asyncio.timeout(PATIENCE):
            try:
                return await self._reader.read()
            except ConnectionResetError:
                return b""

    async def hang_up(self) -> None:
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()
