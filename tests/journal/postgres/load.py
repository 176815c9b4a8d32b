"""Executions that go all the way through a journal while its server has faults."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field

from tests.journal.driver import JournalDriver
from vertexkit.errors import Fenced, JournalError, JournalUnavailable
from vertexkit.execution import Effect, EffectState, Execution, Outcome, OutcomeStatus, Result
from vertexkit.journal.protocol import Acceptance, Lease

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
    async with asyncio.timeout(20):
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

    async def run(self, seconds: float) -> None:
        """Call for some seconds, then let everything come to its end."""
        async with asyncio.timeout(seconds + 40), asyncio.TaskGroup() as group:
            work = group.create_task(self._work(group))
            callers = [group.create_task(self._call()) for _ in range(self._callers)]
            await asyncio.sleep(seconds)
            self._is_over = True
            await asyncio.wait(callers)
            while self.seen.acknowledged - self.seen.settled.keys():  # noqa: ASYNC110
                await asyncio.sleep(PAUSE_SECONDS)
            work.cancel()

    async def _call(self) -> None:
        while not self._is_over:
            call = self._driver.execution()
            while True:
                try:
                    accepted = await self._driver.journal.accept(call, ROOM)
                except JournalUnavailable:
                    self.seen.rejected += 1
                    await asyncio.sleep(PAUSE_SECONDS)
                else:
                    assert accepted.execution == call.id
                    self.seen.acknowledged.add(call.id)
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
