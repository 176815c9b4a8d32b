"""One execution in this process, from its claim to its outcome."""

import asyncio
from dataclasses import replace
from typing import Protocol

import structlog
from structlog.typing import FilteringBoundLogger

from vertexkit.blocks.registry import Block
from vertexkit.context.branches import start_outside_of_handlers
from vertexkit.context.runtime import Runtime
from vertexkit.errors import Fenced, JournalUnavailable, Retry, ShuttingDown
from vertexkit.execution import Outcome, OutcomeStatus, Result
from vertexkit.failure import Failure
from vertexkit.journal.protocol import Lease
from vertexkit.references import error_fields
from vertexkit.system.supervision import Supervisor
from vertexkit.telemetry import logs, tracing
from vertexkit.telemetry.redaction import redact_text
from vertexkit.text import printable
from vertexkit.worker.attempt import Attempt
from vertexkit.worker.attempt_result import AttemptResult, ParkRequest, Suspension
from vertexkit.worker.completion import UNREACHABLE, Completion
from vertexkit.worker.held_lease import HeldLease
from vertexkit.worker.policy import HandlerPolicy

DRAIN_PAUSE_SECONDS = 5.0
"""Longest pause between two tries of a completion that a draining process waits for."""

log: FilteringBoundLogger = structlog.get_logger("vertexkit")


class ExecutionObserver(Protocol):
    """Is informed about an execution's task."""

    def handler_finished(self, task: "ExecutionTask") -> None:
        """The handler does not run any more: another one may start in its place."""

    def execution_finished(self, task: "ExecutionTask") -> None:
        """This process has nothing more to do with the execution."""


