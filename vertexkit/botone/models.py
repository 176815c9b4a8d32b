"""What the platform answers."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Message:
    """A message that the platform took (POST /vertex/v1/dialog/send_message)."""

    message_id: int | None
    """The platform's id; None if the platform took the message but its answer was unreadable,
    or if nobody can tell whether it did (`on_unknown="assume_sent"`)."""
    created_at: int | None
    """Unix seconds; None likewise."""
