"""What the front page shows is what happens."""

from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", "README.ru.md"]


@pytest.mark.parametrize("page", PAGES)
def test_the_first_five_minutes_are_as_shown(reader: Any, page: str) -> None:
    """Each file saved and each command run in an empty folder prints what the page shows."""
    reader.follow(ROOT / page)


def test_both_languages_show_the_same(pages: Any) -> None:
    """The Russian page has the same code, commands and links as the English one."""
    english, russian = (pages.skeleton(ROOT / page) for page in PAGES)
    assert english == russian


@pytest.mark.parametrize("page", PAGES)
def test_its_links_lead_somewhere(pages: Any, page: str) -> None:
    """Each link to a file of the project names one that is there."""
    assert not pages.dead_links(ROOT / page)


def test_make_demo_shows_what_the_example_does(reader: Any) -> None:
    """`make demo` runs a command that answers: the main job, on the embedded default."""
    recipe = (ROOT / "Makefile").read_text(encoding="utf-8")
    (command,) = [line for line in recipe.splitlines() if "vertexkit trigger" in line]
    done = reader.run_in(ROOT, command.strip().removeprefix("@$(BIN)/"))
    assert [line.strip() for line in done.splitlines()][1:3] == [
        "bot   Считаю…",
        "bot   Платёж: 8885 ₽ в месяц",
    ]
    assert '{"monthly": 8884.88}' in done
