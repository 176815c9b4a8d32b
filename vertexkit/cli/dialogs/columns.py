"""Rows and columns that dialogs come to."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from vertexkit.botone.models import Conversation, ConversationDetails

DIALOG: dict[str, type] = {
    "id": str,
    "number": int,
    "city": str,
    "status": str,
    "source": str,
    "ip": str,
    "updated": datetime,
    "duration": float,
}
ANSWER: dict[str, type] = {
    "dialog": str,
    "number": int,
    "city": str,
    "status": str,
    "updated": datetime,
    "place": int,
    "question": str,
    "type": str,
    "variable": str,
    "answer": str,
    "file": int,
    "deleted": bool,
}


def columns_of(rows: str, *, bots: bool) -> dict[str, type]:
    """Names and types, in their order.

    Args:
        rows: "dialogs", "whole" or "answers".
        bots: it is known whose dialogs they are.
    """
    columns = ANSWER if rows == "answers" else DIALOG | ({"data": str} if rows == "whole" else {})
    return {"bot": int} | columns if bots else columns


def dialog_row(dialog: Conversation, *, whole: bool) -> dict[str, Any]:
    """A dialog in one row; `whole`, with its data."""
    row: dict[str, Any] = {
        "id": str(dialog.id),
        "number": dialog.number,
        "city": dialog.location or dialog.city,
        "status": dialog.status,
        "source": dialog.source,
        "ip": dialog.ip,
        "updated": dialog.updated,
        "duration": dialog.duration,
    }
    if whole and isinstance(dialog, ConversationDetails):
        row["data"] = [answer.model_dump(mode="json") for answer in dialog.data]
    return row


def answer_rows(dialog: ConversationDetails) -> Iterator[dict[str, Any]]:
    """A row for each answer of a dialog; `place` is 1 for the first."""
    for place, answer in enumerate(dialog.data, 1):
        yield {
            "dialog": str(dialog.id),
            "number": dialog.number,
            "city": dialog.location or dialog.city,
            "status": dialog.status,
            "updated": dialog.updated,
            "place": place,
            "question": answer.question,
            "type": answer.type,
            "variable": answer.variable,
            "answer": answer.answer,
            "file": answer.file_id,
            "deleted": answer.deleted,
        }
