"""The versions of the site: their folders, their list, and the pages that lead to the newest one."""

import json
from pathlib import Path

import pytest

from docs.site import versions

CHANGELOG = "# Changelog\n\n## [0.2.0] - Unreleased\n\n## [0.1.0] - 2027-01-31\n"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site with an unreleased and two released versions, the newest of which has one more page."""
    for folder, pages in (
        ("latest", ["index", "blocks"]),
        ("0.9.0", ["index"]),
        ("0.10.0", ["index", "blocks"]),
    ):
        for language in versions.LANGUAGES:
            for page in pages:
                path = tmp_path / folder / language / f"{page}.html"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(f"{page} of {folder}", encoding="utf-8")
    return tmp_path


def test_a_dated_version_has_a_folder_of_its_own() -> None:
    """The manual of a version that the changelog does not date is that of the folder latest."""
    assert versions.folder_name("0.1.0", CHANGELOG) == "0.1.0"
    assert versions.folder_name("0.2.0", CHANGELOG) == "latest"
    assert versions.folder_name("0.1.00", CHANGELOG) == "latest"
    assert versions.folder_name("0.1", CHANGELOG) == "latest"


def test_versions_are_listed_by_their_numbers(site: Path) -> None:
    """The list has each version with its pages: the unreleased one, then 0.10 before 0.9."""
    (site / "pictures").mkdir()
    versions.publish(site)
    listed = json.loads((site / "versions.json").read_text(encoding="utf-8"))
    assert listed == {
        "stable": "0.10.0",
        "versions": [
            {"name": "latest", "pages": ["blocks", "index"]},
            {"name": "0.10.0", "pages": ["blocks", "index"]},
            {"name": "0.9.0", "pages": ["index"]},
        ],
    }
    script = (site / "versions.js").read_text(encoding="utf-8")
    assert json.loads(script.removeprefix("var vertexkitVersions = ").rstrip(";\n")) == listed


def test_stable_leads_to_the_newest_release(site: Path) -> None:
    """Each page under stable/ leads to the page of the newest release, and the first page as well."""
    versions.publish(site)
    for language in versions.LANGUAGES:
        page = (site / "stable" / language / "blocks.html").read_text(encoding="utf-8")
        assert f"../../0.10.0/{language}/blocks.html" in page
        assert f'href="0.10.0/{language}/index.html"' in (site / "index.html").read_text("utf-8")


def test_a_new_release_replaces_stable_and_keeps_the_others(site: Path) -> None:
    """When a version is added, the pages of the others stay as they are."""
    versions.publish(site)
    (site / "1.0.0" / "en").mkdir(parents=True)
    (site / "1.0.0" / "en" / "index.html").write_text("index of 1.0.0", encoding="utf-8")
    versions.publish(site)
    assert versions.versions(site) == ["latest", "1.0.0", "0.10.0", "0.9.0"]
    assert (site / "0.9.0/en/index.html").read_text(encoding="utf-8") == "index of 0.9.0"
    assert not (site / "stable/en/blocks.html").exists()
    assert "../../1.0.0/en/index.html" in (site / "stable/en/index.html").read_text("utf-8")


def test_before_the_first_release_nothing_is_stable(tmp_path: Path) -> None:
    """A site with the unreleased manual alone starts with it, and has no folder stable."""
    (tmp_path / "latest" / "en").mkdir(parents=True)
    versions.publish(tmp_path)
    assert json.loads((tmp_path / "versions.json").read_text("utf-8"))["stable"] is None
    assert 'href="latest/ru/index.html"' in (tmp_path / "index.html").read_text("utf-8")
    assert not (tmp_path / "stable").exists()
