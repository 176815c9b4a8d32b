"""What a handler holds: its dialog, for the time of one execution."""

import asyncio
import hashlib
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from typing import Any, Literal, ParamSpec, TypeVar, overload

import structlog
from pydantic_core import from_json, to_json

from vertexkit.botone.models import Message
from vertexkit.context.dialog import DialogOfBlock
from vertexkit.context.runtime import Facts, RunOptions, Runtime
from vertexkit.context.steps import call, shape_of, store
from vertexkit.context.stream.chunks import each
from vertexkit.context.stream.splitter import Splitter
from vertexkit.errors import (
    DialogGone,
    Fate,
    Fenced,
    NonDeterministic,
    PlatformError,
    SendOutcomeUnknown,
    VertexkitError,
)
from vertexkit.execution import Effect, EffectState
from vertexkit.journal.protocol import Lease

P = ParamSpec("P")
T = TypeVar("T")
SEND = "send"
STEP = "step:"

log = structlog.get_logger("vertexkit.block")


class Context(Facts):
    """The dialog, as a handler sees it. Made by vertexkit, one for each run of a handler."""

    def __init__(self, runtime: Runtime, lease: Lease, terms: RunOptions) -> None:
        super().__init__(runtime, lease, terms)
        self._position = terms.first_position
        self._order = asyncio.Lock()
        self._flights: set[asyncio.Task[None]] = set()
        self._closed: VertexkitError | None = None

    @property
    def dialog(self) -> DialogOfBlock:
        """This dialog through the platform's dialog API; raises `SettingsError` without a login."""
        token = self._lease.execution.token
        return DialogOfBlock(self._runtime.clients.for_token(token), token.claims, self.step)

    async def send_message(self, text: str, typing: bool = True) -> Message:
        """Say something in the dialog.

        Messages go out in the order of the calls. A message is never sent twice: in a second run
        of the handler it gives back what it gave in the first. If its fate cannot be learnt, the
        block's `on_unknown` decides; by default it counts as sent, with a `message_id` of None.

        Args:
            text: 1 character or more.
            typing: show the bot typing before it.

        Returns:
            The platform's id and time of the message (`POST /vertex/v1/dialog/send_message`).

        Raises:
            ExecutionEnded: the block is complete (`AlreadyCompleted`), or its time is over.
            DialogGone: the platform answered 403; nothing more can be sent.
            BadRequest: the platform does not take this text.
            PlatformError: it did not get through before the deadline.
        """
        if not text or not issubclass(type(text), str):
            given = "an empty one" if text == "" else type(text).__name__
            raise TypeError(f"send_message takes a text of 1 character or more, got {given}")
        position = self._next_position()
        return await self._fly(self._send(position, text, bool(typing)))

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
        """Do something once for this execution, however often its handler runs.

        The result is journalled when `fn` has returned; a second run of the handler gets that
        result and does not call `fn`. If it was cut off in the middle, `fn` runs again. A plain
        function runs in a thread.

        Args:
            name: a short stable word; part of what makes two runs the same.
            fn: a function whose result can be put into JSON. Every run, the first included, gets
                it as read from there by fn's return annotation; a tuple without one is a list.
            *args: for it.
            **kwargs: for it.

        Raises:
            TypeError: the result cannot be put into JSON, or not be had back as annotated.
            Exception: whatever `fn` raises; the step has not happened then.
        """
        effect = self._begin(self._next_position(), STEP + name, "")
        shape = shape_of(fn)
        if effect.state is EffectState.CONFIRMED:
            return shape.validate_json(effect.value)
        await self._journalled(self._runtime.journal.record_intent(self._lease, effect))
        try:
            stored, value = store(name, shape, await call(fn, *args, **kwargs))
        except Exception:
            await self._note(effect, EffectState.REJECTED)
            raise
        await self._note(effect, EffectState.CONFIRMED, stored)
        self._emit("step_completed", step=name)
        return value

    async def stream(
        self,
        chunks: AsyncIterable[str] | Iterable[str],
        *,
        by: Literal["paragraph", "sentence"] = "paragraph",
        limit: int = 1000,
        typing: bool = True,
    ) -> list[Message]:
        """Say a growing text (an LLM's, for example) in several messages as it comes.

        Cut after a paragraph or a sentence, never inside a code block or a link.

        Args:
            chunks: pieces of the text, of any size.
            by: where to cut.
            limit: characters of one message, more only where nothing can be cut.
            typing: as in `send_message`.

        Raises:
            As `send_message` does.
        """
        splitter = Splitter(limit=limit, by=by)
        sent: list[Message] = []
        async for chunk in each(chunks):
            sent.extend([await self.send_message(text, typing) for text in splitter.feed(chunk)])
        sent.extend([await self.send_message(text, typing) for text in splitter.finish()])
        return sent

    async def complete(self, data: Any = None) -> None:
        """End the block now with this result (`POST /vertex/v1/complete`).

        The dialog goes on. The handler may go on too, for work that nobody waits for, but it
        can send nothing more, and what it returns is not used.

        Args:
            data: as the handler may return it; anything if it is annotated to return None.

        Raises:
            AlreadyCompleted: it was completed before.
            ExecutionEnded: the handler's time is over.
        """
        await asyncio.sleep(0)  # messages that were asked for before this get in line first
        async with self._order:
            self._check_open()
            await self._options.complete(data)

    def close(self, reason: VertexkitError) -> None:
        """For vertexkit: whatever is asked of this context from now on raises `reason`."""
        if self._closed is None:
            self._closed = reason

    async def landed(self) -> None:
        """For vertexkit: wait until no request is under way. None begins after `close`."""
        while self._flights:
            await asyncio.wait(self._flights)

    def _check_open(self) -> None:
        if self._closed is not None:
            raise self._closed

    def _next_position(self) -> int:
        self._check_open()
        position = self._position
        self._position += 1
        return position

    def _begin(self, position: int, kind: str, digest: str) -> Effect:
        """The effect at this position: as an earlier run left it, or a new one."""
        new = Effect(position, kind, digest)
        known = self._lease.effects.get(position, new)
        if known.kind != kind:
            error = NonDeterministic(
                f"at position {position} an earlier run did {known.kind!r}, this one {kind!r}"
            )
            self._options.stop(error)
            raise error
        if known.state is EffectState.REJECTED:
            return new
        if known.digest != digest:
            log.warning("effect_changed", position=position, kind=kind)
        return known

    async def _fly(self, sending: Awaitable[Message]) -> Message:
        """Send in a task of its own: whoever cancels the caller does not cut off a request."""
        landed: asyncio.Future[Message] = asyncio.get_running_loop().create_future()

        async def flight() -> None:
            try:
                message = await sending
            except Exception as error:  # noqa: BLE001 - handed to whoever awaits
                if not landed.done():
                    landed.set_exception(error)
            else:
                if not landed.done():
                    landed.set_result(message)

        task = asyncio.get_running_loop().create_task(flight())
        self._flights.add(task)
        task.add_done_callback(self._flights.discard)
        return await landed

    async def _send(self, position: int, text: str, typing: bool) -> Message:
        async with self._order:
            self._check_open()
            new = Effect(position, SEND, hashlib.sha256(text.encode()).hexdigest()[:16])
            effect = self._begin(position, SEND, new.digest)
            match effect.state:
                case EffectState.CONFIRMED:
                    return Message(**from_json(effect.value))
                case EffectState.UNKNOWN if self._options.on_unknown in {"assume_sent", "resend"}:
                    return Message(None, None)
                case _ if effect is self._lease.effects.get(position):  # left open by a crash
                    await self._unknown(effect, None)
                    if self._options.on_unknown == "assume_sent":
                        return Message(None, None)
            await self._journalled(self._runtime.journal.record_intent(self._lease, new))
            return await self._post(new, text, typing)

    async def _post(self, effect: Effect, text: str, typing: bool) -> Message:
        execution, began = self._lease.execution, self._runtime.clock.now()
        while True:
            try:
                message = await self._runtime.vertex.send_message(
                    execution.token, text, typing, self._options.deadline, self._paused
                )
            except PlatformError as error:
                if error.fate is not Fate.UNKNOWN:
                    self._emit("send_failed", reason=str(error))
                    await self._note(effect, EffectState.REJECTED)
                    if isinstance(error, DialogGone):
                        self._options.stop(error)
                    raise
                await self._unknown(effect, error)
                if self._options.on_unknown == "assume_sent":
                    return Message(None, None)
            else:
                value = to_json(
                    {"message_id": message.message_id, "created_at": message.created_at}
                )
                await self._note(effect, EffectState.CONFIRMED, value)
                took = round(self._runtime.clock.now() - began, 6)
                self._emit("sent", typing=typing, seconds=took)
                return message

    async def _unknown(self, effect: Effect, error: PlatformError | None) -> None:
        """Follow the block's policy for a message that may have been sent."""
        policy = self._options.on_unknown
        reason = str(error) if error is not None else "the process ended while it was being sent"
        self._emit("send_outcome_unknown", position=effect.position, policy=policy, reason=reason)
        if policy == "resend":
            await self._runtime.clock.sleep(1.0)
            self._check_open()
            return
        await self._note(effect, EffectState.UNKNOWN)
        failure = SendOutcomeUnknown("POST", "/vertex/v1/dialog/send_message", reason=reason)
        if policy == "park":
            self._options.stop(failure)
        if policy != "assume_sent":
            raise failure from error

    async def _note(self, effect: Effect, state: EffectState, value: bytes = b"") -> None:
        """Journal what became of an effect."""
        done = Effect(effect.position, effect.kind, effect.digest, state, value)
        await self._journalled(self._runtime.journal.record_effect(self._lease, done))

    async def _journalled(self, writing: Awaitable[None]) -> None:
        try:
            await writing
        except Fenced as error:
            self._options.stop(error)
            raise

    def _paused(self, error: PlatformError, seconds: float) -> None:
        self._emit("send_retried", reason=str(error), seconds=round(seconds, 3))

    def _emit(self, name: str, **fields: Any) -> None:
        self._runtime.emit(name, self._lease, **fields)
