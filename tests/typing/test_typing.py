"""The types of the public surface, as the type checkers of authors see them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from vertexkit.cli.develop.new import create_project
from vertexkit.cli.options import TemplateOption

pytestmark = pytest.mark.unmeasured

PYTHON = sys.executable
CHECKERS = {
    "mypy": ("mypy", "--strict", "--follow-imports=silent", f"--cache-dir={os.devnull}"),
    "pyright": ("pyright", f"--pythonpath={PYTHON}"),
    "pyrefly": ("pyrefly", "check", "--preset=default", f"--python-interpreter-path={PYTHON}"),
}
AUTHORS = Path(__file__).with_name("authors.py")
EXAMPLES = Path(__file__).parents[2] / "example_blocks"


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An author's code, the example blocks, and what `vertexkit new` writes from each template."""
    folder = tmp_path_factory.mktemp("code")
    shutil.copy(AUTHORS, folder)
    shutil.copytree(EXAMPLES, folder / EXAMPLES.name)
    for template in TemplateOption:
        create_project(str(folder / template.value), "en", template.value, bundled=False)
    return folder


@pytest.mark.parametrize("checker", CHECKERS)
def test_the_code_of_authors_has_the_documented_types(checker: str, code: Path) -> None:
    """The checker accepts each `assert_type`, and reports nothing in the examples and in new projects.

    mypy refuses to check several projects at once, because their modules have the same names.
    """
    files = [code / AUTHORS.name] if checker == "mypy" else list(code.rglob("*.py"))
    done = subprocess.run(
        [PYTHON, "-m", *CHECKERS[checker], *files],
        cwd=code,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
