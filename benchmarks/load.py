"""Calls a service as the platform does, and answers its messages and completions.

This process is the caller and the platform. A `Load` is one measurement: a number of executions in a
closed loop (each connection makes its next call when the last one is answered) or in an open loop
(calls come at a constant rate, each on a connection of its own, however slow the service is).
"""

import asyncio
import json
import re
import time
from collections.abc import Callable
from typing import ClassVar, cast

import httptools

SLACK_ID = re.compile(rb"Fx(\d+)")
SENT = b'{"message_id":123,"created_at":1669947527}'
SENT_BY_SLACK = b'{"ok":true,"ts":"1.2","channel":"C1"}'
PATIENCE_SECONDS = 60.0
"""What was not completed counts as lost when no completion has come for so long."""

REPEAT_SECONDS = 0.05
"""A call that is answered with 503 is made again after this."""

Call = Callable[[int], bytes]
"""Returns the body of the call with a number."""


def block_call(number: int) -> bytes:
    """Return the body of a call of the platform."""
    return json.dumps({"token": f"token-{number}", "name": "Dasha"}).encode()


def slack_call(number: int) -> bytes:
    """Return the body of a call of Slack that starts a custom step of a workflow."""
    function = {"id": "F1", "callback_id": "hello", "title": "Hello", "type": "app", "app_id": "A1"}
    event = {
        "type": "function_executed",
        "function": function,
        "inputs": {"name": "Dasha"},
        "function_execution_id": f"Fx{number}",
        "workflow_execution_id": "Wx1",
        "event_ts": "1.1",
        "bot_access_token": "none",
    }
    call = {"team_id": "T1", "enterprise_id": "E1", "api_app_id": "A1", "event": event}
    return json.dumps(call | {"type": "event_callback", "event_id": f"Ev{number}"}).encode()


class HttpProtocol(asyncio.Protocol):
    """A connection with a minimal HTTP parser; subclasses define `on_message_complete`."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport
        self._parser: httptools.HttpRequestParser | httptools.HttpResponseParser
        self.url = self.body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's does not subclass it

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self.url = url

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_begin(self) -> None:
        self.body = b""


class Load:
    """One measurement of a service.

    Args:
        port: of the service.
        first: number of the first call; each call of a service has another number.
        executions: how many calls are made.
        call: returns the body of a call.
    """

    current: ClassVar["Load"]
    """What completions are counted for: the service keeps its connections from one to the next."""

    def __init__(self, port: int, first: int, executions: int, call: Call) -> None:
        self.latencies: list[float] = []
        """Seconds from each call to the completion of its block."""
        self.ended: list[float] = []
        """When each of these was completed, of `time.perf_counter`."""
        self.calls = first
        self._port, self._end, self._call = port, first + executions, call
        self.lost = executions
        """Executions that are not completed yet."""
        self._last = 0.0
        self._started: dict[int, float] = {}
        self._done = asyncio.get_running_loop().create_future()
        self._tasks: set[asyncio.Task[None]] = set()
        Load.current = self

    async def run(self, connections: int, rate: float = 0) -> float:
        """Make the calls.

        Args:
            connections: of a closed loop.
            rate: calls per second in an open loop; 0: a closed loop.

        Returns:
            The seconds from the first call to the last completion.
        """
        start = time.perf_counter()
        if rate:
            await self._call_at(rate, start)
        else:
            await asyncio.gather(
                *(self._connect(Caller(self, once=False)) for _ in range(connections))
            )
        while not self._done.done():
            completed = len(self.latencies)
            await asyncio.wait([self._done], timeout=PATIENCE_SECONDS)
            if completed == len(self.latencies):
                break
        if self._done.done():
            self._done.result()
        return self._last - start

    async def warm_up(self, connections: int) -> None:
        """Make the calls before a measurement, which must not begin before all are completed."""
        await self.run(connections)
        if self.lost:
            raise SystemExit(f"{self.lost} executions were not completed before the measurement")

    async def _call_at(self, rate: float, start: float) -> None:
        for number in range(self._end - self.calls):
            delay = start + number / rate - time.perf_counter()
            await asyncio.sleep(max(0, delay))
            self.connect(Caller(self, once=True))

    def connect(self, caller: "Caller") -> None:
        """Open a connection for a caller."""
        task = asyncio.get_running_loop().create_task(self._connect(caller))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, caller: "Caller") -> None:
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: caller, "127.0.0.1", self._port)

    def next_request(self) -> bytes:
        """Return the next call; nothing if all were made."""
        if self.calls >= self._end:
            return b""
        body = self._call(self.calls)
        self._started[self.calls] = time.perf_counter()
        self.calls += 1
        return (
            b"POST /blocks/hello HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
            b"content-length: %d\r\n\r\n%b" % (len(body), body)
        )

    def complete(self, number: int) -> None:
        """Take note of a completion."""
        started = self._started.pop(number, None)
        if started is None:
            return
        self._last = time.perf_counter()
        self.latencies.append(self._last - started)
        self.ended.append(self._last)
        self.lost -= 1
        if self.lost == 0:
            self._done.set_result(None)

    def fail(self, reason: str) -> None:
        """End the measurement: a call was not accepted."""
        if not self._done.done():
            self._done.set_exception(SystemExit(reason))


class Platform(HttpProtocol):
    """Responds at once to messages and completions, of Bot.one's dialect and of Slack's."""

    def __init__(self) -> None:
        super().__init__()
        self._parser = httptools.HttpRequestParser(self)

    def on_message_complete(self) -> None:
        path = self.url.partition(b"?")[0]
        if path.endswith(b"/complete"):
            self.transport.write(b"HTTP/1.1 204 No Content\r\n\r\n")
            self.complete(self.body)
        elif path.endswith(b"/functions.completeSuccess"):
            self._respond(SENT_BY_SLACK)
            found = SLACK_ID.search(self.url)
            assert found is not None, self.url
            Load.current.complete(int(found[1]))
        else:
            self._respond(SENT if path.endswith(b"/send_message") else SENT_BY_SLACK)

    def complete(self, body: bytes) -> None:
        """Take note of a completion."""
        token: str = json.loads(body)["token"]
        Load.current.complete(int(token.rpartition("-")[2]))

    def _respond(self, body: bytes) -> None:
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
        self.transport.write(head % len(body) + body)


class Caller(HttpProtocol):
    """A connection of the platform to the block's URL.

    Args:
        load: the measurement.
        once: close the connection after one call.
    """

    def __init__(self, load: Load, once: bool) -> None:
        super().__init__()
        self._parser = httptools.HttpResponseParser(self)
        self._load, self._once = load, once
        self._request = b""
        self._repeats = False
        """The last call is to be made again."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._parser = httptools.HttpResponseParser(self)
        if self._repeats:
            self._repeat()
        else:
            self._call()

    def _call(self) -> None:
        self._request = self._load.next_request()
        if self._request:
            self.transport.write(self._request)
        else:
            self.transport.close()

    def on_message_complete(self) -> None:
        assert isinstance(self._parser, httptools.HttpResponseParser)
        status = self._parser.get_status_code()
        if status == 503:
            self._repeats = True
            asyncio.get_running_loop().call_later(REPEAT_SECONDS, self._repeat)
            return
        if status != 200:
            self._load.fail(f"the response to a call was {status}: {self.body!r}")
        if self._once:
            self.transport.close()
        else:
            self._call()

    def _repeat(self) -> None:
        """Make the last call again, over another connection if the service has closed this one."""
        if self.transport.is_closing():
            self._load.connect(self)
        else:
            self._repeats = False
            self.transport.write(self._request)
