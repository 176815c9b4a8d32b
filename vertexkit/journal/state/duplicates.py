"""Duplicate calls: an equal block and an equal token."""

from collections import OrderedDict

from vertexkit.clock import Clock
from vertexkit.journal.state.row import ExecutionRow

DUPLICATE_SECONDS = 24 * 3600.0
"""How long a unique token is remembered after its execution has ended."""
MAX_REMEMBERED_TOKENS = 100_000
"""Unique tokens of ended executions that are remembered in memory."""


class Duplicates:
    """The newest execution of each call.

    Args:
        clock: for how long tokens are remembered.
        unique: a token belongs to one execution: a repeated call is a duplicate for 24 hours, even
            after its execution has ended.
    """

    def __init__(self, clock: Clock, *, unique: bool) -> None:
        self._clock = clock
        self._unique = unique
        self._latest: dict[bytes, ExecutionRow] = {}
        self._ended: OrderedDict[bytes, tuple[str, float]] = OrderedDict()
        """By key: the id, and until when it is remembered; in the order of these times."""
        self._forgotten_until = 0.0
        """Until when a token should be remembered for which there was no room."""

    @property
    def unique(self) -> bool:
        """A token belongs to one execution."""
        return self._unique

    @property
    def is_incomplete(self) -> bool:
        """There was no room for a token that should still be remembered."""
        return self._forgotten_until > self._clock.now()

    def find(self, key: bytes) -> ExecutionRow | str | None:
        """Return the execution that a call with this key duplicates: a row, or the id of an ended one."""
        row = self._latest.get(key)
        if row is not None and (self._unique or not row.completion_tried):
            return row
        execution, until = self._ended.get(key, ("", 0.0))
        return execution if until > self._clock.now() else None

    def latest(self, key: bytes) -> ExecutionRow | None:
        """Return the newest execution of a call that has not ended."""
        return self._latest.get(key)

    def add(self, row: ExecutionRow) -> None:
        """Add an execution; no completion is sent any more for the one that it follows."""
        if row.follows is not None:
            row.follows.superseded = True
            row.follows.followers.append(row)
        self._latest[row.key] = row

    def discard(self, row: ExecutionRow) -> None:
        """Undo `add`: the execution could not be stored."""
        if row.follows is None:
            del self._latest[row.key]
        else:
            row.follows.superseded = False
            row.follows.followers.remove(row)
            self._latest[row.key] = row.follows

    def end(self, row: ExecutionRow) -> list[ExecutionRow]:
        """Remove an execution that has ended.

        Returns:
            The executions that waited for it and for no other one.
        """
        before, followers = row.follows, row.followers
        if before is not None:  # an operator has dropped it while it waited
            before.followers.remove(row)
            before.followers.extend(followers)
        for follower in followers:
            follower.follows = before
        if self._latest.get(row.key) is row:
            del self._latest[row.key]
            if before is not None:
                self._latest[row.key] = before
        if self._unique:
            self.remember(row.key, row.execution.id, DUPLICATE_SECONDS)
        return followers if before is None else []

    def remember(self, key: bytes, execution: str, seconds: float) -> None:
        """Remember the call of an ended execution for a number of seconds.

        Those that are remembered longer come later.
        """
        self.forget_expired()
        self._ended.pop(key, None)
        self._ended[key] = (execution, self._clock.now() + seconds)
        while len(self._ended) > MAX_REMEMBERED_TOKENS:
            _, (_, until) = self._ended.popitem(last=False)
            self._forgotten_until = max(self._forgotten_until, until)

    def forget_expired(self) -> None:
        """Free the memory of tokens that need not be remembered any more."""
        now = self._clock.now()
        while self._ended and next(iter(self._ended.values()))[1] <= now:
            self._ended.popitem(last=False)
