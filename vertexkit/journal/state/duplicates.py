"""Which calls are the same call: equal block, equal token."""

from collections import OrderedDict

from vertexkit.clock import Clock
from vertexkit.journal.state.row import Row

DUPLICATE_FOR = 24 * 3600.0
"""Seconds for which a unique token is remembered after its execution."""
REMEMBERED = 100_000
"""Unique tokens that are remembered, at most."""


class Calls:
    """The newest execution of each call.

    Args:
        clock: for how long tokens are remembered.
        unique: a token belongs to one execution; the same call again within 24 hours is a
            duplicate even after its end.
    """

    def __init__(self, clock: Clock, *, unique: bool) -> None:
        self._clock = clock
        self._unique = unique
        self._latest: dict[bytes, Row] = {}
        self._over: OrderedDict[bytes, tuple[str, float]] = OrderedDict()

    def same(self, key: bytes) -> Row | str | None:
        """Whose duplicate a call with this key is: of one under way, or of an id that is over."""
        row = self._latest.get(key)
        if row is not None and (self._unique or not row.completion_tried):
            return row
        execution, until = self._over.get(key, ("", 0.0))
        return execution if until > self._clock.now() else None

    def latest(self, key: bytes) -> Row | None:
        """The newest one under way."""
        return self._latest.get(key)

    def add(self, row: Row) -> None:
        """A new one; nothing more is sent for the one that it follows."""
        if row.follows is not None:
            row.follows.superseded = True
            row.follows.followers.append(row)
        self._latest[row.key] = row

    def strike(self, row: Row) -> None:
        """It came to nothing: the one that it would have followed goes on."""
        if row.follows is None:
            del self._latest[row.key]
        else:
            row.follows.superseded = False
            row.follows.followers.remove(row)
            self._latest[row.key] = row.follows

    def end(self, row: Row) -> list[Row]:
        """It is over; gives those that waited for it and for nothing else."""
        before, followers = row.follows, row.followers
        if before is not None:  # it was dropped before its turn had come
            before.followers.remove(row)
            before.followers.extend(followers)
        for follower in followers:
            follower.follows = before
        if self._latest.get(row.key) is row:
            del self._latest[row.key]
            if before is not None:
                self._latest[row.key] = before
        if self._unique:
            self.remember(row.key, row.execution.id, DUPLICATE_FOR)
        return followers if before is None else []

    def remember(self, key: bytes, execution: str, seconds: float) -> None:
        """A call that is over: the same one again is its duplicate for so long."""
        self._over[key] = (execution, self._clock.now() + seconds)
        if len(self._over) > REMEMBERED:
            self._over.popitem(last=False)
