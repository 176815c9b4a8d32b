"""Counts the instructions of an execution, with Valgrind's tool Callgrind.

    python benchmarks/instructions.py --services floor_gc,memory,sqlite
    python benchmarks/instructions.py --services sqlite-2-workers

Times of the same code differ by a third on a busy machine, instructions by 1 or 2 %. Those of the
kernel are not counted. A service runs some fifty times slower than without Valgrind: a run of one
service takes a minute. Of a service with several processes, each one that takes part is printed too.
`--keep FOLDER` keeps the profiles for `callgrind_annotate`.
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
from processes import tree
from services import BASE, SERVICES, running

from tests.reserved_port import reserved_port

CONNECTIONS = 32
SETTINGS = {"VERTEXKIT_STALL": "0", "VERTEXKIT_SEND_TIMEOUT": "60", "PYTHONHASHSEED": "0"}
"""Of the services, which are too slow under Valgrind for the defaults."""
COLLECTED = re.compile(r"^totals: (\d+)", re.MULTILINE)
COMMAND = "valgrind --tool=callgrind --trace-children=yes --instr-atstart=no"
SHARE = 0.01
"""Of the instructions: a process with less takes no part in the executions."""


async def control(pid: int, state: str) -> None:
    """Turn the counting of a process on or off."""
    process = await asyncio.create_subprocess_exec(
        "callgrind_control", "-i", state, str(pid), stdout=subprocess.DEVNULL
    )
    if await process.wait():
        raise SystemExit("callgrind_control failed")


async def count(name: str, executions: int, folder: Path) -> list[float]:
    """Return the instructions of one execution in each process of a service."""
    loop = asyncio.get_running_loop()
    service = SERVICES[name]
    command = f"{COMMAND} --callgrind-out-file={folder}/{name}.%p".split()
    platform_server = await loop.create_server(Platform, "127.0.0.1", 0, backlog=BACKLOG)
    platform_port = platform_server.sockets[0].getsockname()[1]
    slow = replace(service, settings=service.settings | SETTINGS)
    with reserved_port() as port, running(slow, port, platform_port, prefix=command) as pid:
        await Load(port, 0, executions, service.call).run(CONNECTIONS)
        processes = list(tree(pid))
        await asyncio.gather(*(control(one, "on") for one in processes))
        counted = Load(port, executions, executions, service.call)
        await counted.run(CONNECTIONS)
        await asyncio.gather(*(control(one, "off") for one in processes))
    platform_server.close()
    if counted.lost:
        raise SystemExit(f"{name}: {counted.lost} executions were not completed")
    profiles = [(folder / f"{name}.{one}").read_text() for one in processes]
    found = [number for profile in profiles for number in COLLECTED.findall(profile)]
    return [int(number) / executions for number in found]


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
            processes = uvloop.run(count(name, options.executions, Path(folder)))
            number = sum(processes)
            base = number if name == BASE else base
            ratio = f"{number / base:>8.2f}" if base else ""
            shares = [f"{one:,.0f}" for one in processes if one > SHARE * number]
            parts = f"   {' + '.join(shares)}" if len(shares) > 1 else ""
            print(f"{name:<20}{number:>12,.0f} instructions{ratio}{parts}", flush=True)


if __name__ == "__main__":
    main()