class ExecutionTask:
    """Brings one execution to its outcome, or back into the journal.

    The steps of a task:

    1. Run the handler (`_run_handler`), unless an earlier run has recorded a result.
    2. Apply the attempt's result (`_apply`): record a result and complete the block with it, park
       the execution, or release it so that it runs again.
    3. Settle: write the outcome to the journal (`_settle`).

    A task ends early without an outcome when another worker has taken over the execution, or when
    the journal cannot be written: then another process continues from what the journal has.

    Args:
        lease: Lease of the execution.
        block: The block whose handler runs; None if the app does not have it any more. A result
            that was recorded before can still be sent.
        runtime: Objects of the process.
        policy: The app's rules for handlers.
        completion_timeout: Seconds for which the completion is tried.
        held: The lease as this worker sees it.
    """

    def __init__(
        self,
        lease: Lease,
        block: Block | None,
        runtime: Runtime,
        policy: HandlerPolicy,
        completion_timeout: float,
        held: HeldLease,
    ) -> None:
        self.lease = lease
        self.held: HeldLease = held
        self.task: asyncio.Task[None] | None = None
        self._block = block
        self._runtime = runtime
        self._policy = policy
        self._completion_timeout = completion_timeout
        self._started = runtime.clock.now()
        self._attempt: Attempt | None = None
        self._handler_started = False
        self._completion: Completion | None = None
        self._early_outcome: asyncio.Future[Outcome] | None = None
        """Outcome of a completion that the handler itself asked for."""
        self._draining = False
        self._shutdown_deadline: float | None = None
        """Set when the process ends."""

    def start(self, observer: ExecutionObserver, supervisor: Supervisor) -> None:
        """Start the task."""
        work = self._run_observed(observer)
        self.task = supervisor.start("execution", work, endless=False)
        self.task.add_done_callback(lambda _: self._end_unstarted(observer))

    def _end_unstarted(self, observer: ExecutionObserver) -> None:
        """Report the end of a task that was cancelled before its first step."""
        if self.task is not None:
            self.task = None
            if self.lease.result is None:
                observer.handler_finished(self)
            observer.execution_finished(self)

    def supersede(self) -> None:
        """The platform has made the same call again, so its dialog has left this execution."""
        if self._completion is not None:
            self._completion.retry_now()

    def fence(self) -> None:
        """Stop the handler: another worker has taken over the execution."""
        if self._attempt is not None:
            self._attempt.stop(Fenced("the lease has expired"))

    def drain(self) -> None:
        """Leave a completion whose next try is not due soon to another process."""
        self._draining = self._runtime.journal.durable
        if self._draining and self._completion is not None:
            self._completion.limit_pauses(DRAIN_PAUSE_SECONDS)

    def shut_down(self, deadline: float) -> None:
        """Stop the handler, and complete the block until a deadline: the process ends.

        Args:
            deadline: A time of the clock's `now()`.
        """
        self._shutdown_deadline = deadline
        if self._attempt is not None:
            self._attempt.stop(ShuttingDown("the service is shutting down"))
        if self._completion is not None:
            self._completion.retry_now(deadline)

    async def _run_observed(self, observer: ExecutionObserver) -> None:
        try:
            await self._run_traced(observer)
        finally:
            self.task = None  # else a reference cycle would be left to the garbage collector
            observer.execution_finished(self)

    async def _run_traced(self, observer: ExecutionObserver) -> None:
        """Run inside a span, with the execution on every log line."""
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
            self._emit("claimed", attempt=attempt, waited=self._seconds_since_call())
            await self._run_safely(observer)

    async def _run_safely(self, observer: ExecutionObserver) -> None:
        """Run, and handle every way in which that can fail."""
        try:
            await self._run(observer)
        except Fenced:
            self._emit("fenced", reference=Fenced.reference)
        except JournalUnavailable as error:  # another process continues from what is written
            self._emit("journal_unavailable", **error_fields(error))
        except (asyncio.CancelledError, GeneratorExit):
            raise
        except BaseException:  # an author's code may raise anything
            log.exception("execution_crashed")
            await self._park_crashed()

    async def _run(self, observer: ExecutionObserver) -> None:
        outcome: Outcome | None
        if self.lease.result is not None:
            outcome = await self._complete(self.lease.result)
        else:
            try:
                result = await self._run_handler()
            finally:
                observer.handler_finished(self)
            outcome = await self._apply(result)
        if outcome is not None:
            await self._settle(outcome)

    def _seconds_since_call(self) -> float:
        # Of the wall clock, which may have been set back since.
        return max(0.0, round(self._runtime.clock.unix() - self.lease.execution.accepted_at, 6))

    async def _run_handler(self) -> AttemptResult:
        if self._shutdown_deadline is not None:
            return ShuttingDown("the service is shutting down")
        if self._block is None:
            return ParkRequest(Failure("unknown_block"), "the app does not have this block")
        limit = self._block.options["attempts"] or self._policy.settings.attempts
        if self.lease.attempt > limit:
            return ParkRequest(
                Failure("attempts"), f"the process crashed during each of {limit} runs"
            )
        self._attempt = Attempt(
            self._block, self.lease, self._runtime, self._policy, self._complete_early, self.held
        )
        self._handler_started = True
        try:
            if self.lease.overdue:
                return await self._attempt.fail(Failure("timeout"))
            if self.lease.crashed and self._block.options["on_crash"] == "fail":
                return await self._attempt.fail(Failure("crashed"))
            return await self._attempt.run()
        finally:
            self._attempt = None

    async def _complete_early(self, result: Result) -> None:
        """Complete the block while its handler runs; a cancelled handler does not cancel it."""
        self._early_outcome = start_outside_of_handlers(self._record_and_complete(result))
        await asyncio.shield(self._early_outcome)

    async def _apply(self, result: AttemptResult) -> Outcome | None:
        """Return the outcome that an attempt's result leads to; None if there is none yet."""
        match result:
            case None if self._early_outcome is not None:
                return await self._early_outcome
            case Result():
                return await self._record_and_complete(result)
            case ParkRequest():
                return await self._park(result)
            case Fenced():
                raise result
            case Suspension() if self._shutdown_deadline is None or self._runtime.journal.durable:
                await self._runtime.journal.suspend(self.lease, result.seconds, result.ran)
                self._emit("suspended", seconds=round(result.seconds, 3))
                return None
            case Retry() if self._shutdown_deadline is None:
                why = redact_text(
                    printable(result.reason)
                )  # the journal keeps it longer than the token
                self._emit("retried", seconds=result.after, reason=why)
                await self._runtime.journal.release(self.lease, result.after, why)
                return None
            case _ if self._runtime.journal.durable and self._may_run_again():
                await self._release()
                return None
            case _:
                return await self._record_and_complete(Failure("shutdown").result())

    def _may_run_again(self) -> bool:
        return (
            self._block is None
            or self._block.options["on_crash"] == "run"
            or not self._handler_started
        )

    async def _release(self) -> None:
        """Leave the execution to the next process, or to another one."""
        await self._runtime.journal.release(self.lease, 0.0)
        self._emit("released")

    async def _record_and_complete(self, result: Result) -> Outcome:
        """Record the result in the journal, then complete the block with it."""
        await self._runtime.journal.record_result(self.lease, result, completing=True)
        self._emit("result_recorded", code=result.code)
        return await self._complete(result, journalled=True)

    async def _complete(self, result: Result, *, journalled: bool = False) -> Outcome:
        self._completion = Completion(
            self._runtime,
            self.lease,
            result,
            self._completion_timeout,
            self.held,
            journalled=journalled,
        )
        if self._draining:
            self._completion.limit_pauses(DRAIN_PAUSE_SECONDS)
        if self._shutdown_deadline is not None:
            self._completion.retry_now(self._shutdown_deadline)
        outcome = await self._completion.run()
        if outcome.status is OutcomeStatus.COMPLETED:
            self._emit("completed", confirmed_by=outcome.confirmed_by)
        return outcome

    async def _park(self, request: ParkRequest) -> Outcome:
        """Park the execution, and complete its block as failed unless `on_park` is `leave`."""
        code, reason = request.failure.code, request.reason
        if self._block is not None and self._block.options["on_park"] == "leave":
            return Outcome(OutcomeStatus.PARKED, code, reason=reason)
        outcome = await self._record_and_complete(request.failure.result())
        if self._is_left(outcome):
            return outcome
        if outcome.status is not OutcomeStatus.COMPLETED:
            reason = f"{reason}; {outcome.reason}"
        return Outcome(OutcomeStatus.PARKED, code, outcome.confirmed_by, reason)

    def _is_left(self, outcome: Outcome) -> bool:
        """Whether another process will try to complete the block again."""
        return self._draining and outcome.code == UNREACHABLE

    async def _park_crashed(self) -> None:
        """Park the execution after an error of vertexkit itself."""
        try:
            request = ParkRequest(Failure("internal"), "vertexkit failed")
            await self._settle(await self._park(request))
        except Exception:
            log.exception("execution_crashed")

    async def _settle(self, outcome: Outcome) -> None:
        """Write the outcome to the journal."""
        journal = self._runtime.journal
        if outcome.reason:
            outcome = replace(outcome, reason=redact_text(outcome.reason))
        if self._is_left(outcome):
            await self._release()
            return
        await journal.settle(self.lease, outcome)
        tracing.set_attributes(outcome=outcome.status.value, code=outcome.code)
        if outcome.status is OutcomeStatus.PARKED:
            self._emit("parked", code=outcome.code)
        reason: dict[str, object] = {"reason": outcome.reason} if outcome.reason else {}
        self._emit(
            "settled",
            outcome=outcome.status.value,
            code=outcome.code,
            seconds=round(self._runtime.clock.now() - self._started, 6),
            **reason,
        )

    def _emit(self, name: str, **fields: object) -> None:
        self._runtime.emit(name, self.lease, **fields)
