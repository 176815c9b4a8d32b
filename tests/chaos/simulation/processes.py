"""The processes of a simulated service: the shipped code, each on an event loop of its own."""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import Any, Protocol, TypeVar

from tests.chaos.simulation.network import Listener, Network, SimulatedWire
from tests.chaos.simulation.scheduler import SimulatedLoop
from vertexkit.app import App
from vertexkit.asgi import http_app
from vertexkit.errors import JournalUnusable
from vertexkit.journal.protocol import JournalBackend, NullJournalObserver
from vertexkit.journal.shared.client import JournalClient
from vertexkit.journal.shared.server import JournalServer
from vertexkit.service import Service, running_service
from vertexkit.settings import Settings
from vertexkit.system.supervision import Supervisor
from vertexkit.telemetry.events import Event

T = TypeVar("T")
SOCKET = "/run/journal.sock"
"""Where the process that has the journal open listens."""


class ProcessObserver(Protocol):
    """Learns what happens in the processes."""

    def event(self, process: "Process", event: Event) -> None:
        """A service has reported an event."""

    def draining(self, process: "Process") -> None:
        """A service has started to drain."""

    def ended(self, process: "Process") -> None:
        """A process has ended by itself or has been killed."""


class MakeJournal(Protocol):
    """Makes the journal of a process, which opens it next."""

    def __call__(self, loop: SimulatedLoop) -> JournalBackend: ...


class Process:
    """One process from its start to its end.

    Args:
        network: of the simulation.
        name: unique in it.
        observer: learns what happens.
    """

    def __init__(self, network: Network, name: str, observer: ProcessObserver) -> None:
        self.name = name
        self.loop = network.scheduler.loop(name)
        self.over: asyncio.Future[str] = network.outside.create_future()
        """Has a result when it has ended: empty, or why it could not continue."""
        self.network = network
        self._observer = observer
        self._stop: asyncio.Future[None] = self.loop.create_future()
        self.main = Context().run(self.loop.create_task, self.run())
        self.main.add_done_callback(self._finish)

    async def run(self) -> str:
        """Do its work until `terminate`; return why it could not continue, if it could not."""
        raise NotImplementedError

    @property
    def alive(self) -> bool:
        """It has not ended."""
        return self.loop.alive

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.loop.call_soon(self._terminated)

    def _terminated(self) -> None:
        if not self._stop.done():
            self._stop.set_result(None)

    def kill(self) -> None:
        """Send SIGKILL: nothing of it runs any more."""
        if self.alive:
            self._end("killed")

    def _finish(self, main: asyncio.Task[str]) -> None:
        if self.alive:
            error = main.exception()
            if error is not None and not isinstance(error, JournalUnusable):
                raise AssertionError(f"{self.name} has crashed") from error
            self._end(str(error) if error is not None else main.result())

    def _end(self, reason: str) -> None:
        self.network.scheduler.remove(self.loop)
        self.network.process_ended(self.loop)
        self._observer.ended(self)
        if not self.over.done():
            self.over.set_result(reason)

    def ask(self, question: Callable[[], Awaitable[T]]) -> "asyncio.Future[T]":
        """Run a coroutine in this process; return a future of the outside world.

        The future is cancelled if the process ends before.
        """
        outside: asyncio.Future[T] = self.network.outside.create_future()

        def finish(task: asyncio.Task[T]) -> None:
            if outside.done():
                return
            if task.cancelled():
                outside.cancel()
            elif (error := task.exception()) is not None:
                outside.set_exception(error)
            else:
                outside.set_result(task.result())

        async def answer() -> T:
            return await question()

        def start() -> None:
            Context().run(self.loop.create_task, answer()).add_done_callback(finish)

        def gone(_: Any) -> None:
            if not outside.done():
                outside.cancel()

        self.loop.call_soon(start)
        self.over.add_done_callback(gone)
        return outside


