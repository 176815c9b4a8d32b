"""Measures the processor time of an execution, as a ratio to that of a minimal service.

    python benchmarks/executions.py --connections 32
    python benchmarks/executions.py --connections 32,256,1024 --rates 500,half --write benchmarks/RESULTS.md
    python benchmarks/executions.py --services floor_gc,sqlite --rounds 2 --executions 3000

An execution is a call with its response, one message and the completion. This process is the caller
and the platform, on one core; the service has the other core to itself, with all its workers. A
PostgreSQL server shares the core of the caller, as if it were on another machine; without its
programs, its rows are left out. Each round measures every service, so that changes of the machine's
speed affect all of them; the table shows the median of the rounds, and ratios to `floor_gc`. The times
in which the service shared its core with another machine do not count (`core_speed.py`): a service is
called until enough executions are completed at the usual speed, or `--loads` times as many in all.
Linux only: processor time is read from /proc.
"""

import argparse
import asyncio
import itertools
import math
import operator
import os
import platform
import statistics
import sys
import time
from bisect import bisect
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import uvloop
from core_speed import Sample, Watch
from load import Load, Platform
from processes import peak_megabytes
from services import BASE, SERVICE_CORE, SERVICES, SHARED_BUFFERS, new_database, running

from tests.postgres_server import PostgresServer, find_programs, killable_server
from tests.reserved_port import reserved_port

WARM_UP = 1000
"""Executions before each measurement, if it has as many, to open connections and fill caches."""
CALLS_LEAST = 2
"""Each connection makes at least this number of calls: after the first ones the service is as busy as it stays."""
ENOUGH = 0.5
"""A service is called again until this part of the executions was completed at the usual speed."""
LEAST = 0.1
"""A round counts if more than this part of its executions was completed at the usual speed."""
BACKLOG = 4096
"""Connections that may wait until this process has accepted them."""
BAR_CHARACTERS = 10
"""Length of a bar for each 1 of the ratio."""
BAR_LONGEST = 40
"""A bar that would be longer is cut off, and ends with an arrow."""
HALF_OF = "sqlite"
"""The rate `half` is half of what this service does in a closed loop."""
TITLE = "# Results of `make bench`"
PACKAGES = "aiohttp fastapi httpx pyreqwest slack-bolt starlette uvicorn uvloop vertexkit"


@dataclass(frozen=True)
class Case:
    """How the services are called."""

    connections: int = 32
    """Of a closed loop."""
    rate: float = 0
    """Calls per second in an open loop; 0: a closed loop."""

    def __str__(self) -> str:
        if self.rate:
            return f"{self.rate:.0f} executions/s, each call on a connection of its own"
        return f"{self.connections} connections"


@dataclass(frozen=True)
class Figures:
    """What was measured in a number of intervals."""

    executions: int
    """That were completed in them."""
    seconds: float
    """Of all intervals."""
    used: list[float]
    """Processor seconds of the service with all its processes, and of the PostgreSQL server if it uses one."""
    latencies: list[float]
    """Seconds from each call to the completion of its block, of the executions that were completed."""

    @property
    def microseconds(self) -> list[float]:
        """The processor time for one execution."""
        return [one / max(1, self.executions) * 1e6 for one in self.used]


@dataclass
class Round:
    """Measurements of one round of a service."""

    intervals: list[tuple[Sample, Sample]] = field(default_factory=list)
    """While the service was called."""
    ended: list[float] = field(default_factory=list)
    """When each execution was completed, the earliest first."""
    latencies: list[float] = field(default_factory=list)
    """Seconds from the call of each of these to the completion of its block."""
    megabytes: float = 0
    """Peak memory of the service, in MiB."""
    lost: int = 0
    """Executions that were accepted and never completed."""

    def add(self, load: Load, samples: list[Sample]) -> None:
        """Add what a load measured."""
        self.intervals += itertools.pairwise(samples)
        self.ended += load.ended
        self.latencies += load.latencies
        self.lost += load.lost

    def figures(self, slowest: float = math.inf) -> Figures:
        """Return the figures of the intervals whose loops took at most these seconds."""
        chosen = [one for one in self.intervals if max(end.loop for end in one) <= slowest]
        latencies: list[float] = []
        for start, end in chosen:
            first, last = bisect(self.ended, start.at), bisect(self.ended, end.at)
            latencies += self.latencies[first:last]
        used = zip(*(map(operator.sub, end.used, start.used) for start, end in chosen), strict=True)
        seconds = sum(end.at - start.at for start, end in chosen)
        return Figures(len(latencies), seconds, [sum(one) for one in used], latencies)


