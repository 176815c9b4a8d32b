"""Limits over several connections and services of one database."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack

import pytest

from tests.journal.driver import JournalDriver
from tests.journal.postgres.fleet import Fleet
from tests.journal.postgres.opened import opened
from tests.postgres_server import PostgresServer
from tests.waiting import until
from vertexkit import App, Context
from vertexkit.execution import Outcome, OutcomeStatus, Result
from vertexkit.journal.limits import BlockLimits, FleetLimits, Rate

pytest.importorskip("psycopg", reason="the extra postgres is not installed")

DONE = Outcome(OutcomeStatus.COMPLETED, "ok", confirmed_by="204")
EXECUTIONS = 24
PLACES = 2


class Claimers:
    """Workers with connections of their own, which claim until all executions have ended.

    Args:
        limits: with which they claim.
    """

    def __init__(self, limits: FleetLimits) -> None:
        self.limits = limits
        self.held: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.ended: list[str] = []

    async def work(self, driver: JournalDriver, worker: str) -> None:
        while len(self.ended) < EXECUTIONS:
            claimed = await driver.journal.claim(worker, {"loan": 9}, 9, limits=self.limits)
            for lease in claimed:
                key = lease.execution.limit_key or ""
                self.held[key] += 1
                self.most[key] = max(self.most[key], self.held[key])
            for lease in claimed:
                self.held[lease.execution.limit_key or ""] -= 1
                await driver.journal.record_result(lease, Result(b"{}"))
                await driver.journal.settle(lease, DONE)
                self.ended.append(lease.execution.id)


async def test_workers_of_several_processes_do_not_exceed_a_limit(
    postgres_url: str, postgres_server: PostgresServer
) -> None:
    """Claims over several connections hold the limit of each key together, and starve none."""
    claimers = Claimers(FleetLimits({"loan": BlockLimits(running=PLACES)}))
    async with AsyncExitStack() as stack:
        drivers = [
            await stack.enter_async_context(opened(postgres_server, "contract")) for _ in range(3)
        ]
        for number in range(EXECUTIONS):
            await drivers[0].journal.accept(drivers[0].execution(key="ab"[number % 2]), EXECUTIONS)
        async with asyncio.timeout(60):
            await asyncio.gather(*(claimers.work(d, f"w{n}") for n, d in enumerate(drivers)))
    assert len(set(claimers.ended)) == len(claimers.ended) == EXECUTIONS
    assert max(claimers.most.values()) <= PLACES


async def test_limits_that_the_server_has_forgotten_are_added_again(
    postgres_url: str, postgres_server: PostgresServer
) -> None:
    """After a crash or a failover the rows of limits may be missing: executions are still claimed."""
    limits = FleetLimits({"loan": BlockLimits(running=PLACES)})
    async with opened(postgres_server, "contract") as driver:
        for expected in range(1, 3):
            await driver.journal.accept(driver.execution(key=""), EXECUTIONS)
            claimed = await driver.journal.claim("first", {"loan": 1}, 1, limits=limits)
            assert [int(lease.execution.id, 16) for lease in claimed] == [expected]
            postgres_server.sql(
                "DELETE FROM vertexkit.limits",
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'vertexkit'",
                database="contract",
            )
            await until(lambda: driver.journal.unavailable_reason() != "", "it is noticed")
            await until(lambda: driver.journal.unavailable_reason() == "", "it is connected")


async def test_a_rate_holds_over_several_processes(
    postgres_url: str, postgres_server: PostgresServer
) -> None:
    """In one period, claims over several connections start as many runs as the rate allows."""
    limits = FleetLimits({"loan": BlockLimits(Rate(5, 3600.0))})
    async with AsyncExitStack() as stack:
        drivers = [
            await stack.enter_async_context(opened(postgres_server, "contract")) for _ in range(3)
        ]
        for _ in range(EXECUTIONS):
            await drivers[0].journal.accept(drivers[0].execution(key=""), EXECUTIONS)
        started = 0
        for number in range(4):
            claims = [
                driver.journal.claim(f"w{number}", {"loan": 9}, 9, limits=limits)
                for driver in drivers
            ]
            started += sum(map(len, await asyncio.gather(*claims)))
    assert started == 5


async def test_a_place_that_a_service_frees_is_used_by_another_one(postgres_url: str) -> None:
    """Services share the places of a block; when a handler ends in one, the next may start in any."""
    app, running, proceed = App(), Counter[str](), asyncio.Semaphore(0)
    most: list[int] = []

    @app.block("narrow", fleet_concurrency=PLACES)
    async def narrow(ctx: Context) -> None:
        running["narrow"] += 1
        most.append(running["narrow"])
        await proceed.acquire()
        running["narrow"] -= 1

    async with Fleet(postgres_url, concurrency=1) as fleet:
        for name in ("first", "second", "third"):
            await fleet.start(name, app)
        tokens = [await fleet.call("first", "narrow") for _ in range(6)]
        for ended in range(len(tokens)):
            places = min(PLACES, len(tokens) - ended)
            await until(lambda: running["narrow"] == places, "all places are in use")  # noqa: B023
            proceed.release()
        await fleet.ended(len(tokens))
    assert max(most) == PLACES
