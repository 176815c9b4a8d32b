"""A server whose disk is full: nothing acknowledged is lost, and it continues when there is room."""

import asyncio
import os
import shutil
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from tests.journal.driver import JournalDriver
from tests.journal.postgres.disk import SmallDisk, small_disk
from tests.journal.postgres.load import DONE, Load, accept_again
from tests.journal.postgres.opened import SHORT_LEASE_SECONDS, check, opened, until
from tests.journal.postgres.patience import impatient
from tests.postgres_server import FAST, PostgresServer, new_server
from vertexkit.errors import JournalUnavailable
from vertexkit.execution import Result

pytestmark = pytest.mark.unmeasured

psycopg = pytest.importorskip("psycopg", reason="the extra postgres is not installed")

LARGE_BYTES = 200_000
"""Of a value that does not fit into the pages that its table has."""


async def test_a_full_disk_of_the_tables() -> None:
    """Calls are rejected, running executions wait; both continue when there is room again."""
    server = new_server(**FAST)
    with small_disk(16, server.as_user()) as disk:
        server.start()
        try:
            server.sql(f"CREATE TABLESPACE tiny LOCATION '{disk.folder}'")
            server.sql("CREATE DATABASE small TABLESPACE tiny")
            async with opened(server, "small") as driver:
                await fill_and_free(driver, disk)
        finally:
            server.stop(signal.SIGKILL)
            shutil.rmtree(server.folder)


async def fill_and_free(driver: JournalDriver, disk: SmallDisk) -> None:
    journal, lease = driver.journal, await driver.held()
    disk.fill()
    recording = asyncio.create_task(
        journal.record_result(lease, Result(os.urandom(LARGE_BYTES)), completing=True)
    )
    await until(lambda: "No space left on device" in journal.unavailable_reason())
    call = driver.execution()
    with impatient(), pytest.raises(JournalUnavailable):
        await journal.accept(call, 10)
    assert not recording.done()
    disk.free()
    await recording
    assert (await accept_again(driver, call)).execution == call.id
    assert journal.unavailable_reason() == ""
    await journal.settle(lease, DONE)
    assert [lease.execution.id for lease in await driver.claim()] == [call.id]


async def test_a_full_disk_of_the_write_ahead_log() -> None:
    """The server ends itself; started again with room, it has all that was acknowledged."""
    server = new_server("--wal-segsize=1", **FAST)
    with small_disk(24, server.as_user()) as disk:
        move_log(server, disk.folder / "log")
        server.start()
        try:
            await run_out_of_log(server, disk)
        finally:
            server.stop(signal.SIGKILL)
            shutil.rmtree(server.folder)


def move_log(server: PostgresServer, target: Path) -> None:
    """Put the write-ahead log of a server that does not run on another disk."""
    source = server.data / "pg_wal"
    shutil.copytree(source, target)
    shutil.rmtree(source)
    source.symlink_to(target)
    owner = server.as_user()
    for path in (target, *target.rglob("*")) if owner else ():
        os.chown(path, owner["user"], owner["group"])


async def run_out_of_log(server: PostgresServer, disk: SmallDisk) -> None:
    async with opened(server, lease=SHORT_LEASE_SECONDS) as driver:
        load = Load(driver)

        async def fill() -> None:
            await load.settles()
            disk.fill()
            while server.process is not None and server.process.poll() is None:
                # The server may have segments of the log in store, and may end in the switch.
                with suppress(psycopg.Error):
                    await asyncio.to_thread(server.sql, "SELECT pg_switch_wal()")
            await until(lambda: bool(load.seen.rejected))
            disk.free()
            server.stop()
            await asyncio.to_thread(server.start)

        with impatient():
            await load.run(fill())
        await check(driver, load)
        assert load.seen.rejected
    assert "No space left on device" in (server.folder / "log").read_text(encoding="utf-8")
