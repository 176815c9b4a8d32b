"""The types of the public surface, as type checkers see them."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.typing import authors

pytestmark = pytest.mark.unmeasured

ROOT = Path(__file__).resolve().parents[2]


def test_pyright_infers_the_documented_types() -> None:
    """pyright accepts each `assert_type` in an author's code, as mypy does in the gate."""
    done = subprocess.run(
        [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, authors.__file__],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
