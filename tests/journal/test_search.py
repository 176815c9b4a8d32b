"""Searching a journal of every kind, and how long that keeps others waiting."""

import pytest

from tests.journal.driver import JournalDriver
from vertexkit.execution import Execution, Outcome, OutcomeStatus, Phase, Result
from vertexkit.journal.protocol import Query, Record
from vertexkit.journal.state.row import ExecutionRow
from vertexkit.journal.state.state import JournalState
from vertexkit.settings import JournalSettings
from vertexkit.testing import FakePlatform, VirtualClock
from vertexkit.token import Token

pytestmark = pytest.mark.unmeasured


async def test_a_search_ends_at_its_limit(driver: JournalDriver) -> None:
    """The newest executions that match are found, whether or not they have ended."""
    blocks = ["story", "loan"] * 6
    names = [(await driver.accept(block=block)).execution for block in blocks]
    for lease in await driver.claim(limit=6):
        await driver.journal.settle(lease, Outcome(OutcomeStatus.COMPLETED, "ok", "204"))
    newest = names[::-1]
    for limit in (1, 2, 5, 6, 7, 11, 12, 50):
        found = await driver.journal.search(Query(limit=limit))
        assert [record.execution for record in found] == newest[:limit]
    loans = [name for number, name in enumerate(names) if number % 2][::-1]
    found = await driver.journal.search(Query(block="loan", limit=4))
    assert [record.execution for record in found] == loans[:4]
    unfinished = await driver.journal.search(Query(phase=Phase.WAITING))
    ended = await driver.journal.search(Query(phase=Phase.SETTLED))
    assert len(unfinished) == len(ended) == 6
    assert await driver.journal.search(Query(status=OutcomeStatus.GONE)) == []


async def test_each_filter_finds_what_it_names(driver: JournalDriver) -> None:
    """Block, dialog, code and time are filters of executions that have ended, and of others."""
    platform = FakePlatform()
    calls = [
        driver.execution(platform.issue("any", dialog_id=dialog), block)
        for dialog, block in ((7, "loan"), (8, "story"))
    ]
    for call in calls:
        await driver.journal.accept(call, 10)
    first, second = calls
    queries = [
        Query(block="loan"),
        Query(dialog=7),
        Query(phase=Phase.COMPLETING),
        Query(code="timeout"),
    ]
    leases = {lease.execution.id: lease for lease in await driver.claim()}
    await driver.journal.record_result(leases[first.id], Result(b"{}", "timeout"))
    for ended in (False, True):
        if ended:
            await driver.journal.settle(
                leases[first.id], Outcome(OutcomeStatus.COMPLETED, "timeout", "204")
            )
            await driver.journal.settle(
                leases[second.id], Outcome(OutcomeStatus.COMPLETED, "ok", "204")
            )
            queries.remove(Query(phase=Phase.COMPLETING))
        for query in queries:
            found = await driver.journal.search(query)
            assert [record.execution for record in found] == [first.id], query
        found = await driver.journal.search(Query(since=second.accepted_at))
        assert [record.execution for record in found] == [second.id]
        assert await driver.journal.search(Query(dialog=7, block="story")) == []


async def test_an_execution_is_found_by_the_start_of_its_id(driver: JournalDriver) -> None:
    """Whether or not it has ended; an unknown start finds nothing."""
    ended, waiting = (await driver.accept()).execution, (await driver.accept()).execution
    [lease] = await driver.claim(limit=1)
    await driver.journal.settle(lease, Outcome(OutcomeStatus.COMPLETED, "ok", "204"))
    for name in (ended, waiting):
        [record] = await driver.journal.search(Query(prefix=name))
        assert record.execution == name
    both = await driver.journal.search(Query(prefix="0000"))
    assert [record.execution for record in both] == [waiting, ended]
    for unknown in ("f", "00001", f"{ended}0", "~"):
        assert await driver.journal.search(Query(prefix=unknown)) == []


async def test_a_retried_execution_is_not_the_newest(driver: JournalDriver) -> None:
    """It keeps its place in the order of acceptance."""
    first = await driver.held()
    await driver.journal.settle(first, Outcome(OutcomeStatus.PARKED, "unreachable"))
    second = (await driver.accept()).execution
    await driver.journal.retry(first.execution.id)
    found = await driver.journal.search(Query(limit=1))
    assert [record.execution for record in found] == [second]
    assert len(await driver.journal.search(Query())) == 2


@pytest.mark.parametrize("query", [Query(), Query(block="story", dialog=7), Query(code="gone")])
def test_a_search_makes_only_the_records_that_it_returns(
    query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With 1,000 unfinished executions no record is made but of those that are returned."""
    state = JournalState(VirtualClock(), JournalSettings())
    for number in range(1000):
        call = Execution(f"{number:022x}", "loan", Token(f"token-{number}"), {})
        state.confirm(state.add(call, call.key, 1 << 30))
    made: list[str] = []
    make_record = ExecutionRow.record

    def counted(row: ExecutionRow) -> Record:
        made.append(row.execution.id)
        return make_record(row)

    monkeypatch.setattr(ExecutionRow, "record", counted)
    found = state.search(query)
    assert len(found) == (50 if query == Query() else 0)
    assert len(made) <= len(found)
