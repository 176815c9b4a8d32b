"""A random run of three services that share a PostgreSQL database, with a fixed seed.

The simulation of `tests/chaos/simulation` decides when each part of SQLite's journal works; a
database server decides that itself. So the same judges look at a run that is random only in what it
does: which services are stopped, which programs run, and which requests fail.
"""

import asyncio
from collections.abc import Mapping
from itertools import count
from random import Random

import httpx
import pytest

from tests.chaos import soak_blocks
from tests.chaos.invariants import check
from tests.chaos.memories import RememberedNumbers, counted_once, none_lost
from tests.chaos.observed import Call, Observed
from tests.chaos.senders import FINAL, NAMES, event_path
from tests.chaos.soak import POLICIES, lines_of
from tests.chaos.stores import PostgresStore
from tests.chaos.waits import SentEvent, reads_in
from tests.journal.postgres.fleet import Fleet
from tests.postgres_server import PostgresServer
from vertexkit.asgi import http_app
from vertexkit.telemetry.events import Event

pytest.importorskip("psycopg", reason="the extra postgres is not installed")
pytestmark = pytest.mark.unmeasured

SEED = 7
CALLS = 24
CALLS_PER_STOP = 4
"""Number of calls between two stops of a service, which is started again."""
SERVICES = ("first", "second", "third")
DIALOGS = (None, 1, 2)
"""New dialogs, and two that executions share."""
FAULT_RATE = 0.05
FAULTS = ("cut", "lost", "half")
TURN_SECONDS = 0.01


class RandomRun:
    """Calls, events, and services that come and go.

    Args:
        store: the journal.
        seed: of everything that is random.
    """

    def __init__(self, store: PostgresStore, seed: int) -> None:
        self.fleet = Fleet(store.url, attempts=100, send_timeout=2.0, cleanup=0.1)
        self.calls: list[Call] = []
        self.sent: list[SentEvent] = []
        self.settled: list[str] = []
        self._random = Random(seed)
        self._routes = Random(seed)
        """Of the requests: which of them is the next one is not determined by the seed."""
        self._numbers = count(1)

    async def play(self) -> None:
        """Make all calls, send their events, and wait until every execution has ended."""
        async with self.fleet as fleet, asyncio.TaskGroup() as senders:
            for name in SERVICES:
                await self._start(name)
            fleet.platform.chaos(FAULT_RATE, FAULTS)
            for number in range(1, CALLS + 1):
                call = await self._call()
                for name in NAMES:
                    senders.create_task(self._send(call, name))
                if number % CALLS_PER_STOP == 0:
                    victim = self._random.choice(SERVICES)
                    await fleet.stop(victim)
                    await self._start(victim)
            await fleet.ended(len({call.execution for call in self.calls}))

    async def _start(self, name: str) -> None:
        def note(event: Event) -> None:
            if event.name == "settled":
                self.settled.append(event.execution)

        service = await self.fleet.start(name, soak_blocks.app)
        service.events.subscribe(note)

    async def _call(self) -> Call:
        block = self._random.choice(list(soak_blocks.TERMS))
        token = self.fleet.platform.issue(block, self._random.choice(DIALOGS))
        body = {"token": token, "seed": self._random.randrange(1 << 30)}
        answer = await self._post(f"/blocks/{block}", body)
        assert answer.status_code == 200, answer.text
        self.calls.append(Call(token, block, 200, answer.json()["execution"]))
        return self.calls[-1]

    async def _send(self, call: Call, name: str) -> None:
        while True:
            number = next(self._numbers)
            answer = await self._post(event_path(call, name), {"number": number})
            self.sent.append(SentEvent(call.execution, name, number, answer.status_code))
            if answer.status_code in FINAL:
                return
            await asyncio.sleep(TURN_SECONDS)

    async def _post(self, path: str, body: Mapping[str, object]) -> httpx.Response:
        service = self._routes.choice(list(self.fleet.services.values()))
        transport = httpx.ASGITransport(http_app(service))
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            return await client.post(path, json=body)


async def test_a_random_run_of_a_fleet_keeps_the_invariants(
    postgres_server: PostgresServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Services that stop and start, requests that fail, waits and memories: nothing is lost."""
    # On a busy machine the database may take longer than the time after which a call is rejected.
    monkeypatch.setattr("vertexkit.journal.postgres.writer.ANSWER_SECONDS", 30.0)
    monkeypatch.setattr(soak_blocks, "SLEEP_SECONDS", (0.01,))
    monkeypatch.setattr(soak_blocks, "WAIT_SECONDS", (0.05, soak_blocks.LONG_WAIT_SECONDS))
    store = PostgresStore(postgres_server, "random_fleet")
    run = RandomRun(store, SEED)
    await run.play()
    records, memories, logs = await store.records(), store.memories(), capsys.readouterr().out
    lines = lines_of(logs.encode())
    seen = Observed(
        tuple(run.calls),
        tuple(run.fleet.platform.ledger),
        records,
        logs.encode(),
        POLICIES,
        settled=tuple(run.settled),
        events=tuple(run.sent),
        reads=reads_in(lines),
    )
    assert check(seen) == []
    assert none_lost(RememberedNumbers.logged(lines), memories, frozenset()) == []
    assert counted_once(records, memories) == []
    kinds = {effect.kind.partition(":")[0] for record in records for effect in record.effects}
    assert kinds >= {"send", "step", "wait", "memory.update"}
