"""Calls that are rejected permanently: their dialogs continue anyway."""

import asyncio
import json
from typing import Annotated, Any
from urllib.parse import urlencode

import pytest
from pydantic import AfterValidator
from structlog.testing import LogCapture

from tests.ingress.served_app import Edge, Hold, Serve
from vertexkit import App, Context

FORM = "application/x-www-form-urlencoded"
CODES = {"Москва": "MOW"}


def failed(code: str, message: str) -> dict[str, Any]:
    return {"ok": False, "error": {"code": code, "message": message}}


INVALID = failed("invalid_input", "The inputs are invalid.")


@pytest.mark.parametrize(
    "inputs, loc",
    [
        ({}, ["amount"]),
        ({"amount": 0}, ["amount"]),
        ({"amount": "много"}, ["amount"]),
        ({"amount": None}, ["amount"]),
        ({"amount": 1, "months": [1]}, ["months"]),
        ({"data": {"amount": -1}}, ["amount"]),
        ({"data": 5}, ["amount"]),
    ],
    ids=repr,
)
async def test_inputs_that_do_not_fit_end_the_block(
    edge: Edge, inputs: dict[str, Any], loc: list[str]
) -> None:
    """Wrong input is a 422, starts nothing, and completes the block as failed.

    So the dialog continues; the response names the location of the error.
    """
    token = edge.platform.issue("loan")
    before = edge.accepted()
    answer = await edge.call("loan", token, **inputs)
    assert answer.rejection == (422, "invalid_input")
    assert [error["loc"] for error in answer.json["errors"]] == [loc]
    assert await edge.completed(token) == INVALID
    assert edge.accepted() == before


async def test_a_form_that_does_not_fit_ends_the_block(edge: Edge) -> None:
    """The same for a call that is a form."""
    token = edge.platform.issue("loan")
    body = urlencode({"token": token, "amount": "сто"}).encode()
    assert (await edge.ask("/blocks/loan", body, FORM)).rejection == (422, "invalid_input")
    assert await edge.completed(token) == INVALID


async def test_the_rejection_shows_no_value_that_came(edge: Edge) -> None:
    """The answer to wrong input names places and reasons; values stay with the caller."""
    token = edge.platform.issue("loan")
    answer = await edge.call("loan", token, amount="4111 1111 1111 1111", months={"pin": "0000"})
    assert len(answer.json["errors"]) == 2
    for secret in (b"4111", b"0000", token.encode()):
        assert secret not in answer.body
    await edge.completed(token)


async def test_a_thousand_wrong_values_make_a_short_answer(edge: Edge) -> None:
    """However much is wrong with an input, the answer lists the first twenty things."""
    token = edge.platform.issue("loan")
    answer = await edge.call("loan", token, amount=[0] * 5000, months="x")
    assert 1 <= len(answer.json["errors"]) <= 20
    assert len(answer.body) < 4000
    await edge.completed(token)


@pytest.mark.parametrize(
    "name", ["nothing", "Echo", "echo%20", "%D0%B1%D0%BB%D0%BE%D0%BA", "a" * 500]
)
async def test_an_unknown_block_ends_as_failed(edge: Edge, name: str) -> None:
    """A call of an unknown block is answered 404, and its dialog continues."""
    token = edge.platform.issue("nothing")
    answer = await edge.ask(f"/blocks/{name}", json.dumps({"token": token}).encode())
    assert answer.rejection == (404, "unknown_block")
    assert await edge.completed(token) == failed("unknown_block", "The block does not exist.")


async def test_a_call_that_cannot_be_read_reaches_nobody(edge: Edge) -> None:
    """An unknown block called without a token is a 400: no block can be completed."""
    asked = len(edge.platform.ledger)
    assert (await edge.ask("/blocks/nothing", b"{}")).rejection == (400, "missing_token")
    assert len(edge.platform.ledger) == asked


async def test_the_answer_does_not_wait_for_the_platform(serve: Serve) -> None:
    """A rejection is answered while its completion is still under way, and survives the answer.

    The platform may hold back its answer to the completion until it has ours.
    """
    async with serve() as edge:
        token = edge.platform.issue("loan")
        answered = asyncio.Event()

        async def hold_back(*_: Any) -> None:
            await answered.wait()

        edge.platform.call_during_complete = hold_back
        assert (await edge.call("loan", token)).status == 422
        answered.set()
        await edge.until(lambda: ("rejected_call_completed", "") in edge.happened)
        assert await edge.completed(token) == INVALID


async def test_a_service_that_stops_completes_what_it_rejected(serve: Serve) -> None:
    """A process that stops right after a rejection still completes that block."""
    async with serve() as edge:
        token = edge.platform.issue("loan")
        assert (await edge.call("loan", token)).status == 422
    [completion] = edge.platform.activation(token).completions
    assert completion.data == INVALID


async def test_an_instance_that_is_not_listed_is_never_called(serve: Serve) -> None:
    """With a list of instances, a token of another one is rejected, and is sent nowhere: 422."""
    url = "http://{instance}.invalid/api"
    async with serve(platform_url=url, instances=("demo",)) as edge:
        for token in (edge.platform.issue("echo", instance="evil.example/"), "opaque"):
            answer = await edge.call("echo", token)
            assert answer.rejection == (422, "unknown_instance")
            assert edge.accepted() == 0
        assert not edge.platform.ledger
        assert not [name for name, _ in edge.happened if name.startswith("rejected_call")]


async def test_a_validator_that_breaks_down_ends_the_block(serve: Serve, lines: LogCapture) -> None:
    """A bug in an author's validator is a 500 with a traceback in the log; the dialog continues."""

    def make(hold: Hold, **options: Any) -> App:
        app = App(**options)

        @app.block("odd")
        async def odd(
            ctx: Context, city: Annotated[str, AfterValidator(CODES.__getitem__)]
        ) -> None: ...

        return app

    lines.entries.clear()
    async with serve(make) as edge:
        token = edge.platform.issue("odd")
        assert (await edge.call("odd", token, city="Орёл")).rejection == (500, "internal")
        assert await edge.completed(token) == failed("internal", "The block failed.")
        assert edge.accepted() == 0
    [line] = [entry for entry in lines.entries if entry["event"] == "validation_failed"]
    assert (line["block"], line["exc_info"]) == ("odd", True)
