"""A simulation of journal, workers and platform, and what an observer sees of it."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic_core import to_json

from tests.chaos.invariants import AT_THE_END, all_ended, check, progress
from tests.chaos.machine import Disk, Machine, ManualClock
from tests.chaos.observed import COMPLETE, Call, Observed, Policy
from tests.chaos.stage import Dialog, Stage
from tests.chaos.worker import TURNS, SimulatedRun
from vertexkit.errors import OperationNotAllowed, QueueFull
from vertexkit.execution import Execution, OutcomeStatus, Phase
from vertexkit.journal.protocol import Query, Record
from vertexkit.settings import JournalSettings
from vertexkit.token import Token

LEASE = 30.0
ROOM = 6
"""Maximum backlog."""
ALL = 1 << 30
ROUNDS = 200
"""Rounds after which every execution has ended, if no more failures happen."""
FOREVER = 10_000.0
"""More seconds than a simulation takes."""
POLICIES = {
    "assume_sent": Policy(),
    "resend": Policy("resend"),
    "raise": Policy("raise"),
    "park": Policy("park"),
    "leave": Policy("park", on_park="leave"),
}
"""A block for each policy, with the policy's name."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A call that was answered 2xx."""

    execution: str
    activation: int
    requests: int
    """Length of the ledger at that time."""


