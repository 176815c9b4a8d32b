"""The metrics of several processes, added up over a socket."""

import asyncio
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.waiting import PATIENCE_SECONDS, until
from vertexkit.system.supervision import Supervisor
from vertexkit.telemetry import aggregation
from vertexkit.telemetry.aggregation import MetricsReporter, MetricsServer
from vertexkit.telemetry.prometheus import Snapshot


def counted(number: int) -> Snapshot:
    """A snapshot of a process that received this number of calls."""
    return [["calls", "Calls.", "counter", [["calls_total", {}, number]]]]


def calls(snapshot: Snapshot) -> int:
    [[_, _, _, [[_, _, number]]]] = snapshot
    return int(number)


def mode(path: Path) -> int | None:
    """The permissions of a file; None if it does not exist."""
    return stat.S_IMODE(path.stat().st_mode) if path.exists() else None


class Worker(MetricsReporter):
    """A worker whose calls the test counts."""

    def __init__(self, path: Path, received: int) -> None:
        super().__init__(path, lambda: counted(self.received), Supervisor(pytest.fail))
        self.received = received


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is frozen for a moment is waited for, unless a test says otherwise."""
    monkeypatch.setattr(aggregation, "REPORT_TIMEOUT_SECONDS", PATIENCE_SECONDS / 2)
    monkeypatch.setattr(aggregation, "MERGE_TIMEOUT_SECONDS", PATIENCE_SECONDS)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "metrics"


@pytest.fixture
async def server(path: Path) -> AsyncIterator[MetricsServer]:
    """A server whose own process received 1 call."""
    server = MetricsServer(lambda: counted(1))
    await server.open(path)
    yield server
    await server.close()


async def connect(path: Path, received: int) -> Worker:
    worker = Worker(path, received)
    await worker.open()
    return worker


async def test_each_worker_returns_the_sum(server: MetricsServer, path: Path) -> None:
    """The sum contains the server's process and the current values of all workers."""
    first, second = await connect(path, 10), await connect(path, 100)
    assert calls(await first.merged()) == calls(await second.merged()) == 111
    first.received = 20
    assert calls(await second.merged()) == calls(await server.merged()) == 121
    await first.close()
    await second.close()


async def test_counters_of_a_closed_worker_are_kept(server: MetricsServer, path: Path) -> None:
    """A worker's last values are sent when it closes, and counted after it has ended."""
    first, second = await connect(path, 10), await connect(path, 100)
    first.received = 40
    await first.close()
    await until(lambda: len(server._workers) == 1, "the server has noticed the end of the first")
    assert calls(await second.merged()) == 141
    await second.close()


async def test_a_worker_that_does_not_answer_counts_with_its_last_values(
    server: MetricsServer, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A frozen worker delays a scrape by the timeout at most."""
    monkeypatch.setattr(aggregation, "REPORT_TIMEOUT_SECONDS", 0.05)
    frozen, other = await connect(path, 10), await connect(path, 100)
    assert frozen._task is not None
    frozen._task.cancel()
    frozen.received = 50
    for _ in range(2):
        assert calls(await other.merged()) == 111
    await frozen.close()
    await other.close()


async def test_a_server_that_does_not_respond_is_an_error(
    server: MetricsServer, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker falls back to its own metrics when the server is frozen or has ended."""
    worker = await connect(path, 10)
    with monkeypatch.context() as patch:
        patch.setattr(aggregation, "MERGE_TIMEOUT_SECONDS", 0.05)
        patch.setattr(server, "merged", asyncio.Event().wait)
        with pytest.raises(OSError):
            await worker.merged()
    await server.close()
    with pytest.raises(OSError):
        await worker.merged()
    await worker.close()


async def test_the_socket_is_private_to_its_user(server: MetricsServer, path: Path) -> None:
    """Labels may contain anything: other users of the machine cannot read the metrics."""
    assert mode(path) == 0o600
    await server.close()
    assert mode(path) is None


async def test_a_socket_of_a_killed_process_is_replaced(path: Path) -> None:
    """A socket that was left behind does not prevent the next start."""
    killed, server = MetricsServer(lambda: counted(1)), MetricsServer(lambda: counted(1))
    await killed.open(path)
    await server.open(path)
    worker = await connect(path, 10)
    assert calls(await worker.merged()) == 11
    await worker.close()
    await server.close()
    await killed.close()
