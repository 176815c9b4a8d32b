"""The process of the author's app: how it starts and ends."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest

from tests.cli.shell import Shell
from tests.waiting import PATIENCE_SECONDS
from vertexkit.playground.supervisor import AppSupervisor

SLOW = """
import sys, time
print("importing", file=sys.stderr, flush=True)
time.sleep(600)
"""
COMMAND = [sys.executable, "-m", "vertexkit.playground.app_process"]


def start(shell: Shell, target: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, target],
        cwd=shell.folder,
        env=shell.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


def test_a_broken_app_ends_its_process_quietly(shell: Shell) -> None:
    """While the process waits for its parent's end, Python can end: no fatal error is printed."""
    process = start(shell, "missing:app")
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.wait(PATIENCE_SECONDS) == 1
    assert process.stderr.read() == ""
    assert '"kind": "broken"' in process.stdout.read().replace('":"', '": "')
    process.communicate()


def test_the_process_ends_with_its_parent(shell: Shell) -> None:
    """Even while it imports the author's code, and without a traceback."""
    (shell.folder / "slow.py").write_text(SLOW)
    process = start(shell, "slow:app")
    assert process.stderr is not None
    assert process.stderr.readline() == "importing\n"
    _, errors = process.communicate(
        timeout=PATIENCE_SECONDS
    )  # closes standard input, as a parent's end does
    assert process.returncode == -signal.SIGTERM
    assert errors == ""


class Silent:
    """An observer that does nothing."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


@pytest.mark.skipif(os.name != "posix", reason="sessions of POSIX")
async def test_ctrl_c_in_the_terminal_does_not_reach_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The terminal signals the playground only, which stops the process, also during an import."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "slow.py").write_text(SLOW)
    supervisor = AppSupervisor("slow:app", {}, cast(Any, Silent()))
    await supervisor.start()
    process = supervisor._process
    assert process is not None
    assert os.getsid(process.pid) == process.pid
    async with asyncio.timeout(60):
        await supervisor.stop()
    assert process.returncode == -signal.SIGTERM
