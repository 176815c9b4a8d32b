"""Two processes behind PgBouncer in transaction mode: notifications are lost, and nothing else."""

import asyncio
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest

from tests.journal.driver import JournalDriver
from tests.journal.postgres.load import DONE
from tests.postgres_server import PORT, PostgresServer
from tests.tools import TOOLS, reason
from tests.waiting import PATIENCE_SECONDS, POLL_INTERVAL_SECONDS, until, until_outside
from vertexkit.clock import Clock
from vertexkit.execution import Effect, EffectState, Phase, Result
from vertexkit.journal import make_journal
from vertexkit.journal.events import Delivery
from vertexkit.journal.postgres import monitor
from vertexkit.settings import JournalSettings

DATABASE = "contract"
CONFIGURATION = """
[databases]
* = host={server} port={port}
[pgbouncer]
pool_mode = transaction
listen_addr =
unix_socket_dir = {folder}
listen_port = {port}
auth_type = trust
auth_file = {folder}/users
max_client_conn = 50
default_pool_size = 3
logfile = {folder}/log
pidfile = {folder}/pid
"""
"""Of PgBouncer. Clients of one database share three connections to the server."""


@pytest.fixture
def pooler(postgres_server: PostgresServer, postgres_url: str) -> Iterator[str]:
    """URL of a database with an empty journal, behind PgBouncer."""
    del postgres_url  # it empties the journal
    if (program := TOOLS["pgbouncer"].path) is None:
        pytest.skip(reason("pgbouncer"))
    owner = postgres_server.as_user()  # PgBouncer refuses to run as root, as the server does
    folder = Path(mkdtemp(prefix="vk-pool-"))
    values = {"server": postgres_server.folder, "port": PORT, "folder": folder}
    (folder / "ini").write_text(CONFIGURATION.format(**values), encoding="utf-8")
    (folder / "users").write_text('"postgres" ""\n', encoding="utf-8")
    if owner:
        shutil.chown(folder, owner["user"], owner["group"])
    process = subprocess.Popen([program, "-q", folder / "ini"], cwd=folder, **owner)
    try:
        socket = folder / f".s.PGSQL.{PORT}"
        until_outside(socket.exists, "PgBouncer has opened its socket")
        yield f"postgresql://postgres@{str(folder).replace('/', '%2F')}:{PORT}/{DATABASE}"
    finally:
        process.terminate()
        process.wait(60)
        shutil.rmtree(folder)


async def test_processes_behind_pgbouncer_share_their_executions(
    pooler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An execution that one process accepts runs in the other, with all that it does, and ends.

    The other process notices it at its next count. It has a message, a step, a wait and an event.
    """
    monkeypatch.setattr(monitor, "POLL_SECONDS", 0.1)
    clock: Any = Clock()
    settings = JournalSettings(url=pooler, prepare=False)
    accepting, working = (JournalDriver(make_journal(settings, clock), clock) for _ in range(2))
    await accepting.journal.open(accepting)
    await working.journal.open(working)
    try:
        noticed = working.ready_count
        accepted = await accepting.accept("token")
        await until(lambda: working.ready_count > noticed, "the other process has counted")
        again = await accepting.accept("token")
        assert (again.execution, again.new) == (accepted.execution, False)
        await run(accepting, working, accepted.execution)
        record = await accepting.journal.find(accepted.execution)
        assert record is not None
        assert (record.phase, record.outcome) == (Phase.SETTLED, DONE)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not (workers := await accepting.journal.workers()):  # noqa: ASYNC110 - it is asked for
                await asyncio.sleep(POLL_INTERVAL_SECONDS)
        assert [worker.worker for worker in workers] == ["first"]
    finally:
        await asyncio.gather(accepting.journal.close(), working.journal.close())
    assert accepting.lost_reasons == working.lost_reasons == []


async def run(accepting: JournalDriver, working: JournalDriver, execution: str) -> None:
    """Do what a worker does with an execution that waits for an event."""
    journal, lease = working.journal, await working.claim_one()
    assert lease.execution.id == execution
    await journal.record_intent(lease, Effect(0, "send", "abc"))
    await journal.record_effect(lease, Effect(0, "send", "abc", EffectState.CONFIRMED, b"{}"))
    await journal.record_effect(lease, Effect(1, "step:a", "", EffectState.CONFIRMED, b"1"))
    await journal.record_intent(lease, Effect(2, "wait:paid", ""))
    await journal.suspend(lease, 60, 0.1)
    delivery = await accepting.journal.deliver_event(execution, "paid", b"2")
    assert delivery is Delivery.NEW
    lease = await working.claim_one()
    assert {effect.kind for effect in lease.effects.values()} >= {"send", "step:a", "event:paid"}
    assert (await journal.renew("first", [execution])).lost == frozenset()
    await journal.record_result(lease, Result(b"3"), completing=True)
    await journal.settle(lease, DONE)
