"""The contract of every journal: limits that hold over all workers."""

import asyncio
from dataclasses import replace

import pytest

from tests.journal.driver import PLENTY, JournalDriver
from tests.waiting import until
from vertexkit.execution import Outcome, OutcomeStatus, Phase, Result
from vertexkit.journal.limits import BlockLimits, FleetLimits, Rate
from vertexkit.journal.protocol import Lease, Query

DONE = Outcome(OutcomeStatus.COMPLETED, "ok", confirmed_by="204")
RESULT = Result(b"{}")
RATED = BlockLimits(Rate(2, 60.0))
ONE_AT_ONCE = BlockLimits(running=1)
SHORTLY = 0.05


class Limited:
    """A journal whose blocks `loan` and `story` have limits.

    Args:
        driver: of the journal.
        loan: the limits of that block.
        running: the limit of the app.
    """

    def __init__(
        self, driver: JournalDriver, loan: BlockLimits | None, running: int | None = None
    ) -> None:
        self.driver = driver
        driver.clock.hold_durable_waits()  # or it jumps while a journal waits for a socket
        self.limits = FleetLimits({} if loan is None else {"loan": loan}, running)

    async def accept(self, *keys: str | None, block: str = "loan") -> list[str]:
        calls = [self.driver.execution(block=block, key=key) for key in keys]
        for call in calls:
            await self.driver.journal.accept(call, PLENTY)
        return [call.id for call in calls]

    async def claim(self, worker: str = "first", limit: int = PLENTY) -> list[Lease]:
        places = {"loan": PLENTY, "story": PLENTY}
        return await self.driver.journal.claim(worker, places, limit, limits=self.limits)

    async def claimed(self, worker: str = "first", limit: int = PLENTY) -> list[str]:
        return [lease.execution.id for lease in await self.claim(worker, limit)]

    async def waiting_for(self, name: str) -> list[str]:
        found = await self.driver.journal.search(Query(waiting_for=name))
        return [record.execution for record in reversed(found)]

    def pass_time(self, seconds: float) -> None:
        self.driver.clock.skip_to(self.driver.clock.now() + seconds)


async def test_a_rate_bounds_the_runs_that_start_in_its_period(driver: JournalDriver) -> None:
    """In a period no more runs start than the rate allows, the oldest first, however they end."""
    limited = Limited(driver, RATED)
    ids = await limited.accept("", "", "", "", "")
    first = await limited.claim()
    assert [lease.execution.id for lease in first] == ids[:2]
    assert await limited.claim("second") == []
    for lease in first:
        await driver.journal.record_result(lease, RESULT)
        await driver.journal.settle(lease, DONE)
    assert await limited.claim() == []
    limited.pass_time(60.0 + SHORTLY)
    assert await limited.claimed("second") == ids[2:4]
    assert await limited.claim() == []


async def test_a_rate_is_a_sliding_window(driver: JournalDriver) -> None:
    """A start counts for exactly one period: each of two starts is free again at its own time."""
    limited = Limited(driver, RATED)
    ids = await limited.accept("", "", "", "")
    assert await limited.claimed(limit=1) == ids[:1]
    limited.pass_time(30.0)
    assert await limited.claimed() == ids[1:2]
    limited.pass_time(30.0 + SHORTLY)
    assert await limited.claimed() == ids[2:3]
    limited.pass_time(30.0)
    assert await limited.claimed() == ids[3:4]


@pytest.mark.unmeasured
async def test_keys_have_the_limits_for_themselves(driver: JournalDriver) -> None:
    """A key whose limit is reached blocks neither other keys nor other blocks behind it."""
    limited = Limited(driver, BlockLimits(Rate(1, 60.0), running=1))
    a = await limited.accept(*["a"] * 20)
    b = await limited.accept("b", "b")
    unlimited = await limited.accept(None)
    other = await limited.accept(None, block="story")
    assert sorted(await limited.claimed()) == sorted([a[0], b[0], *unlimited, *other])
    waiting = driver.journal.waiting_for_limits  # a server reports it to its clients
    await until(lambda: waiting() == {"loan": 20}, "20 executions wait for a limit")


