"""One run of a handler, from its first line to what it came to."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import anyio.to_thread
import structlog
from pydantic import TypeAdapter, ValidationError

from vertexkit.blocks.registry import Block
from vertexkit.blocks.signature import ANYTHING, BadResult, dump
from vertexkit.context.context import Context
from vertexkit.context.runtime import RunOptions, Runtime
from vertexkit.context.sync import SyncContext
from vertexkit.errors import (
    AlreadyCompleted,
    BlockFailed,
    DialogGone,
    ExecutionEnded,
    Fenced,
    NonDeterministic,
    Retry,
    SendOutcomeUnknown,
    VertexkitError,
)
from vertexkit.execution import Result
from vertexkit.failure import Failure
from vertexkit.journal.protocol import Lease
from vertexkit.settings import HandlerSettings
from vertexkit.telemetry import tracing

HOOK_POSITIONS = 1_000_000
"""Where the effects of an `on_failure` hook are journalled: apart from the handler's."""

log = structlog.get_logger("vertexkit")

Next: TypeAlias = Callable[[Context], Awaitable[Any]]
Middleware: TypeAlias = Callable[..., Awaitable[Any]]
"""Wraps handlers: `async def timing(ctx, call_next): return await call_next(ctx)`."""
OnFailure: TypeAlias = Callable[[Context, Failure], Awaitable[Any]]
"""Says what a failed block is completed with; None leaves it as it would be."""


class Timeout(ExecutionEnded):
    """The deadline has passed."""


class Shutdown(ExecutionEnded):
    """The process ends."""


@dataclass(frozen=True, slots=True)
class Park:
    """Give the execution up, for an operator to look at."""

    failure: Failure
    reason: str


Verdict: TypeAlias = Result | Retry | Park | Shutdown | Fenced | None
"""What a run came to; None: the handler completed its block by itself."""


@dataclass(frozen=True, slots=True)
class HandlerPolicy:
    """The app's rules for every run."""

    settings: HandlerSettings
    threads: anyio.CapacityLimiter
    middleware: Sequence[Middleware] = ()
    on_failure: OnFailure | None = None


