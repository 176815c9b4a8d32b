"""The owner of a journal: what others may rely on when it lets them use it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import count
from pathlib import Path
from typing import Any, TypeAlias, cast

import pytest

from tests.journal.conftest import Desk
from tests.journal.shared.served_journal import House
from vertexkit.errors import JournalUnavailable, JournalUnusable, OperationNotAllowed, QueueFull
from vertexkit.execution import Execution, Outcome, OutcomeStatus, Result
from vertexkit.journal.protocol import Lease, Query
from vertexkit.journal.shared import client, methods, server
from vertexkit.journal.shared.client import OwnerAbsent, RemoteJournal
from vertexkit.testing import VirtualClock
from vertexkit.token import Token

Guest: TypeAlias = Callable[[], Awaitable[Desk]]


@pytest.fixture
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    """An owner, listening."""
    monkeypatch.setattr(server, "TELLING", 0.01)
    house = House(tmp_path / "journal.db", VirtualClock())
    await house.open()
    yield house
    await house.close()


@pytest.fixture
async def guest(house: House) -> AsyncIterator[Guest]:
    """Makes one more process that uses the owner's journal."""
    guests = []
    numbers = count(1)

    async def come() -> Desk:
        desk = Desk(RemoteJournal(house.socket), VirtualClock())
        desk._numbers = numbers  # no two of them make the same call
        await desk.journal.open(desk.ready)
        guests.append(desk)
        return desk

    yield come
    for desk in guests:
        await desk.journal.close()


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop go round until it is so."""
    while not condition():  # noqa: ASYNC110 - what is waited for has no event of its own
        await asyncio.sleep(0)


async def once(desk: Desk) -> str:
    """Claim again and again, until there is something; gives the execution."""
    leases: list[Lease] = []
    while not leases:
        leases = await desk.claim("living")
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
    before = second.calls
    await first.accept()
    await until(lambda: second.calls > before)
    await first.accept()
    [one, two] = await second.claim()
    assert one.execution.id != two.execution.id
    assert second.calls == before + 1


async def test_what_a_dead_process_held_is_due_at_once(guest: Guest) -> None:
    """When a connection ends, its executions are free, with no wait for their leases."""
    dying, living = await guest(), await guest()
    await dying.accept()
    [lease] = await dying.claim("dying")
    before = living.calls
    assert not await living.claim("living")
    await dying.journal.close()
    await until(lambda: living.calls > before)
    [again] = await living.claim("living")
    assert (again.execution, again.epoch, again.crashed) == (lease.execution, 2, True)
    record = await living.journal.find(lease.execution.id)
    assert record is not None
    assert record.trail[0].said == "worker dying has died"


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
    claim = methods.QUESTIONS["claim"]

    async def slow(*said: Any) -> Any:
        asked.set()
        await late.wait()
        answer = await claim(*said)
        claimed.set()
        return answer

    with monkeypatch.context() as patch:
        patch.setitem(cast(dict[str, Any], methods.QUESTIONS), "claim", slow)
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


async def test_without_its_owner_a_journal_is_nothing(house: House) -> None:
    """The owner's end is told once; what was asked and what is asked then is unavailable."""
    said: list[str] = []
    desk = Desk(RemoteJournal(house.socket), VirtualClock())
    await desk.journal.open(desk.ready, said.append)
    lease = await desk.held()
    await house.owner.close()
    await until(lambda: bool(said))
    assert said == [desk.journal.unavailable_reason()] == ["the process that has it has ended"]
    with pytest.raises(JournalUnavailable, match="has ended"):
        await desk.journal.settle(lease, Outcome(OutcomeStatus.COMPLETED))
    with pytest.raises(JournalUnavailable):
        await desk.accept()
    await desk.journal.close()
    assert len(said) == 1


async def test_questions_under_way_end_with_the_connection(house: House) -> None:
    """Nobody waits for ever for an answer that cannot come."""
    desk = Desk(RemoteJournal(house.socket), VirtualClock())
    await desk.journal.open(desk.ready)
    [peer] = house.owner._peers
    asked = asyncio.ensure_future(desk.claim())
    await asyncio.sleep(0)
    assert peer.frames._transport is not None
    peer.frames._transport.abort()
    with pytest.raises(JournalUnavailable):
        await asked


async def test_a_journal_that_breaks_breaks_for_all(house: House) -> None:
    """When the file cannot be written any more, each process is told why."""
    said: list[str] = []
    desk = Desk(RemoteJournal(house.socket), VirtualClock())
    await desk.journal.open(desk.ready, said.append)
    house.owner.broke("disk I/O error")
    await until(lambda: bool(said))
    assert said == ["disk I/O error"]
    await desk.journal.close()


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
    desk = await guest()
    kept = await desk.accept()
    with pytest.raises(QueueFull, match="1 executions wait already"):
        await desk.accept(room=1)
    with pytest.raises(OperationNotAllowed, match=f"{kept.execution} is waiting"):
        await desk.journal.retry(kept.execution)
    with pytest.raises(JournalUnavailable, match="cannot be kept"):
        await desk.journal.accept(desk.execution(name="\ud800"), 10)


async def test_values_come_through_whole(guest: Guest) -> None:
    """Bytes that are no text, floats that are no numbers, and every member of a record."""
    desk = await guest()
    odd = Execution(
        "a" * 22, "loan", Token("t"), {"a": [1, None, 2**70], "б": "в"}, bytes(range(256)), 7.5
    )
    await desk.journal.accept(odd, 10)
    lease = await desk.claim_one()
    assert lease.execution == odd
    await desk.journal.record_result(lease, Result(b"\xff", "x"), completing=True)
    await desk.journal.settle(lease, Outcome(OutcomeStatus.PARKED, "x", "", "why"))
    [record] = await desk.journal.search(Query(status=OutcomeStatus.PARKED, code="x"))
    assert record == await desk.journal.find(odd.id)
    assert record.outcome == Outcome(OutcomeStatus.PARKED, "x", "", "why")
    assert record.result == Result(b"\xff", "x")
    assert (record.tries, record.kept, record.accepted_at) == (1, True, 7.5)
    assert await desk.journal.drop(odd.id) == record
    assert await desk.journal.find(odd.id) is None


async def test_another_version_is_refused(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command of another vertexkit than the service's says so, and does nothing."""
    monkeypatch.setattr(client, "VERSION", methods.VERSION + 1)
    journal = RemoteJournal(house.socket)
    with pytest.raises(JournalUnusable, match="another version"):
        await journal.open(lambda: None)
    await journal.close()


async def test_an_owner_that_is_not_there_is_said(tmp_path: Path) -> None:
    """Who finds nobody at the socket learns at which one."""
    with pytest.raises(OwnerAbsent, match=r"does not answer at .*nobody\.sock"):
        await RemoteJournal(tmp_path / "nobody.sock").open(lambda: None)
