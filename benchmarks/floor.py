"""A minimal service to compare with: ASGI and an aiohttp client.

It has no checks, limits, deadlines, logs or retries.
"""

import asyncio
import json
import os
from typing import Any

import aiohttp


class Floor:
    """Accepts a call, then sends one message and completes the block."""

    def __init__(self) -> None:
        self._base = f"{os.environ['VERTEXKIT_PLATFORM_URL']}/vertex/v1"
        self._session: aiohttp.ClientSession
        self._tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        task = asyncio.create_task(self._execute(json.loads(body)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        headers = [(b"content-length", b"0")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body"})

    async def _execute(self, call: dict[str, str]) -> None:
        message = {"token": call["token"], "text": f"Hello {call['name']}", "typing": True}
        async with self._session.post(f"{self._base}/dialog/send_message", json=message) as answer:
            answer.raise_for_status()
            await answer.json()
        done = {"token": call["token"], "data": {"ok": True}}
        async with self._session.post(f"{self._base}/complete", json=done) as answer:
            answer.raise_for_status()

    async def _live(self, receive: Any, send: Any) -> None:
        await receive()
        async with aiohttp.ClientSession() as self._session:
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})


app = Floor()
