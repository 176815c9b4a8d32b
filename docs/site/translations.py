"""Whether each page of the manual has a translation with the same structure."""

import re
from pathlib import Path

FENCE = re.compile(r"^ *(`{3,})(\w*)\n(.*?)^ *\1$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^(#+) ", re.MULTILINE)
TABLE_ROW = re.compile(r"^\|", re.MULTILINE)


def english_pages(docs: Path) -> list[Path]:
    """Return the English pages of a folder, sorted by name."""
    return sorted(page for page in docs.glob("*.md") if not page.name.endswith(".ru.md"))


def problems(docs: Path) -> list[str]:
    """Return what is wrong with the translations, one sentence for each problem.

    Args:
        docs: The folder with `NAME.md` and `NAME.ru.md`.
    """
    found = []
    for page in english_pages(docs):
        translation = page.with_suffix(".ru.md")
        if not translation.is_file():
            found.append(f"{page.name} has no translation {translation.name}")
        elif (here := _structure(page)) != (there := _structure(translation)):
            differing = next(key for key in here if here[key] != there[key])
            found.append(
                f"{translation.name} is out of date: its {differing} are {there[differing]}, those of "
                f"{page.name} are {here[differing]}"
            )
    for translation in sorted(docs.glob("*.ru.md")):
        original = translation.with_name(f"{translation.name.removesuffix('.ru.md')}.md")
        if not original.is_file():
            found.append(f"{translation.name} translates {original.name}, which does not exist")
    return found


def _structure(page: Path) -> dict[str, list[str] | int]:
    """Return what both languages of a page share."""
    text = page.read_text(encoding="utf-8")
    prose = FENCE.sub("", text)
    return {
        "headings": HEADING.findall(prose),
        "code blocks": [language for _, language, _ in FENCE.findall(text)],
        "rows of tables": len(TABLE_ROW.findall(prose)),
    }
