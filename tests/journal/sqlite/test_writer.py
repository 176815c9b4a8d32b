"""The writer of the SQLite journal: what is committed together, in which order, and when it fails."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.journal.driver import JournalDriver
from tests.journal.sqlite.slow_machine import DONE, INTENT, FullOnce, SlowMachine, turns
from tests.waiting import until
from vertexkit.errors import JournalUnavailable
from vertexkit.execution import Effect, EffectState, Result
from vertexkit.journal.protocol import Lease
from vertexkit.journal.sqlite.journal import SqliteJournal
from vertexkit.settings import JournalSettings
from vertexkit.testing import VirtualClock

SENT = Effect(0, "send", "abc", EffectState.CONFIRMED, b'{"message_id":1,"created_at":2}')
STEP = Effect(0, "step:rate", "abc", EffectState.CONFIRMED, b"17")
RESULT = Result(b'{"monthly":1}')
END_SECONDS = 60.0
"""Real seconds in which a journal is closed on a loaded slow_machine."""


DURABLE: dict[str, Callable[[SqliteJournal, Lease], Awaitable[object]]] = {
    "intent": lambda journal, lease: journal.record_intent(lease, INTENT),
    "result": lambda journal, lease: journal.record_result(lease, RESULT, completing=True),
    "completion try": lambda journal, lease: journal.begin_completion(lease),
}
"""Writes that survive a power loss, for an execution that is claimed."""


@pytest.mark.unmeasured
@pytest.mark.parametrize("durable_first", [True, False])
@pytest.mark.parametrize("name", DURABLE)
async def test_a_group_is_as_durable_as_its_most_important_write(
    slow_machine: SlowMachine, name: str, durable_first: bool
) -> None:
    """A write that must survive a power loss does so next to one that need not."""
    journal = slow_machine.journal
    lease, other = await slow_machine.driver.held(), await slow_machine.driver.held()
    await slow_machine.hold()
    writes = [DURABLE[name](journal, lease), journal.record_effect(other, STEP)]
    if not durable_first:
        writes.reverse()
    group = asyncio.gather(*writes)
    await turns()
    slow_machine.disk.go_on()
    await group
    driver = await slow_machine.cut_power()
    again = {lease.execution.id: lease for lease in await driver.claim()}[lease.execution.id]
    assert (dict(again.effects), again.result, again.completion_tried) == {
        "intent": ({0: INTENT}, None, False),
        "result": ({}, RESULT, True),
        "completion try": ({}, None, True),
    }[name]


async def test_an_acceptance_survives_in_a_group_with_claims(slow_machine: SlowMachine) -> None:
    """An acknowledged call survives a power loss, whatever else was written with it."""
    waiting = await slow_machine.driver.accept()
    await slow_machine.hold()
    claim = asyncio.ensure_future(slow_machine.driver.claim())
    await turns()
    accepted = asyncio.ensure_future(slow_machine.driver.accept())
    await turns()
    slow_machine.disk.go_on()
    await asyncio.gather(claim, accepted)
    driver = await slow_machine.cut_power()
    kept = {lease.execution.id for lease in await driver.claim()}
    assert kept == {waiting.execution, accepted.result().execution}


async def test_a_duplicate_is_answered_when_the_first_call_is_written(
    slow_machine: SlowMachine,
) -> None:
    """The second of two equal calls is not acknowledged before the first one is on the disk."""
    await slow_machine.hold()
    first = asyncio.ensure_future(slow_machine.driver.accept("again"))
    await turns()
    second = asyncio.ensure_future(slow_machine.driver.accept("again"))
    await turns()
    assert not first.done()
    assert not second.done()
    slow_machine.disk.go_on()
    assert (await second).new is False
    assert (await first).execution == second.result().execution


async def test_a_duplicate_of_a_call_that_is_not_written_fails(
    slow_machine: SlowMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the first of two equal calls cannot be stored, neither of them is acknowledged."""
    await slow_machine.hold()
    monkeypatch.setattr(slow_machine.disk, "_commit", FullOnce(slow_machine.disk, passed=1))
    calls = [asyncio.ensure_future(slow_machine.driver.accept("again"))]
    await turns()
    calls.append(asyncio.ensure_future(slow_machine.driver.accept("again")))
    await turns()
    slow_machine.disk.go_on()
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(result) for result in results] == [JournalUnavailable] * 2
    assert (await slow_machine.driver.accept("again")).new


async def test_a_duplicate_of_a_call_that_cannot_be_stored_fails(slow_machine: SlowMachine) -> None:
    """The statement of the first call fails, but not its group: its duplicate fails with it."""
    await slow_machine.driver.accept()
    await slow_machine.hold()
    slow_machine.journal._next_number -= 1  # the file refuses a number that it has
    calls = [asyncio.ensure_future(slow_machine.driver.accept("again")) for _ in range(2)]
    await turns()
    slow_machine.disk.go_on()
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(result) for result in results] == [JournalUnavailable] * 2
    assert slow_machine.journal.backlog() == 1


