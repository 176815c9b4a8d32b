"""Executions that go all the way through a journal while its server has faults."""

import asyncio
from collections import Counter
from collections.abc import Awaitable
from dataclasses import dataclass, field

from tests.journal.driver import JournalDriver
from tests.waiting import until
from vertexkit.errors import Fenced, JournalError, JournalUnavailable
from vertexkit.execution import (
    Effect,
    EffectState,
    Execution,
    Outcome,
    OutcomeStatus,
    Phase,
    Result,
)
from vertexkit.journal.protocol import Acceptance, Lease, Query

DONE = Outcome(OutcomeStatus.COMPLETED, "ok", "204")
ROOM = 10_000
PAUSE_SECONDS = 0.02


@dataclass
class Seen:
    """What callers and workers have seen."""

    acknowledged: set[str] = field(default_factory=set)
    rejected: int = 0
    sent: Counter[str] = field(default_factory=Counter)
    """Messages, by execution: each is sent after its intent was written."""
    settled: Counter[str] = field(default_factory=Counter)


async def accept_again(driver: JournalDriver, call: Execution | None = None) -> Acceptance:
    """Make a call until it is acknowledged."""
    call = call or driver.execution()
    async with asyncio.timeout(60):
        while True:
            try:
                return await driver.journal.accept(call, ROOM)
            except JournalUnavailable:
                await asyncio.sleep(PAUSE_SECONDS)


class Load:
    """Callers and a worker in tasks of their own; a context.

    Args:
        driver: of an open journal.
        callers: calls at a time.
        worker: id of the worker.
    """

    def __init__(self, driver: JournalDriver, callers: int = 4, worker: str = "first") -> None:
        self.seen = Seen()
        self._driver = driver
        self._callers = callers
        self._worker = worker
        self._is_over = False

    async def run(self, faults: Awaitable[None]) -> None:
        """Call until all faults have happened, then let everything come to its end."""
        async with asyncio.timeout(100), asyncio.TaskGroup() as group:
            work = group.create_task(self._work(group))
            callers = [group.create_task(self._call()) for _ in range(self._callers)]
            await faults
            self._is_over = True
            await asyncio.wait(callers)
            while await self._unfinished():  # noqa: ASYNC110 - it is asked for, not reported
                await asyncio.sleep(5 * PAUSE_SECONDS)
            work.cancel()

    async def settles(self) -> None:
        """Wait until an execution that was not settled before has its outcome."""
        settled = len(self.seen.settled)
        await until(lambda: len(self.seen.settled) > settled, "the load settles an execution")

    async def _unfinished(self) -> bool:
        """Return whether executions have no outcome, also because the server has lost it.

        An outcome survives the death of a process, not that of the server: after it the lease
        expires, and the execution is completed again.
        """
        try:
            return any(
                [
                    await self._driver.journal.search(Query(phase=phase, limit=1))
                    for phase in (Phase.WAITING, Phase.RUNNING, Phase.COMPLETING)
                ]
            )
        except JournalUnavailable:
            return True

    async def _call(self) -> None:
        while not self._is_over:
            token = f"token-{self._worker}-{next(self._driver.numbers)}"
            while True:
                # A repeated call has the same token and another id, as that of the platform has.
                try:
                    accepted = await self._driver.accept(token, room=ROOM)
                except JournalUnavailable:
                    self.seen.rejected += 1
                    await asyncio.sleep(PAUSE_SECONDS)
                else:
                    self.seen.acknowledged.add(accepted.execution)
                    break
            await asyncio.sleep(PAUSE_SECONDS / 4)

    async def _work(self, group: asyncio.TaskGroup) -> None:
        while True:
            try:
                claimed = await self._driver.claim(self._worker, 20)
            except JournalError:
                claimed = []
            for lease in claimed:
                group.create_task(self._complete(lease))
            await asyncio.sleep(PAUSE_SECONDS / 4)

    async def _complete(self, lease: Lease) -> None:
        """Do what a worker does with an execution that sends one message."""
        journal, name = self._driver.journal, lease.execution.id
        try:
            if 0 not in lease.effects:
                await journal.record_intent(lease, Effect(0, "send", "abc"))
                self.seen.sent[name] += 1
            sent = Effect(0, "send", "abc", EffectState.CONFIRMED, b'{"message_id":1}')
            await journal.record_effect(lease, sent)
            if lease.result is None:
                await journal.record_result(lease, Result(b"1"), completing=True)
            await journal.settle(lease, DONE)
            self.seen.settled[name] += 1
        except (Fenced, JournalUnavailable):
            return
