"""The journalled effects of a run: messages and steps that later runs do not repeat."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from pydantic_core import from_json, to_json
from structlog.typing import FilteringBoundLogger

from vertexkit.botone.models import Message
from vertexkit.context.runtime import RunOptions, Runtime
from vertexkit.context.steps import call, result_type, store
from vertexkit.errors import (
    DialogGone,
    Fate,
    Fenced,
    NonDeterministic,
    PlatformError,
    SendOutcomeUnknown,
)
from vertexkit.execution import SEND, STEP, Effect, EffectState
from vertexkit.journal.protocol import Lease

RESEND_AFTER_SECONDS = 1.0
"""Pause before a message whose outcome is unknown is sent again (`on_unknown="resend"`)."""

log: FilteringBoundLogger = structlog.get_logger("vertexkit.block")


class Effects:
    """Performs the effects of one run of a handler, each at most once for the execution.

    The rules:

    - An effect has a position: its number among the run's calls of `send` and `step`. Positions
      are assigned in the order of the calls, before anything is awaited.
    - Its intent is journalled before the first byte is sent or the step's function is called.
      Its outcome is journalled afterwards: confirmed, rejected (it did not happen) or unknown.
    - A later run of the handler finds the effects of earlier runs by their positions. It returns
      the stored result of a confirmed effect, and performs a rejected effect again. A step that
      was interrupted runs again; a message that was interrupted has an unknown outcome.
    - An effect of another kind at the same position ends the run with `NonDeterministic`. A
      message with another text is logged, and the stored result is returned.
    - A message whose outcome is unknown is handled as the block's `on_unknown` says.
    - Messages are sent one at a time, in the order of the calls, and none after `complete`. A
      request in flight is finished even if its caller is cancelled.
    - When the dialog is gone or the lease is lost, the effect ends the whole run.

    Args:
        runtime: Objects of the process.
        lease: Lease of the execution, with the effects of earlier runs.
        options: Options of the run.
    """

    def __init__(self, runtime: Runtime, lease: Lease, options: RunOptions) -> None:
        self._runtime = runtime
        self._lease = lease
        self._options = options
        self._lifetime = options.lifetime
        self._position = options.first_position
        self._order = asyncio.Lock()

    async def send(self, text: str, typing: bool) -> Message:
        """Send a message, or return what an earlier run got for it. See `Context.send_message`."""
        position = self._next_position()
        return await self._lifetime.uninterrupted(self._send_in_order(position, text, typing))

    async def step(
        self, name: str, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Call a step's function, or return its stored result. See `Context.step`."""
        position = self._next_position()
        kind = STEP + name
        earlier = self._find_earlier(position, kind)
        shape = result_type(fn)
        if earlier is not None and earlier.state is EffectState.CONFIRMED:
            return shape.validate_json(earlier.value)
        effect = Effect(position, kind)
        await self._write(self._runtime.journal.record_intent(self._lease, effect))
        try:
            stored, value = store(name, shape, await call(fn, *args, **kwargs))
        except (asyncio.CancelledError, GeneratorExit):  # interrupted: a later run repeats it
            raise
        except BaseException:  # also sys.exit()
            await self._record(effect, EffectState.REJECTED)
            raise
        await self._record(effect, EffectState.CONFIRMED, stored)
        self._emit("step_completed", step=name)
        return value

    async def complete(self, data: Any) -> None:
        """Complete the block, after the messages that were asked for before."""
        await asyncio.sleep(0)  # tasks that were created before this call are queued first
        async with self._order:
            self._lifetime.check_open()
            await self._options.control.complete(data)

    def _next_position(self) -> int:
        self._lifetime.check_open()
        position = self._position
        self._position += 1
        return position

    def _find_earlier(self, position: int, kind: str, digest: str = "") -> Effect | None:
        """Return the effect that an earlier run left at this position, if it may have happened.

        Raises:
            NonDeterministic: The earlier run performed an effect of another kind.
        """
        earlier = self._lease.effects.get(position)
        if earlier is None:
            return None
        if earlier.kind != kind:
            error = NonDeterministic(
                f"at position {position} an earlier run did {earlier.kind!r}, this one {kind!r}"
            )
            self._options.control.stop(error)
            raise error
        if earlier.state is EffectState.REJECTED:
            return None
        if earlier.digest != digest:
            self._emit("effect_changed", position=position, kind=kind)
        return earlier

    async def _send_in_order(self, position: int, text: str, typing: bool) -> Message:
        async with self._order:
            self._lifetime.check_open()
            digest = hashlib.sha256(text.encode()).hexdigest()[:16]
            earlier = self._find_earlier(position, SEND, digest)
            if earlier is not None:
                message = await self._resume_send(earlier)
                if message is not None:
                    return message
            effect = Effect(position, SEND, digest)
            await self._write(self._runtime.journal.record_intent(self._lease, effect))
            return await self._send(effect, text, typing)

    async def _resume_send(self, earlier: Effect) -> Message | None:
        """Return what an earlier run's message counts as, or None if it has to be sent again."""
        if earlier.state is EffectState.CONFIRMED:
            return Message(**from_json(earlier.value))
        assumed = Message(None, None)
        policy = self._options.on_unknown
        if earlier.state is EffectState.UNKNOWN and policy in {"assume_sent", "resend"}:
            return assumed
        await self._handle_unknown(earlier, None)
        return assumed if policy == "assume_sent" else None

    async def _send(self, effect: Effect, text: str, typing: bool) -> Message:
        started = self._runtime.clock.now()
        while True:
            try:
                message = await self._runtime.vertex.send_message(
                    self._lease.execution.token,
                    text,
                    typing,
                    self._options.deadline,
                    self._report_retry,
                )
            except PlatformError as error:
                if error.fate is not Fate.UNKNOWN:
                    await self._reject(effect, error)
                    raise
                await self._handle_unknown(effect, error)
                if self._options.on_unknown == "assume_sent":
                    return Message(None, None)
            else:
                value = to_json(
                    {"message_id": message.message_id, "created_at": message.created_at}
                )
                await self._record(effect, EffectState.CONFIRMED, value)
                seconds = round(self._runtime.clock.now() - started, 6)
                self._emit("sent", typing=typing, seconds=seconds)
                return message

    async def _reject(self, effect: Effect, error: PlatformError) -> None:
        """Record that a message was not sent."""
        self._emit("send_failed", reason=str(error))
        await self._record(effect, EffectState.REJECTED)
        if isinstance(error, DialogGone):
            self._options.control.stop(error)

    async def _handle_unknown(self, effect: Effect, error: PlatformError | None) -> None:
        """Apply the block's `on_unknown` to a message that may have been sent.

        Args:
            effect: The message.
            error: How its request failed; None if an earlier process ended during the request.

        Raises:
            SendOutcomeUnknown: `on_unknown` is `raise` or `park`.
        """
        policy = self._options.on_unknown
        reason = str(error) if error is not None else "the process ended while it was being sent"
        self._emit("send_outcome_unknown", position=effect.position, policy=policy, reason=reason)
        if policy == "resend":
            await self._runtime.clock.sleep(RESEND_AFTER_SECONDS)
            self._lifetime.check_open()
            return
        await self._record(effect, EffectState.UNKNOWN)
        failure = SendOutcomeUnknown("POST", "/vertex/v1/dialog/send_message", reason=reason)
        if policy == "park":
            self._options.control.stop(failure)
        if policy != "assume_sent":
            raise failure from error

    async def _record(self, effect: Effect, state: EffectState, value: bytes = b"") -> None:
        """Journal the outcome of an effect."""
        done = Effect(effect.position, effect.kind, effect.digest, state, value)
        await self._write(self._runtime.journal.record_effect(self._lease, done))

    async def _write(self, writing: Awaitable[None]) -> None:
        """Await a write to the journal; a lost lease ends the run."""
        try:
            await writing
        except Fenced as error:
            self._options.control.stop(error)
            raise

    def _report_retry(self, error: PlatformError, seconds: float) -> None:
        self._emit("send_retried", reason=str(error), seconds=round(seconds, 3))

    def _emit(self, name: str, **fields: Any) -> None:
        self._runtime.emit(name, self._lease, **fields)
