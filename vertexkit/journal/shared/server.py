"""The process that has a journal open offers it to other processes, over a socket."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from structlog.typing import FilteringBoundLogger

from vertexkit.errors import JournalError, QueueFull
from vertexkit.journal.protocol import JournalBackend, NullJournalObserver
from vertexkit.journal.shared.framing import FrameConnection
from vertexkit.journal.shared.methods import (
    CLAIM,
    FREQUENT,
    LOST,
    METHODS,
    NOTIFICATION,
    READY,
    STATUS,
)
from vertexkit.journal.shared.socket import HAS_SOCKETS, listening_socket, restore_socket
from vertexkit.references import reference_of
from vertexkit.system.supervision import Supervisor
from vertexkit.text import replace_surrogates

STATUS_INTERVAL_SECONDS = 1.0
"""How often clients that send no requests learn the length of the queue."""
CLOSE_TIMEOUT_SECONDS = 2.0
"""How long open requests may take when the server closes."""

log: FilteringBoundLogger = structlog.get_logger("vertexkit")


@asynccontextmanager
async def offered_to_operators(
    journal: JournalBackend, supervisor: Supervisor
) -> AsyncIterator[None]:
    """A context in which operators' commands can use this process's journal.

    If no socket can be opened, a warning is logged and the context does nothing.

    Args:
        journal: open; no other process claims from it.
        supervisor: of the background tasks.
    """
    if journal.file is None or not HAS_SOCKETS:
        yield
        return
    server = JournalServer(journal, supervisor)
    async with AsyncExitStack() as stack:
        try:
            listener, path = stack.enter_context(listening_socket(journal.file))
            await server.listen(listener, path)
            stack.push_async_callback(server.close)
        except OSError as error:  # the service works without it
            log.warning(
                "journal_socket_failed",
                reason=f"operators cannot connect: {error}",
                reference=reference_of(error),
            )
        yield


class JournalServer(NullJournalObserver):
    """Offers a journal to other processes; as its observer, reports to them what it reports.

    When a connection ends, its process has died: the leases of its workers expire at once. A
    process that is only stopped keeps its connection, and loses its executions when their leases
    expire.

    Args:
        journal: opened by the caller, with this server as its observer if other processes are to
            claim from it.
        supervisor: of the background tasks.
    """

    def __init__(self, journal: JournalBackend, supervisor: Supervisor) -> None:
        self._journal = journal
        self._supervisor = supervisor
        self._clients: dict[ClientConnection, None] = {}
        """In the order in which they have connected."""
        self._server: asyncio.Server | None = None
        self._path: Path | None = None
        self._status_task: asyncio.Task[None] | None = None
        self._notifies_ready = False

    async def listen(self, listener: socket.socket, path: Path | None = None) -> None:
        """Accept connections on a socket.

        Args:
            listener: the socket.
            path: of the socket; it is created again if it is deleted.
        """
        self._path = path
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(self._accept_client, sock=listener)
        self._status_task = self._supervisor.start(
            "status for the journal's clients", self._send_status_regularly()
        )

    async def close(self) -> None:
        """Accept no more connections, respond to open requests, and close the connections."""
        if self._server is not None and self._status_task is not None:
            self._server.close()
            self._supervisor.cancel(self._status_task)
        with suppress(TimeoutError):  # while the disk is full, writes do not return
            async with asyncio.timeout(CLOSE_TIMEOUT_SECONDS):
                await asyncio.gather(*(client.wait_idle() for client in self._clients))
        for client in self._clients:
            client.connection.close()

    def ready(self) -> None:
        """Notify each client that waits for an execution, unless a claim of this turn takes it."""
        if not self._notifies_ready:
            self._notifies_ready = True
            asyncio.get_running_loop().call_soon(self._notify_ready)

    def _notify_ready(self) -> None:
        self._notifies_ready = False
        if self._journal.may_have_claimable():
            for client in self._clients:
                client.notify_ready()

    def lost(self, reason: str) -> None:
        """Notify all clients that the journal cannot be written any more."""
        for client in self._clients:
            client.connection.send([NOTIFICATION, LOST, reason])

    def _accept_client(self) -> FrameConnection:
        client = ClientConnection(self._journal, self._supervisor, self._clients.pop)
        self._clients[client] = None
        return client.connection

    async def _restore_socket(self) -> None:
        """Listen at the socket's path again if it was deleted: new workers have to connect."""
        if self._path is None or self._server is None:
            return
        try:
            listener = restore_socket(self._path, self._journal.file)
            if listener is None:
                return
            loop = asyncio.get_running_loop()
            server = await loop.create_unix_server(self._accept_client, sock=listener)
        except OSError as error:  # as long as its folder is missing
            log.warning(
                "journal_socket_failed",
                reason=f"it cannot be created again: {error}",
                reference=reference_of(error),
            )
            return
        self._server.close()  # its connections stay open
        self._server = server
        log.warning("journal_socket_restored", path=str(self._path))

    async def _send_status_regularly(self) -> None:
        while True:
            await asyncio.sleep(STATUS_INTERVAL_SECONDS)
            await self._restore_socket()
            for client in self._clients:
                client.send_status()


