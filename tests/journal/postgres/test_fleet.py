"""A fleet that grows, shrinks and is restarted: nothing is lost, and no call waits for a lease."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from tests import loop_time
from tests.journal.postgres.fleet import Fleet
from tests.postgres_server import PostgresServer
from tests.waiting import until
from vertexkit import App, Context
from vertexkit.execution import OutcomeStatus
from vertexkit.journal.postgres import monitor
from vertexkit.journal.protocol import Record

pytest.importorskip("psycopg", reason="the extra postgres is not installed")

A_MINUTE_PASSES = "UPDATE vertexkit.workers SET seen_at = seen_at - 61 WHERE stopped_at IS NOT NULL"


class Handlers:
    """An app whose handlers send a message and wait until they may return.

    Args:
        *blocks: their names.
    """

    def __init__(self, *blocks: str) -> None:
        self.app: App = App()
        self.running: Counter[str] = Counter()
        self.proceed = asyncio.Event()
        for name in blocks:
            self.app.block(name)(self._handler(name))

    def _handler(self, name: str) -> Any:
        async def handler(ctx: Context) -> str:
            self.running[name] += 1
            try:
                await ctx.send_message(f"one from {name}")
                await self.proceed.wait()
            finally:
                self.running[name] -= 1
            return name

        return handler


def check(fleet: Fleet, tokens: list[str], records: list[Record]) -> None:
    """Each call has one outcome and one message, and no lease has expired."""
    assert len(records) == len(tokens)
    for record in records:
        assert record.outcome is not None
        assert record.outcome.status is OutcomeStatus.COMPLETED
        assert "lease_expired" not in {event.name for event in record.history}
    for token in tokens:
        activation = fleet.platform.activation(token)
        assert (len(activation.messages), len(activation.completions)) == (1, 1)


@pytest.mark.unmeasured
async def test_a_rolling_restart_loses_and_delays_nothing(postgres_url: str) -> None:
    """Services are replaced one by one under load: their executions move to others at once.

    Messages that were sent before are not sent again.
    """
    tokens: list[str] = []
    handlers = Handlers("loan")
    over = asyncio.Event()

    async def call_on() -> None:
        """Call a service that accepts, as a proxy does."""
        number = 0
        while not over.is_set():
            token = fleet.platform.issue("loan")
            while True:
                number += 1
                name = list(fleet.services)[number % len(fleet.services)]
                if (await fleet.post(name, "loan", token)).status_code == 200:
                    break
            tokens.append(token)
            await asyncio.sleep(0.005)

    async with Fleet(postgres_url) as fleet:
        for name in ("old-1", "old-2"):
            await fleet.start(name, handlers.app)
        calling = asyncio.create_task(call_on())
        for number in (1, 2):
            await until(lambda: handlers.running["loan"] > 4, "handlers run")
            await fleet.start(f"new-{number}", handlers.app)
            await fleet.stop(f"old-{number}")
        over.set()
        await calling
        handlers.proceed.set()
        records = await fleet.ended(len(tokens))
        check(fleet, tokens, records)
        assert {record.worker for record in records if record.worker} <= set(fleet.services)
        assert any(record.attempts > 1 for record in records), "some were moved"


async def test_a_fleet_grows_and_shrinks(postgres_url: str) -> None:
    """A new service takes waiting executions at once; those of one that stops are taken over."""
    handlers = Handlers("loan")
    async with Fleet(postgres_url, concurrency=2) as fleet:
        await fleet.start("first", handlers.app)
        tokens = [await fleet.call("first", "loan") for _ in range(6)]
        await until(lambda: handlers.running["loan"] == 2, "the first service is busy")
        for name in ("second", "third"):
            await fleet.start(name, handlers.app)
        await until(lambda: handlers.running["loan"] == 6, "all run")
        await fleet.stop("first")
        await fleet.stop("third")
        await until(lambda: handlers.running["loan"] == 2, "the others wait")
        handlers.proceed.set()
        check(fleet, tokens, await fleet.ended(6))


async def test_blocks_are_claimed_by_those_that_serve_them(
    postgres_server: PostgresServer, postgres_url: str
) -> None:
    """The old version of an app leaves a new block's executions to the new one, even a busy one.

    When no service has had the block for a minute, the executions are completed as failed, and
    parked for an operator.
    """
    old, new = Handlers("loan"), Handlers("loan", "story")
    async with Fleet(postgres_url) as fleet:
        serving_old = await fleet.start("old", old.app)
        await fleet.start("new", new.app, concurrency=1)
        stories = [await fleet.call("new", "story") for _ in range(2)]
        await until(lambda: new.running["story"] == 1, "the new version is busy")
        loan = await fleet.call("new", "loan")
        await until(lambda: old.running["loan"] == 1, "the old version runs what it has")
        old.proceed.set()
        await until(lambda: fleet.platform.activation(loan).completions, "it has completed it")
        waiting = [record for record in await fleet.records() if record.attempts == 0]
        assert [record.block for record in waiting] == ["story"]

        await fleet.stop("new")
        assert serving_old.journal.unserved_blocks({"loan"}) == set()
        postgres_server.sql(A_MINUTE_PASSES, database="contract")
        loop_time.skip(monitor.UNSERVED_SECONDS + 1)
        records = await fleet.ended(3)
        for token in stories:
            [completion] = fleet.platform.activation(token).completions
            assert completion.data is not None
            assert completion.data["error"]["code"] == "unknown_block"
        outcomes = {(r.block, r.outcome.status) for r in records if r.outcome is not None}
        completed = ("loan", OutcomeStatus.COMPLETED)
        assert outcomes == {completed, ("story", OutcomeStatus.PARKED)}
