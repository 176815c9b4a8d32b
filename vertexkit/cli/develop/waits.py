"""What a block waits for, asked for in the terminal or given as options."""

import asyncio
import json
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from vertexkit.cli.translation import translate
from vertexkit.clock import Clock
from vertexkit.errors import SettingsError
from vertexkit.telemetry.events import Event
from vertexkit.testing.clock import VirtualClock
from vertexkit.testing.dialog import FakeDialog
from vertexkit.testing.live_run import event_path
from vertexkit.testing.paced_clock import PacedClock

SKIP = "skip"
"""What is typed instead of an event's data to let the time of the wait pass."""

SKIP_MARGIN_SECONDS = 0.1
"""Skipped beyond the end of a wait: the journal dates it a moment later than its handler."""
OVER_STATUSES = (404, 410)
"""Statuses of a response to an event that comes too late."""


@dataclass(frozen=True, slots=True)
class OpenWait:
    """What a handler waits for."""

    event: str
    """Name of the event; empty if it waits for a time."""
    until: float
    """Unix time, of the run's clock."""


def read_events(pairs: Iterable[str]) -> dict[str, list[Any]]:
    """Read events of the command line.

    Args:
        pairs: `NAME=JSON` each.

    Returns:
        The data of events by their name, in the given order.

    Raises:
        SettingsError: An event cannot be read.
    """
    events: dict[str, list[Any]] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise SettingsError(
                f"events must have the form NAME=JSON, got {pair!r}. For example: "
                """-e payment='{"amount": 100}'"""
            )
        try:
            events.setdefault(name, []).append(json.loads(text))
        except ValueError as error:
            raise SettingsError(f"the event {name!r} is not valid JSON: {error}") from None
    return events


class WaitPrinter(Protocol):
    """Prints what a block waits for; `Transcript` is one. It is called on the event loop."""

    def waiting(self, event: str, seconds: float, *, asks: bool) -> None:
        """Print what a block waits for.

        Args:
            event: Name of the event; empty if it waits for a time.
            seconds: Seconds until the wait ends.
            asks: A user is asked in the next line.
        """

    def event_sent(self, name: str, data: Any) -> None:
        """Print that an event was sent."""

    def event_rejected(self, answer: Mapping[str, Any]) -> None:
        """Print why an event was rejected: the `detail` and the `errors` of a response."""

    def time_skipped(self, seconds: float) -> None:
        """Print that time was skipped."""


class TerminalWaits:
    """A context in which the waits of one run end: by given events, what a user types, or time.

    Args:
        dialog: Runs the block.
        call: Block and token of the call.
        events: Data of events by name.
        printer: Prints what happens.
        reader: Reads a line that a user types; None: no user is asked.
    """

    def __init__(
        self,
        dialog: FakeDialog,
        call: tuple[str, str],
        events: dict[str, list[Any]],
        printer: WaitPrinter,
        reader: Callable[[str], str] | None,
    ) -> None:
        self._dialog = dialog
        self._block, self._token = call
        self._events = events
        self._printer = printer
        self._reader = reader
        self._clock: Clock = dialog.clock
        self._waits: dict[int, OpenWait] = {}
        self._suspended = asyncio.Event()
        self._execution = ""
        dialog.subscribe(self._note)
        dialog.subscribe(self._note_contents, contents=True)
        if isinstance(self._clock, VirtualClock):
            self._clock.hold_durable_waits()

    async def __aenter__(self) -> None:
        self._task = asyncio.ensure_future(self._end_waits())

    async def __aexit__(self, *error: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _end_waits(self) -> None:
        while True:
            await self._suspended.wait()
            self._suspended.clear()
            waits = sorted(self._waits.values(), key=lambda wait: wait.until)
            if waits:
                await self._end_one(waits)

    def _note(self, event: Event) -> None:
        if event.name == "suspended":
            self._execution = event.execution
            self._suspended.set()

    def _note_contents(self, event: Event) -> None:
        position = event.fields.get("position", 0)
        if event.name == "waiting":
            self._waits[position] = OpenWait(event.fields["event"], event.fields["until"])
        elif event.name == "waited":
            self._waits.pop(position, None)

    async def _end_one(self, waits: list[OpenWait]) -> None:
        """End the first wait for which there is an event, else the one that ends first."""
        for wait in waits:
            given = self._events.get(wait.event, [])
            if given:
                self._show(wait, asks=False)
            while given:
                if await self._send(wait.event, given.pop(0)):
                    return
        wait = next((wait for wait in waits if wait.event), waits[0])
        self._show(wait, asks=self._reader is not None)
        if self._reader is not None:
            await self._ask(wait, waits[0])
        elif isinstance(self._clock, VirtualClock):
            await self._skip(waits[0])

    def _show(self, wait: OpenWait, *, asks: bool) -> None:
        self._printer.waiting(wait.event, max(0.0, wait.until - self._clock.unix()), asks=asks)

    async def _ask(self, wait: OpenWait, first: OpenWait) -> None:
        """Ask until an event is accepted, or time is skipped."""
        assert self._reader is not None  # noqa: S101 - checked by the caller
        while True:
            text = (await _read_line(self._reader, wait.event)).strip()
            if text in {"", SKIP} or not wait.event:
                await self._skip(first)
                return
            try:
                data = json.loads(text)
            except ValueError as error:
                self._printer.event_rejected({"detail": translate("This is not JSON: {0}", error)})
                continue
            if await self._send(wait.event, data):
                return

    async def _send(self, name: str, data: Any) -> bool:
        """Send an event; return whether no other one can be sent in its place."""
        path = event_path(self._block, self._token, self._execution, name)
        status, answer = await self._dialog.post(path, data)
        if status == 200:
            self._printer.event_sent(name, data)
        else:
            self._printer.event_rejected(answer)
        return status in {200, *OVER_STATUSES}

    async def _skip(self, wait: OpenWait) -> None:
        seconds = max(0.0, wait.until - self._clock.unix()) + SKIP_MARGIN_SECONDS
        self._printer.time_skipped(seconds)
        if isinstance(self._clock, VirtualClock):
            await self._clock.advance(seconds)
        elif isinstance(self._clock, PacedClock):
            self._clock.skip(seconds)


def terminal_reader() -> Callable[[str], str] | None:
    """Return a function that asks in the terminal; None if standard input is not a terminal."""
    if not sys.stdin.isatty() or not sys.stdout.isatty():
        return None
    return lambda event: input(f"        {event or 'time'}> ")


async def _read_line(reader: Callable[[str], str], event: str) -> str:
    """Read a line on a thread that does not keep the process alive; its end means `skip`."""
    loop = asyncio.get_running_loop()
    line: asyncio.Future[str] = loop.create_future()

    def read() -> None:
        try:
            text = reader(event)
        except EOFError:
            text = SKIP
        loop.call_soon_threadsafe(_set_result, line, text)

    threading.Thread(target=read, daemon=True).start()
    return await line


def _set_result(line: asyncio.Future[str], text: str) -> None:
    if not line.done():
        line.set_result(text)
