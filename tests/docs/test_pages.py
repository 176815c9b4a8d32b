"""Every page of the manual: its links work, and both languages show the same."""

import re
from pathlib import Path

import pytest

from tests.docs.reader import DOCS, ROOT, fences

ENGLISH = [
    ROOT / "README.md",
    *sorted(page for page in DOCS.glob("*.md") if not page.name.endswith(".ru.md")),
]
RUSSIAN = [page.with_suffix(".ru.md") for page in ENGLISH]
UNTRANSLATED = [
    ROOT / "CHANGELOG.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
    ROOT / "benchmarks/README.md",
    ROOT / "tests/README.md",
]
LINK = re.compile(r"\]\(([^)]+)\)")
CODE_TEXT = re.compile(r"#.*|f?\"[^\"]*\"")
IDENTIFIER = re.compile(r"`(VERTEXKIT_\w+|ctx\.\w+|@?app\.\w+)")


def page_id(page: Path) -> str:
    """Return the path of a page inside the project."""
    return str(page.relative_to(ROOT))


def links(text: str) -> set[str]:
    """Return the targets of all links of a page."""
    return set(LINK.findall(text))


def skeleton(page: Path) -> list[str]:
    """Return what a translation keeps: code without texts, commands, settings, links."""
    skeleton = []
    for fence in fences(page):
        if fence.language == "python":
            skeleton += [re.sub(CODE_TEXT, "", line).rstrip() for line in fence.text.splitlines()]
        for command, output in fence.commands:
            skeleton.append(f"{command.split()[:2]} {len(output)}")
    text = re.sub(r"\.ru\.(md|svg)\b", r".\1", page.read_text(encoding="utf-8"))
    text = re.sub(r"(\.md)?#[^)\s]+\)", r"\1#)", text)  # headings are translated
    skeleton += sorted(set(IDENTIFIER.findall(text)))
    return skeleton + sorted(links(text) - {"README.md"})


@pytest.mark.parametrize("page", ENGLISH, ids=page_id)
def test_both_languages_show_the_same(page: Path) -> None:
    """The Russian page has the same code, commands, settings and links as the English one."""
    assert skeleton(page) == skeleton(page.with_suffix(".ru.md"))


@pytest.mark.parametrize("page", [*ENGLISH, *RUSSIAN, *UNTRANSLATED], ids=page_id)
def test_its_links_lead_to_existing_files(page: Path) -> None:
    """Each link to a file of the project leads to a file that exists."""
    targets = [link.partition("#")[0] for link in links(page.read_text(encoding="utf-8"))]
    files = [target for target in targets if target and "://" not in target]
    assert not [file for file in files if not (page.parent / file).exists()]
