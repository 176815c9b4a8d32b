"""Completing: the same bytes, until it is known how the execution ended."""

import asyncio
from typing import Any

import pytest

from vertexkit.botone.address import PlatformAddress
from vertexkit.botone.instance_clients import InstanceClients
from vertexkit.botone.response import Response
from vertexkit.botone.vertex import Vertex
from vertexkit.botone.wire import Wire
from vertexkit.context.runtime import Runtime
from vertexkit.errors import Fenced, PlatformUnreachable
from vertexkit.execution import Execution, Outcome, OutcomeStatus, Result
from vertexkit.journal.memory import MemoryJournal
from vertexkit.journal.protocol import Lease
from vertexkit.settings import JournalSettings, PlatformSettings
from vertexkit.telemetry.events import Event, Events
from vertexkit.testing import FakePlatform, VirtualClock
from vertexkit.testing.asgi_wire import AsgiWire
from vertexkit.testing.platform.ledger import Entry
from vertexkit.token import Token
from vertexkit.worker.completion import FORBIDDEN_RETRY_SECONDS, UNREACHABLE, Completion

URL, LEASE, HOUR = "http://platform.test/api", 7200.0, 3600.0
RESULT = Result(b'{"monthly":8884.88}', "ok")
REJECTED_MESSAGE = "The platform rejected the result of the block."


class Unplugged:
    """A wire that reaches nobody as long as it is pulled."""

    def __init__(self, wire: Wire, *, pulled: bool = True) -> None:
        self.pulled = pulled
        self._wire = wire

    async def post(self, url: str, body: bytes, timeout: float) -> Response:
        if self.pulled:
            raise PlatformUnreachable("POST", "/vertex/v1/complete", reason="no connection")
        return await self._wire.post(url, body, timeout)

    async def close(self) -> None:
        await self._wire.close()


