"""What the tables contain: nothing of what has ended, and no more rows than are kept."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.journal.driver import JournalDriver
from tests.journal.postgres.load import DONE
from tests.postgres_server import PostgresServer
from vertexkit.execution import (
    Effect,
    EffectState,
    Execution,
    Outcome,
    OutcomeStatus,
    Result,
)
from vertexkit.journal import make_journal
from vertexkit.journal.postgres import retention
from vertexkit.journal.postgres.address import parse_address
from vertexkit.journal.postgres.background import BackgroundConnection
from vertexkit.journal.postgres.database import Database
from vertexkit.journal.protocol import Lease
from vertexkit.settings import JournalSettings
from vertexkit.testing import VirtualClock
from vertexkit.token import Token

pytest.importorskip("psycopg", reason="the extra postgres is not installed")

SECRETS = {
    "token": "secret-of-a-token",
    "input": "secret-of-an-input",
    "raw": "secret-of-a-body",
    "step": "secret-of-a-step",
    "event": "secret-of-an-event",
    "result": "secret-of-a-result",
}
GONE = Outcome(OutcomeStatus.PARKED, "unreachable")
TABLES = """
SELECT format('SELECT t::text FROM vertexkit.%I AS t', relname)
FROM pg_stat_user_tables WHERE schemaname = 'vertexkit'
"""
SIZE = "SELECT pg_table_size('vertexkit.executions') + pg_table_size('vertexkit.effects')"
COUNTS = ["SELECT count(*) FROM vertexkit.executions", "SELECT count(*) FROM vertexkit.effects"]
DAY_SECONDS = 86_400.0
KEPT, ROUNDS = 100, 8
MAX_ROUNDS = 3 * ROUNDS
"""How the changes of a round are grouped decides how many pages are enough, and when."""


@pytest.fixture
async def driver(postgres_url: str) -> AsyncIterator[JournalDriver]:
    """A journal in PostgreSQL, empty at first."""
    clock = VirtualClock()
    settings = JournalSettings(url=postgres_url, tokens="unique")
    driver = JournalDriver(make_journal(settings, clock), clock)
    await driver.journal.open(driver)
    yield driver
    await driver.journal.close()


def visible(server: PostgresServer) -> set[str]:
    """Return the names of the secrets that are in a row of any table."""
    statements = server.sql(TABLES, database="contract").splitlines()
    assert len(statements) >= 5
    readable = "SET bytea_output = 'escape'"
    rows = server.sql(readable, *statements, database="contract")
    return {name for name, secret in SECRETS.items() if secret in rows}


async def start(driver: JournalDriver, number: int) -> Lease:
    """Accept an execution with a secret in each of its values, and do all that stores one."""
    inputs = {"text": SECRETS["input"]}
    token = Token(f"{SECRETS['token']}-{number}")
    raw = SECRETS["raw"].encode()
    call = Execution(f"{number:022x}", "loan", token, inputs, raw, 1000.0)
    await driver.journal.accept(call, 10)
    lease = await driver.claim_one()
    step = SECRETS["step"].encode()
    await driver.journal.record_effect(lease, Effect(0, "step:a", "", EffectState.CONFIRMED, step))
    await driver.journal.record_intent(lease, Effect(1, "wait:paid", ""))
    await driver.journal.deliver_event(call.id, "paid", SECRETS["event"].encode())
    result = Result(SECRETS["result"].encode())
    await driver.journal.record_result(lease, result, completing=True)
    return lease


async def test_an_ended_execution_is_erased_from_every_table(
    driver: JournalDriver, postgres_server: PostgresServer
) -> None:
    """Before the end, token, inputs, body, step, event and result are in rows; after it none is.

    Those of a parked execution are kept for a retry, until an operator drops it.
    """
    lease = await start(driver, 901)
    assert visible(postgres_server) == set(SECRETS)
    await driver.journal.settle(lease, DONE)
    await driver.held()  # is committed after what the end erases
    assert visible(postgres_server) == set()

    lease = await start(driver, 902)
    await driver.journal.settle(lease, GONE)
    assert visible(postgres_server) == set(SECRETS)
    await driver.journal.drop(lease.execution.id)
    assert visible(postgres_server) == set()


@pytest.mark.unmeasured
async def test_tables_stay_bounded_under_steady_load(
    driver: JournalDriver,
    postgres_url: str,
    postgres_server: PostgresServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Once the tables have the executions that are kept, they do not grow; old ones are deleted."""
    monkeypatch.setattr(retention, "MAX_ENDED_EXECUTIONS", KEPT)
    database = Database(parse_address(postgres_url.removeprefix("postgresql:")), JournalSettings())
    connection = BackgroundConnection(
        lambda: database.connect_listener(lambda: None),
        lambda: driver.clock.skipped,
    )
    sizes: list[int] = []
    try:
        while len(sizes) < ROUNDS or (grows(sizes) and len(sizes) < MAX_ROUNDS):
            await end(driver, KEPT)
            driver.clock.skip_to(driver.clock.now() + KEPT)
            await retention.delete_old(connection, JournalSettings(retention=DAY_SECONDS))
            sizes.append(measured(postgres_server))
            assert rows(postgres_server) == (KEPT, KEPT)
        assert not grows(sizes), sizes
        driver.clock.skip_to(driver.clock.now() + DAY_SECONDS)
        await retention.delete_old(connection, JournalSettings(retention=DAY_SECONDS))
        assert rows(postgres_server) == (0, 0)
    finally:
        await connection.close()


def grows(sizes: list[int]) -> bool:
    """Whether one of the last rounds has needed more than all before them."""
    steady = ROUNDS // 2
    return max(sizes[-steady:]) > max(sizes[:-steady])


async def end(driver: JournalDriver, number: int) -> None:
    """Execute a number of calls, each with one message."""
    await asyncio.gather(*(driver.accept() for _ in range(number)))
    await asyncio.gather(*(complete(driver, lease) for lease in await driver.claim()))


async def complete(driver: JournalDriver, lease: Lease) -> None:
    await driver.journal.record_intent(lease, Effect(0, "send", "a"))
    await driver.journal.record_effect(lease, Effect(0, "send", "a", EffectState.CONFIRMED, b"1"))
    await driver.journal.record_result(lease, Result(b"1"), completing=True)
    await driver.journal.settle(lease, DONE)


def measured(server: PostgresServer) -> int:
    """Return the size of the tables in bytes, after what autovacuum does every minute."""
    server.sql("VACUUM vertexkit.executions, vertexkit.effects", database="contract")
    return int(server.sql(SIZE, database="contract"))


def rows(server: PostgresServer) -> tuple[int, ...]:
    """Return the number of executions and of their effects."""
    return tuple(int(number) for number in server.sql(*COUNTS, database="contract").split())
