"""What an author writes without vertexkit: Starlette, a background task and httpx.

It has no limits, deadlines, logs or retries, and an execution is lost when the process ends.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


@asynccontextmanager
async def lifespan(served: Starlette) -> AsyncIterator[None]:
    base = f"{os.environ['VERTEXKIT_PLATFORM_URL']}/vertex/v1"
    async with httpx.AsyncClient(base_url=base, timeout=60) as served.state.client:
        yield


async def execute(client: httpx.AsyncClient, token: str, name: str) -> None:
    message = {"token": token, "text": f"Hello {name}", "typing": True}
    (await client.post("/dialog/send_message", json=message)).raise_for_status()
    (await client.post("/complete", json={"token": token, "data": {"ok": True}})).raise_for_status()


async def hello(request: Request) -> Response:
    call = await request.json()
    client = request.app.state.client
    return Response(background=BackgroundTask(execute, client, call["token"], call["name"]))


app = Starlette(routes=[Route("/blocks/hello", hello, methods=["POST"])], lifespan=lifespan)