class Attempt:
    """Runs a handler once.

    Args:
        block: whose handler it is.
        lease: of the execution.
        runtime: of the process.
        policy: the app's rules.
        complete: completes the block early with a result, and returns when it is settled.
    """

    def __init__(
        self,
        block: Block,
        lease: Lease,
        runtime: Runtime,
        policy: HandlerPolicy,
        complete: Callable[[Result], Awaitable[None]],
    ) -> None:
        self._block = block
        self._lease = lease
        self._runtime = runtime
        self._policy = policy
        self._complete = complete
        self._deadline = runtime.clock.now() + (block.timeout or policy.settings.timeout)
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._reason: VertexkitError | None = None
        self._completed = False
        self._context = self._make_context(0, block.signature.early)

    def stop(self, reason: VertexkitError) -> None:
        """End the run now: the handler is cancelled, and its context raises `reason`."""
        if self._reason is None and not self._ended.done():
            self._reason = reason
            self._context.close(reason)
            self._end()

    async def run(self, instead: Failure | None = None) -> Verdict:
        """What came of the handler, or comes of a failure `instead`. Raises nothing of theirs."""
        try:
            return await (self._run() if instead is None else self._fail(instead))
        finally:
            self._end()
            del self._context  # it knows this run too: a circle, left to the garbage collector

    async def _run(self) -> Verdict:
        clock = self._runtime.clock
        try:
            request = self._block.signature.read(self._lease.execution.inputs)
        except ValidationError as error:
            return await self._fail(Failure("invalid_input", error=error))
        except Exception as error:  # noqa: BLE001 - a validator of the author's
            return await self._broke(error)
        timer = clock.timer(
            max(0.0, self._deadline - clock.now()), lambda: self.stop(Timeout("time is over"))
        )
        task = asyncio.get_running_loop().create_task(self._call(request))
        task.add_done_callback(lambda _: self._end())
        try:
            await self._ended
        finally:
            timer.cancel()
        self._context.close(ExecutionEnded("the handler has returned"))
        await self._context.landed()
        if not task.done():
            await self._cancel(task)
        return await self._judge(task)

    def _make_context(
        self, first_position: int, shape: TypeAdapter[Any], code: str = "ok"
    ) -> Context:
        terms = RunOptions(
            deadline=self._deadline,
            on_unknown=self._block.on_unknown,
            stop=self.stop,
            complete=partial(self._complete_early, shape, code),
            first_position=first_position,
        )
        return Context(self._runtime, self._lease, terms)

    def _dump(self, shape: TypeAdapter[Any], value: Any) -> bytes:
        return dump(shape, value, self._policy.settings.result_limit)

    def _end(self) -> None:
        if not self._ended.done():
            self._ended.set_result(None)

    async def _call(self, request: Any) -> Any:
        """The handler inside its middleware."""
        signature, policy = self._block.signature, self._policy

        async def innermost(context: Context) -> Any:
            if signature.is_async:
                return await signature.call(context, request)
            blocking = SyncContext(context)
            return await anyio.to_thread.run_sync(
                lambda: signature.call(blocking, request),
                abandon_on_cancel=True,
                limiter=policy.threads,
            )

        call: Next = innermost
        for middleware in reversed(policy.middleware):
            call = partial(middleware, call_next=call)
        with tracing.span("handler", self._block.name):
            return await _guard(call, self._context)

    async def _cancel(self, task: asyncio.Future[Any]) -> None:
        """Cancel the handler and give it a moment to clean up; go on without it if need be."""
        task.cancel()
        _, running = await asyncio.wait({task}, timeout=self._policy.settings.cleanup)
        if running:
            task.add_done_callback(_forget)
            self._runtime.emit("abandoned", self._lease)

    async def _complete_early(self, shape: TypeAdapter[Any], code: str, value: Any) -> None:
        try:
            result = Result(self._dump(shape, value), code)
        except BadResult as error:
            raise TypeError(f"the block cannot be completed with this: {error}") from None
        self._completed = True
        self._context.close(AlreadyCompleted("the block is complete: nothing more can be sent"))
        await self._complete(result)

    async def _judge(self, task: asyncio.Task[Any]) -> Verdict:
        """From the end of the run to what is to be done."""
        error = _error(task)
        if self._completed:
            if error is not None and not isinstance(error, asyncio.CancelledError):
                log.error("handler_failed", completed=True, exc_info=error)
            return None
        if self._reason is not None:
            return await self._stopped(self._reason)
        if error is None:
            return await self._result(task.result())
        if isinstance(error, Retry):
            if self._lease.attempt < (self._block.attempts or self._policy.settings.attempts):
                return error
            return await self._fail(Failure("attempts", error=error))
        if isinstance(error, BlockFailed):
            return await self._fail(Failure(error.code, error.message, error.data, error))
        return await self._broke(error)

    async def _broke(self, error: BaseException) -> Verdict:
        """What follows from an exception that the author did not foresee."""
        log.error("handler_failed", exc_info=error)
        return await self._fail(Failure("internal", error=error))

    async def _stopped(self, reason: VertexkitError) -> Verdict:
        """What follows from a run that was ended before its handler had."""
        match reason:
            case NonDeterministic():
                return Park(Failure("nondeterministic"), str(reason))
            case SendOutcomeUnknown():
                return Park(Failure("unknown"), str(reason))
            case Shutdown() | Fenced():
                return reason
            case DialogGone():  # nothing can be said any more, so the hook is not asked
                return Failure("gone").result()
        return await self._fail(Failure("timeout"))

    async def _result(self, value: Any) -> Verdict:
        try:
            return Result(self._dump(self._block.signature.result, value))
        except BadResult as error:
            log.warning("result_invalid", reason=str(error))
            return await self._fail(Failure("bad_result", error=error))

    async def _fail(self, failure: Failure) -> Verdict:
        """The result of a failed block: what the author's hook says, or the usual."""
        hook = self._policy.on_failure
        value = None if hook is None else await self._ask(hook, failure)
        if self._completed:
            return None  # by the hook
        if value is not None:
            try:
                return Result(self._dump(ANYTHING, value), failure.code)
            except BadResult as error:
                log.warning("on_failure_failed", reason=str(error))
        return failure.within(self._policy.settings.result_limit)

    async def _ask(self, hook: OnFailure, failure: Failure) -> Any:
        """Ask the author's hook, which may also send a last message. None if it fails."""
        self._deadline = self._runtime.clock.now() + self._policy.settings.cleanup
        self._context = context = self._make_context(HOOK_POSITIONS, ANYTHING, failure.code)
        task = asyncio.get_running_loop().create_task(_guard(hook, context, failure))
        _, running = await asyncio.wait({task}, timeout=self._policy.settings.cleanup)
        context.close(ExecutionEnded("the on_failure hook has returned"))
        await context.landed()
        if running:
            await self._cancel(task)
            log.error("on_failure_failed", reason="it took too long")
            return None
        if (error := _error(task)) is not None:
            log.error("on_failure_failed", exc_info=error)
            return None
        return task.result()


async def _guard(function: Callable[..., Awaitable[Any]], *args: Any) -> Any:
    """Call what an author wrote; a sys.exit() in it would stop the whole service."""
    try:
        return await function(*args)
    except SystemExit as error:
        raise RuntimeError(f"sys.exit({error.code!r}) was called") from error


def _error(task: asyncio.Future[Any]) -> BaseException | None:
    """What a task raised; of a group that holds one error, that error."""
    if not task.done():
        return None
    if task.cancelled():
        return asyncio.CancelledError()
    error = task.exception()
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _forget(task: asyncio.Future[Any]) -> None:
    """Look at an abandoned task's error: asyncio complains of those nobody looked at."""
    _error(task)
