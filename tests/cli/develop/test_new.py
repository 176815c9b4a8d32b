"""`vertexkit new`: the generated project works without changes."""

import ast
import base64
import builtins
import hashlib
import itertools
import keyword
import re
import runpy
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

import vertexkit
from tests import forked
from vertexkit.blocks.registry import NAME
from vertexkit.cli.develop import new
from vertexkit.cli.develop.new import create_project, function_name
from vertexkit.cli.develop.own_wheel import wheel_name, write_wheel
from vertexkit.cli.options import TemplateOption
from vertexkit.settings import FIELDS

VARIANTS = [(template.value, language) for template in TemplateOption for language in ("en", "ru")]
COMMENT = re.compile(r"f?\"[^\"]*\"|#.*")


RUN_SECONDS = 300
RUN_ALL = """
import os, pathlib
import anyio.pytest_plugin, pytest, respx.plugin
import vertexkit.models, vertexkit.testing, vertexkit.testing.plugin

PLUGINS = ["-p", "anyio", "-p", "respx.plugin", "-p", "vertexkit.testing.plugin"]
QUIET = ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
for folder in sorted(pathlib.Path.cwd().glob("my-*")):
    if not (child := os.fork()):
        os.chdir(folder)
        code = int(pytest.main(["-q", "-p", "no:cacheprovider", *PLUGINS, *QUIET]))
        print(flush=True)
        os._exit(code)
    print(folder.name, os.waitpid(child, 0)[1], flush=True)
"""
"""Runs the tests of several projects in forks of one process, which imports what they need once."""


@pytest.mark.unmeasured
@pytest.mark.timeout(RUN_SECONDS)
def test_new_projects_are_formatted_and_their_tests_pass(shell: Any) -> None:
    """Their code is formatted, and their own tests, which call the served block, pass."""
    pytest.importorskip("openai")
    folders = []
    for template, language in VARIANTS:
        folders.append(f"my-{template}-{language}")
        options = ("--lang", language, "--template", template, "--no-wheel")
        made = shell.run("new", folders[-1], *options)
        assert made.returncode == 0, made.stderr
    ruff = [sys.executable, "-m", "ruff"]
    for command in (["check", "--select", "E,F,I,B,UP"], ["format", "--check"]):
        done = subprocess.run(
            [*ruff, *command, *folders], cwd=shell.folder, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stdout
    (shell.folder / "run_all.py").write_text(RUN_ALL, encoding="utf-8")
    environment = shell.environment(PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    tested = forked.run(
        "run_all", [], folder=shell.folder, environment=environment, timeout=RUN_SECONDS
    )
    for folder in folders:
        assert f"{folder} 0" in tested.stdout.splitlines(), tested.stdout
    assert tested.stdout.count("3 passed") == len(folders)


@pytest.mark.parametrize("template", [template.value for template in TemplateOption])
def test_both_languages_have_the_same_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, template: str
) -> None:
    """The Russian project differs from the English one in texts only."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(new, "write_wheel", Path.touch)  # it is the same in each language
    folders = [create_project(f"{language}/bot", language, template) for language in ("en", "ru")]
    names = [sorted(p.relative_to(folder) for p in folder.rglob("*")) for folder in folders]
    assert names[0] == names[1]
    for name in names[0]:
        if name.suffix in {".py", ".txt", ".yml", ".yaml", ".toml"}:
            one, other = ((folder / name).read_text(encoding="utf-8") for folder in folders)
            assert COMMENT.sub("", one) == COMMENT.sub("", other)


def test_the_readme_names_what_the_project_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each file that README, requirements and Dockerfile name is there; every setting exists."""
    monkeypatch.chdir(tmp_path)
    folder = create_project("bot", "en", "waiting")
    wheel = (folder / "requirements.txt").read_text(encoding="utf-8").strip()
    assert (folder / wheel).is_file()
    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert "pip install -r requirements-dev.txt" in readme
    assert "PyPI" in readme
    docker = (folder / "Dockerfile").read_text(encoding="utf-8")
    sources = [line.split()[1:-1] for line in docker.splitlines() if line.startswith("COPY")]
    allowed = (folder / ".dockerignore").read_text(encoding="utf-8")
    for source in itertools.chain(*sources):
        assert (folder / source).exists()
        assert f"!{source}" in allowed
    assert "docker.io" not in docker
    example = (folder / ".env.example").read_text(encoding="utf-8")
    settings = re.findall(r"^VERTEXKIT_(\w+)=", example, re.MULTILINE)
    assert {name.lower() for name in settings} <= set(FIELDS)
    for file in ("compose.yaml", ".github/workflows/tests.yml"):
        assert yaml.safe_load((folder / file).read_text(encoding="utf-8"))


def test_without_the_wheel_the_package_comes_from_an_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `--no-wheel` the project requires this minor version, and nothing mentions a wheel."""
    monkeypatch.chdir(tmp_path)
    folder = create_project("bot", "en", bundled=False)
    requirement = Requirement((folder / "requirements.txt").read_text(encoding="utf-8").strip())
    assert requirement.name == "vertexkit"
    assert requirement.specifier.contains(metadata.version("vertexkit"))
    assert "wheels" not in (folder / "Dockerfile").read_text(encoding="utf-8")
    assert "PyPI" not in (folder / "README.md").read_text(encoding="utf-8")


def test_the_wheel_holds_the_running_package(tmp_path: Path) -> None:
    """Its RECORD names every file with the right digest, and every module of vertexkit is in it."""
    path = tmp_path / wheel_name()
    write_wheel(path)
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
        record = next(name for name in names if name.endswith(".dist-info/RECORD"))
        rows = [row.split(",") for row in archive.read(record).decode().splitlines()]
        assert {row[0] for row in rows} == names
        for name, digest, size in rows:
            if name != record:
                content = archive.read(name)
                assert len(content) == int(size)
                made = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode()
                assert digest == f"sha256={made.rstrip('=')}"
    package = Path(vertexkit.__file__).parent
    modules = {
        f"vertexkit/{file.relative_to(package).as_posix()}" for file in package.rglob("*.py")
    }
    assert modules <= names
    folder = record.partition("/")[0]
    assert {f"{folder}/{part}" for part in ("METADATA", "WHEEL", "entry_points.txt")} <= names
    assert f"{folder}/licenses/LICENSE" in names
    assert not [name for name in names if "__pycache__" in name or "direct_url" in name]


@pytest.mark.unmeasured
def test_a_new_project_passes_the_check(shell: Any) -> None:
    """`vertexkit check` finds no problem in it, and `trigger` runs it."""
    shell.run("new", "hello-block")
    shell.folder /= "hello-block"
    answer = shell.run("trigger", "-i", "name=Аня", "--fast")
    assert "greeted" in answer.stdout
    checked = shell.run(
        "check", "block:app", "--offline", "--strict", platform_url="https://a.b/api"
    )
    assert checked.returncode == 0, checked.stdout


@pytest.mark.unmeasured
def test_the_default_language_is_the_terminals(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a Russian locale the generated block sends Russian messages."""
    monkeypatch.setenv("LC_ALL", "ru_RU.UTF-8")
    shell.run("new", "privet")
    assert "Привет" in (shell.folder / "privet" / "block.py").read_text(encoding="utf-8")


RESERVED = [*keyword.kwlist, *keyword.softkwlist, *dir(builtins), "app"]


@pytest.mark.unmeasured
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
    [
        ("1c", "_1c"),
        ("loan-2", "loan_2"),
        ("a--b", "a__b"),
        ("class", "class_block"),
        ("0", "_0"),
        ("http_client", "http_client_block"),
    ],
)
def test_the_handler_s_name_is_an_identifier(name: str, function: str) -> None:
    """A name may begin with a digit and contain hyphens."""
    assert function_name(name) == function


