"""Measures the export and the report of many dialogs against a plain loop over the pages.

    python benchmarks/dialogs.py --dialogs 100000

The fake platform runs on one core; each contestant runs on the other, in a process of its own, so
that its peak memory can be measured. Prints a Markdown table.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

URL_LINE = "export VERTEXKIT_PLATFORM_URL="
FLOOR = """
import base64, httpx
seen = 0
with httpx.Client(auth=("demo", "demo"), timeout=60) as client:
    number, last = 1, 1
    while number <= last:
        query = {{"PageNumber": number, "PageCount": 500}}
        page = client.get("{url}/v2/conversations", params=query).json()
        last = page["meta"]["pagination"]["total_pages"]
        seen += len(page) - 1
        number += 1
print(seen)
"""


def contestants(folder: Path, url: str) -> dict[str, list[str]]:
    """Return the commands to compare by name, the plain loop first."""
    command = [sys.executable, "-m", "vertexkit", "dialogs"]
    files = {kind: folder / f"dialogs.{kind}" for kind in ("csv", "jsonl", "parquet", "xlsx")}
    return {
        "httpx loop, nothing written": [sys.executable, "-c", FLOOR.format(url=url)],
        "`dialogs report`": [*command, "report", "--json"],
        "`dialogs report -o`": [*command, "report", "-o", str(folder / "report.html")],
        **{
            f"`dialogs export .{kind}`": [*command, "export", "-o", str(to)]
            for kind, to in files.items()
        },
    }


def run(command: list[str], environment: dict[str, str]) -> tuple[float, float, int]:
    """Run a command; return its seconds, its processor seconds and its peak memory in MiB."""
    start = time.perf_counter()
    with _on_core(1):
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    took = time.perf_counter() - start
    if status:
        raise SystemExit(f"{' '.join(command)} failed")
    return took, usage.ru_utime + usage.ru_stime, usage.ru_maxrss // 1024


@contextmanager
def _on_core(core: int) -> Iterator[None]:
    """Pin the processes that are started in this context to a core."""
    every = os.sched_getaffinity(0)
    if core in every:
        os.sched_setaffinity(0, {core})
    yield
    os.sched_setaffinity(0, every)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dialogs", type=int, default=100_000)
    count = parser.parse_args().dialogs
    with _on_core(0):
        platform = subprocess.Popen(
            [
                *(sys.executable, "-m", "vertexkit", "platform", "--port", "0"),
                *("--dialogs", str(count), "--quiet"),
            ],
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
    assert platform.stdout is not None
    try:
        url = next(line for line in platform.stdout if URL_LINE in line).partition("=")[2].strip()
        known = {"PLATFORM_URL": url, "LOGIN": "demo", "PASSWORD": "demo"}
        environment = os.environ | {f"VERTEXKIT_{name}": value for name, value in known.items()}
        # The first request generates the dialogs; its time is not measured.
        with httpx.Client(auth=("demo", "demo"), timeout=None) as client:
            client.get(f"{url}/v2/conversations", params={"PageCount": 1}).raise_for_status()
        print("| Contestant | Dialogs/s | Processor time of one | Ratio | Peak memory |")
        print("|---|---|---|---|---|")
        floor = 0.0
        with tempfile.TemporaryDirectory() as folder:
            for name, command in contestants(Path(folder), url).items():
                took, spent, memory = run(command, environment)
                floor = floor or spent
                per_dialog = f"{1e6 * spent / count:.0f} µs"
                print(
                    f"| {name} | {count / took:.0f} | {per_dialog} | {spent / floor:.2f} | {memory} MiB |"
                )
    finally:
        platform.kill()


if __name__ == "__main__":
    main()
