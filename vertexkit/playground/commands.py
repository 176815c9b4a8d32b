"""The commands that the playground sends to the process of the author's app.

| command | what it does |
|---|---|
| `speed` | pauses pass `value` times faster; 0: they take no time |
| `skip` | advances the clock by `seconds` |
| `stop` | fails the block of an `execution` |
"""

import asyncio
import json
import math
import threading
from contextlib import suppress
from typing import Any

from vertexkit.journal.events import EventTarget
from vertexkit.playground.observed_app import ObservedApp
from vertexkit.service import Service
from vertexkit.testing.paced_clock import PacedClock


class Commands:
    """Receives commands on a thread, and performs them on the event loop once it runs."""

    def __init__(self) -> None:
        self._rest = b""
        self._lock = threading.Lock()
        self._early: list[dict[str, Any]] = []
        """Commands that came before `start`."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._service: Service
        self._app: ObservedApp
        self._clock: PacedClock

    def receive(self, data: bytes) -> None:
        """Take a part of the commands, on any thread."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in filter(None, lines):
            command = json.loads(line)
            with self._lock:
                if self._loop is None:
                    self._early.append(command)
                    continue
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._perform, command)

    def start(
        self,
        loop: asyncio.AbstractEventLoop,
        service: Service,
        app: ObservedApp,
        clock: PacedClock,
    ) -> None:
        """Perform the commands that came, and all later ones.

        Args:
            loop: on which they are performed.
            service: runs the app.
            app: the author's.
            clock: of the service.
        """
        self._service, self._app, self._clock = service, app, clock
        with self._lock:
            self._loop = loop
            early, self._early = self._early, []
        for command in early:
            self._perform(command)

    def _perform(self, command: dict[str, Any]) -> None:
        match command["command"]:
            case "speed":
                self._clock.speed = command["value"] or math.inf
            case "skip":
                self._clock.skip(command["seconds"])
            case "stop":
                task = asyncio.ensure_future(self._stop(command["execution"]))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _stop(self, execution: str) -> None:
        """Stop an execution; one that waits for an event gets it, so that it runs again."""
        if self._app.stop(execution):
            return
        target: EventTarget | None = await self._service.journal.event_target(execution)
        if target is None or target.ended:
            return
        if names := target.waits_for():
            await self._service.journal.deliver_event(execution, min(names), b"{}")
