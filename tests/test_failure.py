"""A failed block, as its bot gets it."""

import json
from typing import Any

import pytest

from vertexkit.failure import FAILURE_MESSAGES, Failure


@pytest.mark.parametrize("code", FAILURE_MESSAGES)
def test_each_failure_of_vertexkits_own_has_a_sentence(code: str) -> None:
    """The bot gets `ok` false, the stable code and an English sentence."""
    data = json.loads(Failure(code).result().data)
    assert data == {"ok": False, "error": {"code": code, "message": FAILURE_MESSAGES[code]}}
    assert data["error"]["message"].endswith(".")


def test_an_authors_failure_is_sent_as_it_is() -> None:
    """Code, message and data of `BlockFailed`; without data there is no member for it."""
    result = Failure("mine", "Моё.", {"a": [1]}).result()
    assert result.code == "mine"
    assert json.loads(result.data)["error"] == {
        "code": "mine",
        "message": "Моё.",
        "data": {"a": [1]},
    }
    assert json.loads(Failure("mine").result().data)["error"] == {"code": "mine", "message": ""}


def test_numbers_that_json_has_not_are_rejected() -> None:
    """As in a result: NaN does not silently become null."""
    with pytest.raises(ValueError, match="no NaN"):
        Failure("x", data=[float("nan")]).result()


def test_a_failure_is_shown_without_its_exception() -> None:
    """An exception may hold anything: it is in no repr and decides no equality."""
    failure = Failure("x", error=ValueError("secret"))
    assert "secret" not in repr(failure)
    assert failure == Failure("x")


@pytest.mark.parametrize(
    "failure, sent",
    [
        (Failure("c", "M.", {"a": 1}), {"code": "c", "message": "M.", "data": {"a": 1}}),
        (Failure("c", "M.", object()), {"code": "c", "message": "M."}),
        (Failure("c", "M.", "x" * 300), {"code": "c", "message": "M."}),
        (Failure("c", "x" * 300, {"a": 1}), {"code": "c", "message": ""}),
        (Failure("c", "\ud83d", "\ud83d"), {"code": "c", "message": "\ufffd", "data": "\ufffd"}),
        (Failure("c", "M.", [float("nan")]), {"code": "c", "message": "M."}),
        (Failure("x" * 300), {"code": "internal", "message": FAILURE_MESSAGES["internal"]}),
    ],
    ids=["all", "odd data", "large data", "large message", "cut texts", "nan", "large code"],
)
def test_a_failure_is_sent_without_what_does_not_fit(
    failure: Failure, sent: dict[str, Any]
) -> None:
    """What is too large is left out, the least important first: the bot always gets the failure."""
    result = failure.result_within(200)
    assert json.loads(result.data) == {"ok": False, "error": sent}
    assert result.code == sent["code"]
