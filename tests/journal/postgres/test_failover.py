"""A synchronous standby that is promoted while the old primary is gone."""

import asyncio
import shutil
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.journal.driver import JournalDriver
from tests.journal.postgres.load import DONE, Load
from tests.postgres_server import PORT, PostgresServer, killable_server, new_server
from vertexkit.clock import Clock
from vertexkit.execution import Phase
from vertexkit.journal import make_journal
from vertexkit.journal.protocol import Query
from vertexkit.settings import JournalSettings

pytestmark = pytest.mark.unmeasured

ALL = 100_000


@pytest.fixture
def primary() -> Iterator[PostgresServer]:
    pytest.importorskip("psycopg", reason="the extra postgres is not installed")
    with killable_server() as server:
        yield server


@pytest.fixture
def standby(primary: PostgresServer) -> Iterator[PostgresServer]:
    """A copy of the primary that confirms its commits."""
    standby = new_server()
    shutil.rmtree(standby.data)
    source = f"host={primary.folder} port={PORT} user=postgres application_name=standby"
    standby.run(
        "pg_basebackup", "-c", "fast", "-D", str(standby.data), "-R", "-X", "stream", "-d", source
    )
    standby.start()
    primary.sql("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
    primary.sql("SELECT pg_reload_conf()")
    try:
        yield standby
    finally:
        standby.stop(signal.SIGKILL)
        shutil.rmtree(standby.folder)


async def test_a_promoted_synchronous_standby_has_everything(
    primary: PostgresServer, standby: PostgresServer
) -> None:
    """Under load the primary is killed and the standby promoted: nothing acknowledged is lost."""
    hosts = ",".join(str(server.folder).replace("/", "%2F") for server in (primary, standby))
    url = f"postgresql://postgres@{hosts}/postgres?port={PORT}"
    clock: Any = Clock()
    driver = JournalDriver(make_journal(JournalSettings(url=url, lease=2.0), clock), clock)

    async def fail_over() -> None:
        await asyncio.sleep(1)
        primary.stop(signal.SIGKILL)
        await asyncio.to_thread(standby.run, "pg_ctl", "promote", "-D", str(standby.data))
        await asyncio.sleep(1)

    await driver.journal.open(driver)
    load = Load(driver)
    await load.run(fail_over())
    stored = {record.execution: record for record in await driver.journal.search(Query(limit=ALL))}
    await driver.journal.close()
    assert load.seen.acknowledged
    assert load.seen.acknowledged <= stored.keys()
    assert {(r.phase, r.outcome) for r in stored.values()} == {(Phase.SETTLED, DONE)}
    assert max(load.seen.sent.values()) == 1
    assert driver.lost_reasons == []


async def test_an_asynchronous_standby_is_warned_about(
    primary: PostgresServer, standby: PostgresServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """With replicas and an empty synchronous_standby_names, the log says what a failover loses."""
    primary.sql("ALTER SYSTEM RESET synchronous_standby_names")
    primary.sql("SELECT pg_reload_conf()")
    async with asyncio.timeout(60):
        while primary.sql("SHOW synchronous_standby_names"):  # noqa: ASYNC110 - it is asked for
            await asyncio.sleep(0.05)
    clock: Any = Clock()
    driver = JournalDriver(make_journal(JournalSettings(url=primary.url()), clock), clock)
    await driver.journal.open(driver)
    await driver.journal.close()
    assert "journal_replicated_asynchronously" in capsys.readouterr().out
