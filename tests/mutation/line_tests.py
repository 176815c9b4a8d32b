"""Which tests run a line."""

import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Self

import coverage

BASELINE_SECONDS_PER_TEST = "600"
"""Limit of a test that is measured: with coverage, generated inputs take long."""


class LineTests:
    """The tests that run each line of vertexkit, and how long they take.

    Args:
        tests: by file and line, the node ids of tests.
        seconds: by node id, processor time.
    """

    def __init__(self, tests: dict[tuple[str, int], set[str]], seconds: dict[str, float]) -> None:
        self._tests = tests
        self._seconds = seconds

    @classmethod
    def measure(cls, project: Path, folders: list[str]) -> Self:
        """Run the tests of these folders once, with coverage.

        Raises:
            subprocess.CalledProcessError: a test fails.
        """
        data, durations = project / "mutation.coverage", project / "mutation.json"
        settings = project / "mutation.rc"
        settings.write_text(
            f"[run]\ndata_file = {data}\nsource = {project / 'vertexkit'}\nparallel = false\n",
            encoding="utf-8",
        )
        command = [sys.executable, "-m", "coverage", "run", "--rcfile", str(settings), "-m"]
        plugin = ["-p", "tests.mutation.coverage_contexts", "-p", "no:cacheprovider"]
        environment = os.environ | {"COVERAGE_CONTEXTS": str(durations), "COVERAGE_CORE": "ctrace"}
        subprocess.run(
            [
                *command,
                "pytest",
                "-q",
                "-x",
                "--timeout",
                BASELINE_SECONDS_PER_TEST,
                *plugin,
                *folders,
            ],
            cwd=project,
            env=environment,
            check=True,
        )
        return cls.read(data, durations, project)

    @classmethod
    def read(cls, data: Path, durations: Path, project: Path) -> Self:
        """Read what `coverage_contexts` has recorded."""
        recorded = coverage.CoverageData(str(data))
        recorded.read()
        tests: dict[tuple[str, int], set[str]] = defaultdict(set)
        for file in recorded.measured_files():
            name = Path(file).relative_to(project).as_posix()
            for line, contexts in recorded.contexts_by_lineno(file).items():
                tests[name, line].update(filter(None, contexts))
        return cls(tests, json.loads(durations.read_text(encoding="utf-8")))

    def of(self, file: str, lines: Iterable[int], folders: list[str]) -> list[str]:
        """Return the tests in these folders that run any of these lines, the fastest first."""
        found = {test for line in lines for test in self._tests.get((file, line), ())}
        allowed = tuple(folders)
        return sorted(
            (test for test in found if test.startswith(allowed)),
            key=lambda test: self._seconds[test],
        )

    def fastest(self, folder: str, number: int = 20) -> list[str]:
        """Return the fastest tests of a folder."""
        tests = (test for test in self._seconds if test.startswith(folder))
        return sorted(tests, key=lambda test: self._seconds[test])[:number]
