"""Crashes on order: the process of a handler dies after an effect, and another run continues."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from vertexkit.clock import Clock
from vertexkit.errors import Fenced
from vertexkit.execution import SEND, STEP, Effect, EffectState, Execution, Outcome, Result
from vertexkit.journal.dialog_memory import DialogKey, DialogMemory, Forgotten, MemoryRecord
from vertexkit.journal.encryption import Rekeyed
from vertexkit.journal.events import Delivery, EventTarget
from vertexkit.journal.limits import FleetLimits
from vertexkit.journal.protocol import (
    Acceptance,
    Access,
    JournalBackend,
    JournalObserver,
    Lease,
    Query,
    Record,
    Renewal,
    WorkerRecord,
)
from vertexkit.journal.state.memories import Memories

SEND_MESSAGE = "send_message"
"""The name of a message's effect; a step has its own name."""


class CrashPlan:
    """The crashes of one execution, and what they did.

    Args:
        after: the number of the message or step, counted from 1 over both, or the name of the effect:
            that of a step, "send_message", or the kind of another effect, such as
            "memory.set:visits"; None: no single crash.
        everywhere: crash after each effect.

    Raises:
        ValueError: the arguments exclude each other, or the number is less than 1.
    """

    def __init__(self, after: int | str | None = None, everywhere: bool = False) -> None:
        if after is not None and everywhere:
            raise ValueError("crash_after and crash_everywhere exclude each other")
        if isinstance(after, int) and after < 1:
            raise ValueError(f"crash_after must be at least 1, got {after}")
        self.after: int | str | None = after
        self.everywhere: bool = everywhere
        self.crashes: int = 0
        self._numbered = 0
        """Messages and steps that were performed."""
        self._effects: list[str] = []
        """The effects that were performed, in order, as an error names them."""

    def crashes_after(self, effect: Effect) -> bool:
        """Count an effect that has been performed; return whether the process dies now."""
        is_message = effect.kind == SEND
        name = SEND_MESSAGE if is_message else effect.kind.removeprefix(STEP)
        names: set[int | str] = {name}
        if is_message or effect.kind.startswith(STEP):
            self._numbered += 1
            names.add(self._numbered)
            self._effects.append(f"{self._numbered} {name!r}")
        else:
            self._effects.append(repr(name))
        if self.everywhere or (self.after in names and not self.crashes):
            self.crashes += 1
            return True
        return False

    def check(self) -> None:
        """Fail if an ordered crash did not happen.

        Raises:
            AssertionError: lists the effects.
        """
        if self.after is not None and not self.crashes:
            raise AssertionError(
                f"crash_after={self.after!r}: the process did not crash, because the block has no "
                f"such effect; its effects: {', '.join(self._effects) or 'none'}"
            )


