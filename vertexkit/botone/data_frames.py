"""Dialogs as data frames; the packages for them are imported on first use, because few need them."""

from collections.abc import Sequence
from typing import Any

from vertexkit.botone.dialog_rows import RowKind, WideColumns, column_types, rows_of
from vertexkit.botone.models import Conversation, ConversationDetails


def arrow_of(dialogs: Sequence[Conversation], rows: RowKind) -> Any:
    """Return a `pyarrow.Table` of dialogs; see `Conversations.to_arrow`."""
    from vertexkit.botone.arrow import arrow_table

    if rows != "wide":
        found = [row for dialog in dialogs for row in rows_of(dialog, rows)]
        return arrow_table(found, column_types(rows))
    wide = WideColumns()
    detailed = [dialog for dialog in dialogs if isinstance(dialog, ConversationDetails)]
    for dialog in detailed:
        wide.add(dialog)
    return arrow_table(map(wide.row, detailed), wide.columns)


def pandas_of(table: Any) -> Any:
    """Return a `pandas.DataFrame` of a table; whole numbers and flags may be missing."""
    import pandas as pd
    import pyarrow as pa

    nullable = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
    return table.to_pandas(types_mapper=nullable.get)


def polars_of(table: Any) -> Any:
    """Return a `polars.DataFrame` of a table."""
    import polars as pl

    return pl.from_arrow(table)
