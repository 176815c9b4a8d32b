"""The project's own papers: what is built, what is pinned, and which version it says it is."""

import re
import subprocess
import sys
import tomllib
import zipfile
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)(?:\s*;\s*(.+?))?\s*\\?$", re.MULTILINE)
LOCKS = ("run", "build", "dev")


def lock_text(lock: str) -> str:
    return (ROOT / "locks" / f"{lock}.txt").read_text(encoding="utf-8")


def pins(lock: str) -> dict[str, str]:
    return {canonicalize_name(name): version for name, version, _ in PIN.findall(lock_text(lock))}


def asked(lock: str) -> list[Requirement]:
    """What pyproject.toml asks of one lock, with the groups that its groups include."""
    groups = PROJECT["dependency-groups"]

    def group(name: str) -> list[str]:
        lines: list[str] = []
        for each in groups[name]:
            lines += [each] if isinstance(each, str) else group(each["include-group"])
        return lines

    run = PROJECT["project"]["dependencies"]
    dev = PROJECT["project"]["optional-dependencies"]["dev"]
    lines = {"run": run, "build": group("build"), "dev": [*run, *dev, *group("test")]}[lock]
    return [Requirement(line) for line in lines]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=60,
    )
    (built,) = folder.glob("*.whl")
    return zipfile.ZipFile(built)


def test_the_version_is_the_changelogs_newest() -> None:
    """pyproject.toml and the top of CHANGELOG.md name the same version."""
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(
        r"^## \[(\d+\.\d+\.\d+)\] - (Unreleased|\d{4}-\d\d-\d\d)$", changelog, re.MULTILINE
    )
    assert newest is not None
    assert newest[1] == PROJECT["project"]["version"]


def test_the_wheel_is_the_package_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    """Tests, examples and tools stay out of the wheel; every source file and py.typed is in."""
    names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    sources = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "vertexkit").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert names == sources
    assert "vertexkit/py.typed" in names


def test_the_wheel_offers_the_command_and_the_pytest_plugin(wheel: zipfile.ZipFile) -> None:
    """Installers find `vertexkit`, and pytest finds the plugin, each where its code is."""
    (where,) = (name for name in wheel.namelist() if name.endswith("/entry_points.txt"))
    entries = ConfigParser()
    entries.read_string(wheel.read(where).decode())
    assert dict(entries["console_scripts"]) == {"vertexkit": "vertexkit.cli.main:main"}
    assert dict(entries["pytest11"]) == {"vertexkit": "vertexkit.testing.plugin"}
    for module in ("vertexkit.cli.main", "vertexkit.testing.plugin"):
        assert f"{module.replace('.', '/')}.py" in wheel.namelist()


def test_the_wheel_says_what_it_is(wheel: zipfile.ZipFile) -> None:
    """Its metadata carry the licence, the Pythons and the extras that authors are told of."""
    (where,) = (name for name in wheel.namelist() if name.endswith("/METADATA"))
    said = wheel.read(where).decode()
    assert "License-Expression: MIT" in said
    assert "Requires-Python: >=3.11" in said
    assert "Classifier: Typing :: Typed" in said
    assert re.findall(r"^Provides-Extra: (\w+)$", said, re.MULTILINE) == [
        "analytics",
        "dev",
        "otel",
    ]


@pytest.mark.parametrize("lock", LOCKS)
def test_each_lock_satisfies_what_pyproject_asks(lock: str) -> None:
    """Whoever widens or adds a requirement without `make lock` is told here."""
    pinned = pins(lock)
    unmet = [
        str(requirement)
        for requirement in asked(lock)
        if (version := pinned.get(canonicalize_name(requirement.name))) is None
        or not requirement.specifier.contains(version, prereleases=True)
    ]
    assert not unmet


@pytest.mark.parametrize("lock", LOCKS)
def test_each_pin_has_a_hash_and_no_address(lock: str) -> None:
    """A lock holds versions and hashes alone: no index, no folder of the machine that made it."""
    blocks = re.split(r"\n(?=\S)", lock_text(lock))
    bare = [block for block in blocks if "==" in block and "--hash=sha256:" not in block]
    assert not bare
    said = re.sub(r"^\s*#.*$", "", lock_text(lock), flags=re.MULTILINE)
    assert "://" not in lock_text(lock)
    assert not re.search(r"--(extra-)?index-url|--find-links|file:| /", said)
    assert "#    make lock" in lock_text(lock)


def test_the_locks_agree_with_each_other() -> None:
    """One environment takes several locks one after another, so no package has two versions."""
    run, build, dev = (pins(lock) for lock in LOCKS)
    assert run.items() <= dev.items()
    assert build.items() <= dev.items()
    assert all(build[name] == run[name] for name in run.keys() & build.keys())


def test_this_environment_is_the_locked_one() -> None:
    """The tests run against what the lock pins, not against what happened to be there."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "freeze", "--exclude-editable"],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout
    here = dict(line.split("==") for line in listed.splitlines() if "==" in line)
    dev = pins("dev")
    strays = {n: v for n, v in here.items() if dev.get(canonicalize_name(n), v) != v}
    assert not strays
