"""What a `def` handler holds: the same as a `Context`, with blocking methods."""

import asyncio
import concurrent.futures
from collections.abc import Callable, Coroutine, Iterable
from datetime import timedelta
from typing import Any, Literal, ParamSpec, TypeVar, overload

from vertexkit.botone.models import Message
from vertexkit.botone.retries import INITIAL_BACKOFF_SECONDS
from vertexkit.context.context import Context
from vertexkit.context.dialog import SyncDialogOfBlock
from vertexkit.context.late_message import SyncLateMessage
from vertexkit.context.lifetime import HandlerSuspended, Lifetime
from vertexkit.context.memory import SyncMemory
from vertexkit.context.retrying import Errors, SyncRetryingSteps
from vertexkit.context.run_info import RunInfo, State
from vertexkit.context.stream.reader import ChunkReader
from vertexkit.context.stream.splitter import Splitter

P = ParamSpec("P")
T = TypeVar("T")


class SyncContext(RunInfo[State]):
    """The dialog, as a `def` handler sees it from its thread. vertexkit makes one for each run.

    Each method blocks until the event loop has done the work. A thread cannot be stopped when the
    deadline has passed, but every method then raises `ExecutionEnded`.

    `SyncContext[Pool]` types `ctx.state` as what the app's lifespan yields, here a `Pool`.
    """

    def __init__(self, context: Context[State], lifetime: Lifetime) -> None:
        run = context._runtime, context._lease, context._options  # noqa: SLF001 - of the same run
        super().__init__(*run)
        self._context = context
        self._lifetime = lifetime
        self._loop = asyncio.get_running_loop()

    @property
    def dialog(self) -> SyncDialogOfBlock:
        """This dialog through the platform's dialog API (V1 and V2); see `Context.dialog`."""
        return SyncDialogOfBlock(self._context.dialog, self._wait)

    @property
    def memory(self) -> SyncMemory:
        """What the blocks of the app keep for this dialog; see `Context.memory`."""
        return SyncMemory(self._context.memory, self._wait)

    def send_message(self, text: str, typing: bool = True) -> Message:
        """Send a message to the dialog (`POST /vertex/v1/dialog/send_message`).

        Order, repetition and errors are as for `Context.send_message`.

        Args:
            text: Text of the message, at least 1 character.
            typing: Whether the bot is shown typing before the message.

        Returns:
            The platform's id and creation time of the message.

        Raises:
            Exception: As for `Context.send_message`.
        """
        return self._wait(self._context.send_message(text, typing))

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
        """Call a function once for this execution, however often its handler runs.

        See `Context.step`.

        Args:
            name: A short, stable name; a later run must use the same one at this place.
            fn: A function whose result can be serialised to JSON.
            *args: Positional arguments of `fn`.
            **kwargs: Keyword arguments of `fn`.

        Returns:
            What `fn` returned.

        Raises:
            Exception: As for `Context.step`.
        """
        return self._wait(self._context.step(name, fn, *args, **kwargs))

    def retrying(
        self,
        attempts: int = 3,
        *,
        timeout: float | timedelta | None = None,
        on: Errors | None = None,
        backoff: float | timedelta = INITIAL_BACKOFF_SECONDS,
    ) -> SyncRetryingSteps:
        """Return steps that are retried: `ctx.retrying(5).step("rate", fetch_rate, city)`.

        See `Context.retrying`. A thread cannot be stopped, so a function that is not `async def`
        cannot have a `timeout`: use the one of the client that it calls.

        Args:
            attempts: Maximum number of calls of a step's function, at least 1.
            timeout: What one call may take, in seconds or as a timedelta.
            on: Class or classes of the exceptions that are retried.
            backoff: Pause before the second call, in seconds or as a timedelta.

        Raises:
            Exception: As for `Context.retrying`.
        """
        steps = self._context.retrying(attempts, timeout=timeout, on=on, backoff=backoff)
        return SyncRetryingSteps(steps, self._wait)

    def or_say(
        self, after: float | timedelta, text: str, *, typing: bool = True
    ) -> SyncLateMessage:
        """Send a message only if the body takes long: `with ctx.or_say(5, "One moment…"):`.

        See `Context.or_say`.

        Args:
            after: When the message is sent, in seconds or as a timedelta.
            text: As for `send_message`.
            typing: As for `send_message`.

        Raises:
            Exception: As for `Context.or_say`.
        """
        late = self._context.or_say(after, text, typing=typing)
        return SyncLateMessage(late, self._wait, self._loop)

    def extend(self, seconds: float | timedelta) -> float:
        """Move the deadline of this run by some seconds; see `Context.extend`.

        Args:
            seconds: By how much, in seconds or as a timedelta.

        Returns:
            Seconds until the deadline, as `remaining`.

        Raises:
            Exception: As for `Context.extend`.
        """
        return self._wait(self._context.extend(seconds))

    def sleep(self, seconds: float | timedelta) -> None:
        """Wait, durably; see `Context.sleep`.

        If the wait is longer than a second, the method raises an exception that does not inherit
        from `Exception`, so that the handler ends and its thread is free while it waits.

        Args:
            seconds: How long to wait, in seconds or as a timedelta.

        Raises:
            Exception: As for `Context.sleep`.
        """
        self._wait(self._context.sleep(seconds))

    @overload
    def wait_for(
        self, name: str, type: type[T], *, timeout: float | timedelta | None = None
    ) -> T: ...

    @overload
    def wait_for(
        self, name: str, type: Any = None, *, timeout: float | timedelta | None = None
    ) -> Any: ...

    def wait_for(
        self,
        name: str,
        type: Any = None,  # noqa: A002 - as in Context
        *,
        timeout: float | timedelta | None = None,
    ) -> Any:
        """Wait, durably, for an event from outside; see `Context.wait_for` and `sleep`.

        Args:
            name: Name of the event.
            type: What the data of the event must be; None: any JSON.
            timeout: How long to wait, in seconds or as a timedelta; None: `max_wait`.

        Returns:
            The data of the event, validated.

        Raises:
            Exception: As for `Context.wait_for`.
        """
        return self._wait(self._context.wait_for(name, type, timeout=timeout))

    def event_url(self, name: str) -> str:
        """Return the URL to which an event can be sent; see `Context.event_url`.

        Args:
            name: Name of the event.

        Raises:
            Exception: As for `Context.event_url`.
        """
        return self._context.event_url(name)

    def stream(
        self,
        chunks: Iterable[str | None],
        *,
        by: Literal["paragraph", "sentence"] = "paragraph",
        limit: int = 1000,
        typing: bool = True,
    ) -> list[Message]:
        """Send a text that arrives in chunks as several messages; see `Context.stream`.

        Args:
            chunks: Pieces of the text, of any size. None counts as nothing.
            by: Where to split.
            limit: Maximum length of a message in characters, at least 12.
            typing: As for `send_message`.

        Returns:
            The messages that were sent, in order.

        Raises:
            TypeError: A chunk is neither a text nor None.
            ValueError: `limit` is less than 12.
            Exception: As for `send_message`, and what `chunks` raises.
        """
        splitter = Splitter(limit=limit, by=by)
        reader, sent = ChunkReader(), list[Message]()
        for chunk in chunks:
            texts = splitter.feed(reader.read(chunk))
            sent.extend([self.send_message(text, typing) for text in texts])
        texts = [*splitter.feed(reader.rest()), *splitter.finish()]
        sent.extend([self.send_message(text, typing) for text in texts])
        return sent

    def complete(self, data: Any = None) -> None:
        """Complete the block now with this result (`POST /vertex/v1/complete`).

        See `Context.complete`.

        Args:
            data: The result, as the handler may return it; any value if the handler is annotated
                to return None.

        Raises:
            Exception: As for `Context.complete`.
        """
        self._wait(self._context.complete(data))

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            # Checked here and not on the loop: an abandoned thread may outlive the loop.
            self._lifetime.check_open()
            with self._lifetime.branches.call_from_thread():
                done = asyncio.run_coroutine_threadsafe(work, self._loop)
        except BaseException:
            work.close()
            raise
        try:
            return done.result()
        except concurrent.futures.CancelledError:
            if self._lifetime.is_suspended:
                raise HandlerSuspended from None
            raise
