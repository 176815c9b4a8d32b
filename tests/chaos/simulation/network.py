"""The network of a simulation: requests to the platform, and the sockets between processes."""

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any

from tests.chaos.simulation.scheduler import Scheduler, SimulatedLoop
from vertexkit.botone.response import Response
from vertexkit.errors import PlatformUnreachable, SendOutcomeUnknown
from vertexkit.testing import FakePlatform
from vertexkit.testing.asgi_wire import AsgiWire

SPLIT_RATE = 0.1
"""Fraction of the data on a socket that arrives in two parts."""
TICK = 1e-9
"""Seconds between two parts that were sent one after the other."""
PLATFORM_LIMIT = 600.0
"""Seconds after which the platform gives up a request."""


class Network:
    """Delays what processes send, and knows which of them are still there.

    Args:
        scheduler: of the simulation.
        random: of the seed.
        outside: the loop of everything that is not a process of the service.
        platform: answers the requests.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        random: Random,
        outside: SimulatedLoop,
        platform: FakePlatform,
    ) -> None:
        self.unreachable_rate = 0.0
        """Fraction of requests of which no byte is sent."""
        self.scheduler = scheduler
        self.random = random
        self.outside = outside
        self.listeners: dict[str, Listener] = {}
        self._wire = AsgiWire(platform, scheduler.clock)
        self._exchanges: list[Exchange] = []
        self._sockets: list[SocketEnd] = []
        scheduler.connect = self._connect

    def request(self, loop: SimulatedLoop, url: str, body: bytes) -> "Exchange":
        """Send a request of a process to the platform."""
        exchange = Exchange(self, loop)
        self._exchanges.append(exchange)
        if self.random.random() < self.unreachable_rate:
            error = PlatformUnreachable("POST", url, reason="the connection was refused")
            loop.call_later(self.scheduler.latency(), exchange.fail, error)
        else:
            post = self._wire.post(url, body, PLATFORM_LIMIT)
            self.outside.call_later(self.scheduler.latency(), exchange.arrive, post)
        return exchange

    def process_ended(self, loop: SimulatedLoop) -> None:
        """Break the connections of a process that has ended or died."""
        for exchange in self._exchanges:
            if exchange.loop is loop:
                exchange.leave()
        for end in list(self._sockets):
            if end.loop is loop:
                end.break_off()
        for path in [path for path, it in self.listeners.items() if it.loop is loop]:
            del self.listeners[path]

    async def _connect(
        self, loop: SimulatedLoop, make_protocol: Callable[[], Any], path: str
    ) -> tuple[Any, Any]:
        await asyncio.sleep(self.scheduler.latency())
        listener = self.listeners.get(path)
        if listener is None:
            raise ConnectionRefusedError(111, "Connection refused")
        mine, theirs = SocketEnd(self, loop), SocketEnd(self, listener.loop)
        mine.peer, theirs.peer = theirs, mine
        self._sockets += [mine, theirs]
        mine.protocol = make_protocol()
        mine.protocol.connection_made(mine)
        make_theirs = listener.make_protocol
        listener.loop.call_soon(theirs.accept, make_theirs)
        return mine, mine.protocol


class Exchange:
    """One request to the platform."""

    def __init__(self, network: Network, loop: SimulatedLoop) -> None:
        self.loop = loop
        self.answer: asyncio.Future[Response] = loop.create_future()
        self._network = network
        self._task: asyncio.Task[Response] | None = None
        self._left = False

    def arrive(self, post: Any) -> None:
        """Let the platform answer."""
        self._task = self._network.outside.create_task(post)
        self._task.add_done_callback(self._answered)
        if self._left:
            self._cancel_soon()

    def leave(self) -> None:
        """Break the connection: the platform learns it a moment later."""
        self._left = True
        self._cancel_soon()

    def _cancel_soon(self) -> None:
        if self._task is not None and not self._task.done():
            self._network.outside.call_later(self._network.scheduler.latency(), self._task.cancel)

    def _answered(self, task: asyncio.Task[Response]) -> None:
        if task.cancelled():
            return
        delay = self._network.scheduler.latency()
        error = task.exception()
        if error is not None:
            self.loop.call_later(delay, self.fail, error)
        else:
            self.loop.call_later(delay, self._receive, task.result())

    def fail(self, error: BaseException) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)

    def _receive(self, response: Response) -> None:
        if not self.answer.done():
            self.answer.set_result(response)


class SimulatedWire:
    """The wire of one process; see `vertexkit.botone.wire.Wire`."""

    def __init__(self, network: Network, loop: SimulatedLoop) -> None:
        self._network = network
        self._loop = loop

    async def post(self, url: str, body: bytes, timeout: float) -> Response:
        exchange = self._network.request(self._loop, url, body)
        late = SendOutcomeUnknown("POST", url, reason="no response in time")
        timer = self._loop.call_later(timeout, exchange.fail, late)
        try:
            return await exchange.answer
        finally:
            timer.cancel()
            exchange.leave()

    async def close(self) -> None:
        return None


class Listener:
    """A socket that a process listens at; takes the place of a `socket.socket`."""

    def __init__(self, network: Network, path: str) -> None:
        self.loop: SimulatedLoop
        self.make_protocol: Callable[[], Any]
        self._network = network
        self._path = path

    def listen(self, loop: SimulatedLoop, make_protocol: Callable[[], Any]) -> "Listener":
        """Accept connections from now on."""
        self.loop, self.make_protocol = loop, make_protocol
        self._network.listeners[self._path] = self
        return self

    def close(self) -> None:
        """Accept no more connections."""
        self._network.listeners.pop(self._path, None)


class SocketEnd(asyncio.Transport):
    """One end of a connection between two processes."""

    peer: "SocketEnd"
    protocol: Any

    def __init__(self, network: Network, loop: SimulatedLoop) -> None:
        super().__init__()
        self.loop = loop
        self._network = network
        self._closing = False
        self._lost = False
        self._arrives_at = 0.0
        """When the last part that was sent arrives."""
        self._unread = 0

    def accept(self, make_protocol: Callable[[], Any]) -> None:
        """Connect the listening process."""
        self.protocol = make_protocol()
        self.protocol.connection_made(self)

    def write(self, data: Any) -> None:
        if self._closing or self._lost:
            return
        parts = [bytes(data)]
        if self._network.random.random() < SPLIT_RATE:
            at = self._network.random.randrange(len(data))
            parts = [parts[0][:at], parts[0][at:]]
        for part in filter(None, parts):
            self._unread += len(part)
            self._later(self.peer._receive, part)

    def _later(self, callback: Callable[..., object], *args: Any) -> None:
        """Call back at the other end, after everything that was sent before."""
        at = self.loop.time() + self._network.scheduler.latency()
        self._arrives_at = max(self._arrives_at + TICK, at)
        self.peer.loop.call_at(self._arrives_at, callback, *args)

    def _receive(self, data: bytes) -> None:
        self.peer._unread -= len(data)
        if not self._lost:
            self.protocol.data_received(data)

    def is_closing(self) -> bool:
        return self._closing or self._lost

    def get_write_buffer_size(self) -> int:
        return self._unread

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._later(self.peer._end)
            self.loop.call_soon(self._end)

    def break_off(self) -> None:
        """End the connection, as the kernel does when the process has died."""
        if not self._closing:
            self._closing = True
            self._later(self.peer._end)

    def _end(self) -> None:
        if not self._lost:
            self._lost = True
            self._closing = True
            self.protocol.connection_lost(None)
