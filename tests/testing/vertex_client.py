"""Clients of methods 14 and 15, for tests of the fake platform."""

import asyncio
import json
from typing import Any

import httpx

from vertexkit.testing.platform.app import FakePlatform

SEND = "/api/vertex/v1/dialog/send_message"
COMPLETE = "/api/vertex/v1/complete"


class VertexClient:
    """Sends the requests of a block with plain httpx, in process or over a socket."""

    def __init__(self, platform: FakePlatform, base_url: str | None = None) -> None:
        transport = None if base_url else httpx.ASGITransport(platform)
        self.http = httpx.AsyncClient(transport=transport, base_url=base_url or "http://demo.test")

    async def send(self, token: str, text: str = "Привет", typing: Any = True) -> httpx.Response:
        body = {"token": token, "text": text, "typing": typing}
        return await self.http.post(SEND, json=body)

    async def complete(self, token: str, data: Any = None) -> httpx.Response:
        return await self.http.post(COMPLETE, json={"token": token, "data": data})


class AsgiRequest:
    """One request as ASGI messages, for details that an HTTP client hides."""

    def __init__(self, platform: FakePlatform, path: str, body: dict[str, Any]) -> None:
        self.platform = platform
        self.scope = {
            "type": "http",
            "method": "POST",
            "path": path,
            "query_string": b"",
            "headers": [(b"content-type", b"application/json")],
        }
        self.inbox: asyncio.Queue[Any] = asyncio.Queue()
        self.inbox.put_nowait({"type": "http.request", "body": json.dumps(body).encode()})
        self.outbox: list[Any] = []

    async def answer(self) -> None:
        await self.platform(self.scope, self.inbox.get, self._take)

    async def _take(self, message: Any) -> None:
        self.outbox.append(message)
