"""A worker that starts slowly, as on a busy machine."""

from types import SimpleNamespace

import uvicorn

from vertexkit.cli.serve.server import WorkerProcess


def test_a_worker_that_starts_slowly_is_not_killed() -> None:
    """A worker that has not answered yet counts as alive; one that has must answer in time."""
    worker = WorkerProcess(uvicorn.Config("no_app:app"), [])
    worker.process = SimpleNamespace(is_alive=lambda: True)  # type: ignore[assignment]
    assert worker.is_alive(timeout=0)
    assert worker.is_alive(timeout=0)
    assert worker.child_conn.recv() == b"ping"
    worker.child_conn.send(obj=False)
    assert worker.is_alive(timeout=0)
    assert not worker.is_alive(timeout=0)
    worker.process = SimpleNamespace(is_alive=lambda: False)  # type: ignore[assignment]
    assert not worker.is_alive(timeout=0)
    for connection in (worker.parent_conn, worker.child_conn):
        connection.close()
