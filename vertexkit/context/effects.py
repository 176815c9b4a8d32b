"""The journalled effects of a run: messages and steps that later runs do not repeat."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias, TypeVar

from pydantic_core import from_json, to_json

from vertexkit.botone.models import Message
from vertexkit.context.arguments import digest_arguments, digest_text
from vertexkit.context.branches import RunningBranches
from vertexkit.context.earlier import EarlierEffects
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
from vertexkit.references import error_fields

T = TypeVar("T")
Call: TypeAlias = Callable[..., Awaitable[Any]]
RESEND_AFTER_SECONDS = 1.0
"""Pause before a message whose outcome is unknown is sent again (`on_unknown="resend"`)."""
BRANCH_SECONDS = 20.0
"""How long a call that repeats nothing by what it is waits for the calls of other branches."""
PARENT_SECONDS = 1.0
"""The same if only tasks remain that have started the waiting ones: as a rule they wait for them."""


class Effects:
    """Performs the effects of one run of a handler, each at most once for the execution.

    The rules:

    - An effect has a position in the journal: its number among the run's calls of `send` and
      `step`, in the order of the calls, unless an earlier run has used that position.
    - Its intent is journalled before the first byte is sent or the step's function is called.
      Its outcome is journalled afterwards: confirmed, rejected (it did not happen) or unknown.
    - A later run of the handler finds the effects of earlier runs by what they are (a message's
      text, a step's name and arguments), so that branches of the handler that run side by side
      find their own in any order; see `EarlierEffects`. It returns the stored result of a
      confirmed effect, and performs a rejected effect again. A step that was interrupted runs
      again; a message that was interrupted has an unknown outcome.
    - A message whose text is not found repeats the one at its position: that is logged. It waits
      until no other branch can ask for that one, at most `BRANCH_SECONDS`; then it is new.
    - What cannot be matched ends the run with `NonDeterministic`.
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
        self._earlier = EarlierEffects(lease.effects, options.first_position)
        self.undecided: set[asyncio.Task[Any]] = set()
        """Tasks that wait until it is decided which earlier effect their call repeats."""
        self._parents_wait = False
        """The tasks that have started the undecided ones wait for them, as far as is known."""

    @property
    def is_repetition(self) -> bool:
        """Whether earlier runs of the handler have performed effects."""
        return bool(self._earlier)

    @property
    def has_remaining(self) -> bool:
        """Whether earlier runs have performed effects that no call of this run has repeated yet."""
        return self._earlier.has_remaining

    async def send(self, text: str, typing: bool) -> Message:
        """Send a message, or return what an earlier run got for it. See `Context.send_message`."""
        digest = digest_text(text)
        position, earlier = await self.match(SEND, digest)
        return await self.send_matched(Effect(position, SEND, digest), earlier, text, typing)

    async def send_matched(
        self, effect: Effect, earlier: Effect | None, text: str, typing: bool
    ) -> Message:
        """Send a message, or return what the earlier effect that it repeats got.

        Args:
            effect: The message, at its position.
            earlier: The effect of an earlier run that it repeats.
            text: Text of the message.
            typing: Whether the bot is shown typing before it.
        """
        if earlier is not None and earlier.state is EffectState.CONFIRMED:
            return Message(**from_json(earlier.value))
        return await self._lifetime.uninterrupted(
            self._send_in_order(effect, earlier, text, typing)
        )

    async def step(
        self,
        name: str,
        fn: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        call: Call = call,
    ) -> Any:
        """Call a step's function, or return its stored result. See `Context.step`.

        Args:
            name: Name of the step.
            fn: Its function.
            args: Positional arguments.
            kwargs: Keyword arguments.
            call: Calls the function with its arguments.
        """
        kind, digest = STEP + name, digest_arguments(fn, args, kwargs)
        position, earlier = await self.match(kind, digest)
        shape = result_type(fn)
        if earlier is not None and earlier.state is EffectState.CONFIRMED:
            return shape.read(earlier.value)
        effect = Effect(position, kind, digest)
        await self.write(self._runtime.journal.record_intent(self._lease, effect))
        self._note("step_started", step=name, position=position, args=args, kwargs=kwargs)
        try:
            with self._lifetime.branches.work():
                stored, value = store(name, shape, await call(fn, *args, **kwargs))
        except (asyncio.CancelledError, GeneratorExit):  # interrupted: a later run repeats it
            raise
        except BaseException as error:  # also sys.exit()
            self._note("step_ended", step=name, position=position, error=error)
            await self.record(effect, EffectState.REJECTED)
            raise
        await self.record(effect, EffectState.CONFIRMED, stored)
        self._emit("step_completed", step=name)
        self._note("step_ended", step=name, position=position, result=stored)
        return value

    async def complete(self, data: Any) -> None:
        """Complete the block, after the messages that were asked for before."""
        await asyncio.sleep(0)  # tasks that were created before this call are queued first
        while self.undecided:
            await self._lifetime.branches.wait_for_change(BRANCH_SECONDS, self._runtime.clock.timer)
        async with self._order:
            self._lifetime.check_open()
            await self._options.control.complete(data)

    async def match(self, kind: str, digest: str) -> tuple[int, Effect | None]:
        """Return the position of a call's effect, and the earlier effect that the call repeats.

        It awaits nothing unless an earlier run did something that no call has repeated yet.

        Raises:
            NonDeterministic: The call cannot be matched; the run is over.
        """
        self._lifetime.check_open()
        number = self._position
        self._position += 1
        if not self._earlier:
            return number, None
        earlier = self._earlier.take_same(kind, digest)
        self._lifetime.branches.report_change()
        if earlier is None and self._earlier.may_repeat_another(kind, digest, number):
            try:
                earlier = await self._match_by_position(kind, digest, number)
            except NonDeterministic as error:
                self._options.control.stop(error)
                raise
            if earlier is not None and earlier.digest != digest:
                self._emit(
                    "effect_changed",
                    position=earlier.position,
                    kind=kind,
                    reference=NonDeterministic.reference,
                )
        position = self._earlier.new_position(number) if earlier is None else earlier.position
        return position, earlier

    def new_position(self) -> int:
        """Return the position of an effect that no earlier run has performed."""
        number = self._position
        self._position += 1
        return self._earlier.new_position(number) if self._earlier else number

    def take_same(self, kind: str, digest: str) -> Effect | None:
        """Return the effect of an earlier run that is the same thing, if no call has repeated it."""
        return self._earlier.take_same(kind, digest)

    async def _match_by_position(self, kind: str, digest: str, number: int) -> Effect | None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine runs in a task
        clock, branches = self._runtime.clock, self._lifetime.branches
        started = clock.now()
        limit = min(BRANCH_SECONDS, max(0.0, self._options.deadline - started) / 2)
        self.undecided.add(task)
        try:
            while self._earlier.may_repeat_another(kind, digest, number):
                self._lifetime.check_open()
                others = self._running_branches()
                patience = limit if others.elsewhere else min(limit, PARENT_SECONDS)
                if not (others.elsewhere or others.parents):
                    break
                if clock.now() - started >= patience:
                    if others.elsewhere:
                        self._earlier.check_arguments(kind)
                        return None
                    self._parents_wait = True
                    break
                remaining = started + patience - clock.now()
                await branches.wait_for_change(remaining, clock.idle_timer)
            return self._earlier.take_by_position(kind, number)
        finally:
            self.undecided.discard(task)

    def _running_branches(self) -> RunningBranches:
        """Return the tasks of the handler that may still make a call while others are undecided."""
        elsewhere, parents = self._lifetime.branches.besides(self.undecided)
        return RunningBranches(elsewhere, set() if self._parents_wait else parents)

    async def _send_in_order(
        self, effect: Effect, earlier: Effect | None, text: str, typing: bool
    ) -> Message:
        async with self._order:
            self._lifetime.check_open()
            if earlier is not None:
                message = await self._resume_send(earlier)
                if message is not None:
                    return message
            await self.write(self._runtime.journal.record_intent(self._lease, effect))
            return await self._send(effect, text, typing)

    async def _resume_send(self, earlier: Effect) -> Message | None:
        """Return what an earlier run's message counts as, or None if it has to be sent again."""
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
                    self._ensure_lease,
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
                await self.record(effect, EffectState.CONFIRMED, value)
                seconds = round(self._runtime.clock.now() - started, 6)
                self._emit("sent", typing=typing, seconds=seconds)
                return message

    async def _reject(self, effect: Effect, error: PlatformError) -> None:
        """Record that a message was not sent."""
        self._emit("send_failed", **error_fields(error))
        await self.record(effect, EffectState.REJECTED)
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
        self._emit(
            "send_outcome_unknown",
            position=effect.position,
            policy=policy,
            reason=reason,
            reference=SendOutcomeUnknown.reference,
        )
        if policy == "resend":
            await self._runtime.clock.sleep(RESEND_AFTER_SECONDS)
            self._lifetime.check_open()
            return
        await self.record(effect, EffectState.UNKNOWN)
        failure = SendOutcomeUnknown("POST", "/vertex/v1/dialog/send_message", reason=reason)
        if policy == "park":
            self._options.control.stop(failure)
        if policy != "assume_sent":
            raise failure from error

    async def record(self, effect: Effect, state: EffectState, value: bytes = b"") -> Effect:
        """Journal the outcome of an effect; return the effect with it."""
        done = Effect(effect.position, effect.kind, effect.digest, state, value)
        await self.write(self._runtime.journal.record_effect(self._lease, done))
        return done

    async def write(self, writing: Awaitable[T]) -> T:
        """Await a write to the journal; a lost lease ends the run."""
        try:
            return await writing
        except Fenced as error:
            self._options.control.stop(error)
            raise

    async def _ensure_lease(self) -> None:
        await self.write(self._options.control.ensure_lease())

    def _report_retry(self, error: PlatformError, seconds: float) -> None:
        self._emit("send_retried", **error_fields(error), seconds=round(seconds, 3))

    def _note(self, name: str, **contents: Any) -> None:
        self._runtime.emit_contents(name, self._lease, **contents)

    def _emit(self, name: str, **fields: Any) -> None:
        self._runtime.emit(name, self._lease, **fields)
