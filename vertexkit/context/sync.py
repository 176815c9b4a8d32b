"""What a `def` handler holds: the same as a `Context`, with blocking methods."""

import asyncio
import concurrent.futures
from collections.abc import Callable, Coroutine, Iterable
from datetime import datetime, timedelta
from typing import Any, Generic, Literal, ParamSpec, TypeVar, overload

from structlog.typing import FilteringBoundLogger

from vertexkit.botone.models import Message
from vertexkit.context.context import Context, State
from vertexkit.context.dialog import SyncDialogOfBlock
from vertexkit.context.lifetime import HandlerSuspended, Lifetime
from vertexkit.context.stream.reader import ChunkReader
from vertexkit.context.stream.splitter import Splitter
from vertexkit.token import Claims

P = ParamSpec("P")
T = TypeVar("T")


class SyncContext(Generic[State]):
    """The dialog, as a `def` handler sees it from its thread. vertexkit makes one for each run.

    Each method blocks until the event loop has done the work. A thread cannot be stopped when the
    deadline has passed, but every method then raises `ExecutionEnded`.

    `SyncContext[Pool]` types `ctx.state` as what the app's lifespan yields, here a `Pool`.
    """

    def __init__(self, context: Context[State], lifetime: Lifetime) -> None:
        self._context = context
        self._lifetime = lifetime
        self._loop = asyncio.get_running_loop()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.block} {self.execution_id}>"

    @property
    def block(self) -> str:
        """Name of the block."""
        return self._context.block

    @property
    def execution_id(self) -> str:
        """Id of the execution: the response to the platform's call and every log line have it."""
        return self._context.execution_id

    @property
    def attempt(self) -> int:
        """Number of this run of the handler: 1 for the first."""
        return self._context.attempt

    @property
    def inputs(self) -> dict[str, Any]:
        """The block's inputs as the platform sent them, before validation."""
        return self._context.inputs

    @property
    def raw(self) -> bytes:
        """Body of the platform's call, decompressed. It contains the token: never log it."""
        return self._context.raw

    @property
    def claims(self) -> Claims | None:
        """Claims of the token, **unverified**; None if the token is not a JWT."""
        return self._context.claims

    @property
    def state(self) -> State:
        """What the app's lifespan yielded."""
        return self._context.state

    @property
    def log(self) -> FilteringBoundLogger:
        """A structlog logger whose lines contain the execution's id, block and dialog."""
        return self._context.log

    @property
    def remaining(self) -> float:
        """Seconds until the deadline; 0 after it has passed."""
        return self._context.remaining

    @property
    def deadline(self) -> datetime:
        """Time (UTC) at which this run of the handler is ended."""
        return self._context.deadline

    @property
    def dialog(self) -> SyncDialogOfBlock:
        """This dialog through the platform's dialog API (V1 and V2); see `Context.dialog`."""
        return SyncDialogOfBlock(self._context.dialog, self._wait)

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

    def step(self, name: str, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
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
