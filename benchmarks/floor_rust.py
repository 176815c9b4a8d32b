"""The minimal service with an HTTP client in Rust, pyreqwest, instead of aiohttp."""

import json
from datetime import timedelta
from typing import Any

from floor import Floor
from pyreqwest.client import ClientBuilder

TIMEOUT = timedelta(seconds=30)
CONNECTIONS = 100


class RustFloor(Floor):
    """`Floor` with another client."""

    async def _execute(self, call: dict[str, str]) -> None:
        message = {"token": call["token"], "text": f"Hello {call['name']}", "typing": True}
        json.loads(await self._post("/dialog/send_message", message))
        await self._post("/complete", {"token": call["token"], "data": {"ok": True}})

    async def _post(self, path: str, body: dict[str, Any]) -> bytes:
        request = self._client.post(f"{self._base}{path}").body_json(body).build()
        response = await request.send()
        assert response.status < 300
        return bytes(await response.bytes())

    async def _live(self, receive: Any, send: Any) -> None:
        await receive()
        builder = ClientBuilder().follow_redirects(False).timeout(TIMEOUT)
        async with builder.max_connections(CONNECTIONS).build() as self._client:
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})


app = RustFloor()
