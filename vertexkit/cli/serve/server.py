"""uvicorn's server for one process: nothing that a handler does ends it or keeps it from ending."""

import asyncio
import signal
import socket
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from types import FrameType
from typing import Any

import structlog
import uvicorn
from structlog.typing import FilteringBoundLogger
from uvicorn.server import HANDLED_SIGNALS
from uvicorn.supervisors import multiprocess

from vertexkit.cli.serve.exit_timer import REPORT_SECONDS, ExitTimer
from vertexkit.cli.serve.process import ServedProcess
from vertexkit.service import Service
from vertexkit.settings import HandlerSettings
from vertexkit.worker.dispatcher import seconds_after_grace

SHUTDOWN_TIMEOUT_SECONDS = 5
"""Time for responses in progress during shutdown. Running handlers get VERTEXKIT_GRACE."""
EXIT_SECONDS = 2.0
"""Time between the end of the service and the end of the process."""
LOOP_BLOCKED_SECONDS = 3.0
"""How long a handler may block the event loop after the grace period, before the process ends."""
MISSED_ANSWERS = 60
"""How often the parent looks for a worker's answer, each half a second, before it starts another one."""
EXIT_FAILED = 1
"""Exit code of a process that could not continue."""

log: FilteringBoundLogger = structlog.get_logger("vertexkit")


class Server(uvicorn.Server):
    """Serves an app in one process, and ends within the grace period and a few seconds.

    It rejects calls from the first signal on, and exits normally, not by the signal.

    Args:
        config: of uvicorn; it loads the app.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.failure: str = ""
        """Why the process could not continue, if it could not: the server stops then."""
        self._exit_timer: ExitTimer | None = None  # a server is pickled before it runs
        self._earlier_handlers: dict[int, Callable[[int, FrameType | None], Any] | int | None] = {}
        """Of signals, before this server."""

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until a signal.

        Args:
            sockets: are listened on.

        Raises:
            SystemExit: the app could not start, or the process could not continue.
        """
        with asyncio.Runner(loop_factory=self.config.get_loop_factory()) as runner:
            _run_to_its_end(runner.get_loop(), self.serve(sockets))
            if self.failure:
                raise SystemExit(EXIT_FAILED)

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn does; the process then ends soon, whatever threads and tasks still do."""
        self._exit_timer = ExitTimer()
        if threading.current_thread() is threading.main_thread():
            for number in HANDLED_SIGNALS:
                earlier = signal.signal(number, self._handle_signal_outside)
                self._earlier_handlers[number] = earlier
        try:
            await super().serve(sockets)
        finally:
            ignore_signals()
            self._exit_timer.set(EXIT_SECONDS, EXIT_FAILED if self.failure else 0)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """As uvicorn does, but a drained service exits normally, not by the signal."""
        service = self._service
        if service is None and not self.started and self._exit_timer is not None:
            # The author's lifespan may never return. Nothing was accepted yet.
            self._exit_timer.set(SHUTDOWN_TIMEOUT_SECONDS, EXIT_FAILED)
        if service is not None:
            self.failure = service.failure
            service.stop_accepting()
            self._end_in_time(service)
            if self.should_exit:  # the second signal
                with suppress(RuntimeError):
                    asyncio.get_running_loop().call_soon_threadsafe(service.skip_drain_phase)
        super().handle_exit(sig, frame)
        self.force_exit = False  # it would skip the drain
        self._captured_signals.clear()

    def _handle_signal_outside(self, number: int, _: FrameType | None) -> None:
        """Handle a signal before and after uvicorn does, which restores this handler at its end."""
        if not self.should_exit:
            signal.signal(number, self._earlier_handlers[number])
            signal.raise_signal(number)

    @property
    def startup_error(self) -> str:
        """Why the service could not start; empty if it could, or if the app raised an error."""
        app = self.config.app
        return app.startup_error if isinstance(app, ServedProcess) else ""

    @property
    def _service(self) -> Service | None:
        app = self.config.app
        return app.service if isinstance(app, ServedProcess) else None

    def _end_in_time(self, service: Service) -> None:
        """End the process even if its service does not drain."""
        handlers = service.settings.handlers
        grace = 0.0 if self.should_exit or self.failure else handlers.grace
        if self._exit_timer is not None:
            self._exit_timer.set(grace + _seconds_beside_grace(handlers), EXIT_FAILED)
            with suppress(RuntimeError):
                loop = asyncio.get_running_loop()
                self._exit_timer.watch_loop(loop, grace, LOOP_BLOCKED_SECONDS)
                service.drained.add_done_callback(lambda _: self._end_after_drain(service))

    def _end_after_drain(self, service: Service) -> None:
        """End the process soon: the journal is closed. The author's lifespan gets a moment."""
        if self._exit_timer is not None:
            seconds = service.settings.handlers.cleanup + EXIT_SECONDS
            self._exit_timer.set(seconds, EXIT_FAILED if self.failure else 0)


