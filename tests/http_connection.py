"""One TCP connection to an HTTP server: raw bytes out, parsed responses in."""

import asyncio
import contextlib
import json
from dataclasses import dataclass
from typing import Any

REPLY_TIMEOUT_SECONDS = 60.0
"""How long to wait for a response before the test fails."""


@dataclass(frozen=True)
class HttpResponse:
    """An HTTP response, as it was read from the socket."""

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
    def rejection(self) -> tuple[int, str]:
        """Status and problem code, after a check that the body is a valid problem document."""
        assert self.headers["content-type"] == "application/problem+json"
        assert self.headers["content-length"] == str(len(self.body))
        assert self.json["status"] == self.status
        assert self.json["title"]
        assert self.json["detail"]
        return self.status, self.json["code"]


class HttpConnection:
    """One TCP connection to the app; the bytes are sent exactly as given."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def answer(self) -> HttpResponse:
        """Read the next response on this connection."""
        async with asyncio.timeout(REPLY_TIMEOUT_SECONDS):
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.strip().split("\r\n")
            fields = [line.split(": ", 1) for line in lines]
            headers = {name.lower(): value for name, value in fields}
            body = await self._reader.readexactly(int(headers.get("content-length", "0")))
        return HttpResponse(int(first.split(" ")[1]), headers, body)

    async def end(self) -> None:
        """Close the sending side of the connection."""
        self._writer.write_eof()

    async def rest(self) -> bytes:
        """Read until the server closes the connection."""
        async with asyncio.timeout(REPLY_TIMEOUT_SECONDS):
            try:
                return await self._reader.read()
            except ConnectionResetError:
                return b""

    async def hang_up(self) -> None:
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(REPLY_TIMEOUT_SECONDS):
                await self._writer.wait_closed()
