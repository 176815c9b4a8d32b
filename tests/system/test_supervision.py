"""Background tasks: when one dies, the service is not ready any more, and its process ends."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest
import structlog

from vertexkit import App, Context
from vertexkit.failure import Failure
from vertexkit.ingress.rejections import Rejections
from vertexkit.journal.shared.server import JournalServer, offered_to_operators
from vertexkit.journal.sqlite.journal import SqliteJournal
from vertexkit.journal.sqlite.retention import Retention
from vertexkit.journal.sqlite.writer import Writer
from vertexkit.service import Service, running_service
from vertexkit.settings import Settings
from vertexkit.system.supervision import Supervisor
from vertexkit.telemetry.aggregation import MetricsServer
from vertexkit.testing import FakePlatform
from vertexkit.testing.asgi_wire import AsgiWire
from vertexkit.token import Token
from vertexkit.worker.execution import ExecutionTask
from vertexkit.worker.watchdog import Watchdog

REASON = "it is broken"
LEASE_SECONDS, SHORT_LEASE_SECONDS = 60.0, 0.06
"""The short one is renewed soon: only where that is broken, since on a busy machine it may expire."""


def broken(*_: Any, **__: Any) -> NoReturn:
    raise ValueError(REASON)


async def broken_async(*_: Any, **__: Any) -> NoReturn:
    raise ValueError(REASON)


class Scene:
    """A running service with a block that waits, and the means to break a part of it."""

    def __init__(
        self, service: Service, platform: FakePlatform, folder: Path, started: asyncio.Event
    ) -> None:
        self.service = service
        self.folder = folder
        self.started = started
        self._platform = platform

    async def accept(self, block: str = "wait") -> None:
        """Accept an execution."""
        token = Token(self._platform.issue(block))
        await self.service.receiver._inbox.accept(block, token, {}, b"")


@asynccontextmanager
async def scene(folder: Path, lease: float) -> AsyncIterator[Scene]:
    app, platform, started = App(), FakePlatform(), asyncio.Event()

    @app.block("wait")
    async def wait(_: Context) -> None:
        started.set()
        await asyncio.Event().wait()

    others = asyncio.all_tasks()

    @app.block("cancel_everything")
    async def cancel_everything(_: Context) -> None:
        for task in asyncio.all_tasks() - others:
            task.cancel()
        await asyncio.Event().wait()

    settings = Settings.of(
        platform_url="http://p/api",
        journal=f"sqlite:{folder / 'journal.db'}",
        lease=lease,
        grace=0.0,
        cleanup=0.0,
    )
    async with running_service(app, settings, wire=AsgiWire(platform)) as service:
        yield Scene(service, platform, folder, started)


Break = Callable[[Scene, pytest.MonkeyPatch], Awaitable[object]]


async def break_claiming(scene: Scene, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(SqliteJournal, "claim", broken_async)
    await scene.accept()


async def break_renewal(scene: Scene, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(SqliteJournal, "renew", broken_async)
    await scene.accept()


async def break_execution(scene: Scene, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ExecutionTask, "_run_safely", broken_async)
    await scene.accept()


async def break_rejections(scene: Scene, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Rejections, "_complete", broken_async)
    scene.service.rejections.reject(Token("t"), Failure("overloaded"))


async def break_retention(scene: Scene, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Retention, "_delete_surplus", broken_async)
    journal = scene.service.journal
    assert isinstance(journal, SqliteJournal)
    journal._retention._check_number.set()


async def break_schedule(scene: Scene, patch: pytest.MonkeyPatch) -> None:
    await scene.accept()
    await scene.started.wait()
    [task] = scene.service.dispatcher._executions.values()
    assert isinstance(scene.service.journal, SqliteJournal)
    patch.setattr(scene.service.journal._state.queues._later, "_put", broken)
    await scene.service.journal.release(task.lease, 0.01)


async def break_writer(scene: Scene, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Writer, "_start_job", broken)
    journal = scene.service.journal
    assert isinstance(journal, SqliteJournal)
    asyncio.get_running_loop().call_soon(journal._writer.write, "SELECT 1", ())
    await scene.service.failed
    patch.undo()
    journal._writer._next()  # so that the journal can be closed


async def break_limiter(scene: Scene, patch: pytest.MonkeyPatch) -> None:
    limiter, loop = scene.service._vertex.limiter, asyncio.get_running_loop()
    patch.setattr(limiter, "_waiters", [None])
    loop.call_soon(limiter._expire_waiters, loop)


async def break_watchdog_timer(scene: Scene, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(scene.service.watchdog._observer, "loop_lagged", broken)
    await scene.service.watchdog.__aenter__()


async def break_watchdog_thread(scene: Scene, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Watchdog, "_watch", broken)
    await scene.service.watchdog.__aenter__()


async def break_metrics(scene: Scene, patch: pytest.MonkeyPatch) -> None:
    server = MetricsServer(list)
    path = scene.folder / "metrics"
    await server.open(path)
    await scene.service.share_metrics(path)
    assert scene.service._reporter is not None
    patch.setattr(scene.service._reporter, "_snapshot", broken)
    await server.merged()
    await server.close()


async def break_journal_server(scene: Scene, patch: pytest.MonkeyPatch) -> None:
    journal = scene.service.journal
    assert isinstance(journal, SqliteJournal)
    patch.setattr(JournalServer, "_send_status_regularly", broken_async)
    async with offered_to_operators(journal, scene.service.supervisor):
        await asyncio.sleep(0)


async def cancel_every_task(scene: Scene, patch: pytest.MonkeyPatch) -> None:
    await scene.accept("cancel_everything")


@pytest.mark.parametrize(
    "break_it, reason",
    [
        (break_claiming, "claiming of executions: ValueError"),
        (break_renewal, "renewal of leases: ValueError"),
        (break_execution, "execution: ValueError"),
        (break_rejections, "completion of a rejected call: ValueError"),
        (break_retention, "deletion of ended executions: ValueError"),
        (break_schedule, "schedule of executions: ValueError"),
        (break_writer, "callback of the event loop: ValueError"),
        (break_limiter, "callback of the event loop: TypeError"),
        (break_watchdog_timer, "callback of the event loop: ValueError"),
        (break_watchdog_thread, "watchdog: ValueError"),
        (break_metrics, "report of metrics: ValueError"),
        (break_journal_server, "status for the journal's clients: ValueError"),
        (cancel_every_task, "CancelledError"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
async def test_no_background_task_dies_unnoticed(
    break_it: Break, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If one dies, it is logged with its error, calls are rejected, and the process ends."""
    lease = SHORT_LEASE_SECONDS if break_it is break_renewal else LEASE_SECONDS
    with structlog.testing.capture_logs() as lines:
        async with scene(tmp_path, lease) as broken_scene, asyncio.timeout(60):
            service = broken_scene.service
            assert service.readiness() == (200, {"ready": True})
            with monkeypatch.context() as patch:
                await break_it(broken_scene, patch)
                failure = await service.failed
            status, content = service.readiness()
    assert reason in failure
    # On a busy machine, that the event loop was blocked may be a second reason.
    assert (status, content["reasons"][:1]) == (503, [service._not_ready])
    assert service.receiver.closed
    assert [line for line in lines if line["event"] == "background_task_failed"]


