"""The connections of a `SocketWire`: which are idle, and when each has to end."""

import asyncio
from math import inf

from vertexkit.botone.wire_connection import WireConnection

TIMER_TOLERANCE_SECONDS = 0.001
"""The resolution of the event loop's timers: they may run early by that much."""


class WirePool:
    """The connections to one or several servers.

    One timer serves all of them: a timer for each request costs as much as writing it.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._connections: dict[WireConnection, list[WireConnection]] = {}
        """Every open connection, with the idle ones of its server."""
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due = inf
        """Not later than the earliest deadline of a connection."""

    def add(self, connection: WireConnection, idle: list[WireConnection]) -> None:
        """Add an open connection.

        Args:
            connection: calls `connection_idle` and `connection_closed`.
            idle: idle connections of its server, which this object changes; the one that was used
                last is at the end.
        """
        self._connections[connection] = idle
        self.watch(connection.deadline)

    def take(self, idle: list[WireConnection]) -> WireConnection | None:
        """Take a connection that is ready for a request; None if there is none."""
        while idle:
            connection = idle.pop()
            if connection.is_usable:
                return connection
            connection.close()
        return None

    def watch(self, deadline: float) -> None:
        """End connections at their deadlines; none of those may be earlier than this one."""
        if deadline < self._timer_due:
            if self._timer is not None:
                self._timer.cancel()
            self._timer_due = deadline
            self._timer = self._loop.call_later(
                max(0.0, deadline - self._loop.time()), self._expire
            )

    def _expire(self) -> None:
        now = self._loop.time() + TIMER_TOLERANCE_SECONDS
        for connection in [one for one in self._connections if one.deadline <= now]:
            connection.expire()
        self._timer, self._timer_due = None, inf
        if self._connections:
            self.watch(min(connection.deadline for connection in self._connections))

    def connection_idle(self, connection: WireConnection) -> None:
        self._connections[connection].append(connection)
        self.watch(connection.deadline)

    def connection_closed(self, connection: WireConnection) -> None:
        idle = self._connections.pop(connection, None)
        if idle is not None and connection in idle:
            idle.remove(connection)

    async def close(self) -> None:
        """Close all connections; requests in progress end."""
        for connection in list(self._connections):
            connection.close()
        if self._timer is not None:
            self._timer.cancel()
        await asyncio.sleep(0)  # in which the transports close their sockets
