"""One run of a handler, from the validation of its inputs to its result."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import anyio.to_thread
import structlog
from pydantic import BaseModel, TypeAdapter, ValidationError
from structlog.typing import FilteringBoundLogger

from vertexkit.blocks.policies import DEFAULT_MAX_WAIT_SECONDS
from vertexkit.blocks.registry import Block
from vertexkit.blocks.signature import BadResult, dump
from vertexkit.context.branches import EXITS, Branches, HandlerExited
from vertexkit.context.context import Context
from vertexkit.context.earlier import POSITIONS_PER_HANDLER
from vertexkit.context.lifetime import Lifetime
from vertexkit.context.runtime import RunOptions, Runtime
from vertexkit.context.sync import SyncContext
from vertexkit.errors import (
    AlreadyCompleted,
    DeadlineExceeded,
    ExecutionEnded,
    Retry,
    VertexkitError,
)
from vertexkit.execution import Result
from vertexkit.failure import Failure
from vertexkit.journal.protocol import Lease
from vertexkit.references import RESULT_REFERENCE
from vertexkit.serialization import ANYTHING
from vertexkit.telemetry import tracing
from vertexkit.worker.attempt_result import (
    AttemptResult,
    Suspension,
    error_of,
    expected_failure,
    is_send_timeout,
    result_of_stop,
)
from vertexkit.worker.held_lease import HeldLease
from vertexkit.worker.policy import HandlerPolicy, Next, OnFailure

log: FilteringBoundLogger = structlog.get_logger("vertexkit")

MIN_RUN_SECONDS = 1.0
"""What a run gets at least, to do again what the runs before its last wait did."""


class Attempt:
    """Runs a handler once.

    The steps of `run`: validate the inputs; run the handler inside its middleware, until it
    returns, its deadline passes or `stop` is called; wait for its requests in flight; cancel it
    if it still runs; turn what happened into an `AttemptResult`, asking the app's `on_failure`
    hook about a failure.

    Args:
        block: The block whose handler it is.
        lease: Lease of the execution.
        runtime: Objects of the process.
        policy: The app's rules for handlers.
        complete: Completes the block early with a result; returns when the platform has it.
        held: The lease as this worker sees it.
    """

    def __init__(
        self,
        block: Block,
        lease: Lease,
        runtime: Runtime,
        policy: HandlerPolicy,
        complete: Callable[[Result], Awaitable[None]],
        held: HeldLease,
    ) -> None:
        self._block = block
        self._lease = lease
        self._runtime = runtime
        self._policy = policy
        self._complete_with = complete
        self._held = held
        self._started = runtime.clock.now()
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._stopped_by: VertexkitError | None = None
        self._suspension: Suspension | None = None
        self._exited: HandlerExited | None = None
        self._completed = False
        # Of the handler, and later of the hook: the attempt does not hold their contexts, which
        # hold the attempt, so that no reference cycle is left to the garbage collector.
        self._lifetime = self._make_lifetime()
        self._early_type = block.signature.early
        self._early_code = "ok"

    def stop(self, reason: VertexkitError) -> None:
        """End the run now: the handler is cancelled, and its context raises `reason`."""
        if self._stopped_by is None and not self._ended.done():
            self._stopped_by = reason
            self._lifetime.close(reason)
            self._end()

    def suspend(self, seconds: float) -> None:
        """End the run now, because the handler waits."""
        if self._stopped_by is None and not self._ended.done():
            ran = max(0.0, self._runtime.clock.now() - self._started)
            self._suspension = Suspension(seconds, ran)
            self._lifetime.suspend()
            self._end()

    async def complete(self, data: Any) -> None:
        """Complete the block before the handler has returned.

        Raises:
            TypeError: The data cannot be a result of the block.
        """
        try:
            result = Result(self._dump(self._early_type, data), self._early_code)
        except BadResult as error:
            raise TypeError(f"the block cannot be completed with this data: {error}") from None
        self._completed = True
        self._lifetime.close(AlreadyCompleted("the block is complete: nothing more can be sent"))
        await self._complete_with(result)

    async def ensure_lease(self) -> None:
        """See `HeldLease.ensure`."""
        await self._held.ensure()

    async def run(self) -> AttemptResult:
        """Run the handler. Exceptions of the handler are not raised but lead to a result."""
        try:
            request = self._block.signature.read(self._lease.execution.inputs)
        except ValidationError as error:
            return await self.fail(Failure("invalid_input", error=error))
        except BaseException as error:  # noqa: BLE001 - an author's validator may raise anything
            return await self._fail_unexpectedly(error)
        task = asyncio.get_running_loop().create_task(self._call_handler(request))
        task.add_done_callback(_retrieve_error)  # the attempt may be cancelled before it asks
        await self._wait_until_ended(task)
        self._lifetime.close(ExecutionEnded("the handler has returned"))
        await self._lifetime.wait_for_requests()
        if not task.done():
            await self._cancel(task)
        return await self._evaluate(task)

    async def fail(self, failure: Failure) -> AttemptResult:
        """Fail the block: with what the author's hook returns, or with the default result."""
        hook = self._policy.on_failure
        value = None if hook is None else await self._call_hook(hook, failure)
        if self._completed:
            return None  # by the hook
        if value is not None:
            try:
                return Result(self._dump(ANYTHING, value), failure.code)
            except BadResult as error:
                log.warning("on_failure_failed", reason=str(error), reference=RESULT_REFERENCE)
        return failure.result_within(self._policy.settings.result_limit)

    async def _call_handler(self, request: BaseModel) -> Any:
        """Call the handler inside its middleware."""
        policy = self._policy
        if policy.observer is not None:
            policy.observer.handler_starting(self._lease.execution)
        call: Next = partial(self._call_innermost, request, self._lifetime)
        for middleware in reversed(policy.middleware):
            call = partial(middleware, call_next=call)
        with tracing.span("handler", self._block.name):
            context = self._make_context(first_position=0)
            return await _call_guarded(self._lifetime.branches, call, context)

    async def _call_innermost(
        self, request: BaseModel, lifetime: Lifetime, context: Context
    ) -> Any:
        signature = self._block.signature
        if signature.is_async:
            return await signature.call(context, request)
        blocking = SyncContext(context, lifetime)

        def call() -> Any:
            lifetime.branches.enter_thread()
            return signature.call(blocking, request)

        return await anyio.to_thread.run_sync(
            call, abandon_on_cancel=True, limiter=self._policy.threads
        )

    def _make_lifetime(self) -> Lifetime:
        options, started = self._block.options, self._started - self._lease.ran
        deadline = started + (options["timeout"] or self._policy.settings.timeout)
        longest = options["max_timeout"]
        latest = None if longest is None else started + longest
        return Lifetime(max(deadline, self._started + MIN_RUN_SECONDS), latest)

    def _make_context(self, first_position: int) -> Context:
        options = RunOptions(
            on_unknown=self._block.options["on_unknown"],
            control=self,
            lifetime=self._lifetime,
            max_wait=self._block.options["max_wait"] or DEFAULT_MAX_WAIT_SECONDS,
            first_position=first_position,
        )
        return Context(self._runtime, self._lease, options)

    async def _wait_until_ended(self, task: asyncio.Task[Any]) -> None:
        """Wait until the handler has returned, its deadline has passed or it is stopped."""
        self._start_timer()
        task.add_done_callback(lambda _: self._end())
        self._lifetime.branches.on_exit = self._exit
        try:
            await self._ended
        finally:
            self._timer.cancel()
            del self._timer  # no reference cycle is left
            self._lifetime.branches.on_exit = _log_exit

    def _start_timer(self) -> None:
        clock = self._runtime.clock
        seconds = max(0.0, self._lifetime.deadline - clock.now())
        self._timer = clock.idle_timer(seconds, self._check_deadline)

    def _check_deadline(self) -> None:
        """End the run, unless the handler has extended its deadline."""
        if self._runtime.clock.now() < self._lifetime.deadline:
            self._start_timer()
        else:
            self.stop(DeadlineExceeded("the deadline has passed"))

    def _exit(self, error: HandlerExited) -> None:
        """End the run: the handler, or a task of its own, has called `sys.exit()`."""
        if self._stopped_by is None and not self._ended.done():
            self._exited = error
            self._lifetime.close(ExecutionEnded(str(error)))
            self._end()

    def _end(self) -> None:
        if not self._ended.done():
            self._ended.set_result(None)

    async def _cancel(self, task: asyncio.Future[Any]) -> None:
        """Cancel the task and give it time to clean up; abandon it if it still runs then."""
        task.cancel()
        _, running = await asyncio.wait({task}, timeout=self._policy.settings.cleanup)
        if running:
            self._runtime.emit("abandoned", self._lease)

    async def _evaluate(self, task: asyncio.Task[Any]) -> AttemptResult:
        """Turn the end of the handler's task into a result."""
        error = error_of(task)
        if self._completed:
            if error is not None and not isinstance(error, asyncio.CancelledError):
                log.error("handler_failed", completed=True, exc_info=error)
            return None
        if self._suspension is not None:
            return self._suspension
        if self._stopped_by is not None:
            result = result_of_stop(self._stopped_by)
            return await self.fail(result) if isinstance(result, Failure) else result
        if self._exited is not None:
            return await self._fail_unexpectedly(self._exited)
        if error is None:
            return await self._evaluate_return(task.result())
        return await self._evaluate_error(error)

    async def _evaluate_error(self, error: BaseException) -> AttemptResult:
        """Turn what the handler raised into a result."""
        if isinstance(error, Retry):
            if self._lease.attempt < (
                self._block.options["attempts"] or self._policy.settings.attempts
            ):
                return error
            return await self.fail(Failure("attempts", error=error))
        failure = expected_failure(error)
        if failure is None:
            return await self._fail_unexpectedly(error)
        if is_send_timeout(error):
            log.error("handler_failed", exc_info=error)
        return await self.fail(failure)

    async def _evaluate_return(self, value: Any) -> AttemptResult:
        """Turn what the handler returned into a result."""
        try:
            return Result(self._dump(self._block.signature.result, value))
        except BadResult as error:
            log.warning("result_invalid", reason=str(error), reference=RESULT_REFERENCE)
            return await self.fail(Failure("bad_result", error=error))

    async def _fail_unexpectedly(self, error: BaseException) -> AttemptResult:
        log.error("handler_failed", exc_info=error)
        return await self.fail(Failure("internal", error=error))

    async def _call_hook(self, hook: OnFailure, failure: Failure) -> Any:
        """Call the author's hook, which may also send a last message.

        Returns:
            What the hook returns; None if it fails or takes too long.
        """
        self._lifetime = Lifetime(self._runtime.clock.now() + self._policy.settings.cleanup)
        self._early_type, self._early_code = ANYTHING, failure.code
        context = self._make_context(POSITIONS_PER_HANDLER)
        call = _call_guarded(self._lifetime.branches, hook, context, failure)
        task = asyncio.get_running_loop().create_task(call)
        task.add_done_callback(_retrieve_error)
        _, running = await asyncio.wait({task}, timeout=self._policy.settings.cleanup)
        self._lifetime.close(ExecutionEnded("the on_failure hook has returned"))
        await self._lifetime.wait_for_requests()
        if running:
            await self._cancel(task)
            log.error(
                "on_failure_failed",
                reason="it took too long",
                reference=DeadlineExceeded.reference,
            )
            return None
        if (error := error_of(task)) is not None:
            log.error("on_failure_failed", exc_info=error)
            return None
        return task.result()

    def _dump(self, shape: TypeAdapter[Any], value: Any) -> bytes:
        return dump(shape, value, self._policy.settings.result_limit)


async def _call_guarded(
    branches: Branches, function: Callable[..., Awaitable[Any]], *args: Any
) -> Any:
    """Call an author's function; neither it nor a task of its own can stop the service."""
    branches.enter()
    try:
        return await function(*args)
    except EXITS as error:
        raise branches.exited(error) from error


def _log_exit(error: HandlerExited) -> None:
    log.error("handler_failed", completed=True, exc_info=error)


def _retrieve_error(task: asyncio.Future[Any]) -> None:
    """Retrieve a task's error: asyncio logs errors that were never retrieved."""
    error_of(task)
