"""Completing: the same bytes are sent until the outcome is known."""

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
from vertexkit.worker.held_lease import HeldLease

URL, LEASE, HOUR = "http://platform.test/api", 7200.0, 3600.0
RESULT = Result(b'{"monthly":8884.88}', "ok")
REJECTED_MESSAGE = "The platform rejected the result of the block."


class Unplugged:
    """A wire that cannot connect while it is unplugged."""

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
    """One execution whose result is recorded, and everything that its completion needs."""

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

    def held(self, lease: Lease) -> HeldLease:
        """A lease that has just been claimed."""
        return HeldLease(lease, HOUR, self.journal, self.clock, self.clock.uptime())

    async def completion(self, patience: float = HOUR) -> Completion:
        """Of a first call, whose handler has just returned."""
        await self.call(1)
        lease = await self.claim()
        await self.journal.record_result(lease, RESULT)
        return Completion(self.runtime, lease, RESULT, patience, self.held(lease))

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
        """The data that the platform got."""
        [completion] = self.platform.activation(self.token).completions
        return completion.data


async def take_over(bench: Bench, worker: str = "second") -> Lease:
    """The previous worker has died."""
    bench.clock.skip_to(bench.clock.now() + LEASE + 1)
    return await bench.claim(worker)


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def test_a_confirmation_completes_the_execution(bench: Bench) -> None:
    """Confirmed by the platform, an execution is completed after one try."""
    assert await bench.run() == Outcome(OutcomeStatus.COMPLETED, "ok", confirmed_by="204")
    assert len(bench.tries) == 1
    assert bench.data == {"monthly": 8884.88}
    bench.platform.check()


@pytest.mark.parametrize("fault", [{"status": 500}, {"status": 502}, {"kind": "cut"}])
async def test_every_try_carries_the_same_bytes(bench: Bench, fault: dict[str, Any]) -> None:
    """However often it has to be tried, the platform gets the same bytes, with growing pauses."""
    bench.platform.fail("complete", **fault, times=6)
    assert (await bench.run()).confirmed_by == "204"
    assert len(bench.tries) == 7
    assert len({entry.body for entry in bench.tries}) == 1
    assert [event.name for event in bench.told] == ["completion_retried"] * 6
    waits = [event.fields["seconds"] for event in bench.told]
    assert waits[0] < waits[2] < waits[4]


@pytest.mark.parametrize("fault", [{"kind": "lost"}, {"kind": "lost", "status": 500}])
async def test_a_403_after_a_lost_answer_means_done(bench: Bench, fault: dict[str, Any]) -> None:
    """A try with an unknown outcome had arrived: the 403 after it confirms it and is not a failure."""
    bench.platform.fail("complete", **fault)
    assert await bench.run() == Outcome(OutcomeStatus.COMPLETED, "ok", confirmed_by="403")
    assert len(bench.tries) == 2
    bench.platform.check()


async def test_a_403_after_a_dead_worker_s_try_means_done(bench: Bench) -> None:
    """A try that was journalled before a crash may have arrived: the next worker knows that."""
    await bench.completion()
    lease = await take_over(bench, "second")
    await bench.journal.begin_completion(lease)
    lease = await take_over(bench, "third")
    bench.platform.fail("complete", status=403)
    outcome = await Completion(bench.runtime, lease, RESULT, HOUR, bench.held(lease)).run()
    assert outcome == Outcome(OutcomeStatus.COMPLETED, "ok", confirmed_by="403")


@pytest.mark.parametrize("status", [403, 429])
async def test_a_403_after_a_refused_try_of_a_dead_worker_means_nothing(
    bench: Bench, status: int
) -> None:
    """The platform refused the try before the crash: the block is not completed, and tried again."""
    bench.platform.fail("complete", status=status)
    bench.platform.fail("complete", status=403)
    running = asyncio.create_task((await bench.completion()).run())
    await bench.pauses.get()
    running.cancel()
    lease = await take_over(bench, "second")
    outcome = await Completion(bench.runtime, lease, RESULT, HOUR, bench.held(lease)).run()
    assert outcome == Outcome(OutcomeStatus.COMPLETED, "ok", confirmed_by="204")
    assert len(bench.tries) == 3


async def test_three_403_over_a_minute_mean_gone(bench: Bench) -> None:
    """The first 403 may be temporary; after the third one, a minute later, the outcome is gone."""
    bench.platform.fail("complete", status=403, times=3)
    outcome = await bench.run()
    assert (outcome.status, outcome.code) == (OutcomeStatus.GONE, "ok")
    assert "complete: answered 403" in outcome.reason
    first, second, third = bench.tries
    assert second.at - first.at >= FORBIDDEN_RETRY_SECONDS[0]
    assert third.at - second.at >= FORBIDDEN_RETRY_SECONDS[1]
    assert sum(FORBIDDEN_RETRY_SECONDS) == 60


@pytest.mark.parametrize("limited", ["before", "during"])
@pytest.mark.parametrize("longest, tries", [(10.0, 1), (21.0, 2)])
async def test_a_pause_beyond_the_limit_is_not_made(
    bench: Bench, limited: str, longest: float, tries: int
) -> None:
    """A completion whose next try is further away than `limit_pauses` allows ends as unreachable."""
    bench.platform.fail("complete", status=403)
    completion, began = await bench.completion(), bench.clock.now()
    if limited == "before":
        completion.limit_pauses(longest)
    running = asyncio.create_task(completion.run())
    if limited == "during":
        await bench.pauses.get()
        completion.limit_pauses(longest)
    outcome = await running
    assert len(bench.tries) == tries
    assert outcome.code == (UNREACHABLE if tries == 1 else "ok")
    assert (bench.clock.now() - began < FORBIDDEN_RETRY_SECONDS[0]) is (tries == 1)


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


