"""Writers of rows to files: JSON lines, CSV, Parquet and XLSX."""

import csv
import gzip
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, TextIO

from vertexkit.botone.dialog_rows import Columns, Row, cell_text
from vertexkit.cli.dialogs.formula_guard import guard
from vertexkit.errors import SettingsError

PARQUET_GROUP_ROWS = 10_000
"""Rows that are written to a Parquet file at a time."""
XLSX_MAX_ROWS = 1_048_576
"""Rows of a worksheet, including the header."""
XLSX_MAX_COLUMNS = 16_384
XLSX_CELL_CHARACTERS = 32_767
"""UTF-16 units of a cell; a longer text is cut."""
XLSX_WIDTHS: dict[type[Any], int] = {datetime: 25, str: 18, float: 10, int: 9, bool: 9}
"""Widths of the columns by their types, in characters."""
GZIP = ".gz"


@dataclass(frozen=True, slots=True)
class CsvOptions:
    """The options of a CSV file.

    Attributes:
        delimiter: Between two cells.
        keep_formulas: Write texts that a spreadsheet would calculate as they are.
    """

    delimiter: str = ","
    keep_formulas: bool = False


class RowWriter(Protocol):
    """Writes rows one by one, in bounded memory."""

    def write(self, row: Row) -> None:
        """Write a row: a value for each column, or None."""

    def close(self) -> str:
        """Complete the file.

        Returns:
            A sentence about what the format could not hold; empty if it holds everything.
        """


class JsonLines:
    """Writes a JSON object per line."""

    def __init__(self, path: Path, columns: Columns, _: CsvOptions) -> None:  # noqa: ARG002
        self._file = _open_text(path, "utf-8")

    def write(self, row: Row) -> None:
        self._file.write(json.dumps(row, ensure_ascii=False, default=cell_text) + "\n")

    def close(self) -> str:
        self._file.close()
        return ""


