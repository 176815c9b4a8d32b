"""The memory journal's own: what it does not promise, and that its memory is bounded."""

import asyncio
import gc
from typing import TYPE_CHECKING

import pytest

from vertexkit.errors import SettingsError
from vertexkit.execution import Outcome, OutcomeStatus, Result
from vertexkit.journal import open_journal
from vertexkit.journal.memory import KEPT, MemoryJournal
from vertexkit.journal.protocol import Acceptance
from vertexkit.journal.state.duplicates import DUPLICATE_FOR
from vertexkit.settings import JournalSettings
from vertexkit.testing import VirtualClock

if TYPE_CHECKING:
    from tests.journal.conftest import Desk

DONE = Outcome(OutcomeStatus.COMPLETED)


@pytest.fixture
def desk(make_desk: "type[Desk]") -> "Desk":
    """A journal whose platform gives each execution its own token."""
    clock = VirtualClock()
    return make_desk(MemoryJournal(clock, JournalSettings(tokens="unique")), clock)


async def test_it_says_that_it_survives_nothing() -> None:
    """Whoever runs it is told in words that a killed process takes its executions along."""
    journal = open_journal(JournalSettings(url="memory:"), VirtualClock())
    assert isinstance(journal, MemoryJournal)
    assert not journal.durable
    assert "lost" in journal.durability


async def test_an_unknown_journal_is_refused_by_name() -> None:
    """A journal that there is not is named in a sentence, with those that there are."""
    with pytest.raises(SettingsError, match=r"VERTEXKIT_JOURNAL: .* paper: .*memory:"):
        open_journal(JournalSettings(url="paper:tray"), VirtualClock())


async def test_only_the_last_ends_are_kept(desk: "Desk") -> None:
    """However many executions there were, the records of the newest thousand are left."""
    ids = []
    for _ in range(KEPT + 10):
        lease = await desk.held()
        await desk.journal.settle(lease, DONE)
        ids.append(lease.execution.id)
    found = [await desk.journal.find(each) is not None for each in ids]
    assert found == [False] * 10 + [True] * KEPT


async def test_what_is_settled_is_let_go(desk: "Desk") -> None:
    """After its end, nothing in the journal holds an execution's token or inputs any more."""
    lease = await desk.held("again")
    await desk.journal.record_result(lease, Result(b"1"))
    await desk.journal.begin_completion(lease)
    await desk.journal.settle(lease, DONE)
    execution = lease.execution
    del lease
    gc.collect()
    holders = [each for each in gc.get_referrers(execution) if type(each).__name__ == "_Row"]
    assert holders == []


async def test_a_unique_token_is_a_duplicate_for_a_day(desk: "Desk") -> None:
    """Where tokens are unique, the same call within 24 hours of the end is the same execution."""
    lease = await desk.held("again")
    await desk.journal.settle(lease, DONE)
    again = await desk.accept("again")
    assert again == Acceptance(lease.execution.id, new=False)
    desk.clock.skip_to(desk.clock.now() + DUPLICATE_FOR - 60)
    assert not (await desk.accept("again")).new
    desk.clock.skip_to(desk.clock.now() + 61)
    assert (await desk.accept("again")).new


async def test_a_unique_token_is_never_superseded(desk: "Desk") -> None:
    """Where tokens are unique, not even a tried completion makes the same call a new one."""
    lease = await desk.held("again")
    await desk.journal.record_result(lease, Result(b"1"))
    await desk.journal.begin_completion(lease)
    assert await desk.accept("again") == Acceptance(lease.execution.id, new=False)
    assert await desk.journal.begin_completion(lease)


async def test_remembered_tokens_are_bounded(desk: "Desk", monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood of unique tokens makes the oldest ones forgotten, not the memory full."""
    monkeypatch.setattr("vertexkit.journal.state.duplicates.REMEMBERED", 3)
    for number in range(5):
        await desk.journal.settle(await desk.held(f"visit-{number}"), DONE)
    new = [(await desk.accept(f"visit-{number}")).new for number in range(5)]
    assert new == [True, True, False, False, False]


async def test_closing_it_leaves_nothing_under_way(desk: "Desk") -> None:
    """What was to be run later has no task left once the journal is closed."""
    others = asyncio.all_tasks()
    await desk.journal.release(await desk.held(), 3600)
    [alarm] = asyncio.all_tasks() - others
    await desk.journal.close()
    await asyncio.wait({alarm})
    assert alarm.cancelled()
    assert await desk.claim() == []
