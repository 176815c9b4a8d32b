"""The files of an export: users' texts stay texts in a spreadsheet."""

import csv
import gzip
import io
import json
import re
import sys
from datetime import UTC, datetime, timedelta, timezone
from io import StringIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from tests.cli.dialogs.xlsx import read_xlsx
from vertexkit.cli.dialogs import export
from vertexkit.cli.dialogs.formula_guard import guard
from vertexkit.cli.dialogs.writers import CsvOptions, format_of, open_writer
from vertexkit.errors import SettingsError

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
INNER = ["a;{}b", "a,{}b", "a\t{}b", "a\n{}b", "a\r\n{}b", 'a";{}b', "a; {}b", "a|{}b", "a;;{}"]
TEXTS = [
    "+7 900 123-45-67",
    "Пермь, +7 900 123-45-67",
    "1;-5;+3",
    "a; b, c",
    " +7 900 123-45-67",
    "-5",
    "a=b",
    "me@example.com",
    "1 + 1",
    "обычный",
    "«=1»",
    "",
]


def written(folder: Path, text: str, options: CsvOptions = CsvOptions()) -> str:  # noqa: B008
    """What a reader of the CSV file gets for a text."""
    writer = open_writer(folder / "a.csv", ".csv", {"a": str}, options)
    writer.write({"a": text})
    writer.close()
    lines = (folder / "a.csv").read_bytes().decode("utf-8-sig")
    return next(iter(csv.DictReader(StringIO(lines, newline=""))))["a"]


def starts_formula(part: str) -> bool:
    """Whether a spreadsheet might calculate a cell with this text."""
    visible = re.sub(
        r"^[\s\x00-\x1f\x7f-\xa0\u034f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]+", "", part
    )
    is_number = re.match(r"[+\-]?[\d .()\-]+(?:[;,\t\r\n]|$)", visible) is not None
    return visible[:1] in SIGNS and not is_number


@pytest.mark.unmeasured
@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("lead", LEADS)
def test_no_text_is_a_formula(tmp_path: Path, lead: str, sign: str) -> None:
    """A sign of a formula in any width, after anything that is not visible, is marked as text."""
    text = f"{lead}{sign}SUM(1,2)"
    found = written(tmp_path, text)
    assert found.startswith("'")
    assert found.replace("'", "") == text


@pytest.mark.parametrize("inner", INNER)
@pytest.mark.parametrize("sign", ["=", "@", "＝", "-cmd|", "+A"])
def test_no_part_of_a_text_is_a_formula(tmp_path: Path, inner: str, sign: str) -> None:
    """Whatever separator a spreadsheet expects, no cell that it makes of the line is calculated."""
    text = inner.format(f"{sign}1+1;")
    for options in (CsvOptions(","), CsvOptions(";")):
        found = written(tmp_path, text, options)
        assert found.replace("'", "") == text
        for delimiter in ";,\t\n\r|":
            assert not any(map(starts_formula, found.split(delimiter)))


@given(st.text(alphabet="=+-@;,\t\n\r|'\" a1＝\ufeff"))
def test_a_guarded_text_keeps_its_characters(text: str) -> None:
    """Only `'` is added, and no part of the result starts a formula."""
    found = guard(text)
    assert found.replace("'", "") == text.replace("'", "")
    for delimiter in ";,\t\n\r|":
        assert not any(map(starts_formula, found.split(delimiter)))


@pytest.mark.parametrize("text", TEXTS)
def test_other_texts_stay_as_they_are(tmp_path: Path, text: str) -> None:
    """Phone numbers, negative numbers and signs inside of a text are not marked."""
    assert written(tmp_path, text) == text


def test_formulas_are_kept_on_request(tmp_path: Path) -> None:
    """For a program other than a spreadsheet, every text is unchanged."""
    for text in ("=1+1", "a;=1+1", "'=1", "\t=1"):
        assert written(tmp_path, text, CsvOptions(",", keep_formulas=True)) == text


COLUMNS: dict[str, type] = {
    "id": str,
    "updated": datetime,
    "answer": str,
    "n": int,
    "f": float,
    "b": bool,
}
TIME = datetime(2023, 3, 30, 22, 52, 15, tzinfo=timezone(timedelta(hours=-3)))
ROWS: list[dict[str, Any]] = [
    {"id": "a", "updated": TIME, "answer": "line\r\nnext\rlast", "n": 1, "f": 0.5, "b": True},
    {"id": "b", "updated": None, "answer": "я😀" * 20_000, "n": None, "f": None, "b": None},
    {
        "id": "c",
        "updated": TIME,
        "answer": ["x", {"y": float("nan")}],
        "n": 3,
        "f": 7.0,
        "b": False,
    },
]


def written_rows(path: Path) -> str:
    writer = open_writer(path, format_of(path), COLUMNS, CsvOptions())
    for row in ROWS:
        writer.write(row)
    return writer.close()


