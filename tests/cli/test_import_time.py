"""Commands for operators start without the clients of the platform."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.unmeasured

SERVERS = {"aiohttp", "httpx", "uvicorn", "starlette", "dotenv"}
CLIENTS = {"aiohttp", "httpx"}
NOT_LOADED = {"--help": SERVERS, "executions list": CLIENTS, "executions --help": CLIENTS}
"""What each command does not import."""
REPORT = """
import json, os, runpy, sys
import vertexkit.cli.main

for command in sys.argv[1:]:
    if not (child := os.fork()):
        sys.argv = ["vertexkit", *command.split()]
        output = os.dup(1)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        try:
            runpy.run_module("vertexkit", run_name="__main__")
        except SystemExit as error:
            report = [command, error.code, sorted(sys.modules)]
            os.write(output, json.dumps(report).encode() + b"\\n")
        os._exit(0)
    os.waitpid(child, 0)
"""
"""Runs each command in a fork of a new Python that has imported what all commands need."""


def test_the_http_clients_are_not_loaded(tmp_path: Path) -> None:
    """aiohttp and httpx take longer to import than everything else of such a command.

    `vertexkit --help` imports nothing that only servers need, either.
    """
    done = subprocess.run(
        [sys.executable, "-c", REPORT, *NOT_LOADED],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    reports = [json.loads(line) for line in done.stdout.splitlines()]
    loaded = {command: NOT_LOADED[command] & set(modules) for command, _, modules in reports}
    assert loaded == {command: set() for command in NOT_LOADED}, done.stderr
    assert all("vertexkit.cli.main" in modules for _, _, modules in reports)