async def test_an_execution_that_is_not_written_cannot_be_claimed(
    slow_machine: SlowMachine,
) -> None:
    """A repeated call whose acceptance is being written starts once, after it is written.

    The execution that it follows settles meanwhile, so nothing else holds it back.
    """
    driver, journal = slow_machine.driver, slow_machine.journal
    old = await driver.held("again")
    await journal.record_result(old, RESULT, completing=True)
    await slow_machine.hold()
    follower = asyncio.ensure_future(driver.accept("again"))
    await turns()
    settled = asyncio.ensure_future(journal.settle(old, DONE))
    early = asyncio.ensure_future(driver.claim())
    await turns()
    assert early.done()
    assert early.result() == []
    slow_machine.disk.go_on()
    await asyncio.gather(follower, settled)
    assert follower.result().supersedes == old.execution.id
    assert (await driver.claim_one()).execution.id == follower.result().execution
    assert await driver.claim() == []


async def test_a_step_s_result_is_written_before_it_is_used(slow_machine: SlowMachine) -> None:
    """The outcome of a step is reported as recorded only when it is in the file."""
    lease = await slow_machine.driver.held()
    await slow_machine.hold()
    recorded = asyncio.ensure_future(slow_machine.journal.record_effect(lease, STEP))
    await turns()
    assert not recorded.done()
    slow_machine.disk.go_on()
    await recorded
    await slow_machine.die(power=False, part=1.0)
    leases = await (await slow_machine.boot()).claim()
    assert {0: STEP} in [dict(lease.effects) for lease in leases]


async def test_writes_keep_their_order_after_a_full_disk(
    slow_machine: SlowMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write whose commit failed comes before those that were asked for meanwhile."""
    lease = await slow_machine.driver.held()
    slow_machine.disk.hold()
    intent = asyncio.ensure_future(slow_machine.journal.record_intent(lease, INTENT))
    await slow_machine.disk.stuck.wait()  # in the commit of the intent, which is going to fail
    monkeypatch.setattr(slow_machine.disk, "_commit", FullOnce(slow_machine.disk))
    outcome = asyncio.ensure_future(slow_machine.journal.record_effect(lease, SENT))
    await turns()
    slow_machine.disk.go_on()
    await asyncio.gather(intent, outcome)
    await slow_machine.rest()
    await slow_machine.die(power=False, part=1.0)
    leases = {lease.execution.id: lease for lease in await (await slow_machine.boot()).claim()}
    assert leases[lease.execution.id].effects[0] == SENT


class Commits(JournalDriver):
    """A driver that records the commits of its journal."""

    def __init__(self, journal: SqliteJournal, clock: VirtualClock) -> None:
        super().__init__(journal, clock)
        self.commits: list[tuple[int, float]] = []

    def committed(self, changes: int, seconds: float) -> None:
        self.commits.append((changes, seconds))


async def test_commits_are_reported_with_their_duration(tmp_path: Path) -> None:
    """The observer learns how many writes a commit had and how long the disk took."""
    clock = VirtualClock()
    driver = Commits(SqliteJournal(tmp_path / "journal.db", clock, JournalSettings()), clock)
    await driver.journal.open(driver)
    started = time.monotonic()
    await asyncio.gather(*(driver.accept() for _ in range(5)))
    took = time.monotonic() - started
    await driver.journal.close()
    assert sum(writes for writes, _ in driver.commits) == 5
    assert 0 < sum(seconds for _, seconds in driver.commits) <= took


async def test_a_disk_that_hangs_does_not_keep_the_process_alive(slow_machine: SlowMachine) -> None:
    """A commit may hang for ever: at the end of the process, Python does not wait for its thread."""
    await slow_machine.hold()
    threads = [one for one in threading.enumerate() if one.name == "vertexkit-journal"]
    assert threads
    assert all(thread.daemon for thread in threads)
    slow_machine.disk.go_on()


async def test_a_closed_journal_is_not_watched_any_more(
    tmp_path: Path,
) -> None:
    """After its end no timer of a journal is left in the event loop."""
    clock = VirtualClock()
    journal = SqliteJournal(tmp_path / "journal.db", clock, JournalSettings())
    await journal.open(JournalDriver(journal, clock))
    await journal.close()
    assert journal._writer._watch_timer.cancelled()


async def test_a_journal_is_closed_while_the_disk_is_full(tmp_path: Path) -> None:
    """A shutdown does not wait for space: the writes that wait fail, and the file is closed."""
    clock = VirtualClock()
    journal = SqliteJournal(tmp_path / "journal.db", clock, JournalSettings())
    driver = JournalDriver(journal, clock)
    await journal.open(driver)
    lease = await driver.held()
    connection = journal._writer._connection
    [pages] = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    large = Effect(0, f"step:{'x' * 40_000}", "")
    waiting = asyncio.ensure_future(journal.record_intent(lease, large))
    await until(lambda: "full" in journal.unavailable_reason(), "the journal knows that it is full")
    async with asyncio.timeout(END_SECONDS):
        await journal.close()
        with pytest.raises(JournalUnavailable, match="full"):
            await waiting
