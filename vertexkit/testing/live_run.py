"""A run of a block in a test while its execution has not ended: it waits for an event or a time."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Protocol

from vertexkit.execution import Execution, Phase, event_signature
from vertexkit.journal.protocol import JournalAdmin
from vertexkit.telemetry.events import Event
from vertexkit.testing.clock import VirtualClock
from vertexkit.testing.run import Run, SentMessage
from vertexkit.token import Token

RESTING_PHASES = frozenset({Phase.SUSPENDED, Phase.SETTLED})


class Dialog(Protocol):
    """What a live run needs of its `FakeDialog`."""

    async def post(self, path: str, body: Any) -> tuple[int, dict[str, Any]]:
        """Send a POST request to the app."""

    def subscribe(self, callback: Callable[[Event], None]) -> None:
        """Call back with each event of the executions."""

    def messages_of(self, token: str, started: float) -> list[SentMessage]:
        """Return the messages that the dialog of a token has received."""


class LiveRun:
    """One call of a block whose handler waits; `FakeDialog.start` returns it.

    While the handler waits, time passes only in `skip`.

    Attributes:
        execution: the id of the execution.

    Args:
        dialog: runs the app.
        journal: has the execution.
        call: block, token and id of the execution.
        clock: of the dialog.
        collect: waits until the execution has ended, and returns the record of the run.
    """

    def __init__(
        self,
        dialog: Dialog,
        journal: JournalAdmin,
        call: tuple[str, str, str],
        clock: VirtualClock,
        collect: Callable[[], Awaitable[Run]],
    ) -> None:
        self._block, self._token, execution = call
        self.execution: str = execution
        self._dialog = dialog
        self._journal = journal
        self._clock = clock
        self._collect = collect
        self._started = clock.now()
        self._changed = asyncio.Event()
        self._waiting_for: list[str] = []
        self._ended = False
        dialog.subscribe(self._note)

    def __repr__(self) -> str:
        state = (
            "ended" if self._ended else f"waiting for {', '.join(self._waiting_for) or 'a time'}"
        )
        return f"<LiveRun {self._block} {state}; messages={list(map(str, self.messages))!r}>"

    @property
    def waiting_for(self) -> list[str]:
        """Names of the events that the handler waits for; empty if it sleeps or has ended."""
        return list(self._waiting_for)

    @property
    def ended(self) -> bool:
        """Whether the execution has ended."""
        return self._ended

    @property
    def messages(self) -> list[SentMessage]:
        """The messages that the dialog has received so far."""
        return self._dialog.messages_of(self._token, self._started)

    def event_path(self, name: str) -> str:
        """Return the path of the URL that `ctx.event_url(name)` returns."""
        return event_path(self._block, self._token, self.execution, name)

    async def send_event(self, name: str, data: Any = None, *, expect: int = 200) -> None:
        """Send an event over HTTP, and wait until the handler waits again or has ended.

        Args:
            name: of the event.
            data: a dict or a model, sent as JSON; None: `{}`.
            expect: status of the response; 422 if the data is meant to be invalid, 410 if it comes
                too late.

        Raises:
            AssertionError: the response has another status.
        """
        __tracebackhide__ = True
        path = self.event_path(name)
        status, answer = await self._dialog.post(path, {} if data is None else data)
        if status != expect:
            reason = "; ".join(
                [str(answer.get("detail", answer)), *map(str, answer.get("errors", ()))]
            )
            raise AssertionError(f"the event {name!r} was answered {status}: {reason}")
        await self.rest()

    async def skip(self, *, seconds: float = 0, **units: float) -> None:
        """Let time pass, and wait until the handler waits again or has ended.

        Args:
            seconds: How many.
            **units: `minutes`, `hours`, `days` or `weeks`, as for `timedelta`.
        """
        await self._clock.advance(timedelta(seconds=seconds, **units).total_seconds())
        await self.rest()

    async def finish(self) -> Run:
        """Wait until the execution has ended.

        Returns:
            The record of the call, as `FakeDialog.run` returns it.

        Raises:
            TimeoutError: it did not end within the patience of the dialog: its handler still waits.
        """
        return await self._collect()

    async def rest(self) -> None:
        """Wait until the handler waits or the execution has ended."""
        while True:
            self._changed.clear()
            record = await self._journal.find(self.execution)
            if record is None or record.phase in RESTING_PHASES:
                break
            await self._changed.wait()
        target = await self._journal.event_target(self.execution)
        self._ended = target is None or target.ended
        self._waiting_for = [] if target is None else sorted(target.waits_for())

    def _note(self, event: Event) -> None:
        if event.execution == self.execution:
            self._changed.set()


def event_path(block: str, token: str, execution: str, name: str) -> str:
    """Return the path of the URL of an event.

    Args:
        block: name of the block that waits for it.
        token: of the platform's call.
        execution: id of the execution.
        name: name of the event.
    """
    key = Execution(execution, block, Token(token), {}).key
    return f"/events/{execution}/{name}/{event_signature(key, execution, name)}"
