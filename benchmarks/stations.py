"""Measures the stations of an execution one by one, so that a cost has an address.

    python benchmarks/stations.py
    python benchmarks/stations.py --batches 3

Each station calls vertexkit's own objects, a few hundred times in one process, without sockets. Prints
the processor time of one call in µs, the least and the median of the batches. The stations of a journal
are called by 32 tasks at a time: each includes a task, and its share of a commit. Whole executions, as
`in_process.py` makes them, come last. What they cost beyond the sum of their stations is that of the
event loop, the tasks, the dispatcher and the context.
"""

import argparse
import asyncio
import io
import os
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import uvloop
from hello import app
from in_process import (
    CALLERS,
    EXECUTIONS,
    SENT,
    WARM_UP_BATCHES,
    batch,
    calls,
    scope,
    serving,
    shared,
)

from vertexkit.asgi import http_app
from vertexkit.blocks.signature import dump
from vertexkit.botone.wire_connection import WireConnection
from vertexkit.clock import Clock
from vertexkit.execution import (
    SEND,
    Effect,
    EffectState,
    Execution,
    Outcome,
    OutcomeStatus,
    Result,
    new_execution_id,
)
from vertexkit.ingress.request import RawCall, read_call
from vertexkit.journal import make_journal
from vertexkit.journal.protocol import Journal, Lease, NullJournalObserver
from vertexkit.journal.shared.client import JournalClient
from vertexkit.settings import JournalSettings, Settings
from vertexkit.system.garbage_collector import tune_garbage_collector
from vertexkit.telemetry import logs
from vertexkit.telemetry.events import Events
from vertexkit.token import Token

ROOM = 1 << 20
"""More executions, and more bytes of a result, than there are."""
HEADERS = {"content-type": "application/json"}
REQUEST = b"POST /api/vertex/v1/dialog/send_message HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
RESPONSE = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (
    len(SENT.body),
    SENT.body,
)
INTENT = Effect(0, SEND, "5891b5b522d5df08")
CONFIRMED = Effect(0, SEND, INTENT.digest, EffectState.CONFIRMED, SENT.body)
RESULT = Result(b'{"ok":true}')
OUTCOME = Outcome(OutcomeStatus.COMPLETED, "ok", "204")


class InstantPlatform(asyncio.Transport):
    """A connection to a platform that has responded when `write` returns."""

    connection: WireConnection

    def write(self, _: object) -> None:
        self.connection.data_received(RESPONSE)

    def get_write_buffer_size(self) -> int:
        return 0


class OneConnection:
    """Observes a connection that is used again and again."""

    def connection_idle(self, _: WireConnection) -> None:
        """The next request uses it."""

    def connection_closed(self, _: WireConnection) -> None:
        raise SystemExit("a response was not valid")