@dataclass(frozen=True)
class Row:
    """Medians of the rounds of a service."""

    name: str
    per_second: float
    microseconds: float
    ratio: float
    """Of the processor time of the service, to that of `BASE`."""
    server: float
    """Microseconds of the PostgreSQL server for one execution."""
    p50: float
    """Of the time from a call to the completion, in milliseconds."""
    p99: float
    counted: float
    """Executions that the other figures are of, in percent: the core was not shared meanwhile."""
    megabytes: float
    lost: int
    """In the round that lost most."""

    def cells(self) -> list[str]:
        cells = [self.name, f"{self.per_second:.0f}", f"{self.microseconds:.0f}"]
        cells += [f"{self.ratio:.2f}", f"{self.server:.0f}"]
        cells += [f"{ms:.1f}" if ms < 10 else f"{ms:.0f}" for ms in (self.p50, self.p99)]
        return [*cells, f"{self.counted:.0f}", f"{self.megabytes:.0f}", f"{self.lost}"]


HEADINGS = (
    *("service", "executions/s", "µs/execution", "ratio", "server µs"),
    *("p50 ms", "p99 ms", "counted %", "peak MiB", "lost"),
)


async def measure(
    name: str, options: argparse.Namespace, case: Case, postgres: PostgresServer | None
) -> Round:
    """Measure one round of one service."""
    loop = asyncio.get_running_loop()
    service = SERVICES[name]
    executions = min(max(options.executions, case.connections * CALLS_LEAST), service.most)
    platform_server = await loop.create_server(Platform, "127.0.0.1", 0, backlog=BACKLOG)
    platform_port = platform_server.sockets[0].getsockname()[1]
    url, database = "", None
    if service.needs_postgres and postgres is not None:
        url, database = new_database(postgres), postgres.process
    measured = Round()
    others = [] if database is None else [database.pid]
    with (
        reserved_port() as port,
        running(service, port, platform_port, url) as pid,
        Watch(SERVICE_CORE, pid, *others) as watch,
    ):
        load = Load(port, 0, min(WARM_UP, executions), service.call)
        await load.run(case.connections)
        measured.lost = load.lost
        for _ in range(options.loads):
            load = Load(port, load.calls, executions, service.call)
            start = time.perf_counter()
            await load.run(case.connections, case.rate)
            measured.add(load, watch.samples(start, time.perf_counter()))
            if measured.figures(watch.slowest()).executions >= executions * ENOUGH:
                break
        measured.megabytes = peak_megabytes(pid)
    platform_server.close()
    return measured


