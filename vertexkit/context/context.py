"""What an `async def` handler holds: its dialog, for the time of one run."""

from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from datetime import timedelta
from typing import Any, Literal, ParamSpec, TypeVar, overload
from urllib.parse import quote

from pydantic import TypeAdapter

from vertexkit.botone.models import Message
from vertexkit.botone.retries import INITIAL_BACKOFF_SECONDS
from vertexkit.context.dialog import DialogOfBlock
from vertexkit.context.durations import seconds_of
from vertexkit.context.effects import Effects
from vertexkit.context.event_names import check_event_name
from vertexkit.context.gathering import gather
from vertexkit.context.late_message import LateMessage
from vertexkit.context.memory import Memory
from vertexkit.context.message_text import message_text
from vertexkit.context.retrying import Errors, RetryingSteps, RetryPolicy
from vertexkit.context.run_info import RunInfo, State
from vertexkit.context.runtime import RunOptions, Runtime
from vertexkit.context.steps import step_name
from vertexkit.context.stream.reader import ChunkReader, iterate
from vertexkit.context.stream.splitter import Splitter
from vertexkit.context.waits import Waits
from vertexkit.execution import event_signature
from vertexkit.journal.protocol import Lease
from vertexkit.serialization import ANYTHING

P = ParamSpec("P")
T = TypeVar("T")
T2 = TypeVar("T2")
T3 = TypeVar("T3")


class Context(RunInfo[State]):
    """The dialog, as an `async def` handler sees it. vertexkit makes one for each run.

    `Context[Pool]` types `ctx.state` as what the app's lifespan yields, here a `Pool`.
    """

    def __init__(self, runtime: Runtime, lease: Lease, options: RunOptions) -> None:
        super().__init__(runtime, lease, options)
        self._effects = Effects(runtime, lease, options)
        self._waits: Waits | None = None
        self._memory: Memory | None = None

    @property
    def dialog(self) -> DialogOfBlock:
        """This dialog through the platform's dialog API (V1 and V2).

        Raises:
            SettingsError: VERTEXKIT_LOGIN or VERTEXKIT_PASSWORD is not set.
        """
        token = self._lease.execution.token
        return DialogOfBlock(self._runtime.clients.for_token(token), token.claims, self.step)

    @property
    def memory(self) -> Memory:
        """What the blocks of the app keep for this dialog: `await ctx.memory.get("name", str)`.

        Raises:
            DialogUnknown: The token does not contain the dialog's id.
        """
        if self._memory is None:
            self._memory = Memory(self._runtime, self._lease, self._effects)
        return self._memory

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
        return await self._effects.send(message_text("send_message", text), bool(typing))

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
            fn: A function whose result can be serialised to JSON: also a partial, a method, an
                object with `__call__` or a class. Every run, including the first, gets the result
                as read back from the JSON with `fn`'s return annotation; without an annotation, a
                tuple becomes a list.
            *args: Positional arguments of `fn`.
            **kwargs: Keyword arguments of `fn`.

        Returns:
            What `fn` returned.

        Raises:
            TypeError: The result cannot be serialised to JSON and read back as annotated, or JSON
                would not have a part of it: a `SecretStr`, a field with `exclude=True`.
            ExecutionEnded: As for `send_message`.
            NonDeterministic: An earlier run did something else at this place; the execution is
                parked.
            Exception: What `fn` raises; the step then counts as not performed.
        """
        return await self._effects.step(step_name(name), fn, args, kwargs)

    def retrying(
        self,
        attempts: int = 3,
        *,
        timeout: float | timedelta | None = None,
        on: Errors | None = None,
        backoff: float | timedelta = INITIAL_BACKOFF_SECONDS,
    ) -> RetryingSteps:
        """Return steps that are retried: `await ctx.retrying(5).step("rate", fetch_rate, city)`.

        Between the attempts the handler pauses; the pauses double and are randomised. A pause that
        would exceed the deadline is not made: the step then raises the last error.

        Args:
            attempts: Maximum number of calls of a step's function, at least 1.
            timeout: What one call may take, in seconds or as a timedelta; the step's function must
                then be `async def`. A call that takes longer is cancelled and counts as failed.
            on: Class or classes of the exceptions that are retried. None: all exceptions except
                errors in the code (AssertionError, AttributeError, ImportError, NameError,
                TypeError) and those of vertexkit.
            backoff: Pause before the second call, in seconds or as a timedelta. The longest pause
                is a minute.

        Raises:
            TypeError: An argument has the wrong type.
            ValueError: `attempts` is less than 1, or a duration is negative.
        """
        policy = RetryPolicy(
            attempts,
            None if timeout is None else seconds_of("retrying", timeout),
            on,
            seconds_of("retrying", backoff),
        )
        return RetryingSteps(self._runtime, self._lease, self._options, self._effects, policy)

    @overload
    async def gather(self, call1: Awaitable[T], call2: Awaitable[T2], /) -> tuple[T, T2]: ...

    @overload
    async def gather(
        self, call1: Awaitable[T], call2: Awaitable[T2], call3: Awaitable[T3], /
    ) -> tuple[T, T2, T3]: ...

    @overload
    async def gather(self, *calls: Awaitable[T]) -> tuple[T, ...]: ...

    async def gather(self, *calls: Awaitable[Any]) -> tuple[Any, ...]:
        """Await several calls side by side: `await ctx.gather(ctx.step(...), ctx.step(...))`.

        In a later run each call finds its own messages and steps, in whatever order they are
        performed. If a call fails, the others are cancelled, and awaited; a message that is being
        sent is still sent.

        Args:
            *calls: Coroutines or other awaitables.

        Returns:
            The results, in the order of the arguments.

        Raises:
            TypeError: An argument cannot be awaited.
            Exception: What the first call that failed has raised.
        """
        return await gather(calls)

    def or_say(self, after: float | timedelta, text: str, *, typing: bool = True) -> LateMessage:
        """Send a message only if the body takes long: `async with ctx.or_say(5, "One moment…"):`.

        A later run repeats the decision: if the first one has sent the message, it is not sent
        again, and if not, it is not sent either. While the body waits with `sleep` or `wait_for`,
        the time does not count.

        Args:
            after: When the message is sent, in seconds or as a timedelta.
            text: As for `send_message`.
            typing: As for `send_message`.

        Raises:
            TypeError: `text` is empty or not a string, or `after` is not a duration.
            ValueError: `after` is negative.
            Exception: As for `send_message`, at the end of the body.
        """
        return LateMessage(
            self._runtime,
            self._options,
            self._effects,
            after=seconds_of("or_say", after),
            text=message_text("or_say", text),
            typing=bool(typing),
        )

    async def extend(self, seconds: float | timedelta) -> float:
        """Move the deadline of this run by some seconds, for work that takes longer than usual.

        The deadline moves at most to the block's `max_timeout`. The next run of the handler starts
        without the extension.

        Args:
            seconds: By how much, in seconds or as a timedelta.

        Returns:
            Seconds until the deadline, as `remaining`.

        Raises:
            RuntimeError: The block has no `max_timeout`, or an `on_failure` hook calls it.
            TypeError: `seconds` is neither a number nor a timedelta.
            ValueError: `seconds` is negative or not finite.
            ExecutionEnded: As for `send_message`.
        """
        self._options.lifetime.extend(seconds_of("extend", seconds))
        return self.remaining

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
        async for chunk in iterate(chunks):
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