class Stations:
    """Measures stations in batches.

    Args:
        executions: how often a station is called in a batch.
    """

    def __init__(self, executions: int) -> None:
        self.costs: dict[str, list[float]] = {}
        """By the name of a station: the µs of one call in each batch."""
        self._executions = executions
        self._bodies = calls(name="Dasha")

    def add(self, name: str, microseconds: float) -> None:
        """Add a batch."""
        self.costs.setdefault(name, []).append(microseconds)

    def functions(self) -> None:
        """Measure a batch of each station that is a function."""
        signature, events, made = app.blocks["hello"].signature, Events(Clock()), self._make()
        transport = InstantPlatform()
        connection = transport.connection = WireConnection(OneConnection())
        connection.connection_made(transport)
        deadline = asyncio.get_running_loop().time() + 60
        stations: dict[str, Callable[[Execution], object]] = {
            "read a call": lambda one: read_call(RawCall("", one.raw, HEADERS)),
            "read a token": lambda one: Token(one.token.reveal()).claims,
            "validate inputs": lambda one: signature.read(one.inputs),
            "make an execution": lambda one: _execution(one.token, one.inputs, one.raw).key,
            "bind log lines to it": logs.bind,
            "write a log line": lambda one: events.emit("accepted", one.id, "hello", bytes=80),
            "send a request, read its response": lambda _: connection.send(REQUEST, deadline),
            "serialise a result": lambda _: dump(signature.result, {"ok": True}, ROOM),
        }
        for name, function in stations.items():
            started = time.process_time()
            for one in made:
                function(one)
            self._add_since(started, name)

    async def journal(self, name: str, journal: Journal) -> None:
        """Measure a batch of each station of a journal."""

        async def station(
            what: str, use: Callable[[Any], Awaitable[Any]], arguments: list[Any]
        ) -> None:
            started = time.process_time()
            for first in range(0, len(arguments), CALLERS):
                await asyncio.gather(*map(use, arguments[first : first + CALLERS]))
            self._add_since(started, f"{name}: {what}")

        await station("accept", lambda one: journal.accept(one, ROOM), self._make())
        leases: list[Lease] = []
        started = time.process_time()
        while len(leases) < self._executions:
            leases += await journal.claim("worker", {"hello": ROOM}, CALLERS)
        self._add_since(started, f"{name}: claim")
        await station("intent", lambda one: journal.record_intent(one, INTENT), leases)
        await station("message", lambda one: journal.record_effect(one, CONFIRMED), leases)
        await station(
            "result", lambda one: journal.record_result(one, RESULT, completing=True), leases
        )
        await station("settle", lambda one: journal.settle(one, OUTCOME), leases)

    async def rejections(self, served: Any) -> None:
        """Measure a batch of requests that the endpoint of blocks rejects at once."""
        get = scope() | {"method": "GET"}
        statuses = set()

        async def send(message: Any) -> None:
            statuses.add(message.get("status", 405))

        started = time.process_time()
        for _ in range(self._executions):
            await served(dict(get), None, send)
        self._add_since(started, "route a request and reject it")
        if statuses != {405}:
            raise SystemExit(f"a request was answered with {statuses}")

    def _add_since(self, started: float, name: str) -> None:
        self.add(name, (time.process_time() - started) / self._executions * 1e6)

    def _make(self) -> list[Execution]:
        made = []
        for _ in range(self._executions):
            body = next(self._bodies)
            token, inputs = read_call(RawCall("", body, HEADERS))
            made.append(_execution(Token(token), inputs, body))
        return made


def _execution(token: Token, inputs: dict[str, Any], body: bytes) -> Execution:
    return Execution(new_execution_id(), "hello", token, inputs, body, time.time())


@asynccontextmanager
async def journals(folder: Path) -> AsyncIterator[dict[str, Journal]]:
    """Open a journal in memory, one in a file, and another one as its workers use it."""
    clock = Clock()
    own = {
        "memory": make_journal(_settings("memory:"), clock),
        "sqlite": make_journal(_settings(f"sqlite:{folder}/journal.db"), clock),
    }
    async with shared(_settings(f"sqlite:{folder}/shared.db")) as path:
        opened: dict[str, Journal] = {**own, "shared": JournalClient(path)}
        for journal in opened.values():
            await journal.open(NullJournalObserver())
        yield opened
        for journal in reversed(opened.values()):
            await journal.close()


def _settings(url: str) -> JournalSettings:
    os.environ["VERTEXKIT_JOURNAL"] = url
    return Settings.load().journal


async def measure(options: argparse.Namespace, folder: Path) -> dict[str, list[float]]:
    """Measure batches of all stations in turn; return their costs."""
    logs.configure("json", "info", io.BytesIO())
    stations = Stations(options.executions)
    async with journals(folder) as opened:
        for number in range(1 + options.batches):
            stations.functions()
            for name, journal in opened.items():
                await stations.journal(name, journal)
            if number == 0:
                stations.costs.clear()  # it filled caches
                tune_garbage_collector()
    for name, url in {"memory": "memory:", "sqlite": f"sqlite:{folder}/whole.db"}.items():
        async with serving(app, url) as service:
            served, bodies = http_app(service), calls(name="Dasha")
            for _ in range(WARM_UP_BATCHES):
                await batch(served, service, bodies, options.executions)
            for _ in range(options.batches):
                await stations.rejections(served)
                cost = await batch(served, service, bodies, options.executions)
                stations.add(f"{name}: a whole execution", cost)
    return stations.costs


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--batches", type=int, default=20)
    parser.add_argument(
        "--executions", type=int, default=EXECUTIONS, help="of a batch: a multiple of 32"
    )
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        costs = uvloop.run(measure(options, Path(folder)))
    print(f"{'station':<36}{'least µs':>10}{'median µs':>11}")
    for name, batches in costs.items():
        print(f"{name:<36}{min(batches):>10.1f}{statistics.median(batches):>11.1f}")


if __name__ == "__main__":
    main()
