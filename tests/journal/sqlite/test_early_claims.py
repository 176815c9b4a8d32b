"""Executions that are claimed while they are being stored: one commit has both."""

import asyncio
from dataclasses import replace

import pytest

from tests.journal.driver import PLENTY
from tests.journal.sqlite.slow_machine import INTENT, FullOnce, SlowMachine, turns
from vertexkit.errors import JournalUnavailable, OperationNotAllowed
from vertexkit.execution import Execution
from vertexkit.journal.protocol import Acceptance, Lease, Query

Accepting = asyncio.Task[Acceptance]
Claiming = asyncio.Task[list[Lease]]


async def accept_and_claim(
    slow_machine: SlowMachine, *calls: Execution
) -> tuple[list[Accepting], Claiming]:
    """Calls that are being stored, and the claim of them; the disk is held."""
    driver = slow_machine.driver
    await slow_machine.hold()
    accepting = [asyncio.create_task(driver.journal.accept(call, PLENTY)) for call in calls]
    await turns()
    claiming = asyncio.create_task(driver.claim())
    await turns()
    return accepting, claiming


async def test_a_call_and_its_claim_are_one_commit(slow_machine: SlowMachine) -> None:
    """No handler starts and nothing is acknowledged before it; a power loss after it keeps both."""
    call = slow_machine.driver.execution()
    [accepting], claiming = await accept_and_claim(slow_machine, call)
    assert not accepting.done()
    assert not claiming.done()
    commits = count_commits(slow_machine)
    slow_machine.disk.go_on()
    [lease] = await claiming
    assert accepting.done()
    assert lease.execution is call
    assert commits == [1, 2]  # the one that was held, and both
    driver = await slow_machine.cut_power()
    [again] = await driver.claim()
    assert (again.execution.id, again.attempt, again.crashed) == (call.id, 2, True)


def count_commits(slow_machine: SlowMachine) -> list[int]:
    """Return a list that gets the number of writes of each commit from now on."""
    commits: list[int] = []

    def committed(changes: int, seconds: float) -> None:
        commits.append(changes)

    slow_machine.journal._observer.committed = committed  # pyrefly: ignore[method-assign]
    return commits


async def test_a_claimed_call_that_is_refused_does_not_run(
    slow_machine: SlowMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full for the commit of both: no lease, and the place is free for the next call."""
    call = slow_machine.driver.execution()
    [accepting], claiming = await accept_and_claim(slow_machine, call)
    # The commit that is held succeeds.
    monkeypatch.setattr(slow_machine.disk, "_commit", FullOnce(slow_machine.disk, passed=1))
    slow_machine.disk.go_on()
    with pytest.raises(JournalUnavailable, match="full"):
        await accepting
    assert await claiming == []
    journal = slow_machine.journal
    assert (journal.backlog(), await journal.search(Query())) == (0, [])
    assert (await journal.renew("first", [call.id])).lost == {call.id}
    lease = await slow_machine.driver.held()
    await journal.record_intent(lease, INTENT)
    driver = await slow_machine.cut_power()
    assert [again.execution.id for again in await driver.claim()] == [lease.execution.id]


async def test_a_call_that_is_refused_before_it_is_claimed_does_not_run(
    slow_machine: SlowMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It leaves its queue; those before and after it keep their order."""
    driver = slow_machine.driver
    earlier = await driver.accept()
    await slow_machine.hold()
    accepting = [asyncio.create_task(driver.accept()) for _ in range(2)]
    await turns()
    monkeypatch.setattr(slow_machine.disk, "_commit", FullOnce(slow_machine.disk, passed=1))
    slow_machine.disk.go_on()
    refused = await asyncio.gather(*accepting, return_exceptions=True)
    assert [type(error) for error in refused] == [JournalUnavailable] * 2
    later = [await driver.accept() for _ in range(2)]
    leases = await driver.claim()
    expected = [accepted.execution for accepted in (earlier, *later)]
    assert [lease.execution.id for lease in leases] == expected


async def test_of_calls_that_are_claimed_one_is_refused(slow_machine: SlowMachine) -> None:
    """A value that SQLite cannot store: the other executions of the commit run."""
    driver = slow_machine.driver
    calls = [driver.execution() for _ in range(3)]
    calls[1] = replace(calls[1], accepted_at=float("nan"))  # NULL, which the column refuses
    accepting, claiming = await accept_and_claim(slow_machine, *calls)
    slow_machine.disk.go_on()
    assert [lease.execution.id for lease in await claiming] == [calls[0].id, calls[2].id]
    outcomes = await asyncio.gather(*accepting, return_exceptions=True)
    assert isinstance(outcomes[1], JournalUnavailable)
    assert driver.journal.backlog() == 0


async def test_a_call_with_limits_is_claimed_when_it_is_stored(slow_machine: SlowMachine) -> None:
    """A start of a call that is refused in the end would count against the rate of its block."""
    driver = slow_machine.driver
    await slow_machine.hold()
    call = driver.execution(key="loan")
    accepting = asyncio.create_task(driver.journal.accept(call, PLENTY))
    await turns()
    assert await driver.claim() == []
    slow_machine.disk.go_on()
    await accepting
    assert [lease.execution.id for lease in await driver.claim()] == [call.id]


async def test_operators_cannot_drop_a_call_that_is_being_stored(
    slow_machine: SlowMachine,
) -> None:
    """It may still be refused."""
    call = slow_machine.driver.execution()
    [accepting], claiming = await accept_and_claim(slow_machine, call)
    journal = slow_machine.journal
    dropping = asyncio.create_task(journal.drop(call.id))
    await turns()
    slow_machine.disk.go_on()
    with pytest.raises(OperationNotAllowed):
        await dropping
    await accepting
    assert [lease.execution.id for lease in await claiming] == [call.id]


async def test_a_large_call_is_in_its_lease(slow_machine: SlowMachine) -> None:
    """It leaves the memory of the journal when it is stored, and is not read again for its claim."""
    driver = slow_machine.driver
    call = replace(driver.execution(text="x" * 100_000), raw=b"x" * 100_000)
    [accepting], claiming = await accept_and_claim(slow_machine, call)
    slow_machine.disk.go_on()
    await accepting
    [lease] = await claiming
    assert lease.execution is call
    await driver.journal.release(lease, 0)
    [again] = await driver.claim()
    assert (again.execution.raw, again.execution.inputs) == (call.raw, call.inputs)