class ServiceProcess(Process):
    """`vertexkit run`: a service that accepts calls and runs handlers.

    Args:
        network: of the simulation.
        name: unique in it.
        observer: learns what happens.
        app: what it serves.
        settings: of the process.
        make_journal: makes its own journal; None: another process has it open.
    """

    def __init__(
        self,
        network: Network,
        name: str,
        observer: ProcessObserver,
        app: App[Any],
        settings: Settings,
        make_journal: MakeJournal | None,
    ) -> None:
        self.service: Service | None = None
        self.http: Any = None
        self.journal: JournalBackend | JournalClient | None = None
        self._app = app
        self._settings = settings
        self._make_journal = make_journal
        super().__init__(network, name, observer)

    async def run(self) -> str:
        journal: Any = JournalClient(SOCKET)  # pyrefly: ignore[bad-argument-type]
        if self._make_journal is not None:
            journal = self._make_journal(self.loop)
        async with running_service(
            self._app,
            self._settings,
            clock=self.network.scheduler.clock,
            wire=SimulatedWire(self.network, self.loop),
            journal=journal,
        ) as service:
            service.dispatcher.worker = self.name  # instead of a random one
            service.events.subscribe(lambda event: self._observer.event(self, event))
            self.service, self.http, self.journal = service, http_app(service), journal
            await _either(self._stop, service.failed)
            service.stop_accepting()
            self._observer.draining(self)
        return service.failure

    @property
    def serves(self) -> bool:
        """It accepts connections."""
        return self.alive and self.http is not None


class HostProcess(Process):
    """The process of `vertexkit run --workers 2` that has the journal open; see `JournalHost`.

    Args:
        network: of the simulation.
        name: unique in it.
        observer: learns what happens.
        make_journal: makes its journal.
    """

    def __init__(
        self, network: Network, name: str, observer: ProcessObserver, make_journal: MakeJournal
    ) -> None:
        self.journal: JournalBackend | None = None
        self.listening = network.outside.create_future()
        self._make_journal = make_journal
        super().__init__(network, name, observer)

    async def run(self) -> str:
        failed: asyncio.Future[str] = self.loop.create_future()

        def fail(reason: str) -> None:
            if not failed.done():
                failed.set_result(reason)

        journal = self._make_journal(self.loop)
        supervisor = Supervisor(fail)
        server = JournalServer(journal, supervisor)
        await journal.open(_HostObserver(server, fail))
        with supervisor.watch_callbacks():
            await server.listen(Listener(self.network, SOCKET))  # pyrefly: ignore[bad-argument-type]
            self.journal = journal
            self.listening.set_result(None)
            await _either(self._stop, failed)
            await server.close()
        await journal.close()
        return failed.result() if failed.done() else ""


class _HostObserver(NullJournalObserver):
    """Passes the journal's reports on to the workers."""

    def __init__(self, server: JournalServer, on_lost: Callable[[str], None]) -> None:
        self._server = server
        self._on_lost = on_lost

    def ready(self) -> None:
        self._server.ready()

    def lost(self, reason: str) -> None:
        self._server.lost(reason)
        self._on_lost(reason)


async def _either(*futures: "asyncio.Future[Any]") -> None:
    await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)


async def http_post(http: Any, path: str, body: bytes) -> tuple[int, bytes, str]:
    """Send a request to a service by HTTP; return status, body and Retry-After."""
    unread = [body]
    answer: dict[str, Any] = {"body": b""}

    async def receive() -> dict[str, Any]:
        if not unread:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": unread.pop(), "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            answer["status"] = message["status"]
            headers = {name.lower(): value for name, value in message["headers"]}
            answer["again"] = headers.get(b"retry-after", b"").decode()
        else:
            answer["body"] += message.get("body", b"")

    await http(_scope(path, len(body)), receive, send)
    return answer["status"], answer["body"], answer["again"]


def _scope(path: str, length: int) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [
            (b"content-type", b"application/json"),
            (b"content-length", str(length).encode()),
        ],
        "client": ("127.0.0.1", 1),
        "server": ("service.test", 80),
    }