def seconds_to_stop(handlers: HandlerSettings) -> float:
    """Return how long a process runs after SIGTERM at most.

    It takes that long only if the platform does not answer.
    """
    return handlers.grace + _seconds_beside_grace(handlers) + REPORT_SECONDS


def _seconds_beside_grace(handlers: HandlerSettings) -> float:
    """Return the time for responses in progress, the drain after the grace period, and the end."""
    return SHUTDOWN_TIMEOUT_SECONDS + seconds_after_grace(handlers) + handlers.cleanup


def ignore_signals() -> None:
    """Ignore signals from now on: this process ends, and they must not change its exit code."""
    if threading.current_thread() is threading.main_thread():
        for number in HANDLED_SIGNALS:
            signal.signal(number, signal.SIG_IGN)


class WorkerProcess(multiprocess.Process):
    """A worker of several, with the same server as a single process."""

    _missed_answers: int | None = None
    """How often the parent has looked for the answer since it asked; None: it has not asked."""

    def is_alive(self, timeout: float = 5) -> bool:  # noqa: ARG002 - it never waits
        """Whether the process runs and answers its parent.

        uvicorn waits five seconds for each answer, and then kills the worker: a busy machine takes
        longer, above all at the start, and meanwhile the parent handles no signal. Looks are
        counted, not seconds: of a service that was stopped as a whole no worker is killed.
        """
        if not self.process.is_alive():
            return False
        try:
            if self.parent_conn.poll():
                self.parent_conn.recv()
                self._missed_answers = None
            if self._missed_answers is None:
                self.parent_conn.send(b"ping")
                self._missed_answers = 0
            else:
                self._missed_answers += 1
        except (OSError, EOFError):  # it has just ended
            return False
        return self._missed_answers < MISSED_ANSWERS

    @property
    def server(self) -> uvicorn.Server:
        """The server of this process."""
        if self._server is None:
            self._server = Server(self.config)
        return self._server


class Workers(multiprocess.Multiprocess):
    """Starts the workers, and starts another one in place of each that dies."""

    def run(self) -> None:
        """Run until a signal. Workers are `WorkerProcess`es: uvicorn has no option for it."""
        multiprocess.Process = WorkerProcess
        super().run()

    @property
    def failed_to_start(self) -> bool:
        """Whether a worker could not start the app."""
        return any(process.exitcode == uvicorn.config.STARTUP_FAILURE for process in self.processes)


def _run_to_its_end(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine to its end, whatever other tasks and callbacks of the loop raise.

    asyncio ends the loop when a callback raises KeyboardInterrupt or SystemExit, or stops the
    loop. Signals do not raise them here: uvicorn handles signals.
    """
    task = loop.create_task(work)
    while not task.done():
        try:
            loop.run_until_complete(task)
        except (KeyboardInterrupt, SystemExit, RuntimeError):
            if task.done() or loop.is_closed():
                raise
            log.exception("loop_continued")
