"""Several processes share a PostgreSQL database, and some of them are killed."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP
from typing import Any

import aiohttp
import pytest

from tests.chaos.observed import Call
from tests.chaos.scene import Child, Scene
from tests.http_server import served
from tests.postgres_server import PostgresServer
from vertexkit.clock import Clock
from vertexkit.execution import OutcomeStatus, Phase
from vertexkit.journal.admin import open_admin
from vertexkit.journal.protocol import Query, Record
from vertexkit.settings import JournalSettings
from vertexkit.testing import FakePlatform

pytest.importorskip("psycopg", reason="the extra postgres is not installed")
pytestmark = pytest.mark.unmeasured

LEASE = 1.0
numbers = count(1)


class FleetScene(Scene):
    """A scene whose processes share a database.

    Args:
        url: of the database.
        *arguments: as of a scene.
    """

    def __init__(self, url: str, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.journal_url = url
        self._records: tuple[Record, ...] = ()

    def records(self) -> tuple[Record, ...]:
        return self._records

    async def reaches(self, call: Call, phase: Phase) -> None:
        """Wait until an execution is in a phase; a test that waits in vain is ended by its limit."""
        while True:
            async with open_admin(JournalSettings(url=self.journal_url), Clock()) as journal:
                self._records = tuple(await journal.search(Query()))
            if any(r.execution == call.execution and r.phase is phase for r in self._records):
                return
            await asyncio.sleep(0.02)


@pytest.fixture
async def scene(postgres_server: PostgresServer, tmp_path: Path) -> AsyncIterator[FleetScene]:
    """A scene with a new database."""
    name = f"fleet_{next(numbers)}"
    postgres_server.sql(f"CREATE DATABASE {name}")
    platform = FakePlatform()
    timeout = aiohttp.ClientTimeout(total=30)
    async with served(platform) as port, aiohttp.ClientSession(timeout=timeout) as client:
        scene = FleetScene(postgres_server.url(name), tmp_path, platform, port, client)
        try:
            yield scene
        finally:
            await scene.close()


@contextmanager
def frozen(children: Sequence[Child]) -> Iterator[None]:
    """While these processes do nothing, another one gets the work."""
    for child in children:
        child.send(SIGSTOP)
    try:
        yield
    finally:
        for child in children:
            child.send(SIGCONT)


@pytest.mark.parametrize(
    "points", [("K9",), ("K4", "W4")], ids=["two processes", "three processes"]
)
async def test_a_fleet_whose_processes_are_killed(
    scene: FleetScene, points: tuple[str, ...]
) -> None:
    """The others continue what a killed process has started, and know the event that it has stored."""
    doomed = [await scene.start(point, lease=LEASE, attempts=100) for point in points]
    healthy = await scene.start(lease=LEASE, attempts=100)
    first, *others = doomed
    with frozen([*others, healthy]):
        scene.call_at(first)
        call = await scene.call("assume_sent")
        assert await first.ended() == -SIGKILL
    scene.call_at(healthy)
    if call.status is None:  # it was killed before its answer
        call = await scene.call("assume_sent", call.token)
    await scene.reaches(call, Phase.SETTLED)
    waiting = await scene.call("wait")
    await scene.reaches(waiting, Phase.SUSPENDED)
    for other in others:
        with frozen([healthy]):
            scene.call_at(other)
            assert await scene.send_event(waiting) is None
            assert await other.ended() == -SIGKILL
        scene.call_at(healthy)
    # A stored event may have ended the execution already.
    assert await scene.send_event(waiting) in ({200, 410} if others else {200})
    await scene.reaches(waiting, Phase.SETTLED)
    await scene.finish()
    assert scene.messages(call) == ([1] if points[0] == "K4" else [0, 1])
    assert [result["number"] for result in scene.results(waiting)] == [1]
    for record in scene.records():
        assert record.outcome is not None
        assert (record.outcome.status, record.outcome.code) == (OutcomeStatus.COMPLETED, "ok")
