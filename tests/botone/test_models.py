"""The values that the platform's methods return."""

import dataclasses

import pytest

from vertexkit import Message


def test_a_message_is_a_value() -> None:
    """Messages are compared by their fields and cannot be changed."""
    message = Message(123, 1669947527)
    assert message == Message(message_id=123, created_at=1669947527)
    assert len({message, Message(123, 1669947527)}) == 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        message.message_id = 124  # type: ignore[misc]


def test_a_message_without_an_id() -> None:
    """A message whose id is unknown has None in its repr."""
    assert repr(Message(None, None)) == "Message(message_id=None, created_at=None)"
