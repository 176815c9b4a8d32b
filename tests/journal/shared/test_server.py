"""The server of a journal and its clients."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import count
from pathlib import Path
from typing import Any, TypeAlias, cast

import pytest
from structlog.testing import capture_logs

from tests.journal.driver import JournalDriver
from tests.journal.shared.served_journal import HostedJournal
from tests.waiting import PATIENCE_SECONDS, until
from vertexkit.errors import (
    JournalError,
    JournalUnavailable,
    JournalUnusable,
    OperationNotAllowed,
    QueueFull,
)
from vertexkit.execution import Execution, Outcome, OutcomeStatus, Result
from vertexkit.journal.protocol import NullJournalObserver, Query
from vertexkit.journal.shared import client, methods, server
from vertexkit.journal.shared.client import JournalClient, JournalServerNotFound
from vertexkit.journal.shared.server import offered_to_operators
from vertexkit.journal.shared.socket import MAX_PATH_BYTES, find_socket
from vertexkit.journal.sqlite.journal import SqliteJournal
from vertexkit.settings import JournalSettings
from vertexkit.system.supervision import Supervisor
from vertexkit.testing import VirtualClock
from vertexkit.token import Token

Connect: TypeAlias = Callable[[], Awaitable[JournalDriver]]


@pytest.fixture
async def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[HostedJournal]:
    """A server, listening."""
    monkeypatch.setattr(server, "STATUS_INTERVAL_SECONDS", 0.01)
    host = HostedJournal(tmp_path / "journal.db", VirtualClock())
    await host.open()
    yield host
    await host.close()


@pytest.fixture
async def connect(host: HostedJournal) -> AsyncIterator[Connect]:
    """Makes one more client of the server."""
    drivers = []
    numbers = count(1)

    async def connect_client() -> JournalDriver:
        driver = JournalDriver(JournalClient(host.socket), VirtualClock())
        driver.numbers = numbers
        await driver.journal.open(driver)
        drivers.append(driver)
        return driver

    yield connect_client
    for driver in drivers:
        await driver.journal.close()


async def test_a_service_works_without_a_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If none can be opened, a warning says that operators cannot connect, and why."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    folder = tmp_path / ("x" * MAX_PATH_BYTES)
    folder.mkdir()
    journal = SqliteJournal(folder / "j.db", VirtualClock(), JournalSettings())
    await journal.open(NullJournalObserver())
    with capture_logs() as lines:
        async with offered_to_operators(journal, Supervisor(pytest.fail)):
            assert find_socket(folder / "j.db") is None
    await journal.close()
    [line] = [line for line in lines if line["event"] == "journal_socket_failed"]
    assert line["log_level"] == "warning"
    assert line["reason"].startswith("operators cannot connect: [Errno 2] No such file")


async def once(driver: JournalDriver) -> str:
    """Claim repeatedly until there is an execution; return its id."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            for lease in await driver.claim("living"):
                return lease.execution.id


async def notified(driver: JournalDriver, after: int) -> None:
    """Wait for a further report that there is something to claim."""
    await until(lambda: driver.ready_count > after, "the client is notified")


async def test_a_call_that_reaches_another_process_is_recognised(connect: Connect) -> None:
    """The same call is one execution, even if two processes receive it."""
    first, second = await connect(), await connect()
    kept = await first.accept("t")
    again = await second.journal.accept(
        Execution("f" * 22, "loan", Token("t"), {}, b"", 0.0), room=1
    )
    assert (again.execution, again.new) == (kept.execution, False)


async def test_clients_that_can_claim_are_notified(connect: Connect) -> None:
    """An execution that one process accepts is announced to the others once."""
    first, second = await connect(), await connect()
    assert not await second.claim()
    before = second.ready_count
    await first.accept()
    await notified(second, before)
    await first.accept()
    [one, two] = await second.claim()
    assert one.execution.id != two.execution.id
    assert second.ready_count == before + 1


