"""Which tests are measured for the coverage, and which processes save the result."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.collecting import ROOT

pytestmark = pytest.mark.unmeasured


@pytest.mark.parametrize("stopped", [False, True], ids=["measured", "stopped"])
def test_a_process_that_is_not_measured_saves_nothing(tmp_path: Path, stopped: bool) -> None:
    """Its end writes no file: one of a process that is killed meanwhile cannot be read."""
    program = tmp_path / "program.py"
    program.write_text(
        "import os\nfrom tests import measuring\nfrom vertexkit import text\n"
        f"if {stopped}: measuring.stop()\n"
        "os._exit(0)\n"
    )
    saved = tmp_path / "saved"
    command = [sys.executable, "-m", "coverage", "run", f"--rcfile={ROOT / 'pyproject.toml'}"]
    subprocess.run(
        [*command, f"--data-file={saved / 'coverage'}", str(program)],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        check=True,
    )
    assert any(saved.glob("*")) == (not stopped)


def test_tests_with_generated_inputs_are_recognised(pytestconfig: pytest.Config) -> None:
    """The plugin of hypothesis, which marks them, is loaded in each process that runs tests."""
    assert pytestconfig.pluginmanager.hasplugin("hypothesispytest")
