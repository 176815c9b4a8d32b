"""A worker of the simulation: it follows the protocol step by step."""

import asyncio
import contextlib
import hashlib
from typing import Protocol

from pydantic_core import to_json

from tests.chaos.stage import Stage
from vertexkit.errors import Fate, Fenced
from vertexkit.execution import SEND, STEP, Effect, EffectState, Outcome, OutcomeStatus, Result
from vertexkit.failure import Failure
from vertexkit.journal.protocol import Journal, Lease
from vertexkit.worker.completion import FORBIDDEN_RETRY_SECONDS

ATTEMPTS = 3
"""Maximum number of runs that end with the death of a worker."""
TURNS = 30
"""Turns of the event loop in which a step without waiting ends."""


class RunObserver(Protocol):
    """Observes the runs of a simulation."""

    def started(self, execution: str, attempt: int) -> None:
        """A handler has been started."""

    def settled(self, execution: str) -> None:
        """An execution has its outcome in the journal."""


class Verdict(Exception):
    """The handler's run has ended."""

    def __init__(self, result: Result, park: str = "") -> None:
        super().__init__(result.code)
        self.result = result
        self.park = park


class Released(Exception):
    """The execution was released."""


class SimulatedRun:
    """A claimed execution, processed like `worker/` and `context/` do.

    It pauses before each step (`_turn`), where other events may happen: other workers, other calls,
    the end of the process.
    """

    def __init__(self, lease: Lease, journal: Journal, stage: Stage, observer: RunObserver) -> None:
        self.lease = lease
        self.policy = lease.execution.block
        self._journal = journal
        self._stage = stage
        self._observer = observer
        self._happens = "fine"
        self._next = asyncio.Event()
        self._waits = asyncio.Event()
        self._error: BaseException | None = None
        self.task = asyncio.get_running_loop().create_task(self._run())

    @property
    def over(self) -> bool:
        return self.task.done()

    async def step(self, happens: str, stuck: asyncio.Event) -> bool:
        """Run the next step; return before the one after it, or when the disk is paused.

        Returns:
            Whether it can run another one.
        """
        self._happens = happens
        self._waits.clear()
        self._next.set()
        signs = [asyncio.ensure_future(event.wait()) for event in (self._waits, stuck)]
        await asyncio.wait([self.task, *signs], return_when=asyncio.FIRST_COMPLETED)
        for _ in range(TURNS * stuck.is_set()):
            await asyncio.sleep(0)
        for sign in signs:
            sign.cancel()
        if self.task.done() and not self.task.cancelled():
            self.task.result()
        return self._waits.is_set() and not self.task.done()

    async def die(self) -> None:
        """Stop at once, within a step."""
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task

    async def _turn(self) -> str:
        """Pause; return what is to happen in the next step."""
        self._waits.set()
        await self._next.wait()
        self._next.clear()
        return self._happens

    async def _run(self) -> None:
        try:
            outcome = await self._outcome()
            await self._turn()
            await self._journal.settle(self.lease, outcome)
            self._observer.settled(self.lease.execution.id)
        except (Fenced, Released):
            return

    async def _outcome(self) -> Outcome:
        if self.lease.result is not None:
            return await self._complete(self.lease.result, noted=False)
        try:
            await self._handle()
        except Verdict as verdict:
            return await self._follow(verdict)
        name = self.lease.execution.id
        return await self._record_result(Result(to_json({"execution": name})))

    def _failed(self, code: str) -> Result:
        """A failure with the execution's id, so that the ledger shows which one completed an activation."""
        return Failure(code, self.lease.execution.id).result()

    async def _follow(self, verdict: Verdict) -> Outcome:
        if not verdict.park:
            return await self._record_result(verdict.result)
        if self.policy == "leave":
            return Outcome(OutcomeStatus.PARKED, verdict.result.code, reason=verdict.park)
        outcome = await self._record_result(verdict.result)
        by = outcome.confirmed_by
        return Outcome(OutcomeStatus.PARKED, verdict.result.code, by, verdict.park + outcome.reason)

    async def _handle(self) -> None:
        """Run the handler: the operations that its inputs name."""
        if self.lease.attempt > ATTEMPTS:
            raise Verdict(self._failed("attempts"), "workers have died")
        self._observer.started(self.lease.execution.id, self.lease.attempt)
        for position, what in enumerate(self.lease.execution.inputs["program"]):
            match what:
                case "send":
                    await self._send(position)
                case "step":
                    await self._step(position)
                case _ if self.lease.attempt < ATTEMPTS:
                    await self._handler_turn()
                    await self._journal.release(self.lease, 5.0, "the handler asked for it")
                    raise Released

    async def _handler_turn(self) -> str:
        """A point at which a handler can be stopped."""
        happens = await self._turn()
        if happens == "timeout":
            raise Verdict(self._failed("timeout"))
        if happens == "shutdown":
            await self._journal.release(self.lease, 0.0)
            raise Released
        return happens

    def _known(self, position: int, kind: str) -> Effect | None:
        known = self.lease.effects.get(position)
        assert known is None or known.kind == kind, "the journal gave back another effect"
        return None if known is None or known.state is EffectState.REJECTED else known

    async def _step(self, position: int) -> None:
        kind = f"{STEP}{position}"
        known = self._known(position, kind)
        if known is not None and known.state is EffectState.CONFIRMED:
            assert known.value == b'"done"', "the journal gave back another value"
            return
        await self._handler_turn()
        await self._journal.record_intent(self.lease, Effect(position, kind))
        await self._turn()
        done = Effect(position, kind, "", EffectState.CONFIRMED, b'"done"')
        await self._journal.record_effect(self.lease, done)

    async def _send(self, position: int) -> None:
        text = f"{self.lease.execution.id} {position}"
        new = Effect(position, SEND, hashlib.sha256(text.encode()).hexdigest()[:16])
        known = self._known(position, SEND)
        if known is not None and (self._counts_as_sent(known) or await self._unknown(new)):
            return
        await self._handler_turn()
        await self._journal.record_intent(self.lease, new)
        await self._post(new, text)

    def _counts_as_sent(self, known: Effect) -> bool:
        assumed = self.policy in {"assume_sent", "resend"}
        return known.state in {EffectState.CONFIRMED, *([EffectState.UNKNOWN] * assumed)}

    async def _post(self, effect: Effect, text: str) -> None:
        while True:
            happens = await self._turn()
            await self._hold()
            fate, number = self._stage.send(self.lease.execution.token.reveal(), text, happens)
            await self._turn()
            match fate:
                case None:
                    value = to_json({"message_id": number, "created_at": 1})
                    await self._note(effect, EffectState.CONFIRMED, value)
                    return
                case Fate.UNKNOWN:
                    if await self._unknown(effect):
                        return
                case Fate.FORBIDDEN | Fate.REJECTED:
                    await self._note(effect, EffectState.REJECTED)
                    code = "gone" if fate is Fate.FORBIDDEN else "internal"
                    raise Verdict(self._failed(code))

    async def _unknown(self, effect: Effect) -> bool:
        """Follow the block's policy; return whether the message counts as sent."""
        if self.policy == "resend":
            return False
        await self._note(effect, EffectState.UNKNOWN)
        if self.policy in {"park", "leave"}:
            raise Verdict(self._failed("unknown"), "a message of unknown fate")
        if self.policy == "raise":
            raise Verdict(self._failed("internal"))
        return True

    async def _note(self, effect: Effect, state: EffectState, value: bytes = b"") -> None:
        done = Effect(effect.position, effect.kind, effect.digest, state, value)
        await self._journal.record_effect(self.lease, done)

    async def _hold(self) -> None:
        """Renew the lease in time, as a live worker does.

        What a frozen worker writes to its socket before it learns that is not simulated.
        """
        news = await self._journal.renew(self.lease.worker, [self.lease.execution.id])
        if news.lost:
            raise Fenced("the lease ran out")

    async def _record_result(self, result: Result) -> Outcome:
        await self._turn()
        await self._journal.record_result(self.lease, result, completing=True)
        return await self._complete(result, noted=True)

    async def _complete(self, result: Result, *, noted: bool) -> Outcome:
        completing = Completing(self.lease.completion_tried)
        while True:
            happens = await self._turn()
            await self._hold()
            if not noted and not await self._journal.begin_completion(self.lease):
                return completing.over(result, "call")
            noted = False
            token = self.lease.execution.token.reveal()
            fate = self._stage.complete(token, result.data, happens)
            happens = await self._turn()
            if fate is None:
                return completing.over(result, "204")
            if fate is Fate.NOT_SENT and not completing.unknown:
                await self._journal.withdraw_completion(self.lease)
            outcome = completing.after(fate, result)
            if outcome is not None:
                return outcome
            if fate is Fate.REJECTED:
                result = self._failed("refused")
                await self._journal.record_result(self.lease, result)
            if happens == "give up":
                return Outcome(OutcomeStatus.PARKED, "unreachable", reason="it did not get through")


class Completing:
    """What a worker knows of its completion requests."""

    def __init__(self, unknown: bool) -> None:
        self.unknown = unknown
        self._forbidden = 0
        self._refused = False

    def over(self, result: Result, by: str) -> Outcome:
        """Return the outcome of a completed block."""
        if self._refused:
            return Outcome(OutcomeStatus.PARKED, result.code, by, "the result was refused")
        return Outcome(OutcomeStatus.COMPLETED, result.code, by)

    def after(self, fate: Fate, result: Result) -> Outcome | None:
        """Return the outcome after a failed request; None if it is retried."""
        if fate is Fate.FORBIDDEN and self.unknown:
            return self.over(result, "403")
        if fate is Fate.FORBIDDEN:
            self._forbidden += 1
            if self._forbidden > len(FORBIDDEN_RETRY_SECONDS):
                return Outcome(OutcomeStatus.GONE, result.code, reason="403")
        self.unknown |= fate is Fate.UNKNOWN
        if fate is Fate.REJECTED:
            if result.code == "refused":
                return Outcome(OutcomeStatus.PARKED, "refused", reason="400")
            self._refused = True
        return None
