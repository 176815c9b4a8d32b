"""Workers for operators."""

from vertexkit.journal.protocol import WorkerRecord

SILENT_SECONDS = 15.0
"""Three reports of a worker have not arrived."""


def worker_state(worker: WorkerRecord, now: float) -> str:
    """Return whether a worker runs: `running`, `silent` or `stopped`.

    Args:
        worker: of the journal.
        now: Unix seconds.
    """
    if worker.stopped_at is not None:
        return "stopped"
    is_silent = worker.seen_at is not None and now - worker.seen_at > SILENT_SECONDS
    return "silent" if is_silent else "running"
