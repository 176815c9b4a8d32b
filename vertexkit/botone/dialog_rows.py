"""Dialogs as rows of a table: the columns of exports and of data frames."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic_core import to_json

from vertexkit.botone.models import Answer, Conversation, ConversationDetails

RowKind = Literal["dialogs", "whole", "answers", "wide"]
"""A row for each dialog (`whole` with its data, `wide` with a column for each question), or a row
for each answer."""
Row = Mapping[str, Any]
Columns = Mapping[str, type]
"""The type of each column, in their order. A value of another type is written as text."""

DIALOG_COLUMNS: Columns = {
    "id": str,
    "number": int,
    "city": str,
    "status": str,
    "source": str,
    "ip": str,
    "updated": datetime,
    "duration": float,
}
WHOLE_COLUMNS: Columns = {
    **DIALOG_COLUMNS,
    "name": str,
    "location": str,
    "data": str,
    "other": str,
}
ANSWER_COLUMNS: Columns = {
    "dialog": str,
    "number": int,
    "city": str,
    "status": str,
    "source": str,
    "updated": datetime,
    "position": int,
    "question": str,
    "type": str,
    "variable": str,
    "answer": str,
    "file": int,
    "deleted": bool,
    "other": str,
}
SEPARATOR = "; "
"""Between several answers to a question in a wide table."""
UNTITLED = "…"
"""The column of answers without a question and without a variable."""


class WideColumns:
    """The columns of a wide table, which are known when all dialogs have been added."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._taken = set(DIALOG_COLUMNS) | {"bot"}

    def add(self, dialog: ConversationDetails) -> None:
        """Add the columns of a dialog's answers, in the order of the dialog."""
        for answer in dialog.data:
            key = _column_key(answer)
            if key not in self._names:
                name = key
                while name in self._taken:
                    name += " (answer)"
                self._taken.add(name)
                self._names[key] = name

    @property
    def columns(self) -> Columns:
        """The columns of dialogs, and those of their answers."""
        return {**DIALOG_COLUMNS, **dict.fromkeys(self._names.values(), str)}

    def row(self, dialog: ConversationDetails) -> Row:
        """Return the row of a dialog that was added."""
        values: dict[str, list[str]] = {}
        for answer in dialog.data:
            if text := answer_text(answer.answer):
                values.setdefault(self._names[_column_key(answer)], []).append(text)
        row = dialog_row(dialog) | dict.fromkeys(self._names.values())
        return row | {name: SEPARATOR.join(texts) for name, texts in values.items()}


def column_types(kind: RowKind, *, with_bot: bool = False) -> Columns:
    """Return the columns of a table that is not wide.

    Args:
        kind: "dialogs", "whole" or "answers".
        with_bot: add a column for the bot's id.
    """
    columns = {"answers": ANSWER_COLUMNS, "whole": WHOLE_COLUMNS}.get(kind, DIALOG_COLUMNS)
    return {"bot": int, **columns} if with_bot else columns


def rows_of(dialog: Conversation, kind: RowKind) -> Iterator[Row]:
    """Return the rows of one dialog in a table that is not wide."""
    if kind == "answers" and isinstance(dialog, ConversationDetails):
        yield from _answer_rows(dialog)
    elif kind == "whole":
        yield _whole_row(dialog)
    else:
        yield dialog_row(dialog)


def dialog_row(dialog: Conversation) -> dict[str, Any]:
    """Return a dialog as one row, without its data."""
    return {
        "id": str(dialog.id),
        "number": dialog.number,
        "city": dialog.city,
        "status": dialog.status,
        "source": dialog.source,
        "ip": dialog.ip,
        "updated": _utc(dialog.updated),
        "duration": dialog.duration,
    }


def _whole_row(dialog: Conversation) -> dict[str, Any]:
    """Return a dialog with all members that the platform sent."""
    row = dialog_row(dialog) | {"name": dialog.name, "location": dialog.location}
    if isinstance(dialog, ConversationDetails):
        row["data"] = [answer.to_json() for answer in dialog.data]
    return row | {"other": (dialog.model_extra or {}) | dialog.unreadable or None}


def _answer_rows(dialog: ConversationDetails) -> Iterator[dict[str, Any]]:
    """Return a row for each answer of a dialog; the first one has position 1."""
    for position, answer in enumerate(dialog.data, 1):
        yield {
            "dialog": str(dialog.id),
            "number": dialog.number,
            "city": dialog.city,
            "status": dialog.status,
            "source": dialog.source,
            "updated": _utc(dialog.updated),
            "position": position,
            "question": answer.question,
            "type": answer.type,
            "variable": answer.variable,
            "answer": answer.answer,
            "file": answer.file_id,
            "deleted": answer.deleted,
            "other": (answer.model_extra or {}) | answer.unreadable or None,
        }


def _utc(time: datetime | None) -> datetime | None:
    """Return a time in UTC: the platform writes the offsets of several zones."""
    return None if time is None else time.astimezone(UTC)


def _column_key(answer: Answer) -> str:
    return (answer.variable or "").strip() or (answer.question or "").strip() or UNTITLED


def answer_text(value: Any) -> str:
    """Return an answer as people read it; several choices are separated."""
    if isinstance(value, (list, tuple)):
        return SEPARATOR.join(filter(None, map(answer_text, value)))
    return "" if value is None else cell_text(value)


def cell_text(value: Any) -> str:
    """Return a value as text: a time as ISO 8601, and what is not a text as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return value.isoformat()
    return to_json(value, inf_nan_mode="constants", fallback=str).decode()
