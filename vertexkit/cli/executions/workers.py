"""What `vertexkit executions workers` does."""

import time
from dataclasses import asdict

from rich.text import Text

from vertexkit.cli import output
from vertexkit.cli.executions.actions import format_duration, with_journal
from vertexkit.cli.table import Table
from vertexkit.cli.translation import translate
from vertexkit.journal.protocol import WorkerRecord
from vertexkit.operators.workers import worker_state

COLUMNS = ("worker", "state", "held", "host", "pid", "version", "blocks")
STYLES = {"running": "green", "silent": "bold red", "stopped": "dim"}


def list_workers(*, as_json: bool) -> None:
    """Print the workers."""
    workers = with_journal(lambda journal: journal.workers())
    if as_json:
        for worker in workers:
            output.print_json(asdict(worker) | {"state": worker_state(worker, time.time())})
        return
    console = output.console()
    if not workers:
        console.print(f"  {translate('no worker holds an execution')}")
        return
    now = time.time()
    head, lines = Table(COLUMNS, "state", STYLES, {"held"}).lines(
        [_row(worker, now) for worker in workers]
    )
    console.print(head, soft_wrap=True)
    for worker, line in zip(workers, lines, strict=True):
        console.print(line, soft_wrap=True)
        if worker_state(worker, now) == "silent" and worker.seen_at is not None:
            silence = format_duration(now - worker.seen_at)
            console.print(
                Text(f"  {translate('it has not reported for {0}', silence)}", "dim"),
                soft_wrap=True,
            )


def _row(worker: WorkerRecord, now: float) -> tuple[str, ...]:
    return (
        worker.worker,
        worker_state(worker, now),
        str(worker.held),
        worker.host,
        "" if worker.pid is None else str(worker.pid),
        worker.version,
        ", ".join(worker.blocks),
    )