async def test_a_task_that_is_stopped_is_no_failure() -> None:
    """Neither is the cancellation of an endless task, nor the end of one that has an end."""
    failures: list[str] = []
    supervisor = Supervisor(failures.append)

    async def end() -> None:
        pass

    async def wait() -> None:
        await asyncio.Event().wait()

    ending = supervisor.start("end", end(), endless=False)
    waiting = supervisor.start("wait", wait())
    cut_short = supervisor.start("cut short", wait(), endless=False)
    await ending
    supervisor.cancel(waiting)
    cut_short.cancel()
    await asyncio.wait({waiting, cut_short})
    assert failures == []


async def test_an_endless_task_that_returns_is_a_failure() -> None:
    """Also without an error: what it did is not done any more."""
    failures: list[str] = []

    async def end() -> None:
        pass

    await Supervisor(failures.append).start("loop", end())
    await asyncio.sleep(0)
    assert failures == ["loop: it ended"]


async def test_callbacks_of_others_are_only_logged() -> None:
    """An exception in a callback of an author's or a library's does not end the process."""
    failures: list[str] = []
    reported: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: reported.append(context))
    with Supervisor(failures.append).watch_callbacks():
        loop.call_soon(broken)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    loop.set_exception_handler(None)
    assert failures == []
    assert len(reported) == 1
