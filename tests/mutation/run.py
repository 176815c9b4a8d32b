"""Changes vertexkit in one place at a time, and reports the changes that no test notices.

    python -m tests.mutation.run --sample 200 --seed 1 vertexkit/journal vertexkit/worker

It works in a copy of the project. The sample depends on the seed and the files alone. For each
mutant only the tests run that belong to its package (`TESTS`) and execute the changed line, the
fastest first, until one fails. A mutant that makes a test hang counts as noticed.

mutmut and cosmic-ray do the same with other changes: neither removes a statement, and a missing
write, wait or check is what a test of the journal has to notice. mutmut also replaces each function
by a wrapper, which changes what `inspect` sees of it.
"""

import argparse
import contextlib
import io
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.mutation.line_tests import LineTests
from tests.mutation.mutations import Mutation, mutations_of

ROOT = Path(__file__).resolve().parent.parent.parent
TESTS = {
    "vertexkit/journal": ["tests/journal", "tests/chaos/test_power.py"],
    "vertexkit/worker": ["tests/worker", "tests/context"],
    "vertexkit/context": ["tests/context", "tests/worker"],
    "vertexkit/ingress": ["tests/ingress", "tests/test_app.py"],
    "vertexkit/server": ["tests/server", "tests/ingress"],
    "vertexkit/telemetry": ["tests/telemetry", "tests/ingress"],
    "vertexkit/botone": ["tests/botone"],
}
"""The tests of each package."""
NOT_COPIED = (".git", ".venv", ".ruff_cache", ".pytest_cache", ".hypothesis", "dist")
SECONDS_PER_TEST = 60
"""A test that takes longer hangs, and fails."""
SECONDS_TO_FAIL = 30
"""One that still does not end, for example because the end of a fixture hangs too, ends its process."""
SECONDS_PER_MUTANT = 900
SURVIVED, KILLED, HUNG, NOT_RUN = "survived", "killed", "hung", "not run by any test"
PYTEST = ("-q", "-x", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning")
LIMITS = (
    f"--timeout={SECONDS_PER_TEST}",
    f"--override-ini=faulthandler_timeout={SECONDS_PER_TEST + SECONDS_TO_FAIL}",
)
PRELOADED = (
    *(
        "aiohttp",
        "anyio.pytest_plugin",
        "freezegun",
        "httptools",
        "httpx",
        "hypothesis",
        "pydantic",
    ),
    *("opentelemetry.sdk.trace", "prometheus_client", "pytest", "pytest_asyncio", "pytest_httpx"),
    *("respx", "schemathesis.pytest", "structlog", "uvicorn"),
)
"""What every run of the tests imports, and no mutation changes."""
FIRST_FILES = 2
"""Test files that are tried first: most mutants are noticed there, and importing a file takes time."""


@dataclass(frozen=True)
class Mutant:
    """A mutation of a file."""

    file: str
    """Relative to the project."""
    mutation: Mutation

    def describe(self, source: bytes) -> str:
        """Return the place, and the line before and after the change."""
        mutation = self.mutation
        changed = mutation.apply(source)
        before = source.splitlines()[mutation.line - 1].decode().strip()
        after = changed.splitlines()[mutation.line - 1].decode().strip()
        return f"{self.file}:{mutation.line}: {mutation.kind}\n    - {before}\n    + {after}"


def find_mutants(files: list[str]) -> list[Mutant]:
    """Return all mutants of files, or of the files in folders."""
    paths: list[Path] = []
    for name in files:
        path = ROOT / name
        paths += sorted(path.rglob("*.py")) if path.is_dir() else [path]
    return [
        Mutant(path.relative_to(ROOT).as_posix(), mutation)
        for path in paths
        for mutation in mutations_of(path.read_bytes())
    ]


def relevant_tests(file: str) -> list[str]:
    """Return the tests of the package that contains a file."""
    return next(
        (tests for package, tests in TESTS.items() if file.startswith(f"{package}/")), ["tests"]
    )


@contextlib.contextmanager
def project_copy() -> Iterator[Path]:
    """A copy of the project, which is deleted at the end; tests run in it."""
    with tempfile.TemporaryDirectory(prefix="vertexkit-mutants-") as folder:
        copy = Path(folder) / "project"
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*NOT_COPIED, "__pycache__"))
        os.chdir(copy)
        os.environ.update(PYTHONPATH=str(copy), PYTHONDONTWRITEBYTECODE="1")
        sys.path[:] = [str(copy), *(p for p in sys.path if p not in {"", str(ROOT)})]
        yield copy


