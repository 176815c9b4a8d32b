"""What an author writes with FastAPI: a validated body, a background task and aiohttp.

It has no limits, deadlines, logs or retries, and an execution is lost when the process ends.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import aiohttp
from fastapi import BackgroundTasks, FastAPI
from pydantic import BaseModel


class Call(BaseModel):
    token: str
    name: str


class Platform:
    """The HTTP client, from the start of the service to its end."""

    session: ClassVar[aiohttp.ClientSession]

    @classmethod
    async def post(cls, path: str, body: dict[str, Any]) -> None:
        url = f"{os.environ['VERTEXKIT_PLATFORM_URL']}/vertex/v1{path}"
        async with cls.session.post(url, json=body) as response:
            response.raise_for_status()
            await response.read()


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    async with aiohttp.ClientSession() as Platform.session:
        yield


app = FastAPI(lifespan=lifespan)


async def execute(call: Call) -> None:
    text = f"Hello {call.name}"
    message = {"token": call.token, "text": text, "typing": True}
    await Platform.post("/dialog/send_message", message)
    await Platform.post("/complete", {"token": call.token, "data": {"ok": True}})


@app.post("/blocks/hello")
async def hello(call: Call, tasks: BackgroundTasks) -> None:
    tasks.add_task(execute, call)
