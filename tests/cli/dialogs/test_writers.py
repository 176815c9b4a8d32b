"""The files of an export: users' texts stay texts in a spreadsheet."""

import csv
from io import StringIO
from pathlib import Path

import pytest

from vertexkit.cli.dialogs.writers import open_writer

SIGNS = ["=", "+", "-", "@", "＝", "＋", "－", "＠", "﹢", "﹣", "﹦", "﹫", "−"]
LEADS = [
    "",
    " ",
    "\n",
    "\t",
    "\r",
    "\u3000",
    "\xa0",
    "\ufeff",
    "\u200b",
    "\u202e",
    "\x00",
    " \n\u2060",
]
TEXTS = [
    "+7 900 123-45-67",
    " +7 900 123-45-67",
    "-5",
    "a=b",
    "me@example.com",
    "1 + 1",
    "обычный",
    "«=1»",
    "",
]


def written(folder: Path, text: str) -> str:
    """What a reader of the CSV file gets for a text."""
    writer = open_writer(folder / "a.csv", ".csv", {"a": str}, ",")
    writer.write({"a": text})
    writer.close()
    lines = (folder / "a.csv").read_bytes().decode("utf-8-sig")
    return next(iter(csv.DictReader(StringIO(lines, newline=""))))["a"]


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("lead", LEADS)
def test_no_text_is_a_formula(tmp_path: Path, lead: str, sign: str) -> None:
    """A sign of a formula in any width, after anything that is not visible, is marked as text."""
    text = f"{lead}{sign}SUM(1,2)"
    assert written(tmp_path, text) == f"'{text}"


@pytest.mark.parametrize("text", TEXTS)
def test_other_texts_stay_as_they_are(tmp_path: Path, text: str) -> None:
    """Phone numbers, negative numbers and signs inside of a text are not marked."""
    assert written(tmp_path, text) == text