@pytest.mark.parametrize(
    "name", ["a.jsonl", "a.ndjson", "a.csv", "a.tsv", "a.jsonl.gz", "a.ndjson.gz", "a.csv.gz"]
)
def test_each_text_format_holds_the_rows(tmp_path: Path, name: str) -> None:
    """The name selects the format and the compression; texts and times are complete."""
    path = tmp_path / name
    assert written_rows(path) == ""
    data = gzip.decompress(path.read_bytes()) if name.endswith(".gz") else path.read_bytes()
    if "json" in name:
        rows = [json.loads(line) for line in data.decode().split("\n") if line]
        assert rows[0]["updated"] == "2023-03-30T22:52:15-03:00"
        assert rows[1]["answer"] == ROWS[1]["answer"]
    else:
        text = StringIO(data.decode("utf-8-sig"), newline="")
        table = list(csv.DictReader(text, delimiter="\t" if ".tsv" in name else ","))
        assert [row["id"] for row in table] == ["a", "b", "c"]
        assert table[0]["answer"] == ROWS[0]["answer"]


def test_a_workbook_holds_what_people_read(tmp_path: Path) -> None:
    """Times are UTC, line breaks are those of Excel, and cut cells are counted."""
    note = written_rows(tmp_path / "a.xlsx")
    assert note.startswith("1 cell was cut")
    first, second, third = read_xlsx(tmp_path / "a.xlsx")
    assert first["updated"] is not None
    moment = datetime(1899, 12, 30, tzinfo=UTC) + timedelta(days=float(first["updated"]))
    assert abs(moment - TIME) < timedelta(seconds=1)
    assert first["answer"] == "line\nnext\nlast"
    assert second["answer"] is not None
    assert len(second["answer"].encode("utf-16-le")) // 2 in (32_766, 32_767)
    assert third["answer"] == '["x",{"y":NaN}]'


def test_control_characters_do_not_damage_a_workbook(tmp_path: Path) -> None:
    """They are escaped as Excel escapes them: the sheet is valid XML, and no cell is a formula."""
    path = tmp_path / "a.xlsx"
    writer = open_writer(path, format_of(path), {"a": str}, CsvOptions())
    writer.write({"a": "=1+nul\x00 vertical\x0b escape\x1b"})
    writer.close()
    (row,) = read_xlsx(path)
    assert row["a"] == "=1+nul_x0000_ vertical_x000B_ escape_x001B_"
    assert b"<f>" not in ZipFile(path).read("xl/worksheets/sheet1.xml")


def test_a_parquet_file_is_typed(tmp_path: Path) -> None:
    """Times are in UTC, and numbers are numbers."""
    assert written_rows(tmp_path / "a.parquet") == ""
    table = parquet.read_table(tmp_path / "a.parquet")
    assert str(table.schema.field("updated").type) == "timestamp[us, tz=UTC]"
    assert table.column("updated")[0].as_py() == TIME
    assert table.column("answer").to_pylist()[1] == ROWS[1]["answer"]


@pytest.mark.parametrize("name", ["a", "a.doc", "a.xlsx.gz", "a.parquet.gz", "a.gz", ".csv"])
def test_an_unknown_format_is_an_error(name: str) -> None:
    """The error lists the endings."""
    with pytest.raises(SettingsError, match=r"must end in \.xlsx, \.csv"):
        format_of(Path(name))


def test_the_formats_do_not_need_each_other(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without an extra, the error names it, and the other formats work."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.delitem(sys.modules, "vertexkit.botone.arrow", raising=False)
    with pytest.raises(SettingsError, match=r"vertexkit\[parquet\]"):
        written_rows(tmp_path / "a.parquet")
    assert written_rows(tmp_path / "a.xlsx")
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)
    with pytest.raises(SettingsError, match=r"vertexkit\[xlsx\]"):
        written_rows(tmp_path / "b.xlsx")


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.csv.gz"])
def test_line_breaks_are_the_same_on_every_system(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows would write `\\r\\r\\n` after a row of CSV: no line break is translated."""
    translated: list[Any] = []
    wrap, open_path = io.TextIOWrapper, Path.open

    def wrapped(*args: Any, **options: Any) -> Any:
        translated.append(options["newline"])
        return wrap(*args, **options)

    def opened(path: Path, *args: Any, **options: Any) -> Any:
        translated.append(options["newline"])
        return open_path(path, *args, **options)

    monkeypatch.setattr(io, "TextIOWrapper", wrapped)
    monkeypatch.setattr(Path, "open", opened)
    path = tmp_path / name
    writer = open_writer(path, format_of(path), {"a": str}, CsvOptions())
    writer.write({"a": "one\ntwo"})
    writer.close()
    assert translated == [""]


def test_a_file_that_excel_has_open_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows does not replace it: the error says what to do."""

    def refuse(*_: Any) -> None:
        raise PermissionError(13, "Access is denied")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(
        SettingsError, match=r"a\.xlsx cannot be replaced: Access is denied\. If .*Excel"
    ):
        export._replace(tmp_path / ".new.a.xlsx", tmp_path / "a.xlsx")
