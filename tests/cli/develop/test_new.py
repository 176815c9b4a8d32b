"""`vertexkit new`: the generated project works without changes."""

import ast
import builtins
import keyword
import re
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from vertexkit.blocks.registry import NAME
from vertexkit.cli.develop.new import create_project, function_name


@pytest.mark.parametrize("language", ["en", "ru"])
def test_a_new_project_runs_and_its_tests_pass(shell: Any, language: str) -> None:
    """The block runs, its tests pass, and `vertexkit check` reports no problem."""
    made = shell.run("new", "hello-block", "--lang", language)
    assert made.returncode == 0, made.stderr
    shell.folder /= "hello-block"
    answer = shell.run("trigger", "block:app", "-i", "name=Аня", "--fast")
    assert answer.returncode == 0, answer.stdout
    assert "greeted" in answer.stdout
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:asyncio", "-p", "no:cacheprovider"],
        cwd=shell.folder,
        env=shell.environment(),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert "3 passed" in tested.stdout, tested.stdout
    checked = shell.run("check", "block:app", "--offline", "--strict", platform_url="https://a.b")
    assert checked.returncode == 0, checked.stdout


def test_the_default_language_is_the_terminals(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a Russian locale the generated block sends Russian messages."""
    monkeypatch.setenv("LC_ALL", "ru_RU.UTF-8")
    shell.run("new", "privet")
    assert "Привет" in (shell.folder / "privet" / "block.py").read_text(encoding="utf-8")


def test_the_generated_code_is_formatted(shell: Any) -> None:
    """ruff finds nothing to change in the generated project."""
    shell.run("new", "a-block")
    ruff = [sys.executable, "-m", "ruff"]
    for command in (["check", "--select", "E,F,I,B,UP", "--isolated"], ["format", "--check"]):
        done = subprocess.run(
            [*ruff, *command, "."], cwd=shell.folder / "a-block", capture_output=True, check=False
        )
        assert done.returncode == 0, done.stdout


RESERVED = [*keyword.kwlist, *keyword.softkwlist, *dir(builtins), "app"]


@pytest.mark.parametrize(
    "name", sorted({name.lower() for name in RESERVED if NAME.fullmatch(name.lower())})
)
def test_the_handler_s_name_hides_nothing(name: str) -> None:
    """Keywords, soft keywords, names of Python and of the template get a suffix."""
    function = function_name(name)
    assert function.isidentifier()
    assert not keyword.iskeyword(function)
    assert not keyword.issoftkeyword(function)
    assert not hasattr(builtins, function)
    assert function not in {"app", "request"}


@pytest.mark.parametrize(
    "name, function",
    [("1c", "_1c"), ("loan-2", "loan_2"), ("a--b", "a__b"), ("class", "class_block"), ("0", "_0")],
)
def test_the_handler_s_name_is_an_identifier(name: str, function: str) -> None:
    """A name may begin with a digit and contain hyphens."""
    assert function_name(name) == function


@pytest.mark.parametrize("name", ["class", "print", "app", "1c", "rich", "vertexkit", "x-"])
def test_a_project_of_any_name_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The generated block can be imported, has the name, and pip can install the project."""
    monkeypatch.chdir(tmp_path)
    folder = create_project(name, "en")
    scope = runpy.run_path(str(folder / "block.py"))
    assert list(scope["app"].blocks) == [name]
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert re.fullmatch(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?", project["name"])
    assert project["name"] not in {"rich", "vertexkit"}
    ast.parse((folder / "tests" / "test_block.py").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["Привет", "a/b c!", "x" * 65])
def test_an_invalid_block_name_is_rejected(shell: Any, name: str) -> None:
    """The error says which names are valid, and no file is created."""
    before = set(shell.folder.iterdir())
    done = shell.run("new", name)
    assert done.returncode == 2
    assert "a-z, 0-9" in done.stderr
    assert set(shell.folder.iterdir()) == before


def test_no_file_is_overwritten(shell: Any) -> None:
    """A folder that is not empty is not changed."""
    (shell.folder / "mine").mkdir()
    (shell.folder / "mine" / "block.py").write_text("precious", encoding="utf-8")
    done = shell.run("new", "mine")
    assert done.returncode == 2
    assert "not empty" in done.stderr
    assert (shell.folder / "mine" / "block.py").read_text(encoding="utf-8") == "precious"
