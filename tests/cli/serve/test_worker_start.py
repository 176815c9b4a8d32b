"""Workers of a busy machine: their parent waits for their answers."""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import uvicorn

from vertexkit.cli.serve.server import MISSED_ANSWERS, WorkerProcess


@pytest.fixture
def worker() -> Iterator[WorkerProcess]:
    """A worker whose end of the connection the test has; no process is started."""
    worker = WorkerProcess(uvicorn.Config("no_app:app"), [])
    worker.process = SimpleNamespace(is_alive=lambda: True)  # pyrefly: ignore[bad-assignment]
    yield worker
    for connection in (worker.parent_conn, worker.child_conn):
        connection.close()


def test_a_worker_that_is_slow_to_answer_is_not_killed(worker: WorkerProcess) -> None:
    """It is asked once, and asked again after its answer."""
    for _ in range(2):
        assert all(worker.is_alive() for _ in range(MISSED_ANSWERS))
        assert worker.child_conn.recv() == b"ping"
        assert not worker.child_conn.poll()
        worker.child_conn.send(obj=False)


def test_a_worker_that_does_not_answer_is_not_alive(worker: WorkerProcess) -> None:
    """Neither is one whose process has ended."""
    assert [worker.is_alive() for _ in range(MISSED_ANSWERS + 1)][-2:] == [True, False]
    worker.child_conn.send(obj=True)
    assert worker.is_alive()
    worker.process = SimpleNamespace(is_alive=lambda: False)  # pyrefly: ignore[bad-assignment]
    assert not worker.is_alive()
