"""The owner of a journal: what others may rely on when it lets them use it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import count
from pathlib import Path
from typing import Any, TypeAlias, cast

import pytest

from tests.journal.conftest import JournalDriver
from tests.journal.shared.served_journal import HostedJournal
from vertexkit.errors import JournalUnavailable, JournalUnusable, OperationNotAllowed, QueueFull
from vertexkit.execution import Execution, Outcome, OutcomeStatus, Result
from vertexkit.journal.protocol import Lease, NullJournalObserver, Query
from vertexkit.journal.shared import client, methods, server
from vertexkit.journal.shared.client import JournalClient, JournalServerNotFound
from vertexkit.testing import VirtualClock
from vertexkit.token import Token

Guest: TypeAlias = Callable[[], Awaitable[JournalDriver]]


@pytest.fixture
async def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[HostedJournal]:
    """A server, listening."""
    monkeypatch.setattr(server, "STATUS_INTERVAL_SECONDS", 0.01)
    host = HostedJournal(tmp_path / "journal.db", VirtualClock())
    await host.open()
    yield host
    await host.close()


@pytest.fixture
async def guest(host: HostedJournal) -> AsyncIterator[Guest]:
    """Makes one more process that uses the owner's journal."""
    guests = []
    numbers = count(1)

    async def come() -> JournalDriver:
        driver = JournalDriver(JournalClient(host.socket), VirtualClock())
        driver._numbers = numbers  # no two of them make the same call
        await driver.journal.open(driver)
        guests.append(driver)
        return driver

    yield come
    for driver in guests:
        await driver.journal.close()


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop go round until it is so."""
    while not condition():  # noqa: ASYNC110 - what is waited for has no event of its own
        await asyncio.sleep(0)


async def once(driver: JournalDriver) -> str:
    """Claim again and again, until there is something; gives the execution."""
    leases: list[Lease] = []
    while not leases:
        leases = await driver.claim("living")
    return leases[0].execution.id


async def test_a_call_that_reaches_another_process_is_recognised(guest: Guest) -> None:
    """The same call is one execution, whichever process it comes to."""
    first, second = await guest(), await guest()
    kept = await first.accept("t")
    again = await second.journal.accept(
        Execution("f" * 22, "loan", Token("t"), {}, b"", 0.0), room=1
    )
    assert (again.execution, again.new) == (kept.execution, False)


async def test_whoever_could_claim_is_told(guest: Guest) -> None:
    """An execution that one process accepts wakes the others, each of them once."""
    first, second = await guest(), await guest()
    assert not await second.claim()
    before = second.ready_count
    await first.accept()
    await until(lambda: second.ready_count > before)
    await first.accept()
    [one, two] = await second.claim()
    assert one.execution.id != two.execution.id
    assert second.ready_count == before + 1


async def test_what_a_dead_process_held_is_due_at_once(guest: Guest) -> None:
    """When a connection ends, its executions are free, with no wait for their leases."""
    dying, living = await guest(), await guest()
    await dying.accept()
    [lease] = await dying.claim("dying")
    before = living.ready_count
    assert not await living.claim("living")
    await dying.journal.close()
    await until(lambda: living.ready_count > before)
    [again] = await living.claim("living")
    assert (again.execution, again.epoch, again.crashed) == (lease.execution, 2, True)
    record = await living.journal.find(lease.execution.id)
    assert record is not None
    assert record.history[0].detail == "worker dying has died"


async def test_what_a_dead_process_claimed_last_is_free(guest: Guest) -> None:
    """A claim whose answer nobody hears any more holds nothing."""
    dying, living = await guest(), await guest()
    await living.accept()
    claiming = asyncio.ensure_future(dying.claim("dying"))
    await asyncio.sleep(0)
    await dying.journal.close()
    with pytest.raises(JournalUnavailable):
        await claiming
    assert await once(living)


async def test_a_death_frees_at_once_and_what_is_claimed_after_it_too(
    guest: Guest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A question that is still open when its process dies delays nothing, and keeps nothing."""
    dying, living = await guest(), await guest()
    held = await dying.held()
    asked, late, claimed = asyncio.Event(), asyncio.Event(), asyncio.Event()
    claim = methods.METHODS["claim"]

    async def slow(*said: Any) -> Any:
        asked.set()
        await late.wait()
        answer = await claim(*said)
        claimed.set()
        return answer

    with monkeypatch.context() as patch:
        patch.setitem(cast(dict[str, Any], methods.METHODS), "claim", slow)
        claiming = asyncio.ensure_future(dying.claim())
        await asked.wait()
    await dying.journal.close()
    with pytest.raises(JournalUnavailable):
        await claiming
    assert await once(living) == held.execution.id
    kept = await living.accept()
    late.set()
    await claimed.wait()
    assert await once(living) == kept.execution


