"""An execution in this process's hands, from claimed to settled."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

import structlog

from vertexkit.blocks.registry import Block
from vertexkit.context.runtime import Runtime
from vertexkit.errors import Fenced, JournalUnavailable, Retry
from vertexkit.execution import Ending, Outcome, Result
from vertexkit.failure import Failure
from vertexkit.journal.protocol import Lease
from vertexkit.telemetry import logs, tracing
from vertexkit.telemetry.redaction import redacted
from vertexkit.worker.attempt import Attempt, HandlerPolicy, Park, Shutdown, Verdict
from vertexkit.worker.completion import UNREACHABLE, Completion

log = structlog.get_logger("vertexkit")


class ExecutionTask:
    """Brings one execution to its outcome, or back into the journal.

    Args:
        lease: of the execution.
        block: whose handler it needs; None where the app has it no more: a result that was fixed
            before can still be sent.
        runtime: of the process.
        policy: the rules for a run of the handler.
        patience: seconds for which the completion is tried.
    """

    def __init__(
        self,
        lease: Lease,
        block: Block | None,
        runtime: Runtime,
        policy: HandlerPolicy,
        patience: float,
    ) -> None:
        self.lease = lease
        self._block = block
        self.task: asyncio.Task[None] | None = None
        self._runtime = runtime
        self._policy = policy
        self._patience = patience
        self._began = runtime.clock.now()
        self._attempt: Attempt | None = None
        self._began_handler = False
        self._completion: Completion | None = None
        self._outcome: asyncio.Future[Outcome] | None = None
        """Of a completion that the handler itself asked for."""
        self._last_call: float | None = None

    def start(
        self, at_rest: Callable[["ExecutionTask"], None], at_end: Callable[["ExecutionTask"], None]
    ) -> None:
        """Set out.

        Args:
            at_rest: called when the handler's place is free again.
            at_end: called when this process has nothing more to do with the execution.
        """
        self.task = asyncio.get_running_loop().create_task(self._run(at_rest, at_end))

    def supersede(self) -> None:
        """The platform has made the same call again: it is as good as complete."""
        if self._completion is not None:
            self._completion.hurry()

    def lose(self) -> None:
        """Another worker has it by now."""
        if self._attempt is not None:
            self._attempt.stop(Fenced("the lease ran out"))

    def last_call(self, until: float) -> None:
        """The process ends: stop the handler; give the completion up at this time of the clock."""
        self._last_call = until
        if self._attempt is not None:
            self._attempt.stop(Shutdown("the process ends"))
        if self._completion is not None:
            self._completion.hurry(until)

    async def _run(
        self, at_rest: Callable[["ExecutionTask"], None], at_end: Callable[["ExecutionTask"], None]
    ) -> None:
        execution, attempt = self.lease.execution, self.lease.attempt
        claims = execution.token.claims
        with tracing.span(
            "execution",
            execution.block,
            "consumer",
            parent=execution.trace,
            execution=execution.id,
            attempt=attempt,
            dialog=claims and claims.dialog_id,
        ):
            logs.bind(execution, attempt)
            self._emit("claimed", attempt=attempt, waited=self._waited())
            await self._see_through(at_rest, at_end)

    async def _see_through(
        self, at_rest: Callable[["ExecutionTask"], None], at_end: Callable[["ExecutionTask"], None]
    ) -> None:
        lease = self.lease
        try:
            outcome: Outcome | None
            if lease.result is not None:
                outcome = await self._complete(lease.result)
            else:
                try:
                    verdict = await self._handle()
                finally:
                    at_rest(self)
                outcome = await self._follow(verdict)
            if outcome is not None:
                await self._settle(outcome)
        except Fenced:
            self._emit("fenced")
        except JournalUnavailable as error:  # another process goes on from what is written
            self._emit("journal_unavailable", reason=str(error))
        except Exception:
            log.exception("crashed")
            await self._park_crashed()
        finally:
            self.task = None  # a circle would be left to the garbage collector
            at_end(self)

    def _waited(self) -> float:
        """Seconds since the call, by a clock that somebody may have set meanwhile."""
        return max(0.0, round(time.time() - self.lease.execution.accepted_at, 6))

    async def _handle(self) -> Verdict:
        """Run the handler."""
        if self._last_call is not None:
            return Shutdown("the process ends")
        if self._block is None:
            return Park(Failure("unknown_block"), "the app has no such block")
        limit = self._block.attempts or self._policy.settings.attempts
        if self.lease.attempt > limit:
            return Park(Failure("attempts"), f"{limit} runs have ended with the death of a worker")

        async def complete(result: Result) -> None:
            self._outcome = asyncio.ensure_future(self._record_result(result))
            await asyncio.shield(self._outcome)

        self._attempt = Attempt(self._block, self.lease, self._runtime, self._policy, complete)
        self._began_handler = True
        crashed = self.lease.crashed and self._block.on_crash == "fail"
        try:
            return await self._attempt.run(Failure("crashed") if crashed else None)
        finally:
            self._attempt = None

    async def _follow(self, verdict: Verdict) -> Outcome | None:
        """From what the run came to, to the outcome; None if it is not over for good."""
        match verdict:
            case None if self._outcome is not None:  # the handler completed by itself
                return await self._outcome
            case Result():
                return await self._record_result(verdict)
            case Park():
                return await self._park(verdict)
            case Fenced():
                raise verdict
            case Retry() if self._last_call is None:
                why = redacted(verdict.reason)  # the journal keeps it longer than the token
                self._emit("retried", seconds=verdict.after, reason=why)
                await self._runtime.journal.release(self.lease, verdict.after, why)
                return None
            case _ if self._runtime.journal.durable and self._may_run_again():
                await self._release()
                return None
            case _:
                return await self._record_result(Failure("shutdown").result())

    def _may_run_again(self) -> bool:
        return self._block is None or self._block.on_crash == "run" or not self._began_handler

    async def _release(self) -> None:
        """Leave it to the next process, or to another one."""
        await self._runtime.journal.release(self.lease, 0.0)
        self._emit("released")

    async def _record_result(self, result: Result) -> Outcome:
        """Fix the result, then complete with it."""
        await self._runtime.journal.record_result(self.lease, result, completing=True)
        self._emit("result_recorded", code=result.code)
        return await self._complete(result, noted=True)

    async def _complete(self, result: Result, *, noted: bool = False) -> Outcome:
        self._completion = Completion(
            self._runtime, self.lease, result, self._patience, noted=noted
        )
        if self._last_call is not None:
            self._completion.hurry(self._last_call)
        outcome = await self._completion.run()
        if outcome.ending is Ending.COMPLETED:
            self._emit("completed", confirmed_by=outcome.confirmed_by)
        return outcome

    async def _park(self, park: Park) -> Outcome:
        """Give it up, but let the dialog go on if the platform can be reached."""
        if self._block is not None and self._block.on_park == "leave":
            return Outcome(Ending.PARKED, park.failure.code, reason=park.reason)
        outcome = await self._record_result(park.failure.result())
        said = "" if outcome.ending is Ending.COMPLETED else f"; {outcome.reason}"
        return Outcome(Ending.PARKED, park.failure.code, outcome.confirmed_by, park.reason + said)

    async def _park_crashed(self) -> None:
        try:
            await self._settle(await self._park(Park(Failure("internal"), "vertexkit failed")))
        except Exception:
            log.exception("crashed")

    async def _settle(self, outcome: Outcome) -> None:
        """Write the outcome down; this is the end of it."""
        journal = self._runtime.journal
        if outcome.reason:
            outcome = replace(outcome, reason=redacted(outcome.reason))
        if self._last_call is not None and outcome.code == UNREACHABLE and journal.durable:
            await self._release()
            return
        await journal.settle(self.lease, outcome)
        tracing.note(outcome=outcome.ending.value, code=outcome.code)
        said: dict[str, object] = {"reason": outcome.reason} if outcome.reason else {}
        if outcome.ending is Ending.PARKED:
            self._emit("parked", code=outcome.code)
        self._emit(
            "settled",
            outcome=outcome.ending.value,
            code=outcome.code,
            seconds=round(self._runtime.clock.now() - self._began, 6),
            **said,
        )

    def _emit(self, name: str, **fields: object) -> None:
        self._runtime.emit(name, self.lease, **fields)
