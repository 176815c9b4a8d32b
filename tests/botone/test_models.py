"""The values that the platform's methods return."""

import dataclasses
import json
from typing import Any

import pytest
from pydantic import ValidationError

from vertexkit import Message
from vertexkit.botone.conversation_page import ConversationPage
from vertexkit.botone.models import Answer, Conversation, ConversationDetails
from vertexkit.botone.pages import read_details


def test_a_message_is_a_value() -> None:
    """Messages are compared by their fields and cannot be changed."""
    message = Message(123, 1669947527)
    assert message == Message(message_id=123, created_at=1669947527)
    assert len({message, Message(123, 1669947527)}) == 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        message.message_id = 124  # pyrefly: ignore[read-only]


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
FORMS: list[tuple[str, Any]] = [
    *(("updated", value) for value in (1685600000, "2023-05-01", "20230501", "2023-05-01 10:00")),
    *(("updated", value) for value in ("1999-05-01T10:00:00Z", "2023-05-01T10:00:00.5+03:00")),
    *(("name", 5), ("status", 3), ("status", None), ("duration", "63"), ("tags", ["a"])),
]
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
    ("data", False),
    ("data", 5),
    ("data", "nonsense"),
    ("data", {"answers": []}),
]


@pytest.mark.parametrize("name, value", ODD)
def test_an_odd_member_does_not_hide_its_dialog(name: str, value: Any) -> None:
    """The member has its default, it is kept unchanged, and the rest is there."""
    whole = ConversationDetails.read(DIALOG)
    dialog = ConversationDetails.read(DIALOG | {name: value})
    default = {"status": "", "data": ()}.get(name)
    assert getattr(dialog, name) == default
    assert repr(dialog.unreadable) == repr({name: value})
    for other in DIALOG.keys() - {name}:
        assert getattr(dialog, other) == getattr(whole, other)
    assert repr(dialog.to_json()[name]) == repr(value)
    again = ConversationDetails.read(dialog.to_json())
    assert again == dialog
    assert again.unreadable.keys() == {name}


@pytest.mark.parametrize("name", ["question", "type", "variable", "deleted"])
@pytest.mark.parametrize("value", [[], {}, "", 2.5, object])
def test_an_odd_member_does_not_hide_its_answer(name: str, value: Any) -> None:
    """The question, its type, its variable and the mark of a deleted file are each optional."""
    value = {} if value is object else value
    answer = Answer.read({"question": "q", "answer": "kept", name: value})
    assert answer.answer == "kept"
    assert getattr(answer, name) in (None, False, "", "2.5", "q")
    assert answer.unreadable in ({}, {name: value})


@pytest.mark.parametrize("item", [None, False, 5, "text", [], ["a"]])
def test_what_is_no_answer_does_not_hide_the_others(item: Any) -> None:
    """An item that is not an object is an answer without a question, at its place."""
    answers = [{"question": "q", "answer": "first"}, item, {"question": "q", "answer": "last"}]
    dialog = ConversationDetails.read(DIALOG | {"data": answers})
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


@pytest.mark.parametrize(
    "name, value", [*ODD, ("id", "7"), ("updated", ""), ("data", "[]"), *FORMS]
)
def test_bytes_and_decoded_json_are_read_alike(name: str, value: Any) -> None:
    """A dialog of its own and one of a page are the same, whatever form a member has."""
    raw = DIALOG | {name: value}
    body = json.dumps(raw).encode()
    read, decoded = read_details(body), ConversationDetails.read(json.loads(body))
    assert read == decoded
    assert repr(read.unreadable) == repr(decoded.unreadable)
    page_body = json.dumps({"0": DIALOG, "1": raw | {"id": 8}, "meta": {"pagination": {}}}).encode()
    fast = ConversationPage.read_json(page_body)
    slow = ConversationPage.read(json.loads(page_body))
    assert fast is None or fast.items == slow.items


def test_pages_are_read_from_their_bytes() -> None:
    """A page as the document shows it, and one with empty dates, is not decoded in Python."""
    entries = {
        str(n): DIALOG | {"id": n, "updated": "" if n % 2 else "2023-05-11T08:25:26+00:00"}
        for n in range(12)
    }
    page = ConversationPage.read_json(
        json.dumps({**entries, "meta": {"pagination": {"total": 12}}}).encode()
    )
    assert page is not None
    assert [dialog.id for dialog in page.items] == list(range(12))
    assert (page.items[1].updated, page.pagination.total) == (None, 12)


@pytest.mark.parametrize(
    "name", ["unread", "error", "unreadable", "number", "city", "files", "read"]
)
def test_a_platforms_member_does_not_collide_with_ours(name: str) -> None:
    """What vertexkit adds to a dialog is not changed by a member of the same name."""
    dialog = ConversationDetails.read(DIALOG | {name: 3})
    assert (dialog.unread, dialog.error, dialog.unreadable) == (False, None, {})
    assert (dialog.number, dialog.city, dialog.files) == (2, "Омск", ())
    assert dialog.model_extra == {name: 3}
    assert dialog.to_json()[name] == 3


def test_one_answer_without_an_array_is_kept() -> None:
    """Data that is a single object is one answer."""
    dialog = ConversationDetails.read(DIALOG | {"data": {"question": "q", "answer": "a"}})
    assert [answer.answer for answer in dialog.data] == ["a"]


def test_an_unknown_city_is_none() -> None:
    """The word that the platform writes for it is not a city."""
    cities = [("Perm", "#1 Omsk"), (None, "#1 Omsk"), (None, "#1 Unknown"), ("unknown", "#1 Omsk")]
    read = [Conversation.read({"id": 1, "location": place, "name": name}) for place, name in cities]
    assert [dialog.city for dialog in read] == ["Perm", "Omsk", None, None]


def test_a_dialog_needs_an_id() -> None:
    """Without an id there is no dialog: the error names the member."""
    with pytest.raises(ValidationError, match="id"):
        Conversation.read(DIALOG | {"id": False, "duration": ""})
