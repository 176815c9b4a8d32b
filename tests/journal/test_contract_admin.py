"""The contract of every journal: the requests of a command beside the service."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.journal.driver import JOURNAL_KEY, JournalDriver
from tests.journal.memory_values import KEY, remember
from tests.journal.reopened import key_id
from tests.journal.shared.served_journal import LEASE, HostedJournal
from vertexkit.errors import OperationNotAllowed
from vertexkit.execution import Effect, Outcome, OutcomeStatus, Phase
from vertexkit.journal import make_journal
from vertexkit.journal.admin import open_admin
from vertexkit.journal.dialog_memory import DialogKey, Forgotten
from vertexkit.journal.events import Delivery
from vertexkit.journal.protocol import JournalAdmin, JournalBackend, Query
from vertexkit.settings import JournalSettings
from vertexkit.testing import FakePlatform, VirtualClock

HOUR = 3600.0
WAIT = Effect(0, "wait:payment", value=b'{"until":1e12}')
DONE = Outcome(OutcomeStatus.COMPLETED, "ok", confirmed_by="204")
PARKED = Outcome(OutcomeStatus.PARKED, "unreachable", reason="the platform is down")
REQUESTS = {
    *("deliver_event", "drop", "event_target", "find", "forget", "memories", "rekey", "retry"),
    *("search", "stored_inputs", "workers"),
}
"""What the tests of this file ask for."""


@dataclass(frozen=True)
class Operated:
    """A service's journal, and the same one as a command asks it.

    Attributes:
        service: has the journal open.
        admin: for the command; a journal in a database is not opened by it.
        keys: of the journal.
    """

    service: JournalDriver
    admin: JournalAdmin
    keys: str


@pytest.fixture(params=["sqlite", "postgres", "postgres, encrypted"])
async def operated(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Operated]:
    clock, keys = VirtualClock(), JOURNAL_KEY if "encrypted" in request.param else ""
    async with AsyncExitStack() as stack:
        if request.param == "sqlite":
            host = HostedJournal(tmp_path / "journal.db", clock)
            settings = JournalSettings(url=f"sqlite:{tmp_path}/journal.db")
            await host.open()
            stack.push_async_callback(host.close)
            service = JournalDriver(host.journal, clock)
        else:
            url = request.getfixturevalue("postgres_url")
            settings = JournalSettings(url=url, lease=LEASE, keys=keys)
            journal: JournalBackend = make_journal(settings, clock)
            service = JournalDriver(journal, clock)
            await journal.open(service)
            stack.push_async_callback(journal.close)
        admin = await stack.enter_async_context(open_admin(settings, clock))
        yield Operated(service, admin, keys)


async def suspended(service: JournalDriver) -> str:
    """An execution whose handler waits for an hour, or for an event."""
    service.clock.hold_durable_waits()
    lease = await service.held()
    await service.journal.record_intent(lease, WAIT)
    await service.journal.suspend(lease, HOUR, 0.0)
    return lease.execution.id


async def test_an_event_of_a_command_wakes_the_execution(operated: Operated) -> None:
    """The command gets its reply, and a worker of the service continues the execution."""
    execution = await suspended(operated.service)
    target = await operated.admin.event_target(execution)
    assert target is not None
    assert target.waits_for() == {"payment"}
    deliver = operated.admin.deliver_event
    assert await deliver(execution, "payment", b"1") is Delivery.NEW
    assert await deliver(execution, "payment", b"1") is Delivery.REPEATED
    assert await deliver("f" * 22, "payment", b"1") is Delivery.UNKNOWN
    lease = await operated.service.claim_one()
    assert lease.execution.id == execution
    await operated.service.journal.settle(lease, DONE)
    assert await deliver(execution, "payment", b"1") is Delivery.ENDED


async def test_a_command_reads_what_the_service_has_stored(operated: Operated) -> None:
    """It finds an execution, its inputs and its worker."""
    execution = operated.service.execution(amount=7)
    await operated.service.journal.accept(execution, 10)
    await operated.service.claim_one()
    record = await operated.admin.find(execution.id)
    assert record is not None
    assert (record.phase, record.worker) == (Phase.RUNNING, "first")
    assert await operated.admin.search(Query()) == [record]
    assert await operated.admin.stored_inputs(execution.id) == {"amount": 7}
    assert [worker.worker for worker in await operated.admin.workers()] == ["first"]


async def test_a_command_changes_what_the_service_runs_next(operated: Operated) -> None:
    """The service runs what it retries, and completes what it drops, as failed."""
    lease = await operated.service.held()
    await operated.service.journal.settle(lease, PARKED)
    record = await operated.admin.retry(lease.execution.id)
    assert record.phase is Phase.WAITING
    again = await operated.service.claim_one()
    assert (again.execution.id, again.result) == (lease.execution.id, None)
    await operated.service.journal.settle(again, DONE)
    execution = await suspended(operated.service)
    assert (await operated.admin.drop(execution)).phase is Phase.WAITING
    dropped = await operated.service.claim_one()
    assert dropped.result is not None
    assert (dropped.execution.id, dropped.result.code) == (execution, "dropped")


async def test_a_command_erases_what_is_kept_of_a_dialog(operated: Operated) -> None:
    """The executions that have ended, and the memories."""
    lease = await operated.service.held(FakePlatform(seed=7).issue(dialog_id=KEY.dialog))
    await remember(operated.service, lease, "name", b'"Anna"', DialogKey("demo", KEY.dialog))
    await operated.service.journal.settle(lease, DONE)
    assert [memory.key for memory in await operated.admin.memories(KEY.dialog)] == [KEY]
    assert await operated.admin.forget(KEY.dialog) == Forgotten(1, 1)
    assert await operated.admin.find(lease.execution.id) is None


async def test_a_command_seals_the_journal_again(operated: Operated) -> None:
    """With the newest key of the service; a journal that is not encrypted refuses it."""
    await operated.service.accept()
    if not operated.keys:
        with pytest.raises(OperationNotAllowed, match="is not encrypted"):
            await operated.admin.rekey(key_id(JOURNAL_KEY), "")
        return
    part = await operated.admin.rekey(key_id(operated.keys), "")
    rows = part.rows
    while part.after:
        part = await operated.admin.rekey(key_id(operated.keys), part.after)
        rows += part.rows
    assert rows == 1


def test_every_request_of_operators_is_tested() -> None:
    """The tests of this file ask for everything that a journal offers to operators."""
    offered = {name for kind in JournalAdmin.__mro__ for name in vars(kind) if name[0] != "_"}
    assert offered == REQUESTS
