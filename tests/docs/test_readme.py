"""README: its files and commands do what the page shows."""

import pytest

from tests.docs.reader import ROOT, Reader

pytestmark = pytest.mark.unmeasured

PAGES = ["README.md", "README.ru.md"]


@pytest.mark.parametrize("page", PAGES)
def test_the_first_five_minutes_are_as_shown(reader: Reader, page: str) -> None:
    """In an empty folder, each command prints what the page shows."""
    reader.follow(ROOT / page)


def test_make_demo_shows_what_the_example_does(reader: Reader) -> None:
    """`make demo` runs an example block and prints its dialog."""
    recipe = (ROOT / "Makefile").read_text(encoding="utf-8")
    (command,) = [line for line in recipe.splitlines() if "vertexkit trigger" in line]
    output = reader.run_in(ROOT, command.strip().removeprefix("@$(BIN)/"))
    assert [line.strip() for line in output.splitlines()][1:3] == [
        "bot   Считаю…",
        "bot   Платёж: 8885 ₽ в месяц",
    ]
    assert '{"monthly": 8884.88}' in output