class ClientConnection:
    """One process that uses the journal.

    Args:
        journal: that it uses.
        supervisor: of its requests.
        on_finished: called when the process has disconnected and its requests are done.
    """

    def __init__(
        self,
        journal: JournalBackend,
        supervisor: Supervisor,
        on_finished: Callable[["ClientConnection"], object],
    ) -> None:
        self.connection: FrameConnection = FrameConnection(self)
        self._journal = journal
        self._supervisor = supervisor
        self._on_finished = on_finished
        self._workers: set[str] = set()
        self._wants_ready = True
        """It has claimed since the last `READY`, so that it is to be notified again."""
        self._last_status: list[Any] = []
        self._unanswered = 0
        """Number of requests that are being carried out."""
        self._answered = asyncio.Event()
        """Is set when there are none any more."""
        self._finishing: asyncio.Task[None] | None = None

    def notify_ready(self) -> None:
        """Notify the client that an execution may be claimable, unless it already knows."""
        if self._wants_ready:
            self._wants_ready = False
            self.connection.send([NOTIFICATION, READY])

    def send_status(self) -> None:
        """Send the journal's status, if it has changed."""
        journal = self._journal
        if self.connection.is_backed_up:
            return
        blocks = sorted(journal.unserved_blocks(()))
        counts = (journal.backlog(), journal.suspended(), dict(journal.waiting_for_limits()))
        status = [*counts, blocks, journal.unavailable_reason()]
        if status != self._last_status:
            self._last_status = status
            self.connection.send([NOTIFICATION, STATUS, *status])

    async def wait_idle(self) -> None:
        """Wait until all requests are done."""
        while self._unanswered:
            self._answered.clear()
            await self._answered.wait()

    def frame_received(self, frame: list[Any]) -> None:
        """Start the requests of a frame, in order."""
        self._unanswered += len(frame)
        for number, method, *arguments in frame:
            work = self._respond(number, method, arguments)
            if method in FREQUENT:
                _step(work)
            else:
                self._supervisor.start("request to the journal", work, endless=False)

    def before_flush(self) -> None:
        """Add the journal's status to the frame."""
        self.send_status()

    def not_encodable(self, message: list[Any], error: Exception) -> None:
        """Respond with an error: the client must get a response."""
        log.error("journal_request_failed", exc_info=error)
        reason = "the response of the journal cannot be encoded"
        self.connection.send([message[0], None, JournalError.__name__, reason])

    def disconnected(self) -> None:
        """Expire the leases of the process; its last requests are still carried out."""
        self._release_workers()
        self._finishing = self._supervisor.start(
            "end of a journal's client", self._finish(), endless=False
        )

    async def _respond(self, number: int, method: str, arguments: list[Any]) -> None:
        try:
            if method == CLAIM:
                self._wants_ready = True
                self._workers.add(arguments[0])
            value = await METHODS[method](self._journal, *arguments)
            response: list[Any] | int = number if value is None else [number, value]
        except (JournalError, QueueFull) as error:
            response = [number, None, type(error).__name__, replace_surrogates(str(error))]
        except Exception as error:
            log.exception("journal_request_failed", method=method)
            response = [
                number,
                None,
                JournalError.__name__,
                f"the journal failed: {type(error).__name__}",
            ]
        finally:
            self._unanswered -= 1
            if not self._unanswered:
                self._answered.set()
        if number != NOTIFICATION and self.connection.is_open:
            self.connection.send(response)

    async def _finish(self) -> None:
        await self.wait_idle()
        self._release_workers()  # of a claim that was still open when the process died
        self._on_finished(self)

    def _release_workers(self) -> None:
        for worker in self._workers:
            self._journal.release_worker(worker)


def _step(work: Coroutine[Any, Any, None], waited: asyncio.Future[Any] | None = None) -> None:  # noqa: ARG001 - the future that is done
    """Run a coroutine until it waits for a future, and again when that is done.

    This is a quarter of what a task costs. What runs so has no task: it cannot be cancelled, and
    must not ask for its task, as `asyncio.timeout` does.
    """
    try:
        future = work.send(None)
    except StopIteration:
        return
    future._asyncio_future_blocking = False  # noqa: SLF001 - as a task does
    future.add_done_callback(partial(_step, work))
