"""Durable waiting: a handler that waits for a time or an event, and holds nothing meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json, to_json

from vertexkit.context.durations import seconds_of
from vertexkit.context.effects import PARENT_SECONDS, Effects
from vertexkit.context.event_names import check_event_name
from vertexkit.context.event_types import type_name
from vertexkit.context.runtime import RunOptions, Runtime
from vertexkit.context.wait_order import CHECK_SECONDS, WaitOrder
from vertexkit.errors import CallError, WaitTimeout
from vertexkit.execution import SLEEP, WAIT, Effect, EffectState
from vertexkit.journal.events import delivered_event
from vertexkit.journal.protocol import Lease

SHORT_WAIT_SECONDS = 1.0
"""A wait that is over this soon stays in the handler: to run it again would cost more."""


class Waits:
    """The waits of one run of a handler.

    The rules:

    - A wait is an effect: its intent is journalled with the time at which it ends, so that every
      later run of the handler ends it at the same time.
    - As soon as every branch of the handler waits, the run is suspended: the handler is cancelled,
      and the execution is given back to the journal until the first wait ends or an event comes.
      Then the handler runs again from the top, and what it has done before is not repeated.
    - While another branch still works, the run continues, and waits end in it.
    - In a later run, waits that are over return in the order in which they ended; see `WaitOrder`.
    - A wait and its event have a name that an execution uses once. The journal decides whether the
      event or the end of the wait came first.

    Args:
        runtime: Objects of the process.
        lease: Lease of the execution.
        options: Options of the run.
        effects: Of the run.
    """

    def __init__(
        self,
        runtime: Runtime,
        lease: Lease,
        options: RunOptions,
        effects: Effects,
    ) -> None:
        self._runtime = runtime
        self._lease = lease
        self._options = options
        self._effects = effects
        self._order = WaitOrder(runtime, options, effects)
        self._names: set[str] = set()
        self._ends: dict[asyncio.Task[Any], float] = {}
        """Unix time at which the wait of each waiting task ends."""

    async def sleep(self, seconds: float | timedelta) -> None:
        """Wait for some seconds. See `Context.sleep`."""
        wait, until = await self._start(SLEEP, seconds_of("sleep", seconds), {})
        if wait.state is not EffectState.CONFIRMED:
            self._note("waiting", wait, until=until)
            await self._wait_until(until)
        async with self._order.turn(until, wait.position):
            if wait.state is not EffectState.CONFIRMED:
                await self._effects.record(wait, EffectState.CONFIRMED, wait.value)
                self._note("waited", wait)
        if until >= self._limit():
            raise WaitTimeout(f"the block may wait {self._options.max_wait:g} s in all (max_wait)")

    async def wait_for(
        self, name: str, shape: TypeAdapter[Any], timeout: float | timedelta | None
    ) -> Any:
        """Wait for an event. See `Context.wait_for`."""
        check_event_name(name)
        if name in self._names:
            raise ValueError(
                f"this handler waits for {name!r} already: the name of an event can be used once"
            )
        self._names.add(name)
        self._runtime.event_types.add(self._lease.execution.block, name, shape)
        seconds = None if timeout is None else seconds_of("wait_for", timeout)
        wait, until = await self._start(WAIT + name, seconds, {"type": type_name(shape)})
        if wait.state is EffectState.CONFIRMED:
            async with self._order.turn(from_json(wait.value).get("ended", until), wait.position):
                return _result(wait, name, shape)
        self._note("waiting", wait, until=until, shape=shape)
        event = delivered_event(self._lease.effects, name)
        while True:
            if event is None:
                event = await self._wait_until(until, lambda: self._find_event(name))
            if event is None:
                event = await self._end(wait, until)
            if event is None:
                raise _timed_out(name)
            if (data := await self._read(wait, event, shape)) is not None:
                self._note("waited", wait, data=event.value)
                return _result(data, name, shape)
            event = None

    async def _start(
        self, kind: str, seconds: float | None, fields: dict[str, Any]
    ) -> tuple[Effect, float]:
        """Return the journalled wait, and the Unix time at which it ends."""
        if self._options.first_position:
            raise RuntimeError("an on_failure hook cannot wait: the dialog waits for its end")
        position, earlier = await self._effects.match(kind, "")
        if earlier is not None:
            return earlier, from_json(earlier.value)["until"]
        until = self._limit()
        if seconds is not None:
            until = min(until, self._runtime.clock.unix() + seconds)
        wait = Effect(position, kind, value=to_json({"until": until, **fields}))
        await self._effects.write(self._runtime.journal.record_intent(self._lease, wait))
        self._runtime.emit("wait_started", self._lease, kind=kind)
        return wait, until

    def _note(self, name: str, wait: Effect, **contents: Any) -> None:
        event = wait.kind.removeprefix(WAIT) if wait.kind != SLEEP else ""
        self._runtime.emit_contents(
            name, self._lease, event=event, position=wait.position, **contents
        )

    def _limit(self) -> float:
        """Return the Unix time at which the execution may not wait any longer."""
        return self._lease.execution.accepted_at + self._options.max_wait

    async def _read(self, wait: Effect, event: Effect, shape: TypeAdapter[Any]) -> Effect | None:
        """End a wait with its event; an event that is not valid is discarded.

        Returns:
            The wait with the event's data, or None if the event was discarded.
        """
        async with self._order.turn(self._runtime.clock.unix(), wait.position):
            try:
                shape.validate_json(event.value)
            except ValidationError as error:  # it came before the wait, when its type was not known
                self._runtime.emit(
                    "event_discarded",
                    self._lease,
                    errors=error.error_count(),
                    reference=CallError.reference,
                )
                await self._effects.record(event, EffectState.REJECTED)
                return None
            # Before the waits that it has come before, although their time may be over by now.
            ended = min([self._runtime.clock.unix(), *self._ends.values()])
            fields = {"event": from_json(event.value), "ended": ended}
            value = to_json({**from_json(wait.value), **fields})
            return await self._effects.record(wait, EffectState.CONFIRMED, value)

    async def _end(self, wait: Effect, until: float) -> Effect | None:
        """End a wait whose time is over; return the event that came before, if one did."""
        ended = Effect(wait.position, wait.kind, wait.digest, EffectState.CONFIRMED, wait.value)
        async with self._order.turn(until, wait.position):
            event = await self._effects.write(self._runtime.journal.end_wait(self._lease, ended))
        if event is None:
            self._note("waited", wait)
        return event

    async def _find_event(self, name: str) -> Effect | None:
        target = await self._runtime.journal.event_target(self._lease.execution.id)
        return None if target is None else delivered_event(target.effects, name)

    async def _wait_until(
        self, until: float, find: Callable[[], Awaitable[Effect | None]] | None = None
    ) -> Effect | None:
        """Wait in this run until a time, or suspend the run if no other branch works.

        Args:
            until: Unix time.
            find: Looks for an event that ends the wait.

        Returns:
            The event, or None at the end of the time.
        """
        task, clock = asyncio.current_task(), self._runtime.clock
        assert task is not None  # noqa: S101 - a coroutine runs in a task
        branches, started = self._options.lifetime.branches, clock.now()
        self._ends[task] = until
        branches.waiting.add(task)
        branches.report_change()
        try:
            while (remaining := until - clock.unix()) > 0:
                self._check_open()
                if find is not None and (event := await find()) is not None:
                    return event
                start_timer = clock.timer
                if remaining <= SHORT_WAIT_SECONDS:
                    if find is None:
                        start_timer = clock.pause_timer
                elif not (others := branches.besides(set(self._ends))).elsewhere:
                    # Tasks that have started the waiting ones count as waiting for them after a while.
                    if not others.parents or clock.now() - started >= PARENT_SECONDS:
                        self._suspend()
                    start_timer = clock.idle_timer
                await branches.wait_for_change(min(remaining, CHECK_SECONDS), start_timer)
            return None
        finally:
            branches.waiting.discard(task)
            del self._ends[task]

    def _check_open(self) -> None:
        """End the calls of a run that was suspended: the handler is being cancelled."""
        lifetime = self._options.lifetime
        if lifetime.is_suspended:
            raise asyncio.CancelledError
        lifetime.check_open()

    def _suspend(self) -> None:
        seconds = min(self._ends.values()) - self._runtime.clock.unix()
        self._options.control.suspend(max(0.0, seconds))
        raise asyncio.CancelledError


def _result(wait: Effect, name: str, shape: TypeAdapter[Any]) -> Any:
    """Return the event of a wait that has ended."""
    value = from_json(wait.value)
    if "event" not in value:
        raise _timed_out(name)
    return shape.validate_json(to_json(value["event"]))


def _timed_out(name: str) -> WaitTimeout:
    return WaitTimeout(f"no event {name!r} came in time")
