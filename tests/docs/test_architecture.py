"""The map of the project: its tree, its pictures, its invariants and kill points."""

import hashlib
import re
from pathlib import Path

import pytest

from tests.docs.reader import ROOT

PAGES = ["docs/architecture.md", "docs/architecture.ru.md"]
MAPS = [*PAGES, "CONTRIBUTING.md", "tests/README.md"]
CODE = re.compile(r"`([^`\s]+/[^`\s]*|[^`\s]+\.(?:py|md))`")
FOLDER = re.compile(r"^( *)(\w+)/ ", re.MULTILINE)
PLACES = ("", "vertexkit", "tests", "vertexkit/cli")
DRAWN = re.compile(r"<!-- drawn from ([0-9a-f]{64}) -->")
ROW = re.compile(r"^\| ([IKW]\d+) \|(.+)\|$", re.MULTILINE)


def tree(page: Path) -> set[str]:
    """The folders that the page's tree shows, from `vertexkit/`."""
    text = page.read_text(encoding="utf-8").partition("```text\n")[2].partition("```")[0]
    found: set[str] = set()
    parents: dict[int, str] = {}
    for indent, name in FOLDER.findall(text):
        parents[len(indent)] = name
        outer = [parent for depth, parent in sorted(parents.items()) if depth < len(indent)]
        found.add("/".join([*outer[-1:], name] if len(indent) > 2 else [name]))
    return found


@pytest.mark.parametrize("page", PAGES)
def test_the_tree_shows_every_folder(page: str) -> None:
    """Each folder of the package has its line in the tree, and no other has one."""
    source = ROOT / "vertexkit"
    folders = {
        path.relative_to(source).as_posix()
        for path in source.rglob("*")
        if path.is_dir() and "__pycache__" not in path.parts and path.name != "static"
    }
    inner = ("cli/template/", "cli/locale/")
    folders = {folder for folder in folders if not folder.startswith(inner)}
    assert tree(ROOT / page) == folders


@pytest.mark.parametrize("page", MAPS)
def test_every_named_place_exists(page: str) -> None:
    """Each file and folder that a map names is there."""
    missing = [
        place
        for place in CODE.findall((ROOT / page).read_text(encoding="utf-8"))
        if not any(
            list((ROOT / base).glob(place.rstrip("/") + suffix))
            for base in PLACES
            for suffix in ("", ".py")
        )
    ]
    assert not missing


def test_both_languages_name_the_same_places() -> None:
    """The Russian page names the same places in the same order as the English one."""
    english, russian = (
        CODE.findall((ROOT / page).read_text(encoding="utf-8").replace(".ru.", "."))
        for page in PAGES
    )
    assert english == russian


@pytest.mark.parametrize("source", sorted((ROOT / "docs/images").glob("*.dot")), ids=str)
def test_a_picture_is_drawn_from_its_text(source: Path) -> None:
    """`make pictures` was run after the last change of the text."""
    drawn = DRAWN.match(source.with_suffix(".svg").read_text(encoding="utf-8"))
    assert drawn is not None
    assert drawn[1] == hashlib.sha256(source.read_bytes()).hexdigest()


def test_every_invariant_and_kill_point_has_its_place() -> None:
    """I1 to I17, K0 to K12 and W1 to W9 are listed with files and functions that are there."""
    rows = dict(ROW.findall((ROOT / "tests/README.md").read_text(encoding="utf-8")))
    invariants = [f"I{n}" for n in range(1, 18)]
    kill_points = [f"K{n}" for n in range(13)] + [f"W{n}" for n in range(1, 10)]
    assert list(rows) == invariants + kill_points
    for name, row in rows.items():
        for place, function in re.findall(r"`(chaos/\w+\.py)(?:: (\w+))?", row):
            text = (ROOT / "tests" / place).read_text(encoding="utf-8")
            assert not function or re.search(rf'def {function}\(.*\n    """{name}\b', text), name
    points = (ROOT / "tests/chaos/failpoints.py").read_text(encoding="utf-8")
    kills = (ROOT / "tests/chaos/test_kills.py").read_text(encoding="utf-8")
    for name in kill_points:
        assert re.search(rf"\b{name}\b", points + kills), name
