"""What an `async def` handler holds: its dialog, for the time of one run."""

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, Literal, ParamSpec, cast, overload
from urllib.parse import quote

import structlog
from pydantic import TypeAdapter
from structlog.typing import FilteringBoundLogger
from typing_extensions import TypeVar

from vertexkit.botone.models import Message
from vertexkit.context.dialog import DialogOfBlock
from vertexkit.context.effects import Effects
from vertexkit.context.event_names import check_event_name
from vertexkit.context.runtime import RunOptions, Runtime
from vertexkit.context.stream.reader import ChunkReader
from vertexkit.context.stream.splitter import Splitter
from vertexkit.context.waits import Waits
from vertexkit.execution import event_signature
from vertexkit.journal.protocol import Lease
from vertexkit.serialization import ANYTHING
from vertexkit.text import replace_surrogates
from vertexkit.token import Claims

P = ParamSpec("P")
T = TypeVar("T")
State = TypeVar("State", default=Any)
"""What the app's lifespan yields."""

log: FilteringBoundLogger = structlog.get_logger("vertexkit.block")


class Context(Generic[State]):
    """The dialog, as an `async def` handler sees it. vertexkit makes one for each run.

    `Context[Pool]` types `ctx.state` as what the app's lifespan yields, here a `Pool`.
    """

    def __init__(self, runtime: Runtime, lease: Lease, options: RunOptions) -> None:
        self._runtime = runtime
        self._lease = lease
        self._options = options
        self._effects = Effects(runtime, lease, options)
        self._waits: Waits | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.block} {self.execution_id}>"

    @property
    def block(self) -> str:
        """Name of the block."""
        return self._lease.execution.block

    @property
    def execution_id(self) -> str:
        """Id of the execution: the response to the platform's call and every log line have it."""
        return self._lease.execution.id

    @property
    def attempt(self) -> int:
        """Number of this run of the handler: 1 for the first."""
        return self._lease.attempt

    @property
    def inputs(self) -> dict[str, Any]:
        """The block's inputs as the platform sent them, before validation."""
        return self._lease.execution.inputs

    @property
    def raw(self) -> bytes:
        """Body of the platform's call, decompressed. It contains the token: never log it."""
        return self._lease.execution.raw

    @property
    def claims(self) -> Claims | None:
        """Claims of the token, **unverified**; None if the token is not a JWT."""
        return self._lease.execution.token.claims

    @property
    def state(self) -> State:
        """What the app's lifespan yielded."""
        return cast("State", self._runtime.state)

    @property
    def log(self) -> FilteringBoundLogger:
        """A structlog logger whose lines contain the execution's id, block and dialog."""
        return log

    @property
    def remaining(self) -> float:
        """Seconds until the deadline; 0 after it has passed."""
        return max(0.0, self._options.deadline - self._runtime.clock.now())

    @property
    def deadline(self) -> datetime:
        """Time (UTC) at which this run of the handler is ended."""
        clock = self._runtime.clock
        return datetime.fromtimestamp(clock.unix() + self._options.deadline - clock.now(), UTC)

    @property
    def dialog(self) -> DialogOfBlock:
        """This dialog through the platform's dialog API (V1 and V2).

        Raises:
            SettingsError: VERTEXKIT_LOGIN or VERTEXKIT_PASSWORD is not set.
        """
        token = self._lease.execution.token
        return DialogOfBlock(self._runtime.clients.for_token(token), token.claims, self.step)

    async def send_message(self, text: str, typing: bool = True) -> Message:
        """Send a message to the dialog (`POST /vertex/v1/dialog/send_message`).

        Messages are sent in the order of the calls. A message that the platform confirmed is
        never sent again: a later run of the handler returns what the first one got. If it is
        unknown whether a message was sent, the block's `on_unknown` decides; by default the
        message counts as sent and its `message_id` is None.

        Args:
            text: Text of the message, at least 1 character. Lone surrogates become U+FFFD.
            typing: Whether the bot is shown typing before the message.

        Returns:
            The platform's id and creation time of the message.

        Raises:
            TypeError: `text` is empty or not a string.
            ExecutionEnded: The handler has returned, its deadline has passed, or the service is
                shutting down.
            AlreadyCompleted: The block has been completed.
            DialogGone: The platform answered 403; nothing more can be sent.
            BadRequest: The platform rejected this text.
            SendOutcomeUnknown: It is unknown whether the message was sent, and the block's
                `on_unknown` is `raise` or `park`.
            PlatformError: The message could not be sent before the deadline.
        """
        if not text or not issubclass(type(text), str):
            given = "an empty string" if text == "" else type(text).__name__
            raise TypeError(f"send_message needs a text of at least 1 character, got {given}")
        return await self._effects.send(replace_surrogates(text), bool(typing))

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
        """Call a function once for this execution, however often its handler runs.

        The result is journalled after `fn` has returned; a later run of the handler gets that
        result and does not call `fn`. If `fn` was interrupted, it is called again. A function
        that is not `async def` runs in a thread.

        Args:
            name: A short, stable name; a later run must use the same one at this place.
            fn: A function whose result can be serialised to JSON. Every run, including the first,
                gets the result as read back from the JSON with `fn`'s return annotation; without
                an annotation, a tuple becomes a list.
            *args: Positional arguments of `fn`.
            **kwargs: Keyword arguments of `fn`.

        Returns:
            What `fn` returned.

        Raises:
            TypeError: The result cannot be serialised to JSON and read back as annotated.
            ExecutionEnded: As for `send_message`.
            NonDeterministic: An earlier run did something else at this place; the execution is
                parked.
            Exception: What `fn` raises; the step then counts as not performed.
        """
        if not isinstance(name, str):
            raise TypeError(f"step needs a name that is a text, got {type(name).__name__}")
        return await self._effects.step(replace_surrogates(name), fn, args, kwargs)

    async def sleep(self, seconds: float | timedelta) -> None:
        """Wait, durably: while an execution waits, it uses no slot, no task and no memory.

        If the wait is longer than a second, the handler is cancelled (its `finally` blocks run),
        and when the time has come, it runs again from the top: its messages, steps and earlier
        waits are not repeated. The wait survives restarts and deployments. It does not count
        towards the block's `timeout` or its `attempts`.

        Args:
            seconds: How long to wait, in seconds or as a timedelta.

        Raises:
            TypeError: `seconds` is neither a number nor a timedelta.
            ValueError: `seconds` is negative or not finite.
            WaitTimeout: The execution has waited for the block's `max_wait`.
            ExecutionEnded: As for `send_message`.
            NonDeterministic: As for `step`.
        """
        await self._durable().sleep(seconds)

    @overload
    async def wait_for(
        self, name: str, type: type[T], *, timeout: float | timedelta | None = None
    ) -> T: ...

    @overload
    async def wait_for(
        self, name: str, type: Any = None, *, timeout: float | timedelta | None = None
    ) -> Any: ...

    async def wait_for(
        self,
        name: str,
        type: Any = None,  # noqa: A002 - it is what the argument is
        *,
        timeout: float | timedelta | None = None,
    ) -> Any:
        """Wait, durably, for an event from outside; see `event_url` for how it is delivered.

        The first event of a name counts; one that came before this call is used. Waiting works as
        in `sleep`.

        Args:
            name: Name of the event: letters, digits, dots, hyphens and underscores. An execution
                can use a name once.
            type: What the data of the event must be: a pydantic model or another type. An event
                whose data is something else is rejected with 422, and the wait continues. None:
                any JSON.
            timeout: How long to wait, in seconds or as a timedelta; None: as long as the block's
                `max_wait` allows.

        Returns:
            The data of the event, validated.

        Raises:
            WaitTimeout: No event came in time.
            TypeError: `name` is not a text, or `timeout` is neither a number nor a timedelta.
            ValueError: `name` is not a name or was used before, or `timeout` is negative.
            ExecutionEnded: As for `send_message`.
            NonDeterministic: As for `step`.
        """
        shape = ANYTHING if type is None else TypeAdapter(type)
        return await self._durable().wait_for(name, shape, timeout)

    def event_url(self, name: str) -> str:
        """Return the URL to which an event for this execution can be sent.

        Hand it to a payment provider, another system or a colleague: `POST` with JSON delivers the
        event to `wait_for(name)`. The URL is signed: it cannot be guessed or changed, and it is
        useless after the end of the execution. Any client that has it can send the event.

        Its start is `VERTEXKIT_PUBLIC_URL`, or the address that the service listens on.

        Args:
            name: Name of the event, as for `wait_for`.

        Raises:
            TypeError: `name` is not a text.
            ValueError: `name` is not a name.
        """
        check_event_name(name)
        execution = self._lease.execution
        signature = event_signature(execution.key, execution.id, name)
        return f"{self._runtime.public_url}/events/{execution.id}/{quote(name)}/{signature}"

    def _durable(self) -> Waits:
        if self._waits is None:
            self._waits = Waits(self._runtime, self._lease, self._options, self._effects)
        return self._waits

    async def stream(
        self,
        chunks: AsyncIterable[str | None] | Iterable[str | None],
        *,
        by: Literal["paragraph", "sentence"] = "paragraph",
        limit: int = 1000,
        typing: bool = True,
    ) -> list[Message]:
        """Send a text that arrives in chunks (from an LLM, for example) as several messages.

        The text is split after a paragraph or a sentence, never inside a code block or a link.

        Args:
            chunks: Pieces of the text, of any size. None counts as nothing.
            by: Where to split.
            limit: Maximum length of a message in characters, at least 12; a longer message is
                sent only where the text cannot be split.
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
        async for chunk in _iterate(chunks):
            texts = splitter.feed(reader.read(chunk))
            sent.extend([await self.send_message(text, typing) for text in texts])
        texts = [*splitter.feed(reader.rest()), *splitter.finish()]
        sent.extend([await self.send_message(text, typing) for text in texts])
        return sent

    async def complete(self, data: Any = None) -> None:
        """Complete the block now with this result (`POST /vertex/v1/complete`).

        The dialog continues. The handler may continue too, for example to clean up, but it cannot
        send anything more, and what it returns is ignored.

        Args:
            data: The result, as the handler may return it; any value if the handler is annotated
                to return None.

        Raises:
            TypeError: The result does not match the return annotation, cannot be serialised to
                JSON, or is larger than `VERTEXKIT_RESULT_LIMIT`.
            AlreadyCompleted: The block has been completed before.
            ExecutionEnded: As for `send_message`.
        """
        await self._effects.complete(data)


async def _iterate(
    chunks: AsyncIterable[str | None] | Iterable[str | None],
) -> AsyncIterator[str | None]:
    if isinstance(chunks, AsyncIterable):
        async for chunk in chunks:
            yield chunk
        return
    if not isinstance(chunks, Iterable):
        raise TypeError(
            f"ctx.stream needs texts that can be iterated over, got {type(chunks).__name__}"
            + (": await it first" if isinstance(chunks, Awaitable) else "")
        )
    for chunk in chunks:
        yield chunk