async def test_a_claim_that_comes_with_a_call_is_in_its_commit(
    host: HostedJournal, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other processes are not notified then: nothing is left for them."""
    first, second = await connect(), await connect()
    assert not await second.claim()
    before = second.ready_count
    commits: list[int] = []
    monkeypatch.setattr(host.server, "committed", lambda changes, _: commits.append(changes))
    accepted, [lease] = await asyncio.gather(first.accept(), first.claim())
    assert lease.execution.id == accepted.execution
    assert commits == [2]
    assert not await second.claim()
    assert second.ready_count == before


async def test_executions_of_a_dead_process_are_due_at_once(connect: Connect) -> None:
    """When a connection ends, the leases of its process end at once."""
    dying, living = await connect(), await connect()
    await dying.accept()
    [lease] = await dying.claim("dying")
    assert not await living.claim("living")
    before = living.ready_count  # the response comes after what was reported before it
    await dying.journal.close()
    await notified(living, before)
    [again] = await living.claim("living")
    assert (again.execution, again.epoch, again.crashed) == (lease.execution, 2, True)
    record = await living.journal.find(lease.execution.id)
    assert record is not None
    assert record.history[0].detail == "worker dying has died"


async def test_the_last_claim_of_a_dead_process_is_released(connect: Connect) -> None:
    """A claim whose response cannot be delivered holds nothing."""
    dying, living = await connect(), await connect()
    await living.accept()
    claiming = asyncio.ensure_future(dying.claim("dying"))
    await asyncio.sleep(0)
    await dying.journal.close()
    with pytest.raises(JournalUnavailable):
        await claiming
    assert await once(living)


async def test_a_late_claim_of_a_dead_process_is_released(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A claim that is carried out after its process died delays nothing, and holds nothing."""
    dying, living = await connect(), await connect()
    held = await dying.held()
    requested, late, claimed = asyncio.Event(), asyncio.Event(), asyncio.Event()
    claim = methods.METHODS["claim"]

    async def slow(*arguments: Any) -> Any:
        requested.set()
        await late.wait()
        answer = await claim(*arguments)
        claimed.set()
        return answer

    with monkeypatch.context() as patch:
        patch.setitem(cast(dict[str, Any], methods.METHODS), "claim", slow)
        claiming = asyncio.ensure_future(dying.claim())
        await requested.wait()
    await dying.journal.close()
    with pytest.raises(JournalUnavailable):
        await claiming
    assert await once(living) == held.execution.id
    kept = await living.accept()
    late.set()
    await claimed.wait()
    assert await once(living) == kept.execution


async def test_a_client_without_its_server_is_unavailable(host: HostedJournal) -> None:
    """The end of the server is reported once; all requests raise JournalUnavailable."""
    driver = JournalDriver(JournalClient(host.socket), VirtualClock())
    await driver.journal.open(driver)
    lease = await driver.held()
    await host.server.close()
    await until(lambda: driver.lost_reasons, "the loss of the journal is reported")
    assert driver.lost_reasons == ["the process that owns it has ended"]
    assert driver.journal.unavailable_reason() == "the process that owns it has ended"
    with pytest.raises(JournalUnavailable, match="has ended"):
        await driver.journal.settle(lease, Outcome(OutcomeStatus.COMPLETED))
    with pytest.raises(JournalUnavailable):
        await driver.accept()
    await driver.journal.close()
    assert len(driver.lost_reasons) == 1


async def test_open_requests_fail_when_the_connection_ends(host: HostedJournal) -> None:
    """A request does not wait for a response that cannot arrive."""
    driver = JournalDriver(JournalClient(host.socket), VirtualClock())
    await driver.journal.open(driver)
    [client] = host.server._clients
    requested = asyncio.ensure_future(driver.claim())
    await asyncio.sleep(0)
    assert client.connection._transport is not None
    client.connection._transport.abort()
    with pytest.raises(JournalUnavailable):
        await requested


async def test_all_clients_learn_that_the_journal_is_lost(host: HostedJournal) -> None:
    """When the file cannot be written any more, each client is notified of the reason."""
    driver = JournalDriver(JournalClient(host.socket), VirtualClock())
    await driver.journal.open(driver)
    host.server.lost("disk I/O error")
    await until(lambda: driver.lost_reasons, "the loss of the journal is reported")
    assert driver.lost_reasons == ["disk I/O error"]
    await driver.journal.close()


async def test_all_clients_know_the_backlog(connect: Connect) -> None:
    """A client that sends no requests knows how many executions wait, and for which blocks."""
    busy, quiet = await connect(), await connect()
    await busy.accept(block="story")
    await until(lambda: quiet.journal.backlog() == 1, "the backlog is 1")
    assert quiet.journal.unserved_blocks({"loan"}) == {"story"}
    assert quiet.journal.unserved_blocks({"loan", "story"}) == set()
    await busy.accept()
    await until(lambda: quiet.journal.backlog() == 2, "the backlog is 2")


async def test_errors_are_raised_at_the_client(connect: Connect) -> None:
    """Errors keep their class and message."""
    driver = await connect()
    kept = await driver.accept()
    with pytest.raises(QueueFull, match="1 executions are waiting"):
        await driver.accept(room=1)
    with pytest.raises(OperationNotAllowed, match=f"{kept.execution} is waiting"):
        await driver.journal.retry(kept.execution)
    with pytest.raises(JournalUnavailable, match="cannot be stored"):
        await driver.journal.accept(driver.execution(name="\ud800"), 10)


async def test_values_are_transferred_unchanged(connect: Connect) -> None:
    """Binary bytes, very large numbers, and every field of a record."""
    driver = await connect()
    odd = Execution(
        "a" * 22, "loan", Token("t"), {"a": [1, None, 2**70], "б": "в"}, bytes(range(256)), 7.5
    )
    await driver.journal.accept(odd, 10)
    lease = await driver.claim_one()
    assert lease.execution == odd
    await driver.journal.record_result(lease, Result(b"\xff", "x"), completing=True)
    await driver.journal.settle(lease, Outcome(OutcomeStatus.PARKED, "x", "", "why"))
    [record] = await driver.journal.search(Query(status=OutcomeStatus.PARKED, code="x"))
    assert record == await driver.journal.find(odd.id)
    assert record.outcome == Outcome(OutcomeStatus.PARKED, "x", "", "why")
    assert record.result == Result(b"\xff", "x")
    assert (record.completion_tries, record.retryable, record.accepted_at) == (1, True, 7.5)
    assert await driver.journal.drop(odd.id) == record
    assert await driver.journal.find(odd.id) is None


async def test_a_call_that_another_process_accepted_is_transferred(connect: Connect) -> None:
    """The process that claims a call gets it unchanged from the server."""
    receiving, running = await connect(), await connect()
    odd = Execution("a" * 22, "loan", Token("t"), {"б": [1, None]}, bytes(range(256)), 7.5)
    await receiving.journal.accept(odd, 10)
    assert (await running.claim_one()).execution == odd


async def test_a_process_keeps_the_newest_calls_until_it_claims_them(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it has accepted is not decoded again, except for large calls and the oldest ones."""
    monkeypatch.setattr(client, "MAX_ACCEPTED", 2)
    monkeypatch.setattr(client, "MAX_ACCEPTED_BYTES", 10)
    driver = await connect()
    calls = [driver.execution(f"t{number}") for number in range(3)]
    calls.append(driver.execution("a-large-token"))
    for call in calls:
        await driver.journal.accept(call, 10)
    leases = await driver.claim()
    assert [lease.execution for lease in leases] == calls
    pairs = zip(leases, calls, strict=True)
    assert [lease.execution is call for lease, call in pairs] == [False, True, True, False]


async def test_a_response_that_cannot_be_encoded_is_an_error(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The caller gets an error, and the other responses of the frame arrive."""
    driver = await connect()

    async def half(*_: object) -> str:
        return "\ud800"

    monkeypatch.setitem(cast(dict[str, Any], methods.METHODS), "find", half)
    found = asyncio.ensure_future(driver.journal.find("a"))
    await driver.accept()
    with pytest.raises(JournalError, match="cannot be encoded"):
        await found


async def test_another_version_is_refused(
    host: HostedJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client of another version is refused."""
    monkeypatch.setattr(client, "VERSION", methods.VERSION + 1)
    journal = JournalClient(host.socket)
    with pytest.raises(JournalUnusable, match="another version"):
        await journal.open(NullJournalObserver())
    await journal.close()


async def test_a_missing_server_is_reported(tmp_path: Path) -> None:
    """The error names the socket."""
    with pytest.raises(JournalServerNotFound, match=r"no process answers at .*missing\.sock"):
        await JournalClient(tmp_path / "missing.sock").open(NullJournalObserver())


@pytest.mark.parametrize("left", ["journal.db.sock", "journal.db.owner", "neither"])
async def test_a_deleted_socket_is_created_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: str
) -> None:
    """Workers that start later and operators' commands can connect; earlier ones stay connected."""
    monkeypatch.setattr("vertexkit.journal.shared.server.STATUS_INTERVAL_SECONDS", 0.02)
    host = HostedJournal(tmp_path / "journal.db", VirtualClock())
    await host.open()
    early = JournalClient(host.socket)
    await early.open(NullJournalObserver())
    for file in ("journal.db.sock", "journal.db.owner"):
        if file != left:
            (tmp_path / file).unlink()
    await until(
        lambda: host.socket.is_socket() and find_socket(tmp_path / "journal.db"),
        "the socket is created again",
    )
    late = JournalClient(host.socket)
    await late.open(NullJournalObserver())
    accepted = await JournalDriver(early, VirtualClock()).accept()
    assert await late.find(accepted.execution) is not None
    await early.close()
    await late.close()
    await host.close()
    assert not host.socket.exists()
