"""What the platform answers, as values."""

import dataclasses

import pytest

from vertexkit import Message


def test_a_message_is_a_value() -> None:
    """Two equal messages are one, and none can be changed."""
    message = Message(123, 1669947527)
    assert message == Message(message_id=123, created_at=1669947527)
    assert len({message, Message(123, 1669947527)}) == 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        message.message_id = 124  # type: ignore[misc]


def test_a_message_without_an_id_says_so() -> None:
    """What was sent but not told an id is shown as just that."""
    assert repr(Message(None, None)) == "Message(message_id=None, created_at=None)"