async def test_the_timeout_parks_the_execution(bench: Bench) -> None:
    """What does not arrive before the timeout is parked for an operator, with the reason."""
    bench.platform.fail("complete", status=500, times=1000)
    began = bench.clock.now()
    outcome = await bench.run(patience=600)
    assert (outcome.status, outcome.code) == (OutcomeStatus.PARKED, UNREACHABLE)
    assert outcome.reason.endswith("complete: answered 500")
    assert 500 < bench.clock.now() - began < 610


@pytest.mark.parametrize("status", [400, 413, 415, 422])
async def test_a_rejected_result_is_replaced_by_a_failure(bench: Bench, status: int) -> None:
    """A result that the platform rejects is replaced by a failure, and the execution is parked."""
    bench.platform.fail("complete", status=status)
    outcome = await bench.run()
    assert (outcome.status, outcome.code) == (OutcomeStatus.PARKED, "refused")
    assert outcome.confirmed_by == "204"  # its block is complete: nothing of it is kept
    assert f"answered {status}" in outcome.reason
    assert len(bench.tries) == 2
    assert bench.data == {"ok": False, "error": {"code": "refused", "message": REJECTED_MESSAGE}}


async def test_the_replacing_failure_is_recorded_before_it_is_sent(bench: Bench) -> None:
    """If the worker dies while it sends the second result, the next worker sends that one."""
    bench.platform.fail("complete", status=400)
    await bench.run()
    lease = await take_over(bench)
    assert lease.result is not None
    assert lease.result.code == "refused"


async def test_a_platform_that_rejects_everything_parks_the_execution(bench: Bench) -> None:
    """A platform that rejects both the result and the failure is asked twice only."""
    bench.platform.fail("complete", status=400, times=2)
    outcome = await bench.run()
    assert (outcome.status, outcome.code) == (OutcomeStatus.PARKED, "refused")
    assert len(bench.tries) == 2


@pytest.mark.parametrize("status", [401, 404, 405, 302])
async def test_a_response_that_is_not_about_the_data_is_retried(bench: Bench, status: int) -> None:
    """A response that is not about the data (of a proxy, for example) is tried again."""
    bench.platform.fail("complete", status=status)
    assert (await bench.run()).confirmed_by == "204"
    assert len(bench.tries) == 2


async def test_a_pause_leaves_no_task(bench: Bench) -> None:
    """However often a completion is tried, nothing of an earlier try is kept."""
    bench.platform.fail("complete", status=503, times=5)
    completion, before = await bench.completion(), asyncio.all_tasks()
    assert (await completion.run()).confirmed_by == "204"
    await asyncio.sleep(0)  # what is cancelled ends
    assert asyncio.all_tasks() == before


async def test_the_next_call_confirms_it(bench: Bench) -> None:
    """The same call again while a try is unconfirmed: the block is complete, nothing more is sent."""
    bench.platform.fail("complete", status=429, retry_after=50)
    completion, before = await bench.completion(), asyncio.all_tasks()
    running = asyncio.create_task(completion.run())
    assert 50 <= await bench.pauses.get() <= 55
    assert (await bench.call(2)).new
    began = bench.clock.now()
    completion.retry_now()
    assert await running == Outcome(OutcomeStatus.COMPLETED, "ok", confirmed_by="call")
    assert len(bench.tries) == 1
    assert bench.clock.now() - began < 49
    await asyncio.sleep(0)  # what is cancelled ends
    assert asyncio.all_tasks() == before


async def test_shutdown_sets_a_deadline(bench: Bench) -> None:
    """With a new deadline it is tried at once, then as before, and given up at the deadline."""
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


async def test_a_retryable_try_leaves_no_doubt(bench: Bench) -> None:
    """A platform that asked to try later did nothing: a 403 after that does not mean completed."""
    bench.platform.fail("complete", status=429)
    bench.platform.fail("complete", kind="gone")
    outcome = await bench.run()
    assert outcome.status is OutcomeStatus.GONE
    assert bench.token not in outcome.reason


async def test_a_timeout_of_0_allows_one_try(bench: Bench) -> None:
    """With a timeout of 0 it is still tried once."""
    bench.platform.fail("complete", status=500)
    assert (await bench.run(patience=0)).status is OutcomeStatus.PARKED
    assert len(bench.tries) == 1


async def test_a_try_that_was_not_sent_is_withdrawn(bench: Bench) -> None:
    """While no connection to the platform can be made, the same call again is a duplicate."""
    bench.wire.pulled = True
    completion = await bench.completion()
    running = asyncio.create_task(completion.run())
    await bench.pauses.get()
    assert not (await bench.call(2)).new
    bench.wire.pulled = False
    assert (await running).confirmed_by == "204"
    assert len(bench.tries) == 1


async def test_an_unknown_try_stays_recorded(bench: Bench) -> None:
    """After a try with an unknown outcome, a try that was not sent does not change that."""
    bench.platform.fail("complete", status=500)
    completion = await bench.completion()
    running = asyncio.create_task(completion.run())
    await bench.pauses.get()
    bench.wire.pulled = True
    await bench.pauses.get()
    assert (await bench.call(2)).new
    assert (await running).confirmed_by == "call"


async def test_an_execution_of_another_worker_is_not_completed(bench: Bench) -> None:
    """A worker that was replaced sends nothing for an execution that another worker has taken over."""
    completion = await bench.completion()
    await take_over(bench)
    with pytest.raises(Fenced):
        await completion.run()
    assert bench.tries == []
