"""Measures whether the cost of an execution grows with what a service has to hold.

    python benchmarks/growth.py
    python benchmarks/growth.py --rows 10000 --batches 3

Without sockets, in one process, as `in_process.py`. Prints the processor time in µs, the least of all
batches: with 1 and with 200 blocks; of one message, in executions that send 1 and 50; with an empty
SQLite journal and with one that holds ended executions; and of a KiB of a call's body.
"""

import argparse
import asyncio
import io
import sqlite3
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import uvloop
from in_process import CALLERS, EXECUTIONS, batch, calls, serving
from journal_waits import fill
from pydantic import BaseModel

from vertexkit import App, Context
from vertexkit.asgi import http_app
from vertexkit.system.garbage_collector import tune_garbage_collector
from vertexkit.telemetry import logs

WARM_UP_BATCHES = 2
BLOCKS = 200
MESSAGES = 50
SIZES_KIB = (1, 64, 240)
"""Of a body; the limit is 256 KiB."""


class Talk(BaseModel):
    messages: int = 1
    filler: str = ""


def make_app(blocks: int) -> App:
    """Return an app with a number of blocks that send messages; the calls are for the last."""
    app = App()

    async def hello(ctx: Context, talk: Talk) -> dict[str, bool]:
        for _ in range(talk.messages):
            await ctx.send_message("Hello")
        return {"ok": True}

    for number in reversed(range(blocks)):
        app.block(f"block-{number}" if number else "hello", timeout=30, concurrency=500)(hello)
    return app


async def cost(app: App, journal: str, batches: int, executions: int, **inputs: Any) -> float:
    """Return the µs of one execution, the least of all batches."""
    [least] = await costs_in_turn(app, [journal], batches, executions, **inputs)
    return least


async def costs_in_turn(
    app: App, journals: Sequence[str], batches: int, executions: int, **inputs: Any
) -> list[float]:
    """Return the µs of one execution with each journal, whose batches run in turn."""
    logs.configure("json", "info", io.BytesIO())
    bodies = calls(**inputs)
    async with AsyncExitStack() as stack:
        services = [await stack.enter_async_context(serving(app, one)) for one in journals]
        served = [http_app(service) for service in services]
        costs: list[list[float]] = []
        for _ in range(WARM_UP_BATCHES + batches):
            costs.append(
                [
                    await batch(http, service, bodies, executions)
                    for http, service in zip(served, services, strict=True)
                ]
            )
            if len(costs) == WARM_UP_BATCHES:
                tune_garbage_collector()
        return [min(column) for column in zip(*costs[WARM_UP_BATCHES:], strict=True)]


def fill_with_kept(path: Path, rows: int) -> None:
    """Make a journal with ended executions that retention keeps: parked ones that are new."""
    fill(path, rows)
    with sqlite3.connect(path) as connection:
        connection.execute(
            "UPDATE executions SET ending = 'parked', ended_age = (SELECT age FROM journal)"
        )
    connection.close()


def show(what: str, first: float, last: float) -> None:
    """Print a row."""
    print(f"{what:<52}{first:>9.1f}{last:>9.1f}{last / first:>8.2f}", flush=True)


async def measure(options: argparse.Namespace, folder: Path) -> None:
    """Measure and print a table."""
    batches, size, few = options.batches, options.executions, make_app(1)
    print(f"{'':<52}{'first':>9}{'last':>9}{'ratio':>8}")
    costs = [await cost(make_app(number), "memory:", batches, size) for number in (1, BLOCKS)]
    show(f"execution with 1 and with {BLOCKS} blocks", *costs)

    none, one, many = [
        await cost(few, "memory:", batches, max(CALLERS, size // max(1, number)), messages=number)
        for number in (0, 1, MESSAGES)
    ]
    show(
        f"message, if there is one and if there are {MESSAGES}",
        one - none,
        (many - none) / MESSAGES,
    )

    full = folder / "full.db"
    await asyncio.to_thread(fill_with_kept, full, options.rows)
    journals = [f"sqlite:{path}" for path in (folder / "empty.db", full)]
    costs = await costs_in_turn(few, journals, batches, size)
    show(f"execution with an empty journal and {options.rows:,} rows", *costs)

    sizes = [
        await cost(few, "memory:", batches, CALLERS, filler="x" * (kib * 1024)) for kib in SIZES_KIB
    ]
    small, middle, largest = sizes
    first = (middle - small) / (SIZES_KIB[1] - SIZES_KIB[0])
    last = (largest - middle) / (SIZES_KIB[2] - SIZES_KIB[1])
    show(f"KiB of a body, up to {SIZES_KIB[1]} and up to {SIZES_KIB[2]} KiB", first, last)


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--batches", type=int, default=12)
    parser.add_argument(
        "--executions", type=int, default=EXECUTIONS, help="of a batch, at least 32"
    )
    parser.add_argument("--rows", type=int, default=1_000_000, help="ended executions")
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        uvloop.run(measure(options, Path(folder)))


if __name__ == "__main__":
    main()
