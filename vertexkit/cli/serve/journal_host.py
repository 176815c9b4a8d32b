"""The process that starts several workers adds up their metrics, and has their journal open.

A journal that any process may open (`Access.ANY`) is opened by each worker itself.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import structlog
import uvicorn
from prometheus_client import REGISTRY, CollectorRegistry
from structlog.typing import FilteringBoundLogger

from vertexkit.clock import Clock
from vertexkit.errors import SettingsError
from vertexkit.journal import make_journal
from vertexkit.journal.protocol import Access, NullJournalObserver
from vertexkit.journal.shared.server import STATUS_INTERVAL_SECONDS, JournalServer
from vertexkit.journal.shared.socket import HAS_SOCKETS, listening_socket
from vertexkit.service import BACKGROUND_TASK_FAILED, JOURNAL_LOST
from vertexkit.settings import Settings
from vertexkit.system.garbage_collector import tune_garbage_collector
from vertexkit.system.supervision import Supervisor
from vertexkit.telemetry.aggregation import MetricsServer
from vertexkit.telemetry.metrics import CommitMetrics
from vertexkit.telemetry.prometheus import take_snapshot

log: FilteringBoundLogger = structlog.get_logger("vertexkit")

LOOP = uvicorn.Config("", log_config=None).get_loop_factory()
"""The workers' kind of event loop."""


class JournalHost:
    """A context in which a thread of this process offers to the workers what they share.

    Args:
        settings: name the journal.
        on_failure: called, on that thread, when the workers can no longer use the journal.

    Raises:
        JournalUnusable: on entering: the journal cannot be opened; names the cause and the fix.
        SettingsError: on entering: this system has no Unix sockets.
    """

    def __init__(self, settings: Settings, on_failure: Callable[[], object]) -> None:
        self.journal_socket: Path | None = None
        """Where workers use the journal; None: each of them opens it."""
        self.metrics_socket: Path = Path()
        """Where workers report their metrics."""
        self.failure: str = ""
        """Why the workers can no longer use the journal, as a sentence; empty if they can."""
        self._settings = settings
        self._on_failure = on_failure
        self._started: Future[Callable[[], object]] = Future()
        self._thread = threading.Thread(
            target=self._run, name="vertexkit-journal-host", daemon=True
        )

    def __enter__(self) -> Self:
        if not HAS_SOCKETS:
            raise SettingsError("--workers needs Unix sockets, which this system does not have")
        self._thread.start()
        self._started.result()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        stop = self._started.result()
        with suppress(RuntimeError):  # the thread has failed
            stop()
        self._thread.join()

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=LOOP) as runner:
                runner.run(self._serve())
        except BaseException as error:
            if self._started.done():
                log.critical("background_task_failed", task="journal host", exc_info=error)
                self._background_task_failed(f"journal host: {type(error).__name__}: {error}")
            else:
                self._started.set_exception(error)

    async def _serve(self) -> None:
        """Offer what the workers share until this context is left."""
        journal = make_journal(self._settings.journal, Clock())
        supervisor = Supervisor(self._background_task_failed)
        registry = CollectorRegistry()
        metrics = MetricsServer(partial(take_snapshot, registry, REGISTRY))
        with supervisor.watch_callbacks():
            if journal.access is Access.ANY:
                # A folder for one socket; what a killed process has left is removed.
                with listening_socket(None) as (_, path):
                    await self._offer_metrics(metrics, path)
                return
            server = JournalServer(journal, supervisor)
            await journal.open(_Observer(server, CommitMetrics(registry), self._journal_lost))
            try:
                tune_garbage_collector()
                with listening_socket(journal.file) as (listener, self.journal_socket):
                    await server.listen(listener, self.journal_socket)
                    await self._offer_metrics(metrics, self.journal_socket)
                    await server.close()
            finally:
                await journal.close()

    async def _offer_metrics(self, metrics: MetricsServer, path: Path) -> None:
        """Add up the metrics until this context is left.

        Args:
            metrics: of the workers.
            path: of a socket, next to which theirs is opened.
        """
        self.metrics_socket = path.with_suffix(".metrics")
        end = asyncio.Event()
        loop = asyncio.get_running_loop()
        await metrics.open(self.metrics_socket)
        self._started.set_result(lambda: loop.call_soon_threadsafe(end.set))
        while not end.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(STATUS_INTERVAL_SECONDS):
                    await end.wait()
            await metrics.restore()
            metrics.request_reports()
        await metrics.close()

    def _journal_lost(self, reason: str) -> None:
        self._fail(JOURNAL_LOST.format(reason))

    def _background_task_failed(self, reason: str) -> None:
        self._fail(BACKGROUND_TASK_FAILED.format(reason))

    def _fail(self, failure: str) -> None:
        self.failure = self.failure or failure
        self._on_failure()


class _Observer(NullJournalObserver):
    """Passes the journal's reports on to the workers, the metrics and the host.

    Args:
        server: of the workers.
        commits: counts the commits.
        on_lost: called with the reason when the journal cannot be written any more.
    """

    def __init__(
        self, server: JournalServer, commits: CommitMetrics, on_lost: Callable[[str], None]
    ) -> None:
        self._server = server
        self._commits = commits
        self._on_lost = on_lost

    def ready(self) -> None:
        self._server.ready()

    def lost(self, reason: str) -> None:
        self._server.lost(reason)
        self._on_lost(reason)

    def committed(self, changes: int, seconds: float) -> None:
        self._commits.committed(changes, seconds)

    def commit_failed(self) -> None:
        self._commits.commit_failed()
