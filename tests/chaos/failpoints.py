"""`vertexkit run` with a failpoint: a place at which the process kills itself.

    python -m tests.chaos.failpoints K4:2 run MODULE:APP --port 0

Methods of the journal and of the wire are wrapped before the command line starts. The places are
the kill points of the protocol; `:2` means the second time. K5 and K10 are missing: there the bytes
are sent and no response is read, so the platform kills the process (`Scene.kill_at`).
"""

import asyncio
import atexit
import os
import resource
import signal
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from multiprocessing.connection import Connection
from typing import Any

from vertexkit.botone.socket_wire import SocketWire
from vertexkit.cli.main import main
from vertexkit.execution import EVENT
from vertexkit.journal.protocol import Query
from vertexkit.journal.sqlite import schema
from vertexkit.journal.sqlite.journal import SqliteJournal

Act = Callable[[Any, Any], Coroutine[Any, Any, None]]
"""Gets the object of the method and what the method returned."""


class Countdown:
    """Kills this process at the n-th call."""

    def __init__(self, times: int) -> None:
        self._left = times

    async def die(self, *_: Any) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    async def die_if_claimed(self, journal: Any, leases: Any) -> None:
        if leases:
            await self.die()

    async def die_when_written(self, journal: Any, *_: Any) -> None:
        """Force a write: a message's outcome is written with the next one."""
        await journal._writer.write(schema.NO_CHANGE, ())
        await self.die()

    async def hang_if_woken(self, journal: Any, *_: Any) -> None:
        """Wait until the test kills the process, once an execution has an event."""
        records = await journal.search(Query())
        if any(effect.kind.startswith(EVENT) for r in records for effect in r.effects):
            await asyncio.Event().wait()

    async def hang_if_any(self, journal: Any, *_: Any) -> None:
        """Wait until the test kills the process: the caller must get its response first."""
        if journal.backlog():
            await asyncio.Event().wait()


def before(owner: Any, name: str, act: Act) -> None:
    """Run an action before each call of a method."""
    original = getattr(owner, name)

    async def wrapped(self: Any, *args: Any, **kwargs: Any) -> Any:
        await act(self, None)
        return await original(self, *args, **kwargs)

    setattr(owner, name, wrapped)


def after(owner: Any, name: str, act: Act) -> None:
    """Run an action after each call of a method, before its caller resumes."""
    original = getattr(owner, name)

    async def wrapped(self: Any, *args: Any, **kwargs: Any) -> Any:
        given = await original(self, *args, **kwargs)
        await act(self, given)
        return given

    setattr(owner, name, wrapped)


def arm(point: str) -> None:
    """Install a failpoint; an empty string installs none."""
    name, _, times = point.partition(":")
    count = Countdown(int(times or 1))
    journal: type[Any] = SqliteJournal
    if os.environ.get("VERTEXKIT_JOURNAL", "").startswith("postgresql:"):
        from vertexkit.journal.postgres.journal import PostgresJournal  # noqa: PLC0415 - an extra

        journal = PostgresJournal
    places: dict[str, tuple[Callable[[Any, str, Act], None], Any, str, Act]] = {
        "K0": (before, journal, "accept", count.die),
        "K1": (after, journal, "accept", count.die),
        "K2": (before, journal, "claim", count.hang_if_any),
        "K3": (after, journal, "claim", count.die_if_claimed),
        "K4": (after, journal, "record_intent", count.die),
        "K6": (after, SocketWire, "post", count.die),
        "K7": (after, journal, "record_effect", count.die_when_written),
        "K8": (before, journal, "record_result", count.die_when_written),
        "K9": (after, journal, "record_result", count.die),
        "K11": (before, journal, "settle", count.die),
        "K12": (after, journal, "settle", count.die),
        "W1": (after, journal, "record_intent", count.die),
        "W2": (before, journal, "suspend", count.die),
        "W3": (after, journal, "suspend", count.die),
        "W4": (after, journal, "deliver_event", count.die),
        "W5": (before, journal, "claim", count.hang_if_woken),
        "W6": (after, journal, "claim", count.die_if_claimed),
        "W7": (before, journal, "record_effect", count.die),
        "W8": (after, journal, "record_effect", count.die_when_written),
        "W9": (after, journal, "end_wait", count.die_when_written),
        "release": (after, journal, "release", count.die),
    }
    if point:
        put, owner, method, act = places[name]
        put(owner, method, act)


def start(
    point: str, arguments: Sequence[str], environment: Mapping[str, str], output: Connection
) -> None:
    """Run `vertexkit` with these arguments in this forked process."""
    for stream in (1, 2):
        os.dup2(output.fileno(), stream)
    sys.stdout, sys.stderr = (os.fdopen(n, "w", closefd=False) for n in (1, 2))
    output.close()
    os.environ.clear()
    os.environ.update(environment)
    try:
        _be(point, arguments)
    finally:
        atexit._run_exitfuncs()  # a forked process leaves them out


def _be(point: str, arguments: Sequence[str]) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.argv = ["vertexkit", *arguments]
    arm(point)
    main()


if __name__ == "__main__":
    _be(sys.argv[1], sys.argv[2:])