class Csv:
    """Writes CSV that Excel opens with correct Cyrillic and without evaluating users' texts."""

    def __init__(self, path: Path, columns: Columns, options: CsvOptions) -> None:
        self._file = _open_text(path, "utf-8-sig")
        self._guard: Callable[[str], str] = str if options.keep_formulas else guard
        self._writer = csv.DictWriter(self._file, list(columns), delimiter=options.delimiter)
        self._writer.writerow({name: self._cell(name) for name in columns})

    def write(self, row: Row) -> None:
        self._writer.writerow({name: self._cell(value) for name, value in row.items()})

    def _cell(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._guard(value)
        if value is None or isinstance(value, (int, float)):
            return value
        if isinstance(value, datetime):
            return value.isoformat()
        return self._guard(cell_text(value))

    def close(self) -> str:
        self._file.close()
        return ""


class Tsv(Csv):
    """Writes CSV with tabs."""

    def __init__(self, path: Path, columns: Columns, options: CsvOptions) -> None:
        super().__init__(path, columns, CsvOptions("\t", options.keep_formulas))


class Parquet:
    """Writes a Parquet file with typed columns."""

    def __init__(self, path: Path, columns: Columns, _: CsvOptions) -> None:
        try:
            from pyarrow import parquet

            from vertexkit.botone.arrow import arrow_table, schema_of
        except ImportError:
            raise _missing_extra("Parquet", "parquet") from None
        self._columns = columns
        self._table = arrow_table
        self._writer = parquet.ParquetWriter(path, schema_of(columns), compression="zstd")
        self._rows: list[Row] = []

    def write(self, row: Row) -> None:
        self._rows.append(row)
        if len(self._rows) == PARQUET_GROUP_ROWS:
            self._flush()

    def _flush(self) -> None:
        self._writer.write_table(self._table(self._rows, self._columns))
        self._rows.clear()

    def close(self) -> str:
        self._flush()
        self._writer.close()
        return ""


class Xlsx:
    """Writes a workbook with one worksheet, for people."""

    def __init__(self, path: Path, columns: Columns, _: CsvOptions) -> None:
        try:
            import xlsxwriter
        except ImportError:
            raise _missing_extra("XLSX", "xlsx") from None
        if len(columns) > XLSX_MAX_COLUMNS:
            raise SettingsError(
                f"an .xlsx worksheet holds at most {XLSX_MAX_COLUMNS:,} columns. Narrow the "
                "filters, or export to .csv or .parquet"
            )
        options = {
            "constant_memory": True,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "default_date_format": 'yyyy-mm-dd hh:mm:ss "UTC"',
        }
        self._workbook = xlsxwriter.Workbook(str(path), options)
        self._worksheet = self._workbook.add_worksheet()
        self._columns = list(columns)
        self._cut = 0
        self._next = 1
        self._write_head(columns)

    def _write_head(self, columns: Columns) -> None:
        head = self._workbook.add_format({"bold": True, "text_wrap": True, "valign": "top"})
        for index, (name, kind) in enumerate(columns.items()):
            width = max(XLSX_WIDTHS[kind], min(len(name) + 3, 40))
            self._worksheet.set_column(index, index, 38 if name in ("id", "dialog") else width)
            self._worksheet.write_string(0, index, self._fit(name), head)
        self._worksheet.freeze_panes(1, 0)

    def write(self, row: Row) -> None:
        if self._next == XLSX_MAX_ROWS:
            raise SettingsError(
                f"an .xlsx worksheet holds at most {XLSX_MAX_ROWS:,} rows. Narrow the filters, or "
                "export to .csv or .parquet"
            )
        for column, name in enumerate(self._columns):
            value = row.get(name)
            if isinstance(value, datetime):
                # A cell has no time zone; the format of the cells names it.
                time = value.astimezone(UTC).replace(tzinfo=None)
                self._worksheet.write_datetime(self._next, column, time)
            elif isinstance(value, bool):
                self._worksheet.write_boolean(self._next, column, value)
            elif isinstance(value, (int, float)):
                self._worksheet.write_number(self._next, column, value)
            elif value is not None:
                self._worksheet.write_string(self._next, column, self._fit(cell_text(value)))
        self._next += 1

    def _fit(self, text: str) -> str:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        if len(text) > XLSX_CELL_CHARACTERS // 2:
            units = text.encode("utf-16-le")
            if len(units) > 2 * XLSX_CELL_CHARACTERS:
                self._cut += 1
                text = units[: 2 * XLSX_CELL_CHARACTERS].decode("utf-16-le", "ignore")
        return text

    def close(self) -> str:
        if self._next > 1:
            self._worksheet.autofilter(0, 0, self._next - 1, len(self._columns) - 1)
        self._workbook.close()
        if not self._cut:
            return ""
        cells = "1 cell was" if self._cut == 1 else f"{self._cut:,} cells were"
        return (
            f"{cells} cut, because a cell of an .xlsx file holds at most "
            f"{XLSX_CELL_CHARACTERS:,} characters. Other formats hold the whole texts"
        )


WRITERS: dict[str, Callable[[Path, Columns, CsvOptions], RowWriter]] = {
    ".xlsx": Xlsx,
    ".csv": Csv,
    ".tsv": Tsv,
    ".jsonl": JsonLines,
    ".ndjson": JsonLines,
    ".parquet": Parquet,
}
SUFFIXES = f"{', '.join(WRITERS)}; .csv.gz, .tsv.gz, .jsonl.gz or .ndjson.gz"
"""The endings of file names, for messages."""


def format_of(path: Path) -> str:
    """Return the ending of a file's name that selects the writer.

    Raises:
        SettingsError: The format is unknown, or cannot be compressed.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    compressed = suffixes[-1:] == [GZIP]
    suffix = suffixes[-2] if compressed and len(suffixes) > 1 else (suffixes or [""])[-1]
    if suffix not in WRITERS or (compressed and suffix in (".xlsx", ".parquet")):
        raise SettingsError(f"cannot export to {path}. The file name must end in {SUFFIXES}")
    return suffix


def open_writer(path: Path, suffix: str, columns: Columns, options: CsvOptions) -> RowWriter:
    """Create a file and a writer for its rows.

    Args:
        path: The file; a text format is compressed if it ends with .gz.
        suffix: Selects the format, for example ".csv"; see `format_of`.
        columns: The names and types of the columns.
        options: The options of a CSV file.

    Raises:
        SettingsError: The format's packages are not installed.
    """
    writer: RowWriter = WRITERS[suffix](path, columns, options)
    return writer


def _open_text(path: Path, encoding: str) -> TextIO:
    if path.suffix.lower() == GZIP:
        return io.TextIOWrapper(gzip.GzipFile(path, "wb", 6), encoding=encoding, newline="")
    return path.open("w", encoding=encoding, newline="")


def _missing_extra(name: str, extra: str) -> SettingsError:
    return SettingsError(
        f"{name} needs another package. Run: pip install 'vertexkit[{extra}]'; or export to .csv "
        "or .jsonl"
    )
