"""Who is connected, who has waited too long, and who makes room when all is taken."""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Callable
from enum import Enum
from typing import Protocol

import structlog

from vertexkit.server.limits import Limits

SWEEP = 1.0
"""Seconds between two looks at the deadlines."""
REPORT = 60.0
"""Seconds between two lines about those who were sent away: a flood must not become one of lines."""

log = structlog.get_logger("vertexkit")


class Wait(Enum):
    """What a connection waits for; where there is no room, the first of these go first."""

    CLOSE = 0
    """It was refused, or answered before its body had come."""
    FIRST = 1
    """It has never asked anything."""
    NEXT = 2
    """It has its answer, and may ask again."""
    BODY = 3
    """The rest of its request."""
    ANSWER = 4
    """Our answer: such a one never goes."""


class Visitor(Protocol):
    """A connection."""

    def check(self, now: float) -> None:
        """End it if its time is up."""

    def give_way(self) -> None:
        """End it for somebody else."""


class Door:
    """All connections of one server.

    Args:
        limits: how many there may be.
        refused: told why, each time that one is sent away.
    """

    def __init__(self, limits: Limits, refused: Callable[[str], object]) -> None:
        self.limits = limits
        self._refused = refused
        self._inside: dict[Visitor, Wait] = {}
        self._queues = {wait: OrderedDict[Visitor, None]() for wait in Wait}
        """Those who wait for the same, the longest waiting first."""
        self._sweeper: asyncio.TimerHandle | None = None
        self._sent_away: Counter[str] = Counter()
        self._reported = 0.0

    def __len__(self) -> int:
        return len(self._inside)

    def enter(self, visitor: Visitor) -> None:
        """Let one in, or send it away at once if nobody makes room."""
        if len(self._inside) >= self.limits.clients:
            leaver = self._leaver()
            self.turned_away("crowded")
            (leaver or visitor).give_way()
            if leaver is None:
                return
        self._inside[visitor] = Wait.FIRST
        self._queues[Wait.FIRST][visitor] = None
        if self._sweeper is None:
            self._sweep()

    def _leaver(self) -> Visitor | None:
        for wait in (Wait.CLOSE, Wait.FIRST, Wait.NEXT, Wait.BODY):
            if self._queues[wait]:
                visitor, _ = self._queues[wait].popitem(last=False)
                del self._inside[visitor]
                return visitor
        return None

    def waits(self, visitor: Visitor, wait: Wait) -> None:
        """Note what it waits for from now on."""
        before = self._inside.get(visitor)
        if before is not wait and before is not None:
            del self._queues[before][visitor]
            self._inside[visitor] = wait
            self._queues[wait][visitor] = None

    def leave(self, visitor: Visitor) -> None:
        """It is closed."""
        wait = self._inside.pop(visitor, None)
        if wait is not None:
            del self._queues[wait][visitor]

    def turned_away(self, code: str) -> None:
        """Count one that was sent away."""
        self._sent_away[code] += 1
        self._refused(code)

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for visitor in list(self._inside):
            visitor.check(now)
        if self._sent_away and now - self._reported >= REPORT:
            self._reported = now
            log.warning("connections_rejected", connections=len(self), **self._sent_away)
            self._sent_away.clear()
        more = self._inside or self._sent_away
        self._sweeper = loop.call_later(SWEEP, self._sweep) if more else None
