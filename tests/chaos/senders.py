"""Those who send events: before, during and after a wait, some of them twice or too late."""

import asyncio
from collections.abc import Callable
from itertools import count
from random import Random

import aiohttp

from tests.chaos.observed import Call
from tests.chaos.waits import SentEvent
from vertexkit.execution import Execution, event_signature
from vertexkit.token import Token

NAMES = ("first", "second")
"""The events that the programs of the soak wait for."""
DELAYS_SECONDS = (0.0, 0.05, 0.5, 1.5, 4.0)
FINAL = {200, 404, 410, 422}
"""Statuses after which an event is not sent again."""


def event_path(call: Call, name: str) -> str:
    """Return the path to which an event of the call's execution is sent."""
    key = Execution("", call.block, Token(call.token), {}).key
    signature = event_signature(key, call.execution, name)
    return f"/events/{call.execution}/{name}/{signature}"


class Senders:
    """Sends the events of executions, and records what was answered.

    Args:
        client: sends the requests.
        url: returns the URL of the service.
    """

    def __init__(self, client: aiohttp.ClientSession, url: Callable[[], str]) -> None:
        self.sent: list[SentEvent] = []
        self._client = client
        self._url = url
        self._numbers = count(1)
        self._tasks: list[asyncio.Task[None]] = []
        self._known: set[str] = set()

    def start(self, call: Call, random: Random) -> None:
        """Send the events of an execution from now on, each at its own moment."""
        if call.execution in self._known:
            return
        self._known.add(call.execution)
        for name in NAMES:
            for _ in range(random.choices((1, 2), (7, 3))[0]):
                delay = random.choice(DELAYS_SECONDS)
                self._tasks.append(asyncio.create_task(self._send_late(call, name, delay)))

    async def finish(self) -> None:
        """Wait until every event has its answer."""
        await asyncio.gather(*self._tasks)

    async def _send_late(self, call: Call, name: str, delay: float) -> None:
        await asyncio.sleep(delay)
        while True:  # a busy machine starts a service slowly
            if await self.send(call, name) in FINAL:
                return
            await asyncio.sleep(0.1)

    async def send(self, call: Call, name: str) -> int | None:
        """Send an event once; return the status of the response."""
        number, status = next(self._numbers), None
        url = f"{self._url()}{event_path(call, name)}"
        try:
            async with self._client.post(url, json={"number": number}) as answer:
                await answer.read()
                status = answer.status
        except (aiohttp.ClientError, TimeoutError):
            status = None
        self.sent.append(SentEvent(call.execution, name, number, status))
        return status
