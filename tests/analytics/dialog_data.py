"""Dialogs as the platform returns them, for reports."""

from typing import Any

from vertexkit import ConversationDetails
from vertexkit.botone.models import Conversation


def dialog(number: int = 1, **fields: Any) -> Conversation:
    usual = {
        "id": number,
        "name": f"#{number} Perm",
        "status": "completed",
        "location": "Perm",
        "updated": "2023-05-11T21:30:00+00:00",
        "duration": 60,
        "source": "web",
    }
    kind = ConversationDetails if "data" in fields else Conversation
    return kind.read(usual | fields)


def question_data(*pairs: tuple[str, Any]) -> list[dict[str, Any]]:
    return [{"question": q, "type": "Text", "answer": a, "variable": None} for q, a in pairs]
