"""Commands for operators start without the clients of the platform."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.unmeasured

REPORT = """
import runpy, sys
sys.argv = ["vertexkit", *sys.argv[1:]]
try:
    runpy.run_module("vertexkit", run_name="__main__")
except SystemExit:
    pass
print(*sorted({"aiohttp", "httpx"} & sys.modules.keys()))
"""


@pytest.mark.parametrize(
    "arguments", [["--help"], ["executions", "list"], ["executions", "--help"]]
)
def test_the_http_clients_are_not_loaded(tmp_path: Path, arguments: list[str]) -> None:
    """aiohttp and httpx take longer to import than everything else of such a command."""
    done = subprocess.run(
        [sys.executable, "-c", REPORT, *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == ""
