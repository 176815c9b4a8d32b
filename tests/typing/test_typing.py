"""The types of the public surface, as the type checkers of authors see them."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.typing import authors
from vertexkit.cli.develop.new import create_project
from vertexkit.cli.options import TemplateOption

pytestmark = pytest.mark.unmeasured

CHECKERS = {
    "pyright": ("pyright", "--pythonpath", sys.executable),
    "pyrefly": (
        "pyrefly",
        "check",
        "--preset=default",
        "--python-interpreter-path",
        sys.executable,
    ),
}


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an author's code, and with what `vertexkit new` writes from each template."""
    folder = tmp_path_factory.mktemp("code")
    (folder / "authors.py").write_text(Path(authors.__file__).read_text(encoding="utf-8"))
    for template in TemplateOption:
        create_project(str(folder / template.value), "en", template.value, bundled=False)
    return folder


@pytest.mark.parametrize("checker", CHECKERS)
def test_the_code_of_authors_has_the_documented_types(checker: str, code: Path) -> None:
    """The checker accepts each `assert_type`, and reports nothing in new projects and their tests."""
    done = subprocess.run(
        [sys.executable, "-m", *CHECKERS[checker], *sorted(code.rglob("*.py"))],
        cwd=code,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
