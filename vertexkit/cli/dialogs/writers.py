"""Writers of rows to files: JSON lines, CSV, Parquet and XLSX."""

import csv
import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from vertexkit.errors import SettingsError

Row = Mapping[str, Any]
Columns = Mapping[str, type]
FORMULA = re.compile(
    r"[\t\r\n]|[\s\x00-\x1f\x7f-\xa0\xad\u034f\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]*"
    r"[=+\-@\u2212\ufe62\ufe63\ufe66\ufe6b\uff0b\uff0d\uff1d\uff20]"
)
"""The start of a text that a spreadsheet evaluates as a formula: its sign, in each of its widths,
after spaces and characters that are not visible, which some spreadsheets leave out."""
NUMBER = re.compile(r"[+\-]?[\d\s().,\-]+")
"""A number or a phone number, which is not a formula although it may start like one."""
PARQUET_GROUP_ROWS = 10_000
"""Rows that are written to a Parquet file at a time."""
XLSX_MAX_ROWS = 1_048_576
"""Rows of a worksheet, including the header."""
XLSX_CELL_CHARACTERS = 32_767
"""Characters of a cell; a longer text is truncated."""
MISSING_PACKAGE = (
    "{} needs additional packages. Run pip install 'vertexkit[analytics]', or export to .csv or "
    ".jsonl"
)


class RowWriter(Protocol):
    """Writes rows one by one, in bounded memory."""

    def write(self, row: Row) -> None:
        """Write a row: a value for each column, or None."""

    def close(self) -> None:
        """Complete the file."""


class JsonLines:
    """Writes a JSON object per line."""

    def __init__(self, path: Path, columns: Columns) -> None:  # noqa: ARG002 - same for all writers
        self._file = path.open("w", encoding="utf-8")

    def write(self, row: Row) -> None:
        self._file.write(json.dumps(row, ensure_ascii=False, default=_text) + "\n")

    def close(self) -> None:
        self._file.close()


class Csv:
    """Writes CSV that Excel opens with correct Cyrillic and without evaluating users' texts."""

    def __init__(self, path: Path, columns: Columns, delimiter: str = ",") -> None:
        self._file = path.open("w", encoding="utf-8-sig", newline="")
        self._writer = csv.DictWriter(self._file, list(columns), delimiter=delimiter)
        self._writer.writeheader()

    def write(self, row: Row) -> None:
        self._writer.writerow({name: _cell(value) for name, value in row.items()})

    def close(self) -> None:
        self._file.close()


class Parquet:
    """Writes a Parquet file with typed columns."""

    def __init__(self, path: Path, columns: Columns) -> None:
        try:
            import pyarrow as pa
            from pyarrow import parquet
        except ImportError:
            raise SettingsError(MISSING_PACKAGE.format("Parquet")) from None
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
        if len(self._rows) == PARQUET_GROUP_ROWS:
            self._flush()

    def _flush(self) -> None:
        self._writer.write_table(self._table.from_pylist(self._rows, schema=self._schema))
        self._rows.clear()

    def close(self) -> None:
        self._flush()
        self._writer.close()


class Xlsx:
    """Writes a workbook with one worksheet."""

    def __init__(self, path: Path, columns: Columns) -> None:
        try:
            import xlsxwriter
        except ImportError:
            raise SettingsError(MISSING_PACKAGE.format("XLSX")) from None
        options = {
            "constant_memory": True,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "remove_timezone": True,
            "default_date_format": "yyyy-mm-dd hh:mm:ss",
        }
        self._workbook = xlsxwriter.Workbook(str(path), options)
        self._worksheet = self._workbook.add_worksheet()
        self._columns = list(columns)
        self._worksheet.freeze_panes(1, 0)
        self._worksheet.write_row(0, 0, self._columns, self._workbook.add_format({"bold": True}))
        self._next = 1

    def write(self, row: Row) -> None:
        if self._next == XLSX_MAX_ROWS:
            raise SettingsError(
                f"an .xlsx worksheet holds at most {XLSX_MAX_ROWS:,} rows. Narrow the filters, or "
                "export to .csv or .parquet"
            )
        for column, name in enumerate(self._columns):
            value = row.get(name)
            if isinstance(value, datetime):
                self._worksheet.write_datetime(self._next, column, value)
            elif isinstance(value, bool):
                self._worksheet.write_boolean(self._next, column, value)
            elif isinstance(value, int | float):
                self._worksheet.write_number(self._next, column, value)
            elif value is not None:
                self._worksheet.write_string(
                    self._next, column, _text(value)[:XLSX_CELL_CHARACTERS]
                )
        self._next += 1

    def close(self) -> None:
        self._workbook.close()


WRITERS: dict[str, Callable[[Path, Columns], RowWriter]] = {
    ".jsonl": JsonLines,
    ".csv": Csv,
    ".parquet": Parquet,
    ".xlsx": Xlsx,
}


def open_writer(path: Path, suffix: str, columns: Columns, delimiter: str) -> RowWriter:
    """Create a file and a writer for its rows.

    Args:
        path: The file.
        suffix: Selects the format, for example ".csv".
        columns: The names and types of the columns.
        delimiter: The delimiter of a CSV file.

    Raises:
        SettingsError: The format is unknown, or its packages are not installed.
    """
    if suffix == ".csv":
        return Csv(path, columns, delimiter)
    if suffix not in WRITERS:
        raise SettingsError(
            f"unknown file type {suffix!r}. The file name must end in {', '.join(WRITERS)}"
        )
    writer: RowWriter = WRITERS[suffix](path, columns)
    return writer


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return value.isoformat()
    return json.dumps(value, ensure_ascii=False, default=str)


def _cell(value: Any) -> Any:
    """The value of a CSV cell; a text that a spreadsheet would evaluate is prefixed with `'`."""
    if isinstance(value, bool) or value is None or isinstance(value, int | float):
        return value
    text = _text(value)
    return f"'{text}" if FORMULA.match(text) and not NUMBER.fullmatch(text.strip()) else text
