"""Rows of dialogs as Arrow tables. It needs pyarrow: `pip install 'vertexkit[parquet]'`."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import pyarrow as pa

from vertexkit.botone.dialog_rows import Columns, Row, cell_text

ARROW_TYPES: dict[type, Any] = {
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
    datetime: pa.timestamp("us", tz="UTC"),
}
"""The Arrow type of each type of columns."""


def schema_of(columns: Columns) -> Any:
    """Return the Arrow schema of the columns."""
    return pa.schema([(name, ARROW_TYPES[kind]) for name, kind in columns.items()])


def arrow_table(rows: Iterable[Row], columns: Columns) -> Any:
    """Return a `pyarrow.Table` of rows.

    Args:
        rows: a value for each column, or None.
        columns: the columns.
    """
    texts = {name for name, kind in columns.items() if kind is str}
    typed = [
        {
            name: cell_text(value) if name in texts and value is not None else value
            for name, value in row.items()
        }
        for row in rows
    ]
    return pa.Table.from_pylist(typed, schema=schema_of(columns))