def percentile(latencies: list[float], percent: int) -> float:
    """Return a percentile; infinity if no execution was completed."""
    found = sorted(latencies)
    return found[min(len(found) * percent // 100, len(found) - 1)] if found else math.inf


def figures(rounds: list[Round], slowest: float) -> list[Figures]:
    """Return the figures of the rounds, of the intervals at the usual speed of the core.

    A round that has few of them is left out; if no round has more, the figures are those of all intervals.
    """
    found = [(one.figures(slowest), len(one.ended)) for one in rounds]
    enough = [one for one, all_of_them in found if one.executions > all_of_them * LEAST]
    return enough or [one.figures() for one in rounds]


def summarize(rounds: dict[str, list[Round]], slowest: float) -> list[Row]:
    """Return the medians of each service."""
    base = 0.0
    rows = []
    for name, done in rounds.items():
        found = figures(done, slowest)
        cost, *server = (
            statistics.median(costs)
            for costs in zip(*(one.microseconds for one in found), strict=True)
        )
        base = base or cost
        p50, p99 = (
            statistics.median(percentile(one.latencies, percent) for one in found) * 1000
            for percent in (50, 99)
        )
        speed = statistics.median(one.executions / one.seconds for one in found)
        counted = sum(one.executions for one in found) / sum(len(one.ended) for one in done)
        lost = max(one.lost for one in done)
        peak = max(one.megabytes for one in done)
        ratio = cost / base
        rows.append(Row(name, speed, cost, ratio, sum(server), p50, p99, counted * 100, peak, lost))
    return rows


def measure_all(
    options: argparse.Namespace, case: Case, postgres: PostgresServer | None
) -> list[Row]:
    """Measure every service in turn, round after round, and print a table."""
    rounds: dict[str, list[Round]] = {name: [] for name in (BASE, *options.services)}
    for number in range(options.rounds):
        print(f"{case}, round {number + 1}", file=sys.stderr)
        for name, done in rounds.items():
            done.append(uvloop.run(measure(name, options, case, postgres)))
    rows = summarize(rounds, Watch.slowest())
    print(f"{case}, {options.executions} executions, {options.rounds} rounds")
    widths = [20, *(len(heading) + 3 for heading in HEADINGS[1:])]
    for cells in (HEADINGS, *(row.cells() for row in rows)):
        aligned = [cell.rjust(width) for cell, width in zip(cells, widths, strict=True)]
        print(cells[0].ljust(widths[0]) + "".join(aligned[1:]))
    return rows


def python_heading() -> str:
    """Return the heading of this Python's results."""
    return f"## Python {sys.version_info.major}.{sys.version_info.minor}"


def bar(ratio: float) -> str:
    """Return the bar of a ratio in a chart."""
    length = round(ratio * BAR_CHARACTERS)
    return "█" * max(1, length) if length <= BAR_LONGEST else "█" * BAR_LONGEST + "▶"


def section(options: argparse.Namespace, tables: dict[Case, list[Row]]) -> str:
    """Return this Python's results: tables, their charts, the machine and the versions."""
    installed = {found.name for found in metadata.distributions()}
    versions = ", ".join(
        f"{name} {metadata.version(name)}" for name in PACKAGES.split() if name in installed
    )
    conditions = (
        f"{datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, {platform.system()} "
        f"{platform.machine()}, {os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f} at the "
        f"end; {versions}. {options.rounds} interleaved rounds of {options.executions} executions, or {CALLS_LEAST} for each connection, "
        f"medians. The ratio is the processor time of an execution to that of `{BASE}` in the same "
        "table; `server µs` is that of the PostgreSQL server; p50 and p99 are the times from a call to the completion of its block. "
        "All of them are of the executions during which the core of the service was not shared with "
        "another machine, `counted %` of all."
    )
    parts = [python_heading(), conditions]
    for case, rows in tables.items():
        table = [f"| {' | '.join(row.cells())} |" for row in rows]
        bars = [f"{row.name:<20}{bar(row.ratio)} {row.ratio:.2f}" for row in rows]
        parts += [
            f"### {case}",
            "\n".join([f"| {' | '.join(HEADINGS)} |", "|---" * len(HEADINGS) + "|", *table]),
            "\n".join(["```text", *bars, "```"]),
        ]
    return "\n\n".join(parts) + "\n"


def write(page: Path, new: str) -> None:
    """Write this Python's results to a page; those of other versions of Python remain there."""
    old = page.read_text(encoding="utf-8") if page.exists() else ""
    sections = {one.partition("\n")[0]: one for one in old.split("\n## ")[1:]}
    sections[python_heading().removeprefix("## ")] = new.removeprefix("## ")
    kept = [f"## {sections[name].rstrip()}\n" for name in sorted(sections)]
    page.write_text("\n".join([f"{TITLE}\n", *kept]), encoding="utf-8")


def main() -> None:
    """Measure and print tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--connections", default="32", help="numbers, separated by commas")
    parser.add_argument("--rates", default="", help=f"calls/s, or half: of what {HALF_OF} can do")
    parser.add_argument("--executions", type=int, default=6000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--loads", type=int, default=4, help="of a round, at most")
    parser.add_argument("--services", default=",".join(SERVICES), type=lambda text: text.split(","))
    parser.add_argument("--write", type=Path, help="also write the tables to this Markdown file")
    options = parser.parse_args()
    if unknown := [name for name in options.services if name not in SERVICES]:
        parser.error(f"there is no service {unknown[0]!r}, only {', '.join(SERVICES)}")
    for name in [one for one in options.services if not SERVICES[one].is_installed]:
        print(f"{name} is left out: {SERVICES[name].package} is not installed", file=sys.stderr)
        options.services.remove(name)
    if find_programs() is None:
        print("PostgreSQL is not installed: services that use it are left out", file=sys.stderr)
        options.services = [one for one in options.services if not SERVICES[one].needs_postgres]
    if "half" in options.rates.split(",") and HALF_OF not in options.services:
        parser.error(f"the rate half needs the service {HALF_OF}")
    os.sched_setaffinity(0, {(os.cpu_count() or 1) - 1})
    cases = [Case(int(connections)) for connections in options.connections.split(",")]
    needed = any(SERVICES[one].needs_postgres for one in options.services)
    with killable_server(shared_buffers=SHARED_BUFFERS) if needed else nullcontext() as postgres:
        tables = {case: measure_all(options, case, postgres) for case in cases}
        capacity = {row.name: row.per_second for row in tables[cases[0]]}
        for rate in filter(None, options.rates.split(",")):
            case = Case(rate=round(capacity[HALF_OF] / 2) if rate == "half" else float(rate))
            tables[case] = measure_all(options, case, postgres)
    if options.write is not None:
        write(options.write, section(options, tables))


if __name__ == "__main__":
    main()
