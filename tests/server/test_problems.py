"""Error responses: one form for all of them."""

import json

import pytest
from pydantic import BaseModel, Field, ValidationError
from starlette.responses import Response

from vertexkit.server.problems import MAX_LISTED_ERRORS, list_errors, problem


class Loan(BaseModel):
    amounts: list[int] = []
    rates: dict[str, float] = {}
    pin: int = Field(0, lt=10)


def content(response: Response) -> object:
    return json.loads(bytes(response.body))


def wrong(**inputs: object) -> list[dict[str, object]]:
    with pytest.raises(ValidationError) as caught:
        Loan.model_validate(inputs)
    return list_errors(caught.value.errors(include_input=False, include_url=False))


@pytest.mark.parametrize(
    "status, title",
    [
        (400, "Bad Request"),
        (404, "Not Found"),
        (405, "Method Not Allowed"),
        (415, "Unsupported Media Type"),
        (500, "Internal Server Error"),
        (503, "Service Unavailable"),
    ],
)
def test_a_problem_says_what_was_wrong(status: int, title: str) -> None:
    """A problem is a JSON object with status, title, a code for programs and a sentence."""
    response = problem(status, "some_code", "Что не так.")
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    expected = {"title": title, "status": status, "code": "some_code", "detail": "Что не так."}
    assert content(response) == expected


def test_a_problem_is_for_its_caller_alone() -> None:
    """No proxy caches a problem, and no browser guesses its media type."""
    headers = problem(404, "not_found", "Nothing.").headers
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"


def test_a_problem_may_say_when_to_come_back() -> None:
    """A temporary problem has `Retry-After` in whole seconds; a permanent one does not."""
    assert problem(503, "queue_full", "Full.", retry_after=5).headers["retry-after"] == "5"
    assert problem(503, "queue_full", "Full.", retry_after=0).headers["retry-after"] == "0"
    assert "retry-after" not in problem(503, "queue_full", "Full.").headers


def test_a_problem_may_say_more() -> None:
    """Further members are added to the standard ones."""
    body = content(problem(422, "invalid_input", "Wrong.", errors=[{"loc": ["a"], "msg": "m"}]))
    assert isinstance(body, dict)
    assert body["errors"] == [{"loc": ["a"], "msg": "m"}]
    assert body["code"] == "invalid_input"


def test_the_headers_of_one_problem_are_not_those_of_the_next() -> None:
    """Problems do not share headers: one added to a response is not in the next."""
    problem(503, "queue_full", "Full.", retry_after=5).headers["x-more"] = "1"
    assert not {"retry-after", "x-more"} & set(problem(400, "c", "d").headers)


def test_wrong_inputs_are_shown_by_place_and_reason() -> None:
    """Each error says where it is, down to the item of a list, and why; never the value."""
    errors = wrong(amounts=[1, "4111 1111"], rates={"год": "pin 0000"}, pin=1234)
    assert [error["loc"] for error in errors] == [["amounts", 1], ["rates", "год"], ["pin"]]
    assert all(set(error) == {"loc", "msg"} and error["msg"] for error in errors)
    for value in ("4111", "0000", "1234"):
        assert value not in repr(errors)


def test_so_many_wrong_inputs_are_shown_and_no_more() -> None:
    """The first twenty errors are listed: they are enough to fix a call."""
    assert len(wrong(amounts=["x"] * (MAX_LISTED_ERRORS - 1))) == MAX_LISTED_ERRORS - 1
    assert len(wrong(amounts=["x"] * 5000)) == MAX_LISTED_ERRORS == 20
