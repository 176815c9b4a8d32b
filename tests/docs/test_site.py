"""The site of the manual: translations, links, anchors, and pages that the code fills."""

import re
from pathlib import Path

import pytest

from docs.site import navigation, references, translations
from tests.docs.reader import DOCS

PAGES = sorted(DOCS.glob("*.md"))
LINK = re.compile(r"\]\((?!https?://|mailto:)([^)#\s]*)#([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub and MyST make them."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    return {
        re.sub(r"[^\w\- ]", "", heading.lower().strip()).replace(" ", "-")
        for heading in HEADING.findall(text)
    }


def test_every_page_has_an_up_to_date_translation() -> None:
    """Both languages have the same headings, code blocks and rows of tables."""
    assert translations.problems(DOCS) == []


def test_a_stale_translation_is_reported(tmp_path: Path) -> None:
    """A missing page, a missing translation, heading, code block or row of a table is a problem."""
    page, translation = tmp_path / "a.md", tmp_path / "a.ru.md"
    page.write_text("# A\n\n## B\n\n```sh\nls\n```\n\n| a |\n|---|\n", encoding="utf-8")
    assert translations.problems(tmp_path) == ["a.md has no translation a.ru.md"]
    for stale, what in (
        ("# А\n\n```sh\nls\n```\n\n| a |\n|---|\n", "headings"),
        ("# А\n\n## Б\n\n| a |\n|---|\n", "code blocks"),
        ("# А\n\n## Б\n\n```sh\nls\n```\n\n| a |\n", "rows of tables"),
    ):
        translation.write_text(stale, encoding="utf-8")
        assert f"its {what} are" in translations.problems(tmp_path)[0]
    translation.write_text("# А\n\n## Б\n\n```sh\nls\n```\n\n| a |\n|---|\n", encoding="utf-8")
    assert translations.problems(tmp_path) == []
    page.unlink()
    assert "does not exist" in translations.problems(tmp_path)[0]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_anchor_exists(page: Path) -> None:
    """A link to a part of a page leads to one of its headings."""
    dead = [
        f"{target}#{anchor}"
        for target, anchor in LINK.findall(page.read_text(encoding="utf-8"))
        if anchor not in anchors(page.parent / target if target else page)
    ]
    assert not dead


def test_the_menu_has_every_page_once() -> None:
    """A page is in one section; generated pages are in the menu too."""
    names = [name for _, pages in navigation.SECTIONS.values() for name in pages]
    assert len(names) == len(set(names))
    assert set(navigation.GENERATED) <= set(names)


def test_the_references_are_complete() -> None:
    """Every command, every option and every public name is in the generated pages."""
    commands = references.command_line("en")
    for command in ("vertexkit run", "vertexkit executions list", "vertexkit dialogs export"):
        assert f"## {command}\n" in commands
    assert "| `--template <plain\\|lookup\\|waiting" in commands
    names = references.python_names("ru")
    for name in ("App", "Context", "BlockFailed", "WaitTimeout", "ChatModel", "FakeDialog"):
        assert f"### {name}\n" in names