@pytest.mark.parametrize("name", ["print", "1c", "x-", "a--b"])
def test_a_project_of_any_name_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The generated block can be imported and has the name; its tests are valid Python."""
    monkeypatch.chdir(tmp_path)
    folder = create_project(name, "en", bundled=False)
    scope = runpy.run_path(str(folder / "block.py"))
    assert list(scope["app"].blocks) == [name]
    ast.parse((folder / "tests" / "test_block.py").read_text(encoding="utf-8"))


async def test_a_project_reads_its_variables_from_the_env_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The block uses the URL that the file `.env` sets, as the settings do."""
    folder = create_project(str(tmp_path / "rates"), "en", "lookup", bundled=False)
    (folder / ".env").write_text("RATES_URL=http://rates.test\n", encoding="utf-8")
    monkeypatch.chdir(folder)
    scope = runpy.run_path("block.py")
    async with scope["lifespan"](scope["app"]) as client:
        assert str(client.base_url).rstrip("/") == "http://rates.test"


@pytest.mark.parametrize(
    "name, meaning",
    [
        ("class", "a keyword of Python"),
        ("match", "a keyword of Python"),
        ("true", "a keyword of Python"),
        ("json", "a module of Python"),
        ("test", "a module of Python"),
        ("rich", "a package that the project needs"),
        ("prometheus_client", "a package that the project needs"),
        ("vertexkit", "a package that the project needs"),
        ("pytest", "a package that the project needs"),
        ("block", "a file or folder of the project"),
    ],
)
def test_a_name_that_means_something_else_is_refused(shell: Any, name: str, meaning: str) -> None:
    """The error says what the name means and suggests another; no file is created."""
    done = shell.run("new", name)
    assert done.returncode == 2
    assert meaning in done.stderr
    assert f"vertexkit new {name}-block" in done.stderr
    assert not (shell.folder / name).exists()


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
