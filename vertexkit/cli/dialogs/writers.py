"""Files that rows are written to: JSON lines, CSV, Parquet and XLSX."""

import csv
import json
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from vertexkit.errors import SettingsError

Row = Mapping[str, Any]
Columns = Mapping[str, type]
FORMULA = re.compile(r"[=+\-@\t\r]")
PLAIN = re.compile(r"[+\-]?[\d\s().,\-]+")
"""A number or a telephone: no formula, though it may begin like one."""
GROUP = 10_000
"""Rows that are written to a Parquet file at once."""
LAST_ROW = 1_048_576
"""Of a sheet, the head included."""
CELL = 32_767
"""Characters."""


class Sheet(Protocol):
    """Takes rows one by one, in bounded memory."""

    def write(self, row: Row) -> None:
        """One more row: a value for each column, or None."""

    def close(self) -> None:
        """That was the last: the file is whole."""


class JsonLines:
    """An object of JSON on each line."""

    def __init__(self, path: Path, columns: Columns) -> None:  # noqa: ARG002 - as all sheets
        self._file = path.open("w", encoding="utf-8")

    def write(self, row: Row) -> None:
        self._file.write(json.dumps(row, ensure_ascii=False, default=_text) + "\n")

    def close(self) -> None:
        self._file.close()


class Csv:
    """CSV that Excel opens with Cyrillic intact, and in which no stranger's text is a formula."""

    def __init__(self, path: Path, columns: Columns, delimiter: str = ",") -> None:
        self._file = path.open("w", encoding="utf-8-sig", newline="")
        self._writer = csv.DictWriter(self._file, list(columns), delimiter=delimiter)
        self._writer.writeheader()

    def write(self, row: Row) -> None:
        self._writer.writerow({name: _cell(value) for name, value in row.items()})

    def close(self) -> None:
        self._file.close()


class Parquet:
    """Columns with types."""

    def __init__(self, path: Path, columns: Columns) -> None:
        try:
            import pyarrow as pa
            from pyarrow import parquet
        except ImportError:
            raise SettingsError(MEND.format("Parquet")) from None
        kinds = {
            str: pa.string(),
            int: pa.int64(),
            float: pa.float64(),
            bool: pa.bool_(),
            datetime: pa.timestamp("us", tz="UTC"),
        }
        self._schema = pa.schema([(name, kinds[kind]) for name, kind in columns.items()])
        self._columns = columns
        self._table = pa.Table
        self._writer = parquet.ParquetWriter(path, self._schema, compression="zstd")
        self._rows: list[dict[str, Any]] = []

    def write(self, row: Row) -> None:
        self._rows.append(
            {
                name: _text(value) if self._columns[name] is str and value is not None else value
                for name, value in row.items()
            }
        )
        if len(self._rows) == GROUP:
            self._flush()

    def _flush(self) -> None:
        self._writer.write_table(self._table.from_pylist(self._rows, schema=self._schema))
        self._rows.clear()

    def close(self) -> None:
        self._flush()
        self._writer.close()


class Xlsx:
    """A workbook with one sheet."""

    def __init__(self, path: Path, columns: Columns) -> None:
        try:
            import xlsxwriter
        except ImportError:
            raise SettingsError(MEND.format("XLSX")) from None
        options = {
            "constant_memory": True,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "remove_timezone": True,
            "default_date_format": "yyyy-mm-dd hh:mm:ss",
        }
        self._book = xlsxwriter.Workbook(str(path), options)
        self._sheet = self._book.add_worksheet()
        self._columns = list(columns)
        self._sheet.freeze_panes(1, 0)
        self._sheet.write_row(0, 0, self._columns, self._book.add_format({"bold": True}))
        self._next = 1

    def write(self, row: Row) -> None:
        if self._next == LAST_ROW:
            raise SettingsError(
                f"a sheet ends after {LAST_ROW:,} rows: narrow the filters, or write CSV or Parquet"
            )
        for column, name in enumerate(self._columns):
            value = row.get(name)
            if isinstance(value, datetime):
                self._sheet.write_datetime(self._next, column, value)
            elif isinstance(value, bool):
                self._sheet.write_boolean(self._next, column, value)
            elif isinstance(value, int | float):
                self._sheet.write_number(self._next, column, value)
            elif value is not None:
                self._sheet.write_string(self._next, column, _text(value)[:CELL])
        self._next += 1

    def close(self) -> None:
        self._book.close()


MEND = "{} needs more packages: pip install 'vertexkit[analytics]'; CSV and JSON lines do not"
SHEETS = {".jsonl": JsonLines, ".csv": Csv, ".parquet": Parquet, ".xlsx": Xlsx}


def open_sheet(path: Path, suffix: str, columns: Columns, delimiter: str) -> Sheet:
    """A file for rows of these columns.

    Args:
        path: where it is written.
        suffix: says which kind.
        columns: names and types.
        delimiter: of a CSV.

    Raises:
        SettingsError: there is no such kind, or it needs packages that are not here.
    """
    if suffix == ".csv":
        return Csv(path, columns, delimiter)
    if suffix not in SHEETS:
        raise SettingsError(f"{suffix or 'no ending'}: end the file's name in {', '.join(SHEETS)}")
    sheet: Sheet = SHEETS[suffix](path, columns)
    return sheet


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return value.isoformat()
    return json.dumps(value, ensure_ascii=False, default=str)


def _cell(value: Any) -> Any:
    """A stranger's text that a spreadsheet would calculate is marked as text."""
    if isinstance(value, bool) or value is None or isinstance(value, int | float):
        return value
    text = _text(value)
    return f"'{text}" if FORMULA.match(text) and not PLAIN.fullmatch(text) else text
