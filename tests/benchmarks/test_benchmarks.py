"""The benchmarks run to the end and print their tables."""

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.skipif(sys.platform != "linux", reason="processor time is read from /proc")
def test_the_benchmark_runs_all_services_to_the_end(tmp_path: Path) -> None:
    """Each service makes all executions; the page has a row and a bar for each of them."""
    page = tmp_path / "results.md"
    options = ["--executions", "120", "--rounds", "1", "--connections", "8", "--write", str(page)]
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "executions.py", *options],
        capture_output=True,
        text=True,
        timeout=55,
        check=True,
    )
    rows = {line[:18].strip(): line[18:].split() for line in done.stdout.splitlines()[2:]}
    services = {"floor_gc", "floor", "handwritten", "memory", "sqlite", "sqlite, aiohttp"}
    assert set(rows) == services
    assert rows["floor_gc"][2] == "1.00"
    assert all(float(figure) > 0 for row in rows.values() for figure in row)
    written = page.read_text()
    assert all(f"\n| {name} | " in written and f"\n{name:<18}█" in written for name in services)


@pytest.mark.skipif(
    sys.platform != "linux", reason="processes are pinned to cores with a call of Linux"
)
def test_the_benchmark_of_dialogs_runs_all_contestants_to_the_end() -> None:
    """Each command reads all pages, and every cell has a number."""
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "dialogs.py", "--dialogs", "50"],
        capture_output=True,
        text=True,
        timeout=55,
        check=True,
    )
    rows = [line.split("|")[2:-1] for line in done.stdout.splitlines()[2:]]
    assert len(rows) == 7
    assert rows[0][2].strip() == "1.00"
    assert all(float(figure.split()[0]) > 0 for row in rows for figure in row)


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_the_benchmark_of_waits_runs_to_the_end() -> None:
    """All executions wait, become due after their hour, and are there for the next process."""
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "waiting.py", "--executions", "200"],
        capture_output=True,
        text=True,
        timeout=55,
        check=True,
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 5
    assert "start with 300 that wait" in lines[-1]
