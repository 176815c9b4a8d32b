"""The memory journal: it is not durable, and its memory is limited."""

import asyncio
import gc

import pytest

from tests.journal.driver import JournalDriver
from vertexkit.errors import SettingsError
from vertexkit.execution import Outcome, OutcomeStatus, Result
from vertexkit.journal import make_journal
from vertexkit.journal.memory import MAX_SETTLED_EXECUTIONS, MemoryJournal
from vertexkit.journal.protocol import Acceptance
from vertexkit.journal.state.duplicates import DUPLICATE_SECONDS
from vertexkit.journal.state.row import ExecutionRow
from vertexkit.settings import JournalSettings
from vertexkit.testing import VirtualClock

DONE = Outcome(OutcomeStatus.COMPLETED)


@pytest.fixture
def driver() -> JournalDriver:
    """A journal whose platform gives each execution its own token."""
    clock = VirtualClock()
    return JournalDriver(MemoryJournal(clock, JournalSettings(tokens="unique")), clock)


async def test_a_memory_journal_says_that_it_is_not_durable() -> None:
    """Operators are informed that a killed process loses its executions."""
    journal = make_journal(JournalSettings(url="memory:"), VirtualClock())
    assert isinstance(journal, MemoryJournal)
    assert not journal.durable
    assert "lost" in journal.durability


async def test_an_unknown_journal_is_refused_by_name() -> None:
    """The error names the unknown kind of journal and the known ones."""
    with pytest.raises(SettingsError, match=r"VERTEXKIT_JOURNAL .*memory:.*got 'paper'"):
        make_journal(JournalSettings(url="paper:tray"), VirtualClock())


async def test_the_number_of_settled_executions_is_limited(driver: JournalDriver) -> None:
    """The records of the newest thousand settled executions are kept."""
    ids = []
    for _ in range(MAX_SETTLED_EXECUTIONS + 10):
        lease = await driver.held()
        await driver.journal.settle(lease, DONE)
        ids.append(lease.execution.id)
    found = [await driver.journal.find(execution) is not None for execution in ids]
    assert found == [False] * 10 + [True] * MAX_SETTLED_EXECUTIONS


async def test_settled_executions_are_released_from_memory(driver: JournalDriver) -> None:
    """After it has settled, the journal keeps neither token nor inputs of an execution."""
    lease = await driver.held("again")
    await driver.journal.record_result(lease, Result(b"1"))
    await driver.journal.begin_completion(lease)
    await driver.journal.settle(lease, DONE)
    execution = lease.execution
    del lease
    gc.collect()
    holders = [row for row in gc.get_referrers(execution) if isinstance(row, ExecutionRow)]
    assert holders == []


async def test_a_unique_token_is_a_duplicate_for_a_day(driver: JournalDriver) -> None:
    """With unique tokens, the same call within 24 hours of the end is a duplicate."""
    lease = await driver.held("again")
    await driver.journal.settle(lease, DONE)
    again = await driver.accept("again")
    assert again == Acceptance(lease.execution.id, new=False)
    driver.clock.skip_to(driver.clock.now() + DUPLICATE_SECONDS - 60)
    assert not (await driver.accept("again")).new
    driver.clock.skip_to(driver.clock.now() + 61)
    assert (await driver.accept("again")).new


async def test_a_unique_token_is_never_superseded(driver: JournalDriver) -> None:
    """With unique tokens, the same call is a duplicate even after a completion request."""
    lease = await driver.held("again")
    await driver.journal.record_result(lease, Result(b"1"))
    await driver.journal.begin_completion(lease)
    assert await driver.accept("again") == Acceptance(lease.execution.id, new=False)
    assert await driver.journal.begin_completion(lease)


async def test_the_number_of_remembered_tokens_is_limited(
    driver: JournalDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With very many unique tokens, the oldest ones are forgotten."""
    monkeypatch.setattr("vertexkit.journal.state.duplicates.MAX_REMEMBERED_TOKENS", 3)
    for number in range(5):
        await driver.journal.settle(await driver.held(f"visit-{number}"), DONE)
    new = [(await driver.accept(f"visit-{number}")).new for number in range(5)]
    assert new == [True, True, False, False, False]


async def test_closing_cancels_all_timers(driver: JournalDriver) -> None:
    """A closed journal has no tasks for scheduled executions."""
    others = asyncio.all_tasks()
    await driver.journal.release(await driver.held(), 3600)
    [alarm] = asyncio.all_tasks() - others
    await driver.journal.close()
    await asyncio.wait({alarm})
    assert alarm.cancelled()
    assert await driver.claim() == []


async def test_a_block_is_unserved_only_while_an_execution_waits_for_it(
    driver: JournalDriver,
) -> None:
    """Blocks without a handler are named as long as executions wait for them, and no longer."""
    await driver.accept(block="story")
    assert driver.journal.unserved_blocks({"loan"}) == {"story"}
    assert driver.journal.unserved_blocks({"loan", "story"}) == set()
    assert await driver.journal.claim("other", {"story": 1}, 1)
    assert driver.journal.unserved_blocks({"loan"}) == set()
