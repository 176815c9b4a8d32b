"""A message that is sent only if what a handler does meanwhile takes long."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from types import TracebackType
from typing import Any

from vertexkit.clock import Timer
from vertexkit.context.arguments import digest_text
from vertexkit.context.branches import start_outside_of_handlers
from vertexkit.context.effects import Effects
from vertexkit.context.runtime import RunOptions, Runtime
from vertexkit.execution import OR_SAY, SEND, Effect, EffectState

SAID, NOT_SAID = b"true", b"false"
"""Values of the effect that is the decision."""


class LateMessage:
    """The context manager of `Context.or_say`.

    The rules:

    - Whether the message is sent is an effect of its own, the decision. It is journalled before
      the message's intent, or when the body ends in time. A later run repeats it: however long its
      body takes, it sends the message only if the decision says so and it has not been sent.
    - The message's digest is made from the position of the decision. So no other message with the
      same text repeats it, and its text may be different in each run.
    - A run that ends in the body (a crash, a durable wait) leaves no decision, unless the message
      was due: the next run measures the time again.

    Args:
        runtime: Objects of the process.
        options: Options of the run.
        effects: Of the run.
        after: Seconds until the message is sent.
        text: Text of the message.
        typing: Whether the bot is shown typing before the message.
    """

    def __init__(
        self,
        runtime: Runtime,
        options: RunOptions,
        effects: Effects,
        *,
        after: float,
        text: str,
        typing: bool,
    ) -> None:
        self._clock = runtime.clock
        self._lifetime = options.lifetime
        self._effects = effects
        self._after = after
        self._text = text
        self._typing = typing
        self._decision: Effect | None = None
        """What is decided by this run; None: an earlier run has decided."""
        self._timer: Timer | None = None
        self._sending: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        """The run has not ended."""
        return self._lifetime.is_open

    def cancel(self) -> None:
        """Do not send the message, unless its time has come already."""
        if self._timer is not None:
            self._timer.cancel()

    async def __aenter__(self) -> None:
        position, earlier = await self._effects.match(OR_SAY, digest_text(self._text))
        self._message = Effect(
            self._effects.new_position(), SEND, digest_text(f"{OR_SAY} {position}")
        )
        if earlier is None:
            self._decision = Effect(position, OR_SAY, digest_text(self._text))
            self._timer = self._clock.timer(self._after, self._start_sending)
        elif earlier.value == SAID:
            await self._repeat()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.cancel()
        if isinstance(error, GeneratorExit):  # the coroutine is closed: it can await nothing
            return
        if self._sending is not None:
            try:
                await asyncio.shield(self._sending)
            except Exception:
                if error is None:
                    raise
        elif self._decision is not None and self._lifetime.is_open:
            await self._effects.record(self._decision, EffectState.CONFIRMED, NOT_SAID)

    def _start_sending(self) -> None:
        # Not a branch of the handler: whether the handler waits does not depend on it.
        self._sending = start_outside_of_handlers(self._send())
        self._sending.add_done_callback(_retrieve_error)

    async def _send(self) -> None:
        assert self._decision is not None  # noqa: S101 - only then is there a timer
        self._lifetime.check_open()
        await self._effects.record(self._decision, EffectState.CONFIRMED, SAID)
        await self._effects.send_matched(self._message, None, self._text, self._typing)

    async def _repeat(self) -> None:
        """Send the message that an earlier run has decided to send, if it was not sent."""
        earlier = self._effects.take_same(SEND, self._message.digest)
        message = self._message if earlier is None else earlier
        intended = Effect(message.position, SEND, message.digest)
        await self._effects.send_matched(intended, earlier, self._text, self._typing)


class SyncLateMessage:
    """The context manager of `SyncContext.or_say`.

    Args:
        late: What it is for an `async def` handler.
        wait: Awaits a coroutine on the event loop.
        loop: The event loop.
    """

    def __init__(
        self,
        late: LateMessage,
        wait: Callable[[Coroutine[Any, Any, None]], None],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._late = late
        self._wait = wait
        self._loop = loop

    def __enter__(self) -> None:
        self._wait(self._late.__aenter__())

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._late.is_open:
            self._wait(self._late.__aexit__(kind, error, traceback))
            return
        with suppress(RuntimeError):  # an abandoned thread may outlive the loop
            self._loop.call_soon_threadsafe(self._late.cancel)


def _retrieve_error(task: asyncio.Task[None]) -> None:
    """Retrieve the task's error: asyncio logs errors that were never retrieved."""
    if not task.cancelled():
        task.exception()
