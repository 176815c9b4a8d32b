"""What processes announce to each other."""

from types import SimpleNamespace
from typing import Any

import pytest

from tests.journal.driver import JournalDriver
from tests.waiting import until
from vertexkit.clock import Clock
from vertexkit.journal import make_journal
from vertexkit.journal.postgres import monitor
from vertexkit.settings import JournalSettings

pytest.importorskip("psycopg", reason="the extra postgres is not installed")


async def test_a_server_without_notifications_can_be_used(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the server refuses LISTEN, executions of other processes are noticed by counting."""
    monkeypatch.setattr(monitor, "POLL_SECONDS", 0.1)
    for name in ("LISTEN", "NOTIFY"):
        monkeypatch.setattr(monitor, name, f"{name} is not supported")
    clock: Any = Clock()
    settings = JournalSettings(url=postgres_url)
    accepting, working = (JournalDriver(make_journal(settings, clock), clock) for _ in range(2))
    for driver in (accepting, working):
        await driver.journal.open(driver)
    noticed = working.ready_count
    accepted = await accepting.accept()
    await until(lambda: working.ready_count > noticed, "the other process has counted")
    assert (await working.claim_one()).execution.id == accepted.execution
    await working.journal.close()
    workers = await accepting.journal.workers()
    await accepting.journal.close()
    assert [worker.stopped_at is not None for worker in workers] == [True]


async def test_a_worker_may_join_while_others_are_registered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The monitor continues with the others, and registers the new one as well."""
    unused: Any = None
    watching = monitor.Monitor(unused, unused, unused, unused, JournalSettings())
    registered = []

    async def run(statement: object, *values: Any) -> Any:
        if statement is monitor.HEARTBEAT:
            registered.append(values[0])
            watching.serve("second", ["loan"])
        return SimpleNamespace(ntuples=0)

    monkeypatch.setattr(watching.connection, "run", run)
    watching.serve("first", ["loan"])
    await watching._register()
    assert registered == ["first"]
    await watching._register()
    assert registered == ["first", "first", "second"]


async def test_what_runs_again_later_is_backlog(postgres_url: str) -> None:
    """A process counts the executions of others that are not due yet: they need a handler, too."""
    clock: Any = Clock()
    settings = JournalSettings(url=postgres_url)
    first, second = (JournalDriver(make_journal(settings, clock), clock) for _ in range(2))
    await first.journal.open(first)
    await first.journal.release(await first.held(), 3600.0)
    await second.journal.open(second)
    assert (second.journal.backlog(), second.journal.suspended()) == (1, 0)
    await second.journal.close()
    await first.journal.close()
