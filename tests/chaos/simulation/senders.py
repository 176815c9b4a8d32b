"""Those who send events to the executions of a simulation, at any moment, some of them twice."""

import asyncio
from collections.abc import Callable, Sequence
from itertools import count
from random import Random

from pydantic_core import to_json

from tests.chaos.observed import Call
from tests.chaos.senders import FINAL, event_path
from tests.chaos.simulation.processes import ServiceProcess, http_post
from tests.chaos.simulation.programs import NAMES
from tests.chaos.simulation.scheduler import Scheduler
from tests.chaos.waits import SentEvent

DELAYS_SECONDS = (0.0, 0.1, 2.0, 3.0, 60.0)
"""Some are as long as a wait: then the event and the end of the time race."""
RESPONSE_LIMIT = 10.0
"""Seconds after which a sender gives up a request."""
TRIES = 200
"""Requests after which a sender gives up an event."""


class Senders:
    """Sends events to the executions whose call was answered.

    Args:
        scheduler: of the simulation.
        random: of the callers.
        serving: returns the processes that accept connections.
        note: adds a line to the trace.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        random: Random,
        serving: Callable[[], Sequence[ServiceProcess]],
        note: Callable[[str], None],
    ) -> None:
        self.sent: list[SentEvent] = []
        self._scheduler = scheduler
        self._random = random
        self._serving = serving
        self._note = note
        self._numbers = count(1)
        self._tasks: dict[str, list[asyncio.Task[None]]] = {}

    def start(self, call: Call) -> None:
        """Send the events of an execution from now on, each at its own moment."""
        if call.execution in self._tasks:
            return
        random = self._random
        self._tasks[call.execution] = [
            asyncio.create_task(self._send_late(call, name, random.choice(DELAYS_SECONDS)))
            for name in NAMES
            for _ in range(random.choice((0, 1, 1, 2)))
        ]

    async def finish(self) -> None:
        """Wait until every event has its answer."""
        await asyncio.gather(*(task for tasks in self._tasks.values() for task in tasks))

    async def _send_late(self, call: Call, name: str, delay: float) -> None:
        await asyncio.sleep(delay)
        for _ in range(TRIES):
            if await self._send(call, name) in FINAL:
                return
            await asyncio.sleep(0.05 + self._random.random())

    async def _send(self, call: Call, name: str) -> int | None:
        place, number = len(self.sent), next(self._numbers)
        self.sent.append(SentEvent(call.execution, name, number, None))
        serving = self._serving()
        if not serving:
            return None
        process = self._random.choice(serving)
        await asyncio.sleep(self._scheduler.latency())
        http, body = process.http, to_json({"number": number})
        asked = process.ask(lambda: http_post(http, event_path(call, name), body))
        try:
            async with asyncio.timeout(RESPONSE_LIMIT):
                status, _, _ = await asyncio.shield(asked)
        except (TimeoutError, asyncio.CancelledError):
            self._note(f"sender: no response from {process.name}")
            return None
        await asyncio.sleep(self._scheduler.latency())
        if not process.alive and self._random.random() < 0.5:
            return None  # the response was not sent any more
        self.sent[place] = SentEvent(call.execution, name, number, status)
        self._note(f"sender: {name} {number} of {call.execution} was answered {status}")
        return status