async def test_without_its_owner_a_journal_is_nothing(host: HostedJournal) -> None:
    """The owner's end is told once; what was asked and what is asked then is unavailable."""
    driver = JournalDriver(JournalClient(host.socket), VirtualClock())
    await driver.journal.open(driver)
    lease = await driver.held()
    await host.server.close()
    await until(lambda: bool(driver.lost_reasons))
    assert driver.lost_reasons == ["the process that owns it has ended"]
    assert driver.journal.unavailable_reason() == "the process that owns it has ended"
    with pytest.raises(JournalUnavailable, match="has ended"):
        await driver.journal.settle(lease, Outcome(OutcomeStatus.COMPLETED))
    with pytest.raises(JournalUnavailable):
        await driver.accept()
    await driver.journal.close()
    assert len(driver.lost_reasons) == 1


async def test_questions_under_way_end_with_the_connection(host: HostedJournal) -> None:
    """Nobody waits for ever for an answer that cannot come."""
    driver = JournalDriver(JournalClient(host.socket), VirtualClock())
    await driver.journal.open(driver)
    [client] = host.server._clients
    asked = asyncio.ensure_future(driver.claim())
    await asyncio.sleep(0)
    assert client.connection._transport is not None
    client.connection._transport.abort()
    with pytest.raises(JournalUnavailable):
        await asked


async def test_a_journal_that_breaks_breaks_for_all(host: HostedJournal) -> None:
    """When the file cannot be written any more, each process is told why."""
    driver = JournalDriver(JournalClient(host.socket), VirtualClock())
    await driver.journal.open(driver)
    host.server.lost("disk I/O error")
    await until(lambda: bool(driver.lost_reasons))
    assert driver.lost_reasons == ["disk I/O error"]
    await driver.journal.close()


async def test_the_length_of_the_queue_is_known_everywhere(guest: Guest) -> None:
    """Also who asks nothing learns how many wait, and for which blocks."""
    busy, quiet = await guest(), await guest()
    await busy.accept(block="story")
    await until(lambda: quiet.journal.backlog() == 1)
    assert quiet.journal.unserved_blocks({"loan"}) == {"story"}
    assert quiet.journal.unserved_blocks({"loan", "story"}) == set()
    await busy.accept()
    await until(lambda: quiet.journal.backlog() == 2)


async def test_what_the_journal_refuses_is_refused_over_the_socket(guest: Guest) -> None:
    """Errors keep their kind and their words."""
    driver = await guest()
    kept = await driver.accept()
    with pytest.raises(QueueFull, match="1 executions are waiting"):
        await driver.accept(room=1)
    with pytest.raises(OperationNotAllowed, match=f"{kept.execution} is waiting"):
        await driver.journal.retry(kept.execution)
    with pytest.raises(JournalUnavailable, match="cannot be stored"):
        await driver.journal.accept(driver.execution(name="\ud800"), 10)


async def test_values_come_through_whole(guest: Guest) -> None:
    """Bytes that are no text, floats that are no numbers, and every member of a record."""
    driver = await guest()
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


async def test_another_version_is_refused(
    host: HostedJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command of another vertexkit than the service's says so, and does nothing."""
    monkeypatch.setattr(client, "VERSION", methods.VERSION + 1)
    journal = JournalClient(host.socket)
    with pytest.raises(JournalUnusable, match="another version"):
        await journal.open(NullJournalObserver())
    await journal.close()


async def test_an_owner_that_is_not_there_is_said(tmp_path: Path) -> None:
    """Who finds nobody at the socket learns at which one."""
    with pytest.raises(JournalServerNotFound, match=r"no process answers at .*missing\.sock"):
        await JournalClient(tmp_path / "missing.sock").open(NullJournalObserver())