async def test_a_fleet_limit_bounds_the_handlers_that_run(driver: JournalDriver) -> None:
    """The place of a handler that ends, is released or waits goes to the oldest execution of its key."""
    limited = Limited(driver, ONE_AT_ONCE)
    ids = await limited.accept("a", "a", "a", "a")
    [lease] = await limited.claim()
    assert await limited.claim("second") == []
    await driver.journal.record_result(lease, RESULT)
    [second] = await limited.claim("second")
    await driver.journal.release(second, 0.0)
    [third] = await limited.claim()
    await driver.journal.suspend(third, 1000.0, 0.0)
    [fourth] = await limited.claim("second")
    claimed = [lease, second, third, fourth]
    assert [lease.execution.id for lease in claimed] == ids
    assert await limited.claim() == []


async def test_what_waits_for_a_limit_holds_nothing(driver: JournalDriver) -> None:
    """What waits for a limit has no worker and no attempt, and operators see what it waits for."""
    limited = Limited(driver, ONE_AT_ONCE)
    first, waiting = await limited.accept("a", "a")
    assert await limited.claimed() == [first]
    assert await limited.claim("second") == []
    record = await driver.journal.find(waiting)
    assert record is not None
    assert (record.phase, record.attempts, record.worker) == (Phase.WAITING, 0, "")
    assert record.limited_by == "fleet_concurrency"
    assert driver.journal.backlog() == 1
    assert await limited.waiting_for("limit") == [waiting]
    assert await limited.waiting_for("fleet_concurrency") == [waiting]
    assert await limited.waiting_for("rate") == []
    running = await driver.journal.find(first)
    assert running is not None
    assert running.limited_by == ""


async def test_an_execution_that_waits_for_its_rate_says_so(driver: JournalDriver) -> None:
    """Operators find what waits for a rate."""
    limited = Limited(driver, RATED)
    ids = await limited.accept("a", "a", "a")
    await limited.claim()
    assert await limited.waiting_for("rate") == ids[2:]


async def test_the_limit_of_an_app_counts_all_blocks(driver: JournalDriver) -> None:
    """The app's limit counts the handlers of all blocks and of all workers, not completions."""
    limited = Limited(driver, None, running=2)
    await limited.accept(None, None)
    await limited.accept(None, None, block="story")
    first = await limited.claim("first", 1)
    second = await limited.claim("second")
    assert (len(first), len(second)) == (1, 1)
    assert await limited.claim() == []
    await driver.journal.record_result(first[0], RESULT)
    await driver.journal.release(first[0], 0.0)
    again = await limited.claim()
    assert [lease.result is None for lease in again].count(True) == 1
    assert [lease.result is None for lease in again].count(False) == 1


async def test_a_busy_block_does_not_starve_another_one(driver: JournalDriver) -> None:
    """Under the limit of the app, a block with many executions leaves places for others."""
    limited = Limited(driver, None, running=1)
    await limited.accept(*[None] * 8)
    [other] = await limited.accept(None, block="story")
    await limited.accept(*[None] * 8)
    for _ in range(9):
        [lease] = await limited.claim()
        await driver.journal.record_result(lease, RESULT)
        await driver.journal.settle(lease, DONE)
        if lease.execution.id == other:
            return
    raise AssertionError("it was not claimed")


async def test_a_dead_worker_frees_its_places_with_its_leases(driver: JournalDriver) -> None:
    """A place of a dead worker is free after its lease, which it cannot renew then."""
    limited = Limited(driver, ONE_AT_ONCE)
    ids = await limited.accept("a", "a")
    assert await limited.claimed("dead") == ids[:1]
    assert await limited.claim("living") == []
    driver.pass_lease()
    claimed = await limited.claim("living")
    assert len(claimed) == 1
    assert claimed[0].execution.id in ids
    assert (await driver.journal.renew("dead", ids[:1])).lost == frozenset(ids[:1])
    assert await limited.claim("living") == []


