"""What the manual shows is what happens."""

from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ["blocks.md", "blocks.ru.md"]


@pytest.mark.parametrize("page", PAGES)
def test_the_manual_does_what_it_says(reader: Any, page: str) -> None:
    """Its files, saved, are blocks, and its tests of them pass."""
    reader.follow(DOCS / page)


def test_both_languages_show_the_same(pages: Any) -> None:
    """The Russian page has the same code, names and links as the English one."""
    english, russian = (pages.skeleton(DOCS / page) for page in PAGES)
    assert english == russian


@pytest.mark.parametrize("page", PAGES)
def test_its_links_lead_somewhere(pages: Any, page: str) -> None:
    """Each link to a file of the project names one that is there."""
    assert not pages.dead_links(DOCS / page)
