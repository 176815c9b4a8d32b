"""The order in which waits that have ended return when a handler runs again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from vertexkit.context.effects import Effects
from vertexkit.context.runtime import RunOptions, Runtime

TURNS = 20
"""Turns of the event loop in which other branches get to their next call, if nothing holds them up."""
PATIENCE_SECONDS = 1.0
"""How long the waits of a run let other branches repeat their calls, in all, if something does."""
CHECK_SECONDS = 1.0
"""How often a wait checks what it waits for, if nothing wakes it."""


class WaitOrder:
    """Lets the waits of a run that have ended return in the order in which they have ended.

    When a handler runs again, every wait that is over could return at once. Then branches would go
    on in another order than in the earlier runs: of two waits, of which the first to end cancels
    the other, both would be over; and a branch that is cancelled after a wait would be cancelled
    before it has repeated what it did meanwhile.

    So such a wait returns when no other branch can make a call before it: each of them waits
    itself, and the waits that have ended before have returned. A branch that awaits something else
    gets some turns of the event loop, or `PATIENCE_SECONDS` if earlier runs did something that no
    call has repeated yet.

    Args:
        runtime: Objects of the process.
        options: Options of the run.
        effects: Of the run.
    """

    def __init__(self, runtime: Runtime, options: RunOptions, effects: Effects) -> None:
        self._clock = runtime.clock
        self._lifetime = options.lifetime
        self._effects = effects
        self._ended: dict[asyncio.Task[Any], tuple[float, int]] = {}
        """When the wait of each task ended, and its position, until the wait is recorded."""
        self._patience = PATIENCE_SECONDS

    @asynccontextmanager
    async def turn(self, end: float, position: int) -> AsyncIterator[None]:
        """A context that is entered when it is the turn of a wait; it is left when it is recorded.

        Args:
            end: Unix time at which the wait ended.
            position: Of the wait.
        """
        task, branches = asyncio.current_task(), self._lifetime.branches
        assert task is not None  # noqa: S101 - a coroutine runs in a task
        if not self._effects.is_repetition or branches.running() <= {task}:
            yield
            return
        self._ended[task] = end, position
        branches.report_change()
        try:
            await self._wait_for_turn(task)
            yield
        finally:
            del self._ended[task]
            branches.report_change()

    async def _wait_for_turn(self, task: asyncio.Task[Any]) -> None:
        branches, turns, changes = self._lifetime.branches, 0, -1
        while turns < TURNS:
            self._lifetime.check_open()
            if min(self._ended, key=self._ended.__getitem__) is not task:
                await branches.wait_for_change(CHECK_SECONDS, self._clock.timer)
                continue
            others = branches.besides({*self._ended, *self._effects.undecided})
            if not others.elsewhere and not others.parents:
                return
            turns = turns + 1 if branches.changes == changes else 0
            changes = branches.changes
            await asyncio.sleep(0)
            if turns == TURNS - 1 and others.elsewhere and await self._wait_patiently():
                turns = 0

    async def _wait_patiently(self) -> bool:
        """Wait for a change if other branches have something to repeat; return whether to go on."""
        if self._patience <= 0 or not self._effects.has_remaining:
            return False
        started = self._clock.now()
        await self._lifetime.branches.wait_for_change(self._patience, self._clock.idle_timer)
        self._patience -= self._clock.now() - started
        return True
