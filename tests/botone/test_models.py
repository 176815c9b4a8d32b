"""The values that the platform's methods return."""

import dataclasses
from typing import Any

import pytest
from pydantic import ValidationError

from vertexkit import Message
from vertexkit.botone.models import Answer, Conversation, ConversationDetails, ConversationPage


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


DIALOG: dict[str, Any] = {
    "id": 7,
    "name": "#2 Омск",
    "status": "completed",
    "ip": "203.0.113.5",
    "location": "Омск",
    "updated": "2023-06-01T10:00:00+03:00",
    "duration": 63,
    "source": "web",
    "data": [{"question": "q", "type": "Text", "answer": "a", "variable": "v", "deleted": False}],
}
NOT_NUMBERS: list[Any] = ["", "-", "00:01:03", [], {}, "1e999", float("nan")]
NOT_TIMES: list[Any] = [
    *(False, True, [], {}, -1, 1e300, "never", "2023-02-31"),
    *("0000-00-00 00:00:00", "-0001-11-30T00:00:00+00:00", "0001-01-01T00:00:00Z"),
    *("1899-12-30", "9999-12-31T23:59:59-12:00"),
]
ODD_PAGINATIONS: list[Any] = [[], False, "", {"total": ""}]
NOT_TEXTS: list[Any] = [False, True, [], ["a"], {}, {"v4": "a"}]
ODD: list[tuple[str, Any]] = [
    *(
        (name, value)
        for name in ("name", "status", "ip", "location", "source")
        for value in NOT_TEXTS
    ),
    *(("duration", value) for value in NOT_NUMBERS),
    *(("updated", value) for value in NOT_TIMES),
    *(("data", value) for value in (False, 5, "nonsense", {"question": "q"})),
]


@pytest.mark.parametrize("name, value", ODD)
def test_an_odd_member_does_not_hide_its_dialog(name: str, value: Any) -> None:
    """The member has its default, it is kept unchanged, and the rest is there."""
    whole = ConversationDetails.model_validate(DIALOG)
    dialog = ConversationDetails.model_validate(DIALOG | {name: value})
    default = {"status": "", "data": ()}.get(name)
    assert getattr(dialog, name) == default
    assert repr(dialog.unreadable) == repr({name: value})
    for other in DIALOG.keys() - {name}:
        assert getattr(dialog, other) == getattr(whole, other)
    again = ConversationDetails.model_validate(dialog.model_dump(mode="json"))
    assert again.unreadable.keys() == {name}


@pytest.mark.parametrize("name", ["question", "type", "variable", "deleted"])
@pytest.mark.parametrize("value", [[], {}, "", 2.5, object])
def test_an_odd_member_does_not_hide_its_answer(name: str, value: Any) -> None:
    """The question, its type, its variable and the mark of a deleted file are each optional."""
    value = {} if value is object else value
    answer = Answer.model_validate({"question": "q", "answer": "kept", name: value})
    assert answer.answer == "kept"
    assert getattr(answer, name) in (None, False, "", "2.5", "q")
    assert answer.unreadable in ({}, {name: value})


@pytest.mark.parametrize("item", [None, False, 5, "text", [], ["a"]])
def test_what_is_no_answer_does_not_hide_the_others(item: Any) -> None:
    """An item that is not an object is an answer without a question, at its place."""
    answers = [{"question": "q", "answer": "first"}, item, {"question": "q", "answer": "last"}]
    dialog = ConversationDetails.model_validate(DIALOG | {"data": answers})
    assert [answer.answer for answer in dialog.data] == ["first", item, "last"]
    assert dialog.unreadable == {}


@pytest.mark.parametrize("item", [None, False, 5, "text", [], {}, {"id": ""}, {"id": []}])
def test_what_is_no_dialog_does_not_hide_its_page(item: Any) -> None:
    """The other dialogs of the page are read, and the page keeps what is not one."""
    content = {"0": DIALOG, "1": item, "2": DIALOG | {"id": 9}}
    for form in (content, list(content.values())):
        page = ConversationPage.read(form)
        assert [dialog.id for dialog in page.items] == [7, 9]
        assert page.unreadable == (item,)


@pytest.mark.parametrize(
    "meta",
    [None, [], False, "", {}, *({"pagination": odd} for odd in ODD_PAGINATIONS)],
)
def test_an_odd_pagination_does_not_hide_its_page(meta: Any) -> None:
    """What cannot be read of the position in the list is None."""
    page = ConversationPage.read({"0": DIALOG, "meta": meta})
    assert len(page.items) == 1
    assert page.pagination.total is None


def test_a_dialog_needs_an_id() -> None:
    """Without an id there is no dialog: the error names the member."""
    with pytest.raises(ValidationError, match="id"):
        Conversation.model_validate(DIALOG | {"id": False, "duration": ""})
