"""Counts the instructions of an execution, with Valgrind's tool Callgrind.

    python benchmarks/instructions.py --services floor_gc,memory,sqlite

Times of the same code differ by a third on a busy machine, instructions by 1 or 2 %. Those of the
kernel are not counted. A service runs some fifty times slower than without Valgrind: a run of one
service takes a minute. `--keep FOLDER` keeps the profiles for `callgrind_annotate`.
"""

import argparse
import asyncio
import re
import subprocess
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import load
import uvloop
from executions import BACKLOG
from load import Load, Platform
from services import BASE, SERVICES, running

from tests.reserved_port import reserved_port

CONNECTIONS = 32
SETTINGS = {"VERTEXKIT_STALL": "0", "VERTEXKIT_SEND_TIMEOUT": "60", "PYTHONHASHSEED": "0"}
"""Of the services, which are too slow under Valgrind for the defaults."""
COLLECTED = re.compile(r"^summary: (\d+)", re.MULTILINE)


async def control(pid: int, state: str) -> None:
    """Turn the counting of a process on or off."""
    process = await asyncio.create_subprocess_exec(
        "callgrind_control", "-i", state, str(pid), stdout=subprocess.DEVNULL
    )
    if await process.wait():
        raise SystemExit("callgrind_control failed")


async def count(name: str, executions: int, folder: Path) -> float:
    """Return the instructions of one execution."""
    loop = asyncio.get_running_loop()
    service = SERVICES[name]
    profile = folder / f"{name}.callgrind"
    command = f"valgrind --tool=callgrind --instr-atstart=no --callgrind-out-file={profile}".split()
    platform_server = await loop.create_server(Platform, "127.0.0.1", 0, backlog=BACKLOG)
    platform_port = platform_server.sockets[0].getsockname()[1]
    slow = replace(service, settings=service.settings | SETTINGS)
    with reserved_port() as port, running(slow, port, platform_port, prefix=command) as pid:
        await Load(port, 0, executions, service.call).run(CONNECTIONS)
        await control(pid, "on")
        counted = Load(port, executions, executions, service.call)
        await counted.run(CONNECTIONS)
        await control(pid, "off")
    platform_server.close()
    found = COLLECTED.search(profile.read_text())
    if counted.lost or found is None:
        raise SystemExit(f"{name}: {counted.lost} executions were not completed")
    return int(found[1]) / executions


def main() -> None:
    """Count and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--services", default="floor_gc,memory", type=lambda text: text.split(","))
    parser.add_argument("--executions", type=int, default=400)
    parser.add_argument("--keep", type=Path, help="folder for the profiles")
    options = parser.parse_args()
    load.PATIENCE_SECONDS = 300.0
    base = 0.0
    with nullcontext(options.keep) if options.keep else TemporaryDirectory() as folder:
        for name in options.services:
            number = uvloop.run(count(name, options.executions, Path(folder)))
            base = number if name == BASE else base
            ratio = f"{number / base:>8.2f}" if base else ""
            print(f"{name:<20}{number:>12,.0f} instructions{ratio}", flush=True)


if __name__ == "__main__":
    main()
