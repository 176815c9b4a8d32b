"""The journal of several workers, in the hands of the process that has started them."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import uvicorn
from prometheus_client import REGISTRY, CollectorRegistry

from vertexkit.clock import Clock
from vertexkit.errors import SettingsError
from vertexkit.journal import open_journal
from vertexkit.journal.shared.server import Owner
from vertexkit.journal.shared.socket import HAS_SOCKETS, offering
from vertexkit.journal.sqlite.file import file_of
from vertexkit.settings import Settings
from vertexkit.telemetry.metrics import CommitMetrics
from vertexkit.telemetry.prometheus import MetricsAggregator, take_snapshot

LOOP = uvicorn.Config("", log_config=None).get_loop_factory()
"""The workers' kind of event loop."""


class Keeper:
    """A context in which a thread of this process has the journal and offers it to the workers.

    Args:
        settings: name the journal and its rules.
        on_lost: called, on that thread, when the journal cannot be written any more.

    Raises:
        JournalUnusable: on entering: it cannot be used; names the cause and the mend.
        SettingsError: on entering: this system has no sockets of this kind.
    """

    def __init__(self, settings: Settings, on_lost: Callable[[], object]) -> None:
        self.socket = Path()
        """Where the journal is offered."""
        self.lost = ""
        """Why it cannot be written any more."""
        self._settings = settings
        self._on_lost = on_lost
        self._started: Future[Callable[[], object]] = Future()
        self._thread = threading.Thread(target=self._run, name="vertexkit-keeper", daemon=True)

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
        at: TracebackType | None,
    ) -> None:
        self._started.result()()
        self._thread.join()

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=LOOP) as runner:
                runner.run(self._keep())
        except BaseException as error:
            if self._started.done():
                raise
            self._started.set_exception(error)

    async def _keep(self) -> None:
        """Have the journal, and offer it, until this context is left."""
        settings = self._settings
        journal = open_journal(settings.journal, Clock())
        registry = CollectorRegistry()
        CommitMetrics(registry).watch(journal)
        owner = Owner(journal, MetricsAggregator(partial(take_snapshot, registry, REGISTRY)))
        end = asyncio.Event()
        loop = asyncio.get_running_loop()

        def broke(reason: str) -> None:
            self.lost = reason
            owner.broke(reason)
            self._on_lost()

        await journal.open(owner.ready, broke)
        try:
            with offering(file_of(settings.journal.url)) as (listener, self.socket):
                await owner.listen(listener)
                self._started.set_result(lambda: loop.call_soon_threadsafe(end.set))
                await end.wait()
                await owner.close()
        finally:
            await journal.close()
