"""The metrics of several processes of one service, added up over a Unix socket of their own.

Each worker keeps a connection to the process that has started it, and sends its metrics when that
process requests them: each second, so that the counts of a killed worker are kept, and at a scrape.
The worker that answers a scrape requests the merged metrics over a second connection. All messages
are lines: a word, or a snapshot as JSON.
"""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import structlog
from pydantic_core import from_json, to_json
from structlog.typing import FilteringBoundLogger

from vertexkit.references import error_fields
from vertexkit.system.supervision import Supervisor
from vertexkit.telemetry.prometheus import MetricsAggregator, Snapshot

MAX_LINE_BYTES = 64 * 1024 * 1024
"""Longest snapshot of a process."""
REPORT_TIMEOUT_SECONDS = 1.0
"""How long a scrape waits for the workers; of one that does not answer, the last metrics count."""
MERGE_TIMEOUT_SECONDS = 5.0
"""How long a worker waits for the metrics of all processes, before it returns its own."""
REPORT, REGISTERED = b"report\n", b"registered\n"
"""Lines of the server: it requests a worker's metrics; it has received the first ones."""
WORKER, MERGED = b"worker\n", b"merged\n"
"""First line of a connection: metrics of a worker follow; the metrics of all are asked for."""

log: FilteringBoundLogger = structlog.get_logger("vertexkit")


class MetricsServer:
    """Collects the metrics of the workers, in the process that has started them.

    Args:
        own: takes a snapshot of this process.
    """

    def __init__(self, own: Callable[[], Snapshot]) -> None:
        self._aggregator = MetricsAggregator(own)
        self._workers: set[_Worker] = set()
        self._server: asyncio.Server | None = None
        self._path: Path | None = None

    async def open(self, path: Path) -> None:
        """Listen at this path, for this user only.

        Raises:
            OSError: the socket cannot be opened.
        """
        listener = _bind(path)
        self._path = path
        self._server = await asyncio.start_unix_server(
            self._connected, sock=listener, limit=MAX_LINE_BYTES
        )

    async def restore(self) -> None:
        """Listen again if the file of the socket was deleted: new workers have to connect."""
        if self._path is None or self._path.is_socket():
            return
        earlier = self._server
        with suppress(OSError):  # as long as its folder is missing
            await self.open(self._path)
            if earlier is not None:
                earlier.close()  # its connections stay open

    async def close(self) -> None:
        """Close the connections and remove the socket."""
        if self._server is not None:
            self._server.close()
        for worker in self._workers:
            worker.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def request_reports(self) -> None:
        """Request the metrics of the workers: they remain in the sum if a worker is killed."""
        for worker in self._workers:
            worker.request()

    async def merged(self) -> Snapshot:
        """Return the metrics of all processes; request those of the workers first."""
        with suppress(TimeoutError):
            async with asyncio.timeout(REPORT_TIMEOUT_SECONDS):
                await asyncio.gather(*(worker.request_report() for worker in self._workers))
        return self._aggregator.merged()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            purpose = await reader.readline()
            if purpose == MERGED:
                writer.write(to_json(await self.merged()) + b"\n")
                await writer.drain()
            elif purpose == WORKER:
                await self._receive_reports(reader, writer)
        except (ConnectionError, asyncio.LimitOverrunError, ValueError) as error:
            log.warning("metrics_report_failed", **error_fields(error))
        finally:
            writer.close()

    async def _receive_reports(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        worker = _Worker(writer)
        try:
            while line := await reader.readline():
                self._aggregator.update(worker, from_json(line))
                if worker not in self._workers:
                    self._workers.add(worker)
                    writer.write(REGISTERED)
                worker.reported.set()
        finally:
            self._workers.discard(worker)
            self._aggregator.remove(worker)
            worker.reported.set()


def _bind(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)  # left by a process that was killed
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(str(path))
        path.chmod(0o600)  # until it listens, no process can connect
    except OSError:
        listener.close()
        raise
    return listener


class _Worker:
    """The server's end of a worker's connection."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.reported = asyncio.Event()
        """Its last request has been answered."""
        self._writer = writer

    def request(self) -> None:
        """Request the metrics, unless an earlier request is still open."""
        if self.reported.is_set() and not self._writer.is_closing():
            self.reported.clear()
            self._writer.write(REPORT)

    async def request_report(self) -> None:
        """Request the metrics, and wait for them."""
        self.request()
        await self.reported.wait()

    def close(self) -> None:
        self._writer.close()


class MetricsReporter:
    """Reports the metrics of a worker, and requests those of all processes.

    Args:
        path: of the server's socket.
        snapshot: takes a snapshot of this process.
        supervisor: starts the task that answers the server.
    """

    def __init__(
        self, path: Path, snapshot: Callable[[], Snapshot], supervisor: Supervisor
    ) -> None:
        self._path = path
        self._snapshot = snapshot
        self._supervisor = supervisor
        self._writer: asyncio.StreamWriter | None = None
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Send the first metrics, and wait until the server has them.

        Raises:
            OSError: the server cannot be reached.
        """
        reader, self._writer = await asyncio.open_unix_connection(str(self._path))
        self._writer.write(WORKER)
        self._send()
        await reader.readline()  # REGISTERED
        work = self._answer(reader)
        self._task = self._supervisor.start("report of metrics", work, endless=False)

    async def close(self) -> None:
        """Send the last metrics."""
        if self._writer is None or self._task is None:
            return
        self._task.cancel()
        with suppress(OSError):
            self._send()
            self._writer.close()
            await self._writer.wait_closed()

    async def merged(self) -> Snapshot:
        """Return the metrics of all processes.

        Raises:
            OSError: the server cannot be reached, or does not respond (`TimeoutError`).
        """
        reader, writer = await asyncio.open_unix_connection(str(self._path), limit=MAX_LINE_BYTES)
        try:
            writer.write(MERGED)
            async with asyncio.timeout(MERGE_TIMEOUT_SECONDS):
                line = await reader.readline()
        finally:
            writer.close()
        if not line:
            raise ConnectionResetError("the process that adds up the metrics has ended")
        snapshot: Snapshot = from_json(line)
        return snapshot

    async def _answer(self, reader: asyncio.StreamReader) -> None:
        with suppress(ConnectionError):
            while await reader.readline():
                self._send()

    def _send(self) -> None:
        if self._writer is not None:
            self._writer.write(to_json(self._snapshot()) + b"\n")
