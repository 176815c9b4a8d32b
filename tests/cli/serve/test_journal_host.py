"""The journal's loss, and its host: a service that cannot keep anything any more ends."""

import asyncio
import json
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from tests.journal.shared.served_journal import HostedJournal
from tests.waiting import until
from vertexkit import App, Context
from vertexkit.cli.serve import journal_host as module
from vertexkit.cli.serve.journal_host import JournalHost
from vertexkit.clock import Clock
from vertexkit.errors import JournalUnusable
from vertexkit.journal.memory import MemoryJournal
from vertexkit.journal.protocol import JournalObserver
from vertexkit.journal.shared.client import JournalClient
from vertexkit.service import running_service
from vertexkit.settings import Settings
from vertexkit.system.supervision import Supervisor
from vertexkit.telemetry.aggregation import MetricsReporter
from vertexkit.telemetry.prometheus import Snapshot
from vertexkit.testing import FakePlatform
from vertexkit.testing.asgi_wire import AsgiWire
from vertexkit.token import Token

FAILING = """
from vertexkit import App, Context
from vertexkit.app import asgi_app

app = App()


@app.block("failing")
async def failing(ctx: Context) -> None:
    writer = asgi_app(app).service.journal._writer
    writer.error = "disk I/O error"
    writer._break([])
"""
"""An author's file: its handler makes the disk fail permanently."""


class Breakable(MemoryJournal):
    """A journal that a test can lose, on the event loop that opened it."""

    async def open(self, observer: JournalObserver) -> None:
        await super().open(observer)
        loop = asyncio.get_running_loop()
        self.fail: Callable[[str], object] = lambda reason: loop.call_soon_threadsafe(
            observer.lost, reason
        )


def test_a_service_whose_disk_fails_ends_with_an_error(shell: Any) -> None:
    """After a permanent error `vertexkit run` ends with exit code 1 and the reason."""
    (shell.folder / "failing.py").write_text(FAILING, encoding="utf-8")
    service = shell.start("run", "failing:app", "--port=0", platform_url="http://127.0.0.1:9/api")
    service.wait_for('"event":"started"')
    request = Request(
        f"http://127.0.0.1:{service.port}/blocks/failing",
        json.dumps({"token": "a-token"}).encode(),
        {"Content-Type": "application/json"},
    )
    urlopen(request, timeout=60).close()
    code = service.finish()
    assert code == 1, service.lines
    reason = "the journal can no longer be written (disk I/O error)"
    assert any(reason in line for line in service.lines)


def test_a_service_whose_journal_is_deleted_promises_nothing(shell: Any) -> None:
    """The error says what is lost, and what the next start continues with."""
    service = shell.start(
        "run",
        "hello:app",
        "--port=0",
        platform_url="http://127.0.0.1:9/api",
        journal="sqlite:kept/journal.db",
    )
    service.wait_for('"event":"started"')
    # At one moment: the service may add a file while others are deleted one after the other.
    (shell.folder / "kept").rename(shell.folder / "deleted")
    shutil.rmtree(shell.folder / "deleted", ignore_errors=True)
    code = service.finish()
    assert code == 1, service.lines
    [error] = [line for line in service.lines if line.startswith("vertexkit: ")]
    assert "was deleted or moved while it was in use: unfinished executions are lost" in error
    assert error.endswith("it continues with the executions that the journal has then [VK-001]")


async def test_a_service_without_its_journal_accepts_no_calls(tmp_path: Path) -> None:
    """When the process that owns the journal has ended: not ready, handlers end, the server ends."""
    host_journal = HostedJournal(tmp_path / "journal.db", Clock())
    await host_journal.open()
    app, started = App(), asyncio.Event()

    @app.block("patient")
    async def patient(_: Context) -> None:
        started.set()
        await asyncio.Event().wait()

    settings = Settings.of(platform_url="http://p/api", grace=3600.0)
    platform = FakePlatform()
    async with running_service(
        app, settings, wire=AsgiWire(platform), journal=JournalClient(host_journal.socket)
    ) as service:
        await service.receiver._inbox.accept("patient", Token(platform.issue("patient")), {}, b"")
        await started.wait()
        assert service.readiness() == (200, {"ready": True})
        await host_journal.close()
        assert await service.failed == service.failure
        assert service.readiness() == (503, {"ready": False, "reasons": ["journal lost"]})
    assert service.dispatcher.held == 0


def test_a_host_reports_the_loss_of_its_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The supervising process is notified of the reason, so that it ends."""
    journal = Breakable(Clock())
    monkeypatch.setattr(module, "make_journal", lambda *_: journal)
    lost = threading.Event()
    with JournalHost(Settings.of(journal="memory:"), lost.set) as host:
        assert host.journal_socket is not None
        assert host.journal_socket.is_socket()
        journal.fail("disk I/O error")
        assert lost.wait(60)
    assert "can no longer be written (disk I/O error)" in host.failure
    assert not host.journal_socket.exists()


def test_a_host_that_cannot_open_the_journal_reports_why(tmp_path: Path) -> None:
    """A journal that cannot be opened is an error before any worker starts."""
    with (
        pytest.raises(JournalUnusable, match="cannot be opened"),
        JournalHost(Settings.of(journal=f"sqlite:{tmp_path}"), lambda: None),
    ):
        pass


async def test_the_counts_of_a_killed_worker_are_kept_without_a_scrape(tmp_path: Path) -> None:
    """The parent requests them each second: what was counted until then remains in the sum."""
    received, reported = 1, set[int]()

    def snapshot() -> Snapshot:
        reported.add(received)
        return [["calls", "Calls.", "counter", [["calls_total", {}, received]]]]

    settings = Settings.of(journal=f"sqlite:{tmp_path}/journal.db")
    with JournalHost(settings, lambda: None) as host:
        supervisor = Supervisor(pytest.fail)
        killed = MetricsReporter(host.metrics_socket, snapshot, supervisor)
        await killed.open()
        received = 40
        await until(lambda: 40 in reported, "the parent requests the counts")
        assert killed._writer is not None
        killed._writer.transport.abort()
        other = MetricsReporter(host.metrics_socket, list, supervisor)
        await other.open()
        counts = {family[0]: family[3] for family in await other.merged()}
        await other.close()
    assert counts["calls"] == [["calls_total", {}, 40]]