class Bench:
    """One execution whose result is fixed, and all that its completion needs."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.platform = FakePlatform(clock=self.clock)
        self.wire = Unplugged(AsgiWire(self.platform, self.clock), pulled=False)
        self.journal = MemoryJournal(self.clock, JournalSettings(lease=LEASE))
        self.token = self.platform.issue("loan")
        self.told: list[Event] = []
        self.pauses: asyncio.Queue[float] = asyncio.Queue()
        events = Events(self.clock)
        events.subscribe(self._note)
        vertex = Vertex(self.wire, PlatformAddress(URL), self.clock, PlatformSettings())
        self.runtime = Runtime(
            self.journal,
            vertex,
            events,
            self.clock,
            InstanceClients(vertex.address, PlatformSettings(), self.clock),
        )

    async def call(self, number: int) -> Any:
        """The platform makes the call."""
        execution = Execution(f"{number:022x}", "loan", Token(self.token), {})
        return await self.journal.accept(execution, 10)

    async def claim(self, worker: str = "worker") -> Lease:
        [lease] = await self.journal.claim(worker, {"loan": 1}, 1)
        return lease

    async def completion(self, patience: float = HOUR) -> Completion:
        """Of a first call, whose handler has just returned."""
        await self.call(1)
        lease = await self.claim()
        await self.journal.record_result(lease, RESULT)
        return Completion(self.runtime, lease, RESULT, patience)

    async def run(self, patience: float = HOUR) -> Outcome:
        return await (await self.completion(patience)).run()

    def _note(self, event: Event) -> None:
        self.told.append(event)
        self.pauses.put_nowait(event.fields["seconds"])

    @property
    def tries(self) -> list[Entry]:
        return self.platform.ledger

    @property
    def data(self) -> Any:
        """What the dialog went on with."""
        [completion] = self.platform.activation(self.token).completions
        return completion.data


async def take_over(bench: Bench, worker: str = "second") -> Lease:
    """The worker before this one has died."""
    bench.clock.skip_to(bench.clock.now() + LEASE + 1)
    return await bench.claim(worker)


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def test_a_yes_is_the_end(bench: Bench) -> None:
    """Confirmed by the platform, an execution is completed after one try."""
    assert await bench.run() == Outcome(OutcomeStatus.COMPLETED, "ok", confirmed_by="204")
    assert len(bench.tries) == 1
    assert bench.data == {"monthly": 8884.88}
    bench.platform.check()


@pytest.mark.parametrize("fault", [{"status": 500}, {"status": 502}, {"kind": "cut"}])
async def test_every_try_carries_the_same_bytes(bench: Bench, fault: dict[str, Any]) -> None:
    """However often it has to be tried, the platform is told the same, with growing pauses."""
    bench.platform.fail("complete", **fault, times=6)
    assert (await bench.run()).confirmed_by == "204"
    assert len(bench.tries) == 7
    assert len({entry.body for entry in bench.tries}) == 1
    assert [event.name for event in bench.told] == ["completion_retried"] * 6
    waits = [event.fields["seconds"] for event in bench.told]
    assert waits[0] < waits[2] < waits[4]


@pytest.mark.parametrize("fault", [{"kind": "lost"}, {"kind": "lost", "status": 500}])
async def test_a_403_after_a_lost_answer_means_done(bench: Bench, fault: dict[str, Any]) -> None:
    """A try of unknown fate had got through: the 403 after it says so, and is no failure."""
    bench.platform.fail("complete", **fault)
    assert await bench.run() == Outcome(OutcomeStatus.COMPLETED, "ok", confirmed_by="403")
    assert len(bench.tries) == 2
    bench.platform.check()


async def test_a_403_after_a_dead_worker_s_try_means_done(bench: Bench) -> None:
    """A try that was noted before a crash may have got through: whoever takes over knows that."""
    await bench.completion()
    lease = await take_over(bench, "second")
    await bench.journal.begin_completion(lease)
    lease = await take_over(bench, "third")
    bench.platform.fail("complete", status=403)
    outcome = await Completion(bench.runtime, lease, RESULT, HOUR).run()
    assert outcome == Outcome(OutcomeStatus.COMPLETED, "ok", confirmed_by="403")


async def test_three_403_over_a_minute_mean_gone(bench: Bench) -> None:
    """A first no may pass; the third one, a minute later, is the end: there is no dialog left."""
    bench.platform.fail("complete", status=403, times=3)
    outcome = await bench.run()
    assert (outcome.status, outcome.code) == (OutcomeStatus.GONE, "ok")
    assert "complete: answered 403" in outcome.reason
    first, second, third = bench.tries
    assert second.at - first.at >= FORBIDDEN_RETRY_SECONDS[0]
    assert third.at - second.at >= FORBIDDEN_RETRY_SECONDS[1]
    assert sum(FORBIDDEN_RETRY_SECONDS) == 60


async def test_a_dialog_that_can_be_reached_again_is_completed(bench: Bench) -> None:
    """A 403 that passes costs a pause, not the dialog."""
    bench.platform.fail("complete", status=403, times=2)
    assert (await bench.run()).confirmed_by == "204"
    assert len(bench.tries) == 3


async def test_the_platform_s_pause_is_kept(bench: Bench) -> None:
    """429 with Retry-After: it is tried again after that time, and not before."""
    bench.platform.fail("complete", status=429, retry_after=30)
    assert (await bench.run()).confirmed_by == "204"
    first, second = bench.tries
    assert second.at - first.at >= 30


async def test_patience_ends(bench: Bench) -> None:
    """What does not get through within the patience is parked for an operator, and says why."""
    bench.platform.fail("complete", status=500, times=1000)
    began = bench.clock.now()
    outcome = await bench.run(patience=600)
    assert (outcome.status, outcome.code) == (OutcomeStatus.PARKED, UNREACHABLE)
    assert outcome.reason.endswith("complete: answered 500")
    assert 500 < bench.clock.now() - began < 610


@pytest.mark.parametrize("status", [400, 413, 415, 422])
async def test_refused_data_do_not_hang_the_dialog(bench: Bench, status: int) -> None:
    """A result that the platform does not take gives way to a failure; an operator gets to know."""
    bench.platform.fail("complete", status=status)
    outcome = await bench.run()
    assert (outcome.status, outcome.code) == (OutcomeStatus.PARKED, "refused")
    assert outcome.confirmed_by == "204"  # its block is complete: nothing is kept of it
    assert f"answered {status}" in outcome.reason
    assert len(bench.tries) == 2
    assert bench.data == {"ok": False, "error": {"code": "refused", "message": REJECTED_MESSAGE}}


async def test_what_replaces_refused_data_is_fixed_first(bench: Bench) -> None:
    """If the worker dies with the second result on its way, its successor sends that one."""
    bench.platform.fail("complete", status=400)
    await bench.run()
    lease = await take_over(bench)
    assert lease.result is not None
    assert lease.result.code == "refused"


async def test_data_that_are_always_refused_are_given_up(bench: Bench) -> None:
    """A platform that takes neither the result nor the failure is asked twice, not for ever."""
    bench.platform.fail("complete", status=400, times=2)
    outcome = await bench.run()
    assert (outcome.status, outcome.code) == (OutcomeStatus.PARKED, "refused")
    assert len(bench.tries) == 2


@pytest.mark.parametrize("status", [401, 404, 405, 302])
async def test_a_wrong_answer_is_asked_again(bench: Bench, status: int) -> None:
    """What says nothing of the data (a proxy's answer, for example) may be another one later."""
    bench.platform.fail("complete", status=status)
    assert (await bench.run()).confirmed_by == "204"
    assert len(bench.tries) == 2


async def test_the_next_call_confirms_it(bench: Bench) -> None:
    """The same call again while a try is in doubt: it is complete, and nothing more is sent."""
    bench.platform.fail("complete", status=429, retry_after=50)
    completion = await bench.completion()
    running = asyncio.create_task(completion.run())
    assert 50 <= await bench.pauses.get() <= 55
    assert (await bench.call(2)).new
    began = bench.clock.now()
    completion.retry_now()
    assert await running == Outcome(OutcomeStatus.COMPLETED, "ok", confirmed_by="call")
    assert len(bench.tries) == 1
    assert bench.clock.now() - began < 49


async def test_the_end_of_the_process_is_its_end_too(bench: Bench) -> None:
    """Told to give up by a time, it is tried at once, then as before, and left at that time."""
    bench.platform.fail("complete", status=429, retry_after=50, times=1000)
    completion = await bench.completion()
    running = asyncio.create_task(completion.run())
    await bench.pauses.get()
    began = bench.clock.now()
    completion.retry_now(began + 120)
    completion.retry_now(began + HOUR)  # a later deadline does not count
    outcome = await running
    assert (outcome.status, outcome.code) == (OutcomeStatus.PARKED, UNREACHABLE)
    assert bench.clock.now() < began + 120
    assert len(bench.tries) == 4


async def test_a_refused_try_is_no_doubt(bench: Bench) -> None:
    """A platform that asked to come back has done nothing: a 403 after that does not mean done."""
    bench.platform.fail("complete", status=429)
    bench.platform.fail("complete", kind="gone")
    outcome = await bench.run()
    assert outcome.status is OutcomeStatus.GONE
    assert bench.token not in outcome.reason


async def test_without_patience_there_is_one_try(bench: Bench) -> None:
    """With no patience at all it is still tried once."""
    bench.platform.fail("complete", status=500)
    assert (await bench.run(patience=0)).status is OutcomeStatus.PARKED
    assert len(bench.tries) == 1


async def test_what_never_left_was_never_tried(bench: Bench) -> None:
    """While the platform cannot be connected to, the same call again is still a duplicate."""
    bench.wire.pulled = True
    completion = await bench.completion()
    running = asyncio.create_task(completion.run())
    await bench.pauses.get()
    assert not (await bench.call(2)).new
    bench.wire.pulled = False
    assert (await running).confirmed_by == "204"
    assert len(bench.tries) == 1


async def test_what_may_have_left_stays_tried(bench: Bench) -> None:
    """After a try of unknown fate, a try that never left does not undo the doubt."""
    bench.platform.fail("complete", status=500)
    completion = await bench.completion()
    running = asyncio.create_task(completion.run())
    await bench.pauses.get()
    bench.wire.pulled = True
    await bench.pauses.get()
    assert (await bench.call(2)).new
    assert (await running).confirmed_by == "call"


async def test_another_worker_s_execution_is_let_be(bench: Bench) -> None:
    """A worker that was taken for dead sends nothing of what is another's by now."""
    completion = await bench.completion()
    await take_over(bench)
    with pytest.raises(Fenced):
        await completion.run()
    assert bench.tries == []