class Simulation:
    """Two workers, one journal, one platform; every method is an event."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, *, unique: bool) -> None:
        self.clock = ManualClock()
        self.stage = Stage(self.clock)
        self.runs: list[SimulatedRun] = []
        self._unique = unique
        self._disk = Disk(monkeypatch)
        self._machine = Machine(
            folder,
            self._disk,
            self.clock,
            JournalSettings(lease=LEASE, tokens="unique" if unique else "reused"),
        )
        self._calls: list[Call] = []
        self._answered: dict[str, list[Answered]] = {}
        self._starts: list[tuple[str, int]] = []
        self._settled: list[str] = []
        self._forgotten: set[str] = set()
        self._afresh: set[str] = set()
        self._next = 1

    async def open(self) -> None:
        """Start the first process."""
        await self._machine.start(_fail_on_loss)

    async def rest(self) -> None:
        """Wait until the journal is idle."""
        await self._machine.rest()

    async def close(self) -> None:
        """End the simulation."""
        for run in self.runs:
            await run.die()
        await self._machine.release_dead_process()

    # Reports of workers

    def started(self, execution: str, attempt: int) -> None:
        self._starts.append((execution, attempt))

    def settled(self, execution: str) -> None:
        self._settled.append(execution)

    # Events

    async def call(self, dialog: Dialog) -> None:
        """Call a block as the platform does."""
        self.clock.advance(0.001)
        at = len(self._calls)
        self._calls.append(Call(dialog.token, dialog.block, None))
        activation = dialog.activation
        name = f"{self._next:022x}"
        self._next += 1
        token = Token(dialog.token)
        raw = to_json(dialog.inputs)
        execution = Execution(name, dialog.block, token, dialog.inputs, raw, self.clock.unix())
        try:
            acceptance = await self._machine.journal.accept(execution, ROOM)
        except QueueFull:
            self._calls[at] = Call(dialog.token, dialog.block, 503, retry_after="1")
            return
        self._calls[at] = Call(dialog.token, dialog.block, 200, acceptance.execution)
        answered = Answered(acceptance.execution, activation, len(self.stage.ledger))
        self._answered.setdefault(dialog.token, []).append(answered)

    async def claim(self, worker: str, limit: int) -> None:
        """Claim executions for a worker."""
        journal = self._machine.journal
        for lease in await journal.claim(worker, dict.fromkeys(POLICIES, ALL), limit):
            name = lease.execution.id
            for stale in self.runs:
                if (stale.lease.worker, stale.lease.execution.id) == (worker, name):
                    await stale.die()  # its own lease has expired
            self.runs.append(SimulatedRun(lease, journal, self.stage, self))
        self._tidy()

    async def step(self, run: SimulatedRun, happens: str, times: int = 1) -> None:
        """Run the next steps of an execution; `happens` is the event of the last one."""
        for left in range(times, 0, -1):
            self.clock.advance(0.001)
            if not await run.step("fine" if left > 1 else happens, self._disk.stuck):
                break
        self._tidy()

    def _tidy(self) -> None:
        self.runs = [run for run in self.runs if not run.over]

    async def renew(self, worker: str) -> None:
        """Renew a worker's leases; it learns which executions it has lost."""
        mine = {h.lease.execution.id: h for h in self.runs if h.lease.worker == worker}
        news = await self._machine.journal.renew(worker, list(mine))
        for name in news.lost:
            await mine[name].die()
        self._tidy()

    async def lose_worker(self, worker: str) -> None:
        """End a worker; its leases expire."""
        for run in self.runs:
            if run.lease.worker == worker:
                await run.die()
        self._tidy()

    async def crash(
        self,
        meanwhile: list[Callable[[], Awaitable[None]]],
        *,
        kept: bool,
        power: bool,
        part: float,
    ) -> None:
        """Crash the process while it does several things at once.

        Args:
            meanwhile: what it does; nothing gets past its first commit.
            kept: that commit is on the disk, and no caller was notified.
            power: the machine lost power.
            part: the part of the unsynced data that is on the disk nevertheless, 0 to 1.
        """
        self._disk.hold()
        doing = [asyncio.ensure_future(action()) for action in meanwhile]
        for task in doing:
            stuck = asyncio.ensure_future(self._disk.stuck.wait())
            await asyncio.wait([task, stuck], return_when=asyncio.FIRST_COMPLETED)
            stuck.cancel()
        for _ in range(TURNS):
            await asyncio.sleep(0)
        for run in self.runs:
            run.task.cancel()
        for task in doing:
            task.cancel()
        await asyncio.gather(*doing, *(run.task for run in self.runs), return_exceptions=True)
        self.runs.clear()
        if kept:
            self._disk.go_on()
            await self._machine.rest()
        await self._machine.die(power=power, part=part)
        if power:  # a claim and an outcome may be lost
            self._starts.clear()
            self._settled.clear()
        await self._machine.start(_fail_on_loss)

    async def operate(self, order: str, at: int) -> None:
        """Drop an execution that waits or is parked, or retry a parked one, as an operator."""
        journal, records = self._machine.journal, await self._records()
        parked = [record for record in records if record.outcome is not None and record.retryable]
        waiting = [record for record in records if record.phase is Phase.WAITING]
        found = [*parked, *waiting] if order == "drop" else parked
        if not found:
            return
        name = found[at % len(found)].execution
        with contextlib.suppress(OperationNotAllowed):
            if order == "drop":
                await journal.drop(name)
            else:
                await journal.retry(name, fresh=order == "fresh")
                self._afresh |= {name} if order == "fresh" else set()
        self._forgotten |= {name} if await journal.find(name) is None else set()

    # Observations

    async def _records(self) -> list[Record]:
        return await self._machine.journal.search(Query(limit=ALL))

    async def seen(self) -> Observed:
        """Return everything that was observed until now."""
        return Observed(
            tuple(self._calls),
            tuple(self.stage.ledger),
            tuple(await self._records()),
            policies=POLICIES,
            starts=tuple(self._starts),
            settled=tuple(self._settled),
            forgotten=frozenset(self._forgotten),
            afresh=frozenset(self._afresh),
            unique_tokens=self._unique,
        )

    async def wrongs(self) -> list[str]:
        """Return the violations of the invariants at this moment."""
        seen = await self.seen()
        found = [wrong for judge in AT_THE_END if judge is not all_ended for wrong in judge(seen)]
        found += progress(seen, now=self.clock.unix(), within=FOREVER, pause=LEASE)
        return found + self._stale(seen)

    def _stale(self, seen: Observed) -> list[str]:
        """Rule 7: after its completion a call is a new execution, which gets no old result."""
        found = []
        for entry in self.stage.ledger:
            owner, calls = seen.owner(entry), self._answered.get(entry.token or "", [])
            if entry.method != COMPLETE or not entry.processed or owner in seen.afresh:
                continue
            own = [call.activation for call in calls if call.execution == owner]
            if any(activation > (entry.activation or 0) for activation in own):
                found.append(f"rule 7: {owner} was named for a call after its completion")
            later = [call for call in calls if own and call.activation > max(own)]
            late = [
                c for c in later if c.activation == entry.activation and c.requests < entry.number
            ]
            if late:
                found.append(
                    f"rule 7: {owner} completed the activation of {late[0].execution} with its result"
                )
        return found if not self._unique else []

    async def finish(self) -> list[str]:
        """Run to the end without further failures; return the violations."""
        for _ in range(ROUNDS):
            await self.claim("last", ALL)
            if not self.runs:
                if all(record.outcome for record in await self._records()):
                    break
                self.clock.advance(LEASE + 1.0)
            for run in list(self.runs):
                await self.step(run, "fine")
        return [
            *check(await self.seen()),
            *self._stale(await self.seen()),
            *self._hanging(await self.seen()),
        ]

    def _hanging(self, seen: Observed) -> list[str]:
        """Return dialogs that wait forever, though their call was answered 2xx.

        By rule 3, a 403 after a completion of unknown outcome confirms it, even if it was temporary.
        """
        found = []
        for dialog in self.stage.dialogs:
            calls = self._answered.get(dialog.token, [])
            if (
                dialog.completed
                or dialog.deleted
                or not calls
                or calls[-1].activation != dialog.activation
            ):
                continue
            if dialog.token in seen.unlike:
                continue
            records = [seen.by_id[call.execution] for call in calls]
            outcomes = [record.outcome for record in records if record.outcome]
            if all(
                o.status is OutcomeStatus.COMPLETED and o.confirmed_by != "403" for o in outcomes
            ):
                found.append(f"the dialog of {records[-1].execution} hangs: {outcomes}")
        return found


def _fail_on_loss(reason: str) -> None:
    raise AssertionError(f"the journal was lost: {reason}")