async def test_a_retry_counts_as_a_start_and_a_resumed_run_does_not(driver: JournalDriver) -> None:
    """Another attempt counts against the rate; the continuation of a run after its wait does not."""
    limited = Limited(driver, BlockLimits(Rate(1, 60.0)))
    [name] = await limited.accept("a")
    [lease] = await limited.claim()
    await driver.journal.suspend(lease, 1.0, 0.0)
    await driver.clock.advance(1.0 + SHORTLY)
    [resumed] = await limited.claim()
    assert (resumed.execution.id, resumed.attempt) == (name, 1)
    await driver.journal.release(resumed, 0.0)
    assert await limited.claim() == []
    limited.pass_time(60.0 + SHORTLY)
    [retried] = await limited.claim()
    assert (retried.execution.id, retried.attempt) == (name, 2)


async def test_a_resumed_run_needs_a_place(driver: JournalDriver) -> None:
    """A resumed run needs a free place, and gets it before what has not started."""
    limited = Limited(driver, ONE_AT_ONCE)
    first, second, third = await limited.accept("a", "a", "a")
    [lease] = await limited.claim()
    await driver.journal.suspend(lease, 5.0, 0.0)
    [other] = await limited.claim()
    assert other.execution.id == second
    await driver.clock.advance(5.0 + SHORTLY)
    assert await limited.claim() == []
    await driver.journal.record_result(other, RESULT)
    assert await limited.claimed() == [first]
    assert await limited.waiting_for("limit") == [third]


async def test_what_waited_too_long_for_a_limit_is_handed_over_to_fail(
    driver: JournalDriver,
) -> None:
    """After `max_wait` an execution is claimed in spite of its limits, to fail without a run."""
    limited = Limited(driver, replace(ONE_AT_ONCE, max_wait=100.0))
    now = driver.clock.unix()
    calls = [replace(driver.execution(key="a"), accepted_at=now) for _ in range(3)]
    for call in calls:
        await driver.journal.accept(call, PLENTY)
    [running] = await limited.claim()
    assert not running.overdue
    for _ in range(4):
        limited.pass_time(25.0)
        await driver.journal.renew("first", [running.execution.id])
    limited.pass_time(SHORTLY)
    overdue = await limited.claim()
    assert sorted(lease.execution.id for lease in overdue) == [call.id for call in calls[1:]]
    assert all(lease.overdue for lease in overdue)


async def test_a_limit_that_a_deploy_removes_holds_nothing_back(driver: JournalDriver) -> None:
    """Executions that were accepted under a limit are claimed by an app that has none any more."""
    limited = Limited(driver, ONE_AT_ONCE)
    ids = await limited.accept("a", "a", "a")
    assert await limited.claimed() == ids[:1]
    async with asyncio.timeout(60):
        claimed = await driver.claim()
        while not claimed:  # a process learns of other processes' executions within a second
            await asyncio.sleep(0.05)
            claimed = await driver.claim()
    assert sorted(lease.execution.id for lease in claimed) == ids[1:]


async def test_an_operator_can_drop_what_waits_for_a_limit(driver: JournalDriver) -> None:
    """What was dropped is completed as failed at once; the next one keeps its turn."""
    limited = Limited(driver, ONE_AT_ONCE)
    ids = await limited.accept("a", "a", "a")
    [running] = await limited.claim()
    assert await limited.claim() == []
    await driver.journal.drop(ids[1])
    [dropped] = await limited.claim()
    assert dropped.result is not None
    assert dropped.execution.id == ids[1]
    await driver.journal.record_result(running, RESULT)
    assert await limited.claimed() == ids[2:]


@pytest.mark.unmeasured
async def test_workers_that_claim_at_once_do_not_exceed_a_limit(driver: JournalDriver) -> None:
    """Workers that claim at the same moment get together what a limit allows; none is starved."""
    limited = Limited(driver, BlockLimits(running=3))
    ids = await limited.accept(*["a"] * 7, *["b"] * 7)
    done: list[str] = []
    async with asyncio.timeout(60):
        while len(done) < len(ids):
            shares = await asyncio.gather(*(limited.claim(f"w{n}") for n in range(4)))
            leases = [lease for share in shares for lease in share]
            keys = [lease.execution.limit_key for lease in leases]
            assert keys.count("a") <= 3
            assert keys.count("b") <= 3
            for lease in leases:
                await driver.journal.record_result(lease, RESULT)
                await driver.journal.settle(lease, DONE)
            done += [lease.execution.id for lease in leases]
    assert sorted(done) == ids
