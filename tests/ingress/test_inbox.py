"""The inbox: the only place where executions are created."""

import asyncio
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest

from vertexkit import execution
from vertexkit.clock import Clock
from vertexkit.errors import JournalUnavailable, QueueFull
from vertexkit.execution import Execution, Outcome, OutcomeStatus, Result
from vertexkit.ingress.inbox import Inbox
from vertexkit.journal.memory import MemoryJournal
from vertexkit.journal.protocol import Acceptance, Lease
from vertexkit.telemetry.events import Event, Events
from vertexkit.token import Token

BODY = b'{"token":"t"}'


class Superseded(list[str]):
    """Ids of superseded executions, as an observer of the inbox learns them."""

    def supersede(self, execution: str) -> None:
        self.append(execution)


class Desk:
    """An inbox with its own journal, and the events that it emitted."""

    def __init__(self, room: int = 10, journal: MemoryJournal | None = None) -> None:
        clock = Clock()
        self.journal = journal or MemoryJournal(clock)
        self.events: list[Event] = []
        events = Events(clock)
        events.subscribe(self.events.append)
        self.superseded = Superseded()
        self.inbox = Inbox(self.journal, events, room, self.superseded, clock)

    async def accept(self, token: str = "t", block: str = "loan", **inputs: Any) -> Acceptance:
        return await self.inbox.accept(block, Token(token), inputs, BODY)

    async def claim(self, block: str = "loan") -> Lease:
        [lease] = await self.journal.claim("worker", {block: 1}, 1)
        return lease

    @property
    def names(self) -> list[str]:
        return [event.name for event in self.events]


async def test_an_accepted_call_is_in_the_journal() -> None:
    """When a call is accepted, the journal has all of it: block, token, inputs, the raw body."""
    desk = Desk()
    acceptance = await desk.accept(amount=5)
    assert acceptance.new
    assert acceptance.supersedes is None
    kept = (await desk.claim()).execution
    assert kept.id == acceptance.execution
    assert (kept.block, kept.inputs, kept.raw) == ("loan", {"amount": 5}, BODY)
    assert kept.token == Token("t")
    assert kept.accepted_at > 1.6e9


async def test_an_accepted_call_is_told_of_once() -> None:
    """One event has the id of the new execution and the size of its call."""
    desk = Desk()
    acceptance = await desk.accept()
    [event] = desk.events
    assert (event.name, event.execution) == ("accepted", acceptance.execution)
    assert event.fields == {"bytes": len(BODY)}


async def test_the_same_call_again_gives_the_same_execution() -> None:
    """A duplicate starts nothing, gets the first one's id, and is reported as a duplicate of it."""
    desk = Desk()
    first = await desk.accept(amount=5)
    again = await desk.accept(amount=6)
    assert again == Acceptance(first.execution, new=False)
    assert desk.names == ["accepted", "deduplicated"]
    assert desk.events[1].fields == {"original": first.execution}
    assert (await desk.claim()).execution.inputs == {"amount": 5}
    assert desk.journal.backlog() == 0


async def test_fifty_of_the_same_call_at_once_are_one_execution() -> None:
    """However many of the same call come at the same moment, one of them is new."""
    desk = Desk(room=1)
    answers = await asyncio.gather(*(desk.accept() for _ in range(50)))
    assert len({answer.execution for answer in answers}) == 1
    assert sum(answer.new for answer in answers) == 1
    assert desk.journal.backlog() == 1


async def test_block_and_token_make_a_call() -> None:
    """Another token, or another block with the same token, is another call."""
    desk = Desk()
    calls = [await desk.accept("t"), await desk.accept("u"), await desk.accept("t", "rate")]
    assert all(call.new for call in calls)
    assert len({call.execution for call in calls}) == 3


async def test_a_full_queue_stores_nothing() -> None:
    """With as many waiting as there is room for, a call is rejected, and no event is emitted."""
    desk = Desk(room=2)
    await desk.accept("a")
    await desk.accept("b")
    with pytest.raises(QueueFull):
        await desk.accept("c")
    assert desk.names == ["accepted", "accepted"]
    assert desk.journal.backlog() == 2
    await desk.claim()
    assert (await desk.accept("c")).new


async def test_a_journal_that_cannot_write_keeps_nothing() -> None:
    """The journal's error is raised to the caller, and nothing was accepted."""

    class Broken(MemoryJournal):
        async def accept(self, execution: Execution, room: int) -> Acceptance:
            raise JournalUnavailable("the disk is full")

    desk = Desk(journal=Broken(Clock()))
    with pytest.raises(JournalUnavailable):
        await desk.accept()
    assert not desk.events


async def test_a_call_made_again_confirms_the_one_before() -> None:
    """Once the completion may have been sent, the same call is a new execution.

    It is accepted immediately, the observer learns which one it supersedes, and it runs when that
    one is settled.
    """
    desk = Desk()
    first = await desk.accept()
    lease = await desk.claim()
    await desk.journal.record_result(lease, Result(b"null"))
    assert await desk.journal.begin_completion(lease)
    second = await desk.accept()
    assert second.new
    assert second.supersedes == first.execution
    assert desk.superseded == [first.execution]
    assert desk.names == ["accepted", "accepted"]
    assert not await desk.journal.claim("worker", {"loan": 1}, 1)
    await desk.journal.settle(lease, Outcome(OutcomeStatus.COMPLETED))
    assert (await desk.claim()).execution.id == second.execution


async def test_a_duplicate_supersedes_nothing() -> None:
    """While the handler runs, a repeated call is not reported as superseding."""
    desk = Desk()
    await desk.accept()
    await desk.claim()
    assert not (await desk.accept()).new
    assert not desk.superseded


async def test_ids_sort_by_their_birth(monkeypatch: pytest.MonkeyPatch) -> None:
    """An execution's id is unique, and later ones sort after those of an earlier millisecond."""
    times = count(1_700_000_000_000_000_000, 300_000)  # the machine's clock may be set back
    monkeypatch.setattr(execution, "time", SimpleNamespace(time_ns=lambda: next(times)))
    desk = Desk(room=300)
    ids = [(await desk.accept(f"t{number}")).execution for number in range(300)]
    assert len(set(ids)) == 300
    milliseconds = [id_[:12] for id_ in ids]
    assert milliseconds == sorted(milliseconds)
    assert len(set(milliseconds)) == 90
