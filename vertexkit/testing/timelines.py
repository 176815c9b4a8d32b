"""The events of executions in a test, and when each execution has ended."""

import asyncio

from vertexkit.telemetry.events import Event
from vertexkit.testing.clock import real_timer


class Timelines:
    """The events of each execution, in order."""

    def __init__(self) -> None:
        self._events: dict[str, list[Event]] = {}
        self._settled: dict[str, asyncio.Event] = {}

    def add(self, event: Event) -> None:
        """Add an event to its execution."""
        self._events.setdefault(event.execution, []).append(event)
        if event.name == "settled":
            self._settled.setdefault(event.execution, asyncio.Event()).set()

    def find(self, execution: str) -> list[Event]:
        """Return the events of an execution so far."""
        return list(self._events[execution])

    async def wait_until_settled(self, block: str, execution: str, patience: float) -> None:
        """Wait until an execution has ended.

        Args:
            block: its block, for the error.
            execution: its id.
            patience: real seconds.

        Raises:
            TimeoutError: it did not end within the patience.
        """
        try:
            async with asyncio.timeout(None) as limit:
                loop = asyncio.get_running_loop()
                timer = real_timer(loop, patience, lambda: limit.reschedule(0.0))
                try:
                    await self._settled.setdefault(execution, asyncio.Event()).wait()
                finally:
                    timer.cancel()
        except TimeoutError:
            events = ", ".join(event.name for event in self._events[execution])
            raise TimeoutError(
                f"block {block!r} did not end within {patience} s; events so far: {events}"
            ) from None
