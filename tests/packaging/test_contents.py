"""What the wheel and the sdist contain, and what the index shows of them."""

import re
import tomllib
import zipfile
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
GENERATED = {".venv", "dist", "build", "__pycache__", "site"}
LINK = re.compile(r"\]\(([^)#]+)")


@pytest.fixture(scope="module")
def wheel(built: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(next(built.glob("*.whl")))


def test_the_sdist_contains_every_file_of_the_repository(built: Path) -> None:
    """Its tests run from it, because everything that they read is in it."""
    (unpacked,) = built.glob("vertexkit-*/")
    ignored = re.compile(r"/(\.|__pycache__)|\.pyc$|\.egg-info")
    tracked = (
        "docs",
        "tests",
        "vertexkit",
        "deploy",
        "ops",
        "benchmarks",
        "example_blocks",
        "locks",
    )
    for folder in tracked:
        for path in (ROOT / folder).rglob("*"):
            name = path.relative_to(ROOT).as_posix()
            if path.is_file() and not ignored.search(f"/{name}"):
                assert (unpacked / name).is_file(), name
    for path in ROOT.glob("*.*"):
        if path.is_file() and path.suffix in {".md", ".py", ".toml"}:
            assert (unpacked / path.name).is_file(), path.name
    assert (unpacked / "Dockerfile").is_file()
    assert (unpacked / "Makefile").is_file()


def test_the_description_has_no_relative_link(wheel: zipfile.ZipFile) -> None:
    """On an index page every link and picture of the README leads to the repository."""
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    metadata = message_from_bytes(wheel.read(name))
    description = metadata.get_payload()
    assert isinstance(description, str)
    targets = LINK.findall(description)
    assert len(targets) > 20
    assert not [target for target in targets if not target.startswith("https://")]
    tag = f"/v{PROJECT['project']['version']}/"
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", description)
    assert pictures
    assert all("/raw" + tag in picture for picture in pictures)
    shown = " ".join(metadata.get_all("Project-URL", []))
    assert all(url in shown for url in PROJECT["project"]["urls"].values())


def test_a_release_has_real_addresses() -> None:
    """As soon as the changelog dates the version, no address is a placeholder under .example."""
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    released = re.search(r"^## \[\d+\.\d+\.\d+\] - \d{4}-", changelog, re.MULTILINE)
    project = PROJECT["project"]
    addresses = [*project["urls"].values(), *(author["email"] for author in project["authors"])]
    placeholders = [address for address in addresses if ".example" in address]
    assert released is None or not placeholders


def test_everything_shipped_has_a_licence(wheel: zipfile.ZipFile) -> None:
    """The wheel has the project's licence, and no file with a notice of another owner."""
    names = wheel.namelist()
    assert [name for name in names if name.endswith(".dist-info/licenses/LICENSE")]
    notice = re.compile(rb"(?i)copyright|\(c\) \d{4}|licensed under|SPDX-License")
    sources = [name for name in names if ".dist-info/" not in name]
    assert not [name for name in sources if notice.search(wheel.read(name))]
