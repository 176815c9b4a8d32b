"""The loan calculator, as a dialog and its bot see it."""

from typing import Any

import pytest

from example_blocks.loan import app as app
from vertexkit.testing import FakeDialog


async def test_it_sends_and_returns_the_payment(fake_dialog: FakeDialog) -> None:
    """The block sends two messages, the first with typing, and returns the exact payment."""
    run = await fake_dialog.run("loan", amount=100_000, months=12)
    assert run.messages == ["Считаю…", "Платёж: 8885 ₽ в месяц"]
    assert run.messages[0].typing
    assert run.data == {"monthly": 8884.88}


async def test_a_year_is_the_default_term(fake_dialog: FakeDialog) -> None:
    """Without a term the loan runs for twelve months; numbers may come as text."""
    run = await fake_dialog.run("loan", amount="100000")
    assert run.data == {"monthly": 8884.88}


@pytest.mark.parametrize(
    "inputs, field",
    [
        ({}, "amount"),
        ({"amount": 0}, "amount"),
        ({"amount": "Infinity"}, "amount"),
        ({"amount": "NaN"}, "amount"),
        ({"amount": 1, "months": 0}, "months"),
        ({"amount": 1, "months": 361}, "months"),
    ],
)
async def test_inputs_outside_the_limits_are_rejected(
    fake_dialog: FakeDialog, inputs: dict[str, Any], field: str
) -> None:
    """Invalid inputs do not reach the handler; the block completes as failed."""
    run = await fake_dialog.run("loan", **inputs)
    assert run.status == 422
    assert [error["loc"] for error in run.answer["errors"]] == [[field]]
    assert run.messages == []
    assert run.data["error"]["code"] == "invalid_input"