def run_tests(tests: list[str], seconds: float) -> str:
    """Run tests in a process of their own; return the result."""
    child = os.fork()
    if child == 0:
        os.setsid()
        os._exit(_run_pytest(tests))
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return SURVIVED if os.waitstatus_to_exitcode(status) == 0 else KILLED
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return HUNG


def _run_pytest(tests: list[str]) -> int:
    import pytest  # noqa: PLC0415 - only in the process that runs tests

    with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: PTH123
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            try:
                return int(pytest.main([*PYTEST, *LIMITS, *tests]))
            except BaseException:  # noqa: BLE001 - the tests have not passed
                return 1


def try_mutant(copy: Path, mutant: Mutant, line_tests: LineTests) -> str:
    """Change the copy, run the tests of the changed line, and undo the change."""
    path = copy / mutant.file
    tests = line_tests.of(mutant.file, mutant.mutation.lines, relevant_tests(mutant.file))
    if not tests:
        return NOT_RUN
    source = path.read_bytes()
    path.write_bytes(mutant.mutation.apply(source))
    first, others = split(tests, Path(mutant.file).stem)
    try:
        result = run_tests(first, SECONDS_PER_MUTANT)
        if result == SURVIVED and others:
            result = run_tests(others, SECONDS_PER_MUTANT)
        return result
    finally:
        path.write_bytes(source)


def split(tests: list[str], noun: str) -> tuple[list[str], list[str]]:
    """Divide tests into those to try first and the others.

    Args:
        tests: node ids.
        noun: name of the changed module; a test file of the same name is tried first.
    """
    files = Counter(test.split("::")[0] for test in tests)
    best = sorted(files, key=lambda file: (Path(file).stem != f"test_{noun}", -files[file]))
    first = tuple(f"{file}::" for file in best[:FIRST_FILES])
    return (
        [test for test in tests if test.startswith(first)],
        [test for test in tests if not test.startswith(first)],
    )


def check_unchanged(line_tests: LineTests, sample: list[Mutant]) -> None:
    """Check that tests pass in a forked process if nothing is changed.

    Raises:
        RuntimeError: they do not, so a failure would say nothing about a mutant.
    """
    for package in sorted({relevant_tests(mutant.file)[0] for mutant in sample}):
        tests = line_tests.fastest(package)
        if (result := run_tests(tests, SECONDS_PER_MUTANT)) != SURVIVED:
            raise RuntimeError(
                f"without a change, the result of these tests is {result!r}: {' '.join(tests)}"
            )


def report(results: dict[Mutant, str]) -> int:
    """Print the survivors and the score; return the exit code."""
    counts = Counter(results.values())
    survivors = [mutant for mutant, result in results.items() if result in {SURVIVED, NOT_RUN}]
    print("\nNo test noticed:\n")
    for mutant in survivors:
        suffix = f" ({NOT_RUN})" if results[mutant] == NOT_RUN else ""
        print(mutant.describe((ROOT / mutant.file).read_bytes()) + suffix)
    noticed = len(results) - len(survivors)
    print(f"\n{', '.join(f'{count} {result}' for result, count in counts.most_common())}")
    print(f"Mutation score: {noticed} of {len(results)}, {100 * noticed / len(results):.0f} %")
    return 0


def preload() -> None:
    """Import what the tests import, before processes are forked."""
    for module in PRELOADED:
        __import__(module)


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", default=list(TESTS)[:4], help="files or folders")
    parser.add_argument("--sample", type=int, default=200, help="number of mutants; 0: all")
    parser.add_argument("--seed", type=int, default=1, help="chooses the sample")
    options = parser.parse_args()
    mutants = find_mutants(options.files)
    number = min(options.sample or len(mutants), len(mutants))
    sample = random.Random(options.seed).sample(mutants, number)
    print(f"{number} of {len(mutants)} mutants, seed {options.seed}", flush=True)
    folders = sorted({folder for mutant in sample for folder in relevant_tests(mutant.file)})
    print(f"Measuring which lines the tests of {', '.join(folders)} run ...", flush=True)
    results: dict[Mutant, str] = {}
    with project_copy() as copy:
        line_tests = LineTests.measure(copy, folders)
        preload()
        check_unchanged(line_tests, sample)
        for count, mutant in enumerate(sample, 1):
            started = time.monotonic()
            results[mutant] = result = try_mutant(copy, mutant, line_tests)
            at, seconds = f"{mutant.file}:{mutant.mutation.line}", time.monotonic() - started
            print(
                f"{count}/{number} {at} {mutant.mutation.kind}: {result}, {seconds:.0f} s",
                flush=True,
            )
    return report(results)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as error:
        sys.exit(f"The unchanged code does not pass its tests: {error}")
