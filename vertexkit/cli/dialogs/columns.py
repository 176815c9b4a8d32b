"""Columns and rows of an export."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from vertexkit.botone.models import Conversation, ConversationDetails

DIALOG_COLUMNS: dict[str, type] = {
    "id": str,
    "number": int,
    "city": str,
    "status": str,
    "source": str,
    "ip": str,
    "updated": datetime,
    "duration": float,
}
ANSWER_COLUMNS: dict[str, type] = {
    "dialog": str,
    "number": int,
    "city": str,
    "status": str,
    "updated": datetime,
    "position": int,
    "question": str,
    "type": str,
    "variable": str,
    "answer": str,
    "file": int,
    "deleted": bool,
}


def column_types(rows: str, *, with_bot: bool) -> dict[str, type]:
    """The names and types of the columns, in their order.

    Args:
        rows: "dialogs", "whole" or "answers".
        with_bot: Add a column for the bot's ID.
    """
    if rows == "answers":
        columns = ANSWER_COLUMNS
    else:
        columns = DIALOG_COLUMNS | ({"data": str} if rows == "whole" else {})
    return {"bot": int} | columns if with_bot else columns


def dialog_row(dialog: Conversation, *, with_answers: bool) -> dict[str, Any]:
    """A dialog as one row; with its answers as JSON if requested."""
    row: dict[str, Any] = {
        "id": str(dialog.id),
        "number": dialog.number,
        "city": dialog.city,
        "status": dialog.status,
        "source": dialog.source,
        "ip": dialog.ip,
        "updated": dialog.updated,
        "duration": dialog.duration,
    }
    if with_answers and isinstance(dialog, ConversationDetails):
        row["data"] = [answer.to_json() for answer in dialog.data]
    return row


def answer_rows(dialog: ConversationDetails) -> Iterator[dict[str, Any]]:
    """A row for each answer of a dialog; the first one has position 1."""
    for position, answer in enumerate(dialog.data, 1):
        yield {
            "dialog": str(dialog.id),
            "number": dialog.number,
            "city": dialog.city,
            "status": dialog.status,
            "updated": dialog.updated,
            "position": position,
            "question": answer.question,
            "type": answer.type,
            "variable": answer.variable,
            "answer": answer.answer,
            "file": answer.file_id,
            "deleted": answer.deleted,
        }
