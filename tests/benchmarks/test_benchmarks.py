"""The benchmarks run to the end and print their tables."""

import os
import sys
from pathlib import Path

import pytest

from tests import forked, forked_children
from tests.postgres_server import find_programs, made_data
from tests.tools import reason

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SECONDS = 230
"""A limit for each benchmark, on a machine that is busy with other work; that of a test is longer."""
pytestmark = pytest.mark.unmeasured


def has_postgres() -> bool:
    """Return whether a PostgreSQL server can be started; its folder is made once for all benchmarks."""
    programs = find_programs()
    return programs is not None and made_data(programs).is_dir()


def run(script: str, *options: str | Path) -> str:
    """Run a benchmark to its end, with forked services; return its output."""
    done = forked.run(
        script.removesuffix(".py"),
        [str(option) for option in options],
        folder=BENCHMARKS,
        environment=os.environ | {forked_children.VARIABLE: "1"},
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="processor time is read from /proc")
def test_the_benchmark_runs_services_to_the_end(tmp_path: Path) -> None:
    """Each service makes all executions; the page has a row and a bar for each of them.

    The results of another version of Python stay on the page.
    """
    page = tmp_path / "results.md"
    page.write_text("# Results\n\n## Python 3.9\n\nOld results.\n")
    services = ["floor_gc", "postgres" if has_postgres() else "sqlite"]
    output = run(
        *("executions.py", "--executions", "100", "--rounds", "1"),
        *("--connections", "8", "--rates", "500", "--services", ",".join(services)),
        *("--write", page),
    )
    tables = output.split("\nservice ")
    for table in tables[1:]:
        lines = table.splitlines()[1 : 1 + len(services)]
        rows = {line[:20].strip(): line[20:].split() for line in lines}
        assert list(rows) == services
        assert rows["floor_gc"][2] == "1.00"
        for name, row in rows.items():
            assert row.pop() == "0", "no execution was lost"
            assert (float(row.pop(3)) > 0) == (name == "postgres"), "a PostgreSQL server is used"
            assert all(float(figure) > 0 for figure in row)
    assert len(tables) == 3, "a closed loop and an open one"
    written = page.read_text()
    assert all(written.count(f"\n| {name} | ") == 2 for name in services)
    assert all(written.count(f"\n{name:<20}█") == 2 for name in services)
    assert "Old results." in written


@pytest.mark.skipif(
    sys.platform != "linux", reason="processes are pinned to cores with a call of Linux"
)
def test_the_benchmark_of_dialogs_runs_all_contestants_to_the_end() -> None:
    """Each command reads all pages, and every cell has a number."""
    output = run("dialogs.py", "--dialogs", "50")
    rows = [line.split("|")[2:-1] for line in output.splitlines()[2:]]
    assert len(rows) == 7
    assert rows[0][2].strip() == "1.00"
    assert all(float(figure.split()[0]) > 0 for row in rows for figure in row)


def test_the_benchmark_of_growth_runs_to_the_end() -> None:
    """Each row has the cost of little and of much, and their ratio."""
    output = run("growth.py", "--rows", "200", "--batches", "1", "--executions", "32")
    rows = [line[52:].split() for line in output.splitlines()[1:]]
    assert len(rows) == 4
    assert all(len(row) == 3 for row in rows)
    assert all(float(figure) > 0 for figure in rows[0] + rows[2])


def test_the_benchmark_of_stations_runs_to_the_end() -> None:
    """Each station of an execution has a cost, with each journal, and so has a whole execution."""
    output = run("stations.py", "--batches", "1", "--executions", "32")
    costs = {line[:36].strip(): line[36:].split() for line in output.splitlines()[1:]}
    for journal in ("memory", "sqlite", "shared"):
        for station in ("accept", "claim", "intent", "message", "result", "settle"):
            assert f"{journal}: {station}" in costs
    assert {"send a request, read its response", "memory: a whole execution"} < costs.keys()
    assert all(float(figure) > 0 for row in costs.values() for figure in row)


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_the_benchmark_of_waits_runs_to_the_end() -> None:
    """All executions wait, become due after their hour, and are there for the next process."""
    output = run("waiting.py", "--executions", "200")
    lines = output.splitlines()
    assert len(lines) == 5
    assert "start with 300 that wait" in lines[-1]


@pytest.mark.skipif(sys.platform != "linux", reason="processor time is read from /proc")
def test_the_benchmark_of_the_database_counts_what_an_execution_needs() -> None:
    """An execution has transactions, statements, bytes and processor time; a page says what they need."""
    if not has_postgres():
        pytest.skip(reason("postgresql"))
    output = run("database.py", "--executions=40", "--connections=8")
    lines = [line.strip("| ").split(" | ") for line in output.splitlines() if line]
    connections, *cells = lines[2]
    assert connections == "8"
    assert float(cells[1]) > float(cells[2]) > 0, "a transaction has several statements"
    assert {line[0] for line in lines[5:7]} == {"executions", "effects"}
    assert [line[0] for line in lines[9:]] == ["100", "1,000", "10,000", "100,000"]


@pytest.mark.skipif(sys.platform != "linux", reason="processor time is read from /proc")
def test_the_benchmark_of_workers_shows_how_they_divide_the_work() -> None:
    """Each number of workers has a row with the work of an execution, and one with what it waits for."""
    if not has_postgres():
        pytest.skip(reason("postgresql"))
    output = run("fleet.py", "--executions=40", "--connections=8", "--workers=2")
    lines = [line.strip("| ").split(" | ") for line in output.splitlines() if line]
    workers, rate, transactions, statements, claims, claimed, *_ = lines[2]
    assert workers == lines[5][0] == "2"
    assert float(statements) > float(transactions) > 0
    assert float(claims) * float(claimed) == pytest.approx(1, abs=0.1), "each is claimed once"
    assert float(rate) > 0
    assert all(cell.endswith("%") for cell in lines[5][1:])


def test_the_benchmark_of_a_day_keeps_what_the_retention_keeps() -> None:
    """Executions of a part of a day are accepted and deleted; those of the last 100 seconds remain."""
    if not has_postgres():
        pytest.skip(reason("postgresql"))
    output = run("day.py", "--rate=2", "--hours=0.05", "--steps=2")
    _, *rows, last = [line for line in output.splitlines() if "warning" not in line]
    assert [row.split()[1:3] for row in rows] == [["180", "180"], ["360", "200"]]
    assert "vacuums" in last
