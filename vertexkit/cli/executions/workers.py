"""What `vertexkit executions workers` does."""

import time
from dataclasses import asdict

from rich.text import Text

from vertexkit.cli import output
from vertexkit.cli.executions.actions import format_duration, with_journal
from vertexkit.cli.table import Table
from vertexkit.journal.protocol import WorkerRecord

COLUMNS = ("worker", "state", "held", "host", "pid", "version", "blocks")
STYLES = {"running": "green", "silent": "bold red", "stopped": "dim"}
SILENT_SECONDS = 15.0
"""Three reports of a worker have not arrived."""


def list_workers(*, as_json: bool) -> None:
    """Print the workers."""
    workers = with_journal(lambda journal: journal.workers())
    if as_json:
        for worker in workers:
            output.print_json(asdict(worker) | {"state": state(worker, time.time())})
        return
    console = output.console()
    if not workers:
        console.print("  no worker holds an execution")
        return
    now = time.time()
    head, lines = Table(COLUMNS, "state", STYLES, {"held"}).lines(
        [_row(worker, now) for worker in workers]
    )
    console.print(head, soft_wrap=True)
    for worker, line in zip(workers, lines, strict=True):
        console.print(line, soft_wrap=True)
        if state(worker, now) == "silent" and worker.seen_at is not None:
            silence = format_duration(now - worker.seen_at)
            console.print(Text(f"  it has not reported for {silence}", "dim"), soft_wrap=True)


def state(worker: WorkerRecord, now: float) -> str:
    """Return whether a worker runs: `running`, `silent` or `stopped`."""
    if worker.stopped_at is not None:
        return "stopped"
    is_silent = worker.seen_at is not None and now - worker.seen_at > SILENT_SECONDS
    return "silent" if is_silent else "running"


def _row(worker: WorkerRecord, now: float) -> tuple[str, ...]:
    return (
        worker.worker,
        state(worker, now),
        str(worker.held),
        worker.host,
        "" if worker.pid is None else str(worker.pid),
        worker.version,
        ", ".join(worker.blocks),
    )
