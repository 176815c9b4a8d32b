"""An execution that is claimed when its process stops, and whose handler has not started."""

import asyncio
from collections.abc import Mapping
from typing import Any
from unittest import mock

from tests.waiting import until
from tests.worker.running import accept, ended, serving
from vertexkit import App, Context
from vertexkit.clock import Clock
from vertexkit.execution import Phase
from vertexkit.journal.limits import FleetLimits
from vertexkit.journal.memory import MemoryJournal
from vertexkit.journal.protocol import Lease
from vertexkit.testing import FakePlatform
from vertexkit.worker.execution import ExecutionTask


class SlowClaims(MemoryJournal):
    """A journal that survives, and whose claim of the block `careful` returns when it is released.

    Attributes:
        claimed: Set when that block is claimed.
        go_on: Releases the claim.
    """

    durable = True

    def __init__(self) -> None:
        super().__init__(Clock())
        self.claimed, self.go_on = asyncio.Event(), asyncio.Event()

    async def claim(
        self,
        worker: str,
        room: Mapping[str, int],
        limit: int,
        *,
        early: bool = False,
        limits: FleetLimits | None = None,
    ) -> list[Lease]:
        leases = await super().claim(worker, room, limit, early=early, limits=limits)
        if "careful" in [lease.execution.block for lease in leases]:
            self.claimed.set()
            await self.go_on.wait()
        return leases


async def test_an_execution_that_has_not_started_runs_in_the_next_process() -> None:
    """`on_crash="fail"` is for handlers that have started: a claim alone has done nothing yet."""
    journal, platform, app = SlowClaims(), FakePlatform(), App()
    begun, released = asyncio.Event(), asyncio.Event()
    attempts: list[int] = []

    @app.block("busy")
    async def busy(ctx: Context) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:  # the process stops: the claim of the other block returns now
            journal.go_on.set()
            await released.wait()

    @app.block("careful", on_crash="fail")
    async def careful(ctx: Context) -> str:
        attempts.append(ctx.attempt)
        return "done"

    async with serving(app, journal, platform, grace=0, cleanup=20) as service:
        service.events.subscribe(
            lambda event: (
                released.set()
                if event.execution == "02e" and event.name in {"released", "settled"}
                else None
            )
        )
        await accept(journal, platform, "busy", "01e")
        await begun.wait()
        token = await accept(journal, platform, "careful", "02e")
        await journal.claimed.wait()
    assert attempts == []
    assert not platform.ledger
    record = await journal.find("02e")
    assert record is not None
    assert record.phase == "waiting"
    async with serving(app, journal, platform, grace=0) as service:
        over = ended(service)
        await over.wait()
    assert attempts == [2]
    [completion] = platform.activation(token).completions
    assert completion.data == {"result": "done"}


async def test_a_task_that_is_cancelled_before_its_first_step_is_not_held() -> None:
    """Such an execution occupies no handler, and a drain does not wait for it."""
    app, started = App(), list[ExecutionTask]()

    @app.block("loan")
    async def loan(ctx: Context) -> None:
        return None

    def cancel_at_once(task: ExecutionTask, *arguments: Any) -> None:
        start(task, *arguments)
        assert task.task is not None
        task.task.cancel()
        started.append(task)

    start = ExecutionTask.start
    journal, platform = MemoryJournal(Clock()), FakePlatform()
    async with serving(app, journal, platform, grace=0) as service:
        with mock.patch.object(ExecutionTask, "start", cancel_at_once):
            await accept(journal, platform, "loan")
            await until(lambda: started and not service.dispatcher.held, "the task has ended")
        assert service.dispatcher.running == {"loan": 0}


async def test_a_cancelled_execution_is_left_to_the_next_process() -> None:
    """Its task ends as cancelled; the execution is neither completed nor parked."""
    app, begun = App(), asyncio.Event()

    @app.block("loan")
    async def loan(ctx: Context) -> None:
        begun.set()
        await asyncio.Event().wait()

    journal, platform = MemoryJournal(Clock()), FakePlatform()
    async with serving(app, journal, platform, grace=0) as service:
        await accept(journal, platform, "loan")
        await begun.wait()
        [execution] = service.dispatcher._executions.values()
        task = execution.task
        assert task is not None
        task.cancel()
        await asyncio.wait({task})
        assert task.cancelled()
        found = await journal.find("01e")
        assert found is not None
        assert found.phase is Phase.RUNNING
    assert not platform.ledger
