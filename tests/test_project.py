"""The project's metadata: the contents of the wheel, the locks and the version."""

import os
import re
import tomllib
import zipfile
from configparser import ConfigParser
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests import forked

pytestmark = pytest.mark.unmeasured

ROOT = Path(__file__).resolve().parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PIN = re.compile(r"^[\w.-]+==.*$", re.MULTILINE)
LOCKS = ("run", "image", "build", "dev")


def lock_text(lock: str) -> str:
    return (ROOT / "locks" / f"{lock}.txt").read_text(encoding="utf-8")


def pins(lock: str) -> dict[str, str]:
    """Return the version of each package that a lock pins for this Python."""
    lines = PIN.findall(lock_text(lock))
    pinned = (Requirement(line.rstrip(" \\")) for line in lines)
    return {
        canonicalize_name(one.name): str(one.specifier).removeprefix("==")
        for one in pinned
        if one.marker is None or one.marker.evaluate()
    }


def requirements(lock: str) -> list[Requirement]:
    """The requirements in pyproject.toml that a lock pins, included groups among them."""
    groups = PROJECT["dependency-groups"]

    def group(name: str) -> list[str]:
        lines: list[str] = []
        for entry in groups[name]:
            lines += [entry] if isinstance(entry, str) else group(entry["include-group"])
        return lines

    run = PROJECT["project"]["dependencies"]
    extras = PROJECT["project"]["optional-dependencies"]
    lines = {
        "run": run,
        "image": [*run, *extras["postgres"], *extras["encryption"]],
        "build": group("build"),
        "dev": [*run, *extras["dev"], *group("test")],
    }[lock]
    return [Requirement(line) for line in lines]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    done = forked.run(
        "hatchling",
        ["build", "-t", "wheel", "-d", str(folder)],
        folder=ROOT,
        environment=os.environ,
    )
    assert done.returncode == 0, done.stdout + done.stderr
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


def test_the_wheel_contains_the_package_only(wheel: zipfile.ZipFile) -> None:
    """The wheel contains every source file and py.typed, and neither tests nor examples."""
    names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    sources = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "vertexkit").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert names == sources
    assert "vertexkit/py.typed" in names


def test_the_wheel_offers_the_command_and_the_pytest_plugin(wheel: zipfile.ZipFile) -> None:
    """The entry points name existing modules: the command `vertexkit` and the pytest plugin."""
    (where,) = (name for name in wheel.namelist() if name.endswith("/entry_points.txt"))
    entries = ConfigParser()
    entries.read_string(wheel.read(where).decode())
    assert dict(entries["console_scripts"]) == {"vertexkit": "vertexkit.cli.main:main"}
    assert dict(entries["pytest11"]) == {"vertexkit": "vertexkit.testing.plugin"}
    for module in ("vertexkit.cli.main", "vertexkit.testing.plugin"):
        assert f"{module.replace('.', '/')}.py" in wheel.namelist()


def test_the_metadata_of_the_wheel(wheel: zipfile.ZipFile) -> None:
    """They name the licence, the versions of Python and the documented extras."""
    (where,) = (name for name in wheel.namelist() if name.endswith("/METADATA"))
    metadata = wheel.read(where).decode()
    assert "License-Expression: MIT" in metadata
    assert "Requires-Python: >=3.11" in metadata
    assert "Classifier: Typing :: Typed" in metadata
    assert re.findall(r"^Provides-Extra: (\w+)$", metadata, re.MULTILINE) == [
        "agents",
        "dev",
        "encryption",
        "interactive",
        "llm",
        "otel",
        "parquet",
        "postgres",
        "xlsx",
    ]


@pytest.mark.parametrize("lock", LOCKS)
def test_each_lock_satisfies_the_requirements(lock: str) -> None:
    """After a change of the requirements in pyproject.toml, run `make lock`."""
    pinned = pins(lock)
    unmet = [
        str(requirement)
        for requirement in requirements(lock)
        if (version := pinned.get(canonicalize_name(requirement.name))) is None
        or not requirement.specifier.contains(version, prereleases=True)
    ]
    assert not unmet


@pytest.mark.parametrize("lock", LOCKS)
def test_each_pin_has_a_hash_and_no_url(lock: str) -> None:
    """A lock contains versions and hashes, but no index and no path of a machine."""
    blocks = re.split(r"\n(?=\S)", lock_text(lock))
    bare = [block for block in blocks if "==" in block and "--hash=sha256:" not in block]
    assert not bare
    pins_only = re.sub(r"^\s*#.*$", "", lock_text(lock), flags=re.MULTILINE)
    assert "://" not in lock_text(lock)
    assert not re.search(r"--(extra-)?index-url|--find-links|file:| /", pins_only)
    assert "#    make lock" in lock_text(lock)


def test_the_locks_agree_with_each_other() -> None:
    """A package has the same version in each lock, because one environment installs several."""
    run, image, build, dev = (pins(lock) for lock in LOCKS)
    assert run.items() <= image.items() <= dev.items()
    assert build.items() <= dev.items()
    assert all(build[name] == run[name] for name in run.keys() & build.keys())


def test_this_environment_has_the_locked_versions() -> None:
    """The tests run with the versions that the lock pins."""
    here: dict[str, str] = {}
    for found in metadata.distributions():  # the first of a name is the one that is imported
        here.setdefault(canonicalize_name(found.name), found.version)
    dev = pins("dev")
    assert len(here.keys() & dev.keys()) > len(PROJECT["project"]["dependencies"])
    differing = {
        name: version for name, version in here.items() if dev.get(name, version) != version
    }
    assert not differing
