"""All connections of one server: their deadlines, and which one is closed when there are too many."""

import asyncio
from collections import Counter, OrderedDict
from enum import Enum
from typing import Protocol

import structlog
from structlog.typing import FilteringBoundLogger

from vertexkit.server.transport import WriteBatch
from vertexkit.settings import ServerSettings

SWEEP_INTERVAL_SECONDS = 1.0
"""Time between two checks of the deadlines."""
REPORT_INTERVAL_SECONDS = 60.0
"""Time between two log lines about rejected connections, so that an attack does not fill the log."""

log: FilteringBoundLogger = structlog.get_logger("vertexkit")


class Awaited(Enum):
    """What a connection waits for. When there are too many, they are closed in this order."""

    CLOSE = 0
    """The client's close: the request was rejected, or answered before its body was complete."""
    FIRST_REQUEST = 1
    NEXT_REQUEST = 2
    BODY = 3
    """The rest of a request."""
    RESPONSE = 4
    """The app's response. Such a connection is never closed for another one."""


class PooledConnection(Protocol):
    """What the pool does with a connection."""

    def check_deadlines(self, now: float) -> None:
        """Close the connection if it has missed a deadline.

        Args:
            now: time of the event loop's clock.
        """

    def evict(self) -> None:
        """Close the connection to make room for another one."""


class ConnectionObserver(Protocol):
    """Learns about connections and requests that the server rejects."""

    def connection_rejected(self, code: str) -> None:
        """A connection was closed, or its request was rejected before the app saw it.

        Args:
            code: why, such as `crowded`, `silent` or `head_timeout`.
        """


class ConnectionPool:
    """All connections of one server.

    Args:
        settings: deadlines and size limits, used by the connections.
        max_connections: how many may be open.
        observer: learns about rejections.
    """

    def __init__(
        self,
        settings: ServerSettings,
        max_connections: int,
        observer: ConnectionObserver | None = None,
    ) -> None:
        self.settings = settings
        self.batch: WriteBatch = WriteBatch()
        """What the connections write in one turn of the event loop."""
        self._max_connections = max_connections
        self._observer = observer
        self._connections: dict[PooledConnection, Awaited] = {}
        self._queues = {awaited: OrderedDict[PooledConnection, None]() for awaited in Awaited}
        """The connections that wait for the same, the one that has waited longest first."""
        self._sweeper: asyncio.TimerHandle | None = None
        self._rejected: Counter[str] = Counter()
        """Rejections by code since the last log line about them."""
        self._reported_at = 0.0

    def __len__(self) -> int:
        return len(self._connections)

    def add(self, connection: PooledConnection) -> None:
        """Add a new connection; close another one or the new one if there are too many."""
        if len(self._connections) >= self._max_connections:
            evicted = self._pop_evictable()
            self.report_rejection("crowded")
            (evicted or connection).evict()
            if evicted is None:
                return
        self._connections[connection] = Awaited.FIRST_REQUEST
        self._queues[Awaited.FIRST_REQUEST][connection] = None
        if self._sweeper is None:
            self._sweep()

    def _pop_evictable(self) -> PooledConnection | None:
        for awaited in Awaited:
            if awaited is not Awaited.RESPONSE and self._queues[awaited]:
                connection, _ = self._queues[awaited].popitem(last=False)
                del self._connections[connection]
                return connection
        return None

    def set_awaited(self, connection: PooledConnection, awaited: Awaited) -> None:
        """Record what a connection waits for from now on."""
        before = self._connections.get(connection)
        if before is not awaited and before is not None:
            del self._queues[before][connection]
            self._connections[connection] = awaited
            self._queues[awaited][connection] = None

    def remove(self, connection: PooledConnection) -> None:
        """Remove a connection that is closed."""
        awaited = self._connections.pop(connection, None)
        if awaited is not None:
            del self._queues[awaited][connection]

    def report_rejection(self, code: str) -> None:
        """Log and count a rejection.

        Args:
            code: as `ConnectionObserver.connection_rejected` takes it.
        """
        self._rejected[code] += 1
        if self._observer is not None:
            self._observer.connection_rejected(code)

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for connection in list(self._connections):
            connection.check_deadlines(now)
        if self._rejected and now - self._reported_at >= REPORT_INTERVAL_SECONDS:
            self._reported_at = now
            log.warning("connections_rejected", connections=len(self), **self._rejected)
            self._rejected.clear()
        more = self._connections or self._rejected
        self._sweeper = loop.call_later(SWEEP_INTERVAL_SECONDS, self._sweep) if more else None
