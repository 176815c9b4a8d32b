"""Rejections: blocks of rejected calls are completed as failed, so that dialogs continue."""

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import pytest

from vertexkit.botone.address import PlatformAddress
from vertexkit.botone.vertex import Vertex
from vertexkit.failure import Failure
from vertexkit.ingress.rejections import MAX_ATTEMPTS, MAX_CONCURRENT, Rejections
from vertexkit.settings import PlatformSettings
from vertexkit.system.supervision import Supervisor
from vertexkit.telemetry.events import Event, Events
from vertexkit.testing import FakePlatform, VirtualClock
from vertexkit.testing.asgi_wire import AsgiWire
from vertexkit.token import Token

INVALID = Failure("invalid_input")
SAID = {
    "ok": False,
    "error": {
        "code": "invalid_input",
        "message": "The inputs are invalid.",
    },
}


class Desk:
    """Rejections on a fake platform and a virtual clock, and their events."""

    def __init__(self, url: str = "http://platform.test/api", instances: Any = ()) -> None:
        self.clock = VirtualClock()
        self.platform = FakePlatform(clock=self.clock)
        self.events: list[Event] = []
        events = Events(self.clock)
        events.subscribe(self.events.append)
        wire = AsgiWire(self.platform, self.clock)
        vertex = Vertex(wire, PlatformAddress(url, instances), self.clock, PlatformSettings())
        self.rejections = Rejections(vertex, self.clock, events, Supervisor(pytest.fail))
        self.token = self.platform.issue()

    async def reject(self, token: str = "") -> None:
        """Reject a call, and wait for the end of its completion."""
        self.rejections.reject(Token(token or self.token), INVALID)
        await self.rejections.drain(30)

    @property
    def completions(self) -> list[Any]:
        return [completion.data for completion in self.platform.activation(self.token).completions]

    @property
    def names(self) -> list[str]:
        return [event.name for event in self.events]


def said_of(desk: Desk) -> dict[str, Any]:
    """The fields about a rejected call: never the token, but the dialog."""
    token = Token(desk.token)
    return {"token": token.fingerprint, "code": "invalid_input", **token.log_fields}


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    desk = Desk()
    yield desk
    desk.platform.check()


async def test_a_rejected_call_ends_its_block_as_failed(desk: Desk) -> None:
    """The block is completed once, with the failure's code and sentence."""
    await desk.reject()
    assert desk.completions == [SAID]
    [event] = desk.events
    assert event.name == "rejected_call_completed"
    assert event.fields == said_of(desk)


async def test_rejecting_does_not_wait(desk: Desk) -> None:
    """The caller does not wait; the completion happens in the background."""
    desk.rejections.reject(Token(desk.token), INVALID)
    assert not desk.platform.ledger
    await desk.rejections.drain(30)
    assert desk.completions == [SAID]


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 500},
        {"status": 502},
        {"status": 503},
        {"status": 503, "retry_after": 3},
        {"status": 429, "retry_after": 3},
        {"kind": "cut"},
    ],
    ids=str,
)
async def test_a_passing_failure_is_tried_again(desk: Desk, fault: dict[str, Any]) -> None:
    """A platform that fails for a moment gets the same bytes again, after a pause.

    A hanging dialog is worse than a second try.
    """
    desk.platform.fail("complete", times=2, **fault)
    await desk.reject()
    assert desk.completions == [SAID]
    ledger = desk.platform.ledger
    assert len(ledger) == 3
    assert len({entry.body for entry in ledger}) == 1
    pauses = [after.at - before.at for before, after in pairwise(ledger)]
    assert min(pauses) >= (fault.get("retry_after") or 0.1)
    assert desk.names == ["rejected_call_completed"]


@pytest.mark.parametrize("status", [400, 401, 404, 413, 302])
async def test_a_lasting_rejection_is_not_tried_again(desk: Desk, status: int) -> None:
    """A completion that the platform rejects is sent once, and the log has the reason."""
    desk.platform.fail("complete", status=status)
    await desk.reject()
    assert len(desk.platform.ledger) == 1
    [event] = desk.events
    assert event.name == "rejected_call_completion_failed"
    assert str(status) in event.fields["reason"]
    assert desk.token not in repr(desk.events)


async def test_a_dialog_that_is_gone_is_left_alone(desk: Desk) -> None:
    """A 403 means that the dialog has ended: there is one attempt."""
    desk.platform.fail("complete", kind="gone")
    await desk.reject()
    assert len(desk.platform.ledger) == 1
    assert desk.names == ["rejected_call_completion_failed"]


async def test_a_completion_whose_answer_was_lost_ends(desk: Desk) -> None:
    """A 403 to the second attempt, after a lost answer, shows that the block is completed."""
    desk.platform.fail("complete", kind="lost")
    await desk.reject()
    assert desk.completions == [SAID]
    assert [entry.status for entry in desk.platform.ledger] == [None, 403]
    assert desk.names == ["rejected_call_completed"]


async def test_a_platform_that_stays_away_is_given_up(desk: Desk) -> None:
    """Rejections are not in the journal: after a few seconds of attempts an event reports failure."""
    desk.platform.fail("complete", status=500, times=MAX_ATTEMPTS)
    began = desk.clock.now()
    await desk.reject()
    assert len(desk.platform.ledger) == MAX_ATTEMPTS
    assert desk.names == ["rejected_call_completion_failed"]
    assert desk.clock.now() - began < 15


@pytest.mark.unmeasured
async def test_a_flood_of_rejections_is_bounded() -> None:
    """MAX_CONCURRENT rejected calls are completed at once; further ones are dropped with an event.

    There is room again when they are done.
    """
    desk = Desk()
    tokens = [desk.platform.issue() for _ in range(MAX_CONCURRENT)]
    for token in tokens:
        desk.rejections.reject(Token(token), INVALID)
    desk.rejections.reject(Token(desk.token), INVALID)
    [event] = desk.events
    assert event.name == "rejected_call_completion_dropped"
    assert event.fields == said_of(desk)
    await desk.rejections.drain(30)
    assert all(desk.platform.activation(token).completions for token in tokens)
    assert not desk.completions
    await desk.reject()
    assert desk.completions == [SAID]


async def test_nothing_goes_to_an_instance_that_is_not_listed() -> None:
    """A token of another instance is not sent anywhere, and that is the end of it."""
    desk = Desk("http://{instance}.test/api", ("other",))
    await desk.reject()
    assert not desk.platform.ledger
    assert not desk.events


async def test_draining_waits_for_those_under_way(desk: Desk) -> None:
    """At the end of the process the completions in progress get a few seconds."""
    desk.platform.fail("complete", status=500, times=2)
    desk.rejections.reject(Token(desk.token), INVALID)
    await desk.rejections.drain(30)
    assert desk.completions == [SAID]


async def test_draining_gives_up_what_takes_too_long() -> None:
    """Completions that take longer are cancelled: no task is left in the process."""
    desk = Desk()
    under_way, over = asyncio.Event(), asyncio.Event()

    async def hold_back(*_: Any) -> None:
        under_way.set()
        await over.wait()

    desk.platform.call_during_complete = hold_back
    before = asyncio.all_tasks()
    desk.rejections.reject(Token(desk.token), INVALID)
    [task] = asyncio.all_tasks() - before
    await under_way.wait()
    await desk.rejections.drain(0)
    assert task.cancelled()
    assert not desk.events
    over.set()


async def test_draining_nothing_is_nothing(desk: Desk) -> None:
    """Without completions in progress draining returns immediately."""
    await desk.rejections.drain(30)
    assert not desk.events