class CrashingJournal:
    """A journal whose worker loses an execution in the middle, as when its process dies.

    From the crash on, nothing that the run writes or sends counts. Its lease expires as soon as the
    run is cancelled, so that two runs never overlap.

    Each execution is claimed under a worker's name of its own, so that its lease can expire alone.

    Args:
        journal: keeps the executions.
        memories: of the dialogs.
        clock: by which memories expire.
    """

    def __init__(self, journal: JournalBackend, memories: Memories, clock: Clock) -> None:
        self.durability: str = journal.durability
        self.durable: bool = journal.durable
        self._journal = journal
        self._memories = memories
        self._clock = clock
        self._plans: dict[str, CrashPlan] = {}
        self._crashed: dict[str, Lease] = {}
        self._workers: dict[str, str] = {}
        self._earlier: dict[str, Sequence[Effect]] = {}
        self._claims = 0

    def order(self, token: str, plan: CrashPlan) -> None:
        """Crash the executions of a token as planned."""
        self._plans[token] = plan

    def continue_after(self, token: str, effects: Sequence[Effect]) -> None:
        """Let the execution of a token start as if an earlier run had had these effects."""
        self._earlier[token] = effects

    def run_cancelled(self, execution: str) -> None:
        """Let the lease of a crashed run expire: the run has ended."""
        lease = self._crashed.pop(execution, None)
        if lease is not None:
            self._journal.release_worker(lease.worker)

    @property
    def access(self) -> Access:
        return self._journal.access

    @property
    def file(self) -> Path | None:
        return self._journal.file

    async def open(self, observer: JournalObserver) -> None:
        await self._journal.open(observer)

    async def close(self) -> None:
        await self._journal.close()

    async def accept(self, execution: Execution, room: int) -> Acceptance:
        return await self._journal.accept(execution, room)

    async def claim(
        self,
        worker: str,
        room: Mapping[str, int],
        limit: int,
        *,
        early: bool = False,
        limits: FleetLimits | None = None,
    ) -> list[Lease]:
        room_left, leases = dict(room), list[Lease]()
        while len(leases) < limit:
            self._claims += 1
            own_name = f"{worker}/{self._claims}"
            claimed = await self._journal.claim(own_name, room_left, 1, early=early, limits=limits)
            if not claimed:
                break
            lease = claimed[0]
            if lease.result is None:
                room_left[lease.execution.block] -= 1
            self._workers[lease.execution.id] = own_name
            leases.append(await self._with_earlier(self._with_attempt(lease)))
        return leases

    def _with_attempt(self, lease: Lease) -> Lease:
        """Count the runs after crashes "everywhere" as one, or `attempts` would end them."""
        plan = self._plans.get(lease.execution.token.reveal())
        if plan is None or not plan.everywhere:
            return lease
        return replace(lease, attempt=lease.attempt - max(0, plan.crashes - 1))

    async def _with_earlier(self, lease: Lease) -> Lease:
        """Journal the effects of the earlier run before the first run of the handler."""
        effects = self._earlier.pop(lease.execution.token.reveal(), ())
        for effect in effects:
            await self._journal.record_intent(lease, replace(effect, state=EffectState.INTENDED))
            await self._journal.record_effect(lease, effect)
        added = {effect.position: effect for effect in effects}
        return replace(lease, effects={**lease.effects, **added})

    async def renew(self, worker: str, executions: Iterable[str]) -> Renewal:
        lost, superseded = set[str](), set[str]()
        for execution in executions:
            own_name = self._workers.get(execution, worker)
            renewal = await self._journal.renew(own_name, [execution])
            lost |= renewal.lost
            superseded |= renewal.superseded
        return Renewal(frozenset(lost), frozenset(superseded))

    def release_worker(self, worker: str) -> None:
        self._journal.release_worker(worker)

    async def record_intent(self, lease: Lease, effect: Effect) -> None:
        self._check(lease)
        await self._journal.record_intent(lease, effect)

    async def record_effect(self, lease: Lease, effect: Effect) -> None:
        self._check(lease)
        await self._journal.record_effect(lease, effect)
        plan = self._plans.get(lease.execution.token.reveal())
        if (
            plan is not None
            and effect.state is EffectState.CONFIRMED
            and plan.crashes_after(effect)
        ):
            self._crashed[lease.execution.id] = lease
            self._check(lease)

    async def record_result(
        self, lease: Lease, result: Result, *, completing: bool = False
    ) -> None:
        self._check(lease)
        await self._journal.record_result(lease, result, completing=completing)

    async def begin_completion(self, lease: Lease) -> bool:
        self._check(lease)
        return await self._journal.begin_completion(lease)

    async def withdraw_completion(self, lease: Lease) -> None:
        self._check(lease)
        await self._journal.withdraw_completion(lease)

    async def refuse_completion(self, lease: Lease) -> None:
        self._check(lease)
        await self._journal.refuse_completion(lease)

    async def release(self, lease: Lease, after: float, reason: str = "") -> None:
        self._check(lease)
        await self._journal.release(lease, after, reason)

    async def suspend(self, lease: Lease, seconds: float, ran: float) -> None:
        self._check(lease)
        await self._journal.suspend(lease, seconds, ran)

    async def end_wait(self, lease: Lease, effect: Effect) -> Effect | None:
        self._check(lease)
        return await self._journal.end_wait(lease, effect)

    async def deliver_event(self, execution: str, name: str, data: bytes) -> Delivery:
        return await self._journal.deliver_event(execution, name, data)

    async def event_target(self, execution: str) -> EventTarget | None:
        return await self._journal.event_target(execution)

    async def read_memory(self, key: DialogKey) -> DialogMemory:
        return self._memories.read(key, self._clock.now()) or DialogMemory()

    async def write_memory(
        self, lease: Lease, effect: Effect, key: DialogKey, memory: DialogMemory
    ) -> int | None:
        self._check(lease)
        version = self._memories.change(key, memory, self._clock.now(), self._clock.unix())
        if version is not None:
            await self.record_effect(lease, effect)
        return version

    async def settle(self, lease: Lease, outcome: Outcome) -> None:
        self._check(lease)
        await self._journal.settle(lease, outcome)

    def backlog(self) -> int:
        return self._journal.backlog()

    def suspended(self) -> int:
        return self._journal.suspended()

    def waiting_for_limits(self) -> Mapping[str, int]:
        return self._journal.waiting_for_limits()

    def unserved_blocks(self, blocks: Collection[str]) -> set[str]:
        return self._journal.unserved_blocks(blocks)

    def unavailable_reason(self) -> str:
        return self._journal.unavailable_reason()

    async def find(self, execution: str) -> Record | None:
        return await self._journal.find(execution)

    async def search(self, query: Query) -> list[Record]:
        return await self._journal.search(query)

    async def workers(self) -> list[WorkerRecord]:
        return await self._journal.workers()

    async def retry(self, execution: str, *, fresh: bool = False) -> Record:
        return await self._journal.retry(execution, fresh=fresh)

    async def drop(self, execution: str) -> Record:
        return await self._journal.drop(execution)

    async def memories(self, dialog: int) -> list[MemoryRecord]:
        return self._memories.records(dialog)

    async def forget(self, dialog: int) -> Forgotten:
        forgotten = await self._journal.forget(dialog)
        memories = self._memories.records(dialog)
        for record in memories:
            self._memories.remove(record.key)
        return Forgotten(forgotten.executions, len(memories))

    async def stored_inputs(self, execution: str) -> dict[str, Any] | None:
        return await self._journal.stored_inputs(execution)

    async def rekey(self, key: str, after: str) -> Rekeyed:
        return await self._journal.rekey(key, after)

    def _check(self, lease: Lease) -> None:
        crashed = self._crashed.get(lease.execution.id)
        if crashed is not None and crashed.epoch == lease.epoch:
            raise Fenced("the process crashed here, as the test has ordered")
