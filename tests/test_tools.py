"""The programs that tests need: none is missing without notice where REQUIRE names it."""

import os
from pathlib import Path

import pytest

from tests import forked, tools
from tests.tools import TOOLS, unmet

ROOT = Path(__file__).parents[1]


def test_nothing_is_required_by_default() -> None:
    """Without REQUIRE, missing programs only skip their tests."""
    assert unmet("") == []


def test_a_required_program_that_is_missing_is_named_with_its_fix(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The sentence says what is not tested, and what installs the program."""
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "curl").touch(mode=0o755)
    [sentence] = unmet("strace curl")
    assert sentence.startswith("REQUIRE names strace, which is not installed. Without it")
    assert sentence.endswith("Run `make system`, or install the package strace.")


def test_a_slower_program_is_used_where_the_faster_one_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Chromium tests the page, and `make system` installs the one without windows."""
    monkeypatch.setenv("PATH", str(tmp_path))
    chromium = tmp_path / "chromium"
    chromium.touch(mode=0o755)
    assert TOOLS["chromium"].path == str(chromium)
    tools.main(["--packages"])
    assert "chromium-headless-shell" in capsys.readouterr().out.splitlines()
    tools.main([])
    assert "the playground's page is tested with a slower program" in capsys.readouterr().err
    faster = tmp_path / "chromium-headless-shell"
    faster.touch(mode=0o755)
    assert TOOLS["chromium"].path == str(faster)
    tools.main(["--packages"])
    assert "chromium" not in capsys.readouterr().out


def test_a_name_that_is_no_program_is_an_error() -> None:
    """A misspelt name would require nothing."""
    [sentence] = unmet("starce")
    assert sentence.startswith("REQUIRE names starce, which is none of: strace,")


@pytest.mark.unmeasured
def test_no_test_runs_without_a_required_program() -> None:
    """pytest ends with an error of usage before the first test."""
    options = ["-p", "no:cacheprovider", *forked.PYTEST_OPTION.split(maxsplit=1)]
    done = forked.run(
        "pytest",
        ["tests/test_tools.py", *options],
        folder=ROOT,
        environment=os.environ | {"REQUIRE": "no-such-program"},
    )
    assert done.returncode == pytest.ExitCode.USAGE_ERROR, done.stdout + done.stderr
    assert "REQUIRE names no-such-program" in done.stderr


def test_the_gate_requires_known_programs() -> None:
    """Each program that .ci/run requires is one whose absence would skip tests."""
    script = (ROOT / ".ci/run").read_text(encoding="utf-8")
    [line] = [line for line in script.splitlines() if line.startswith("REQUIRE=")]
    required = line.partition("-")[2].rstrip("}").split()
    assert len(required) >= 4
    assert set(required) <= set(TOOLS)
