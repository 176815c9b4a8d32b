"""The memory journal's own: what it does not promise, and that its memory is bounded."""

import asyncio
import gc
from typing import TYPE_CHECKING

import pytest

from vertexkit.errors import SettingsError
from vertexkit.execution import Outcome, OutcomeStatus, Result
from vertexkit.journal import make_journal
from vertexkit.journal.memory import MAX_SETTLED_EXECUTIONS, MemoryJournal
from vertexkit.journal.protocol import Acceptance
from vertexkit.journal.state.duplicates import DUPLICATE_SECONDS
from vertexkit.settings import JournalSettings
from vertexkit.testing import VirtualClock

if TYPE_CHECKING:
    from tests.journal.conftest import JournalDriver

DONE = Outcome(OutcomeStatus.COMPLETED)


@pytest.fixture
def driver(make_driver: "type[JournalDriver]") -> "JournalDriver":
    """A journal whose platform gives each execution its own token."""
    clock = VirtualClock()
    return make_driver(MemoryJournal(clock, JournalSettings(tokens="unique")), clock)


async def test_it_says_that_it_survives_nothing() -> None:
    """Whoever runs it is told in words that a killed process takes its executions along."""
    journal = make_journal(JournalSettings(url="memory:"), VirtualClock())
    assert isinstance(journal, MemoryJournal)
    assert not journal.durable
    assert "lost" in journal.durability


async def test_an_unknown_journal_is_refused_by_name() -> None:
    """A journal that there is not is named in a sentence, with those that there are."""
    with pytest.raises(SettingsError, match=r"VERTEXKIT_JOURNAL .*memory:.*got 'paper:'"):
        make_journal(JournalSettings(url="paper:tray"), VirtualClock())


async def test_only_the_last_ends_are_kept(driver: "JournalDriver") -> None:
    """However many executions there were, the records of the newest thousand are left."""
    ids = []
    for _ in range(MAX_SETTLED_EXECUTIONS + 10):
        lease = await driver.held()
        await driver.journal.settle(lease, DONE)
        ids.append(lease.execution.id)
    found = [await driver.journal.find(each) is not None for each in ids]
    assert found == [False] * 10 + [True] * MAX_SETTLED_EXECUTIONS


async def test_what_is_settled_is_let_go(driver: "JournalDriver") -> None:
    """After its end, nothing in the journal holds an execution's token or inputs any more."""
    lease = await driver.held("again")
    await driver.journal.record_result(lease, Result(b"1"))
    await driver.journal.begin_completion(lease)
    await driver.journal.settle(lease, DONE)
    execution = lease.execution
    del lease
    gc.collect()
    holders = [each for each in gc.get_referrers(execution) if type(each).__name__ == "_Row"]
    assert holders == []


async def test_a_unique_token_is_a_duplicate_for_a_day(driver: "JournalDriver") -> None:
    """Where tokens are unique, the same call within 24 hours of the end is the same execution."""
    lease = await driver.held("again")
    await driver.journal.settle(lease, DONE)
    again = await driver.accept("again")
    assert again == Acceptance(lease.execution.id, new=False)
    driver.clock.skip_to(driver.clock.now() + DUPLICATE_SECONDS - 60)
    assert not (await driver.accept("again")).new
    driver.clock.skip_to(driver.clock.now() + 61)
    assert (await driver.accept("again")).new


async def test_a_unique_token_is_never_superseded(driver: "JournalDriver") -> None:
    """Where tokens are unique, not even a tried completion makes the same call a new one."""
    lease = await driver.held("again")
    await driver.journal.record_result(lease, Result(b"1"))
    await driver.journal.begin_completion(lease)
    assert await driver.accept("again") == Acceptance(lease.execution.id, new=False)
    assert await driver.journal.begin_completion(lease)


async def test_remembered_tokens_are_bounded(
    driver: "JournalDriver", monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flood of unique tokens makes the oldest ones forgotten, not the memory full."""
    monkeypatch.setattr("vertexkit.journal.state.duplicates.MAX_REMEMBERED_TOKENS", 3)
    for number in range(5):
        await driver.journal.settle(await driver.held(f"visit-{number}"), DONE)
    new = [(await driver.accept(f"visit-{number}")).new for number in range(5)]
    assert new == [True, True, False, False, False]


async def test_closing_it_leaves_nothing_under_way(driver: "JournalDriver") -> None:
    """What was to be run later has no task left once the journal is closed."""
    others = asyncio.all_tasks()
    await driver.journal.release(await driver.held(), 3600)
    [alarm] = asyncio.all_tasks() - others
    await driver.journal.close()
    await asyncio.wait({alarm})
    assert alarm.cancelled()
    assert await driver.claim() == []
