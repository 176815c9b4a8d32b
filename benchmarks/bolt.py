"""The same work with Slack's Bolt for Python: a custom step that posts a message and completes.

Bolt checks, parses and authorizes each request; an execution is lost when the process ends.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from slack_bolt.adapter.starlette.async_handler import AsyncSlackRequestHandler
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient
from starlette.applications import Starlette
from starlette.routing import Route

CONNECTIONS = 100
"""As many as `vertexkit run` opens."""


async def authorize(**_: Any) -> AuthorizeResult:
    return AuthorizeResult(
        enterprise_id="E1", team_id="T1", bot_token="none", bot_id="B1", bot_user_id="U1"
    )


# Signatures are off: calls of Bot.one have none, so no other service checks one.
steps = AsyncApp(
    signing_secret="none",
    authorize=authorize,
    request_verification_enabled=False,
    client=AsyncWebClient(base_url=f"{os.environ['VERTEXKIT_PLATFORM_URL']}/slack/"),
)


@steps.function("hello")
async def hello(inputs: dict[str, str], client: AsyncWebClient, complete: Any) -> None:
    await client.chat_postMessage(channel="C1", text=f"Hello {inputs['name']}")
    await complete({"ok": True})


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    async with aiohttp.ClientSession(connector=connector) as steps.client.session:
        yield


handler = AsyncSlackRequestHandler(steps)
app = Starlette(
    routes=[Route("/blocks/hello", handler.handle, methods=["POST"])], lifespan=lifespan
)
