"""A synchronous standby that is promoted while the old primary is gone."""

import asyncio
import shutil
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.journal.cases import case
from tests.journal.driver import JournalDriver
from tests.journal.postgres.load import DONE, Load
from tests.postgres_server import PORT, PostgresServer, empty_server, killable_server
from tests.waiting import until_outside
from vertexkit.clock import Clock
from vertexkit.execution import Phase
from vertexkit.journal import make_journal
from vertexkit.journal.protocol import Query
from vertexkit.settings import JournalSettings

pytestmark = pytest.mark.unmeasured

ALL = 100_000
REPLICAS = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"


@pytest.fixture
def primary() -> Iterator[PostgresServer]:
    pytest.importorskip("psycopg", reason="the extra postgres is not installed")
    with killable_server() as server:
        yield server


@pytest.fixture
def standby(primary: PostgresServer) -> Iterator[PostgresServer]:
    """A copy of the primary, which is connected to it as `standby`."""
    standby = empty_server(wal_retrieve_retry_interval="100ms")
    source = f"host={primary.folder} port={PORT} user=postgres application_name=standby"
    standby.run(
        *("pg_basebackup", "-c", "fast", "--no-sync", "-D", str(standby.data)),
        *("-R", "-X", "stream", "-d", source),
    )
    standby.start()
    try:
        yield standby
    finally:
        standby.stop(signal.SIGKILL)
        shutil.rmtree(standby.folder)


async def test_a_promoted_synchronous_standby_has_everything(
    primary: PostgresServer, standby: PostgresServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """With replicas and an empty synchronous_standby_names, the log says what a failover loses.

    With a synchronous standby, the primary is killed under load and the standby promoted: nothing
    acknowledged is lost.
    """
    with case("asynchronous"):
        until_outside(lambda: primary.sql(REPLICAS) == "1", "the standby is connected")
        await (await opened(primary.url())).journal.close()
        assert "journal_replicated_asynchronously" in capsys.readouterr().out
    # A server that is started with the setting has no commit that does not wait for the standby.
    primary.stop()
    primary.settings["synchronous_standby_names"] = "standby"
    primary.start()
    with case("synchronous"):
        await fail_over_under_load(primary, standby)


async def opened(url: str) -> JournalDriver:
    clock: Any = Clock()
    driver = JournalDriver(make_journal(JournalSettings(url=url, lease=2.0), clock), clock)
    await driver.journal.open(driver)
    return driver


async def fail_over_under_load(primary: PostgresServer, standby: PostgresServer) -> None:
    hosts = ",".join(str(server.folder).replace("/", "%2F") for server in (primary, standby))
    driver = await opened(f"postgresql://postgres@{hosts}/postgres?port={PORT}")
    load = Load(driver)

    async def fail_over() -> None:
        await load.settles()
        primary.stop(signal.SIGKILL)
        await asyncio.to_thread(standby.run, "pg_ctl", "promote", "-D", str(standby.data))
        await load.settles()

    await load.run(fail_over())
    stored = {record.execution: record for record in await driver.journal.search(Query(limit=ALL))}
    await driver.journal.close()
    assert load.seen.acknowledged
    assert load.seen.acknowledged <= stored.keys()
    assert {(r.phase, r.outcome) for r in stored.values()} == {(Phase.SETTLED, DONE)}
    assert max(load.seen.sent.values()) == 1
    assert driver.lost_reasons == []
