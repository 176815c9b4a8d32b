"""Steps whose function is called again if it fails."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any, ParamSpec, TypeAlias, TypeVar, overload

from vertexkit.botone.blocking import Blocking
from vertexkit.botone.retries import backoff
from vertexkit.callables import is_coroutine_function
from vertexkit.context.effects import Effects
from vertexkit.context.runtime import RunOptions, Runtime
from vertexkit.context.steps import call, step_name
from vertexkit.errors import VertexkitError
from vertexkit.journal.protocol import Lease
from vertexkit.references import reference_of

P = ParamSpec("P")
T = TypeVar("T")
Errors: TypeAlias = type[Exception] | tuple[type[Exception], ...]

NOT_RETRIED = (
    VertexkitError,
    AssertionError,
    AttributeError,
    ImportError,
    NameError,
    TypeError,
)
"""What is not retried unless `on` names it: errors in the author's code, and those of vertexkit,
whose client has retried what can be retried."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When and how often a step's function is called again.

    Raises:
        TypeError: `attempts` is not a whole number, or `on` is not made of exception classes.
        ValueError: `attempts` is less than 1.
    """

    attempts: int
    """Maximum number of calls, the first one included."""
    timeout: float | None
    """Seconds that one call may take."""
    on: Errors | None
    """Classes of the errors that are retried; None: all but `NOT_RETRIED`."""
    backoff: float
    """Seconds before the second call; the pause doubles with each failure, up to a minute."""

    def __post_init__(self) -> None:
        if not isinstance(self.attempts, int):
            raise TypeError(f"retrying needs a number of attempts, got {self.attempts!r:.100}")
        if self.attempts < 1:
            raise ValueError(f"retrying needs at least 1 attempt, got {self.attempts}")
        classes: tuple[Any, ...] = (
            self.on if isinstance(self.on, tuple) else (self.on or Exception,)
        )
        for value in classes:
            if not (isinstance(value, type) and issubclass(value, Exception)):
                raise TypeError(f"retrying: `on` needs classes of exceptions, got {value!r:.100}")

    def retries(self, error: Exception) -> bool:
        """Check whether a function that has raised this error is called again."""
        if self.on is None:
            return not isinstance(error, NOT_RETRIED)
        return isinstance(error, self.on)


class _TookTooLong(TimeoutError):
    """A call has reached the policy's `timeout`: it is retried, whatever `on` says."""


class RetryingSteps:
    """Steps of a run that are retried; see `Context.retrying`.

    Args:
        runtime: Objects of the process.
        lease: Lease of the execution.
        options: Options of the run.
        effects: Of the run.
        policy: When and how often functions are called again.
    """

    def __init__(
        self,
        runtime: Runtime,
        lease: Lease,
        options: RunOptions,
        effects: Effects,
        policy: RetryPolicy,
    ) -> None:
        self._runtime = runtime
        self._lease = lease
        self._lifetime = options.lifetime
        self._effects = effects
        self._policy = policy

    @overload
    async def step(
        self, name: str, fn: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> T: ...

    @overload
    async def step(
        self, name: str, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T: ...

    async def step(
        self, name: str, fn: Callable[P, Any], /, *args: P.args, **kwargs: P.kwargs
    ) -> Any:
        """Call a function once for this execution, and again if it fails; see `Context.step`.

        Only the result is journalled: after a crash, the attempts are counted from 1.

        Args:
            name: As for `Context.step`.
            fn: As for `Context.step`; with a `timeout`, it must be an `async def` function.
            *args: Positional arguments of `fn`.
            **kwargs: Keyword arguments of `fn`.

        Returns:
            What `fn` returned.

        Raises:
            TypeError: As for `Context.step`; or there is a `timeout` and `fn` is not `async def`.
            TimeoutError: The last attempt took longer than `timeout`.
            Exception: As for `Context.step`; what `fn` raised in the last attempt.
        """
        name = step_name(name)
        if self._policy.timeout is not None and not is_coroutine_function(fn):
            raise TypeError(
                f"step {name!r}: a timeout needs an `async def` function, because a thread cannot "
                "be stopped: use the timeout of the client that the function calls"
            )
        attempts = partial(self._call, name)
        return await self._effects.step(name, fn, args, kwargs, attempts)

    async def _call(self, name: str, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call the function until it succeeds, or must not be called again."""
        clock, attempt = self._runtime.clock, 1
        while True:
            try:
                return await self._call_once(name, fn, *args, **kwargs)
            except Exception as error:
                seconds = backoff(
                    attempt, getattr(error, "retry_after", None), self._policy.backoff
                )
                in_time = clock.now() + seconds < self._lifetime.deadline
                may_retry = isinstance(error, _TookTooLong) or self._policy.retries(error)
                is_last = attempt >= self._policy.attempts
                if is_last or not may_retry or not in_time or not self._lifetime.is_open:
                    raise
                kind = "TimeoutError" if isinstance(error, _TookTooLong) else type(error).__name__
                reference = reference_of(error)
            self._runtime.emit(
                "step_retried",
                self._lease,
                step=name,
                attempt=attempt,
                reason=kind,  # not its text, which may contain what the function was given
                reference=reference,
                seconds=round(seconds, 3),
            )
            await clock.sleep(seconds)
            self._lifetime.check_open()
            attempt += 1

    async def _call_once(self, name: str, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        limit = asyncio.timeout(self._policy.timeout)
        try:
            async with limit:
                return await call(fn, *args, **kwargs)
        except TimeoutError:
            if not limit.expired():
                raise
            raise _TookTooLong(
                f"step {name!r} took longer than {self._policy.timeout:g} s"
            ) from None


class SyncRetryingSteps(Blocking[RetryingSteps]):
    """Steps of a `def` handler's run that are retried; see `SyncContext.retrying`."""

    @overload
    def step(
        self,
        name: str,
        fn: Callable[P, Coroutine[Any, Any, T]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T: ...

    @overload
    def step(self, name: str, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T: ...

    def step(self, name: str, fn: Callable[P, Any], /, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Call a function once for this execution, and again if it fails.

        See `RetryingSteps.step`.

        Args:
            name: As for `Context.step`.
            fn: As for `Context.step`; with a `timeout`, it must be an `async def` function.
            *args: Positional arguments of `fn`.
            **kwargs: Keyword arguments of `fn`.

        Returns:
            What `fn` returned.

        Raises:
            Exception: As for `RetryingSteps.step`.
        """
        return self.run(self.target.step(name, fn, *args, **kwargs))
