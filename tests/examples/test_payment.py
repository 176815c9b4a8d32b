"""The payment, with a provider that calls the URL of the event."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from example_blocks.payment import app as app
from tests.examples.web_service import WebService
from vertexkit.testing import FakeDialog

LINK = "https://payments.example/pay/1"
INVOICE = f"Счёт на 500 ₽: {LINK}"


@pytest.fixture
async def provider(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[WebService]:
    service = WebService({"payment_url": LINK})
    async with service.serving() as url:
        monkeypatch.setenv("PAYMENTS_URL", url)
        yield service


async def call_back(dialog: FakeDialog, provider: WebService, body: Any) -> int:
    """Call the URL that the provider got with the invoice; return the status."""
    _, invoice = provider.requests[0]
    return (await dialog.post(urlsplit(invoice["callback_url"]).path, body))[0]


async def test_a_payment_is_received(fake_dialog: FakeDialog, provider: WebService) -> None:
    """The provider calls the URL from the invoice; a second call has no effect."""
    async with fake_dialog:
        run = await fake_dialog.start("payment", amount=500)
        assert (run.waiting_for, run.messages) == (["payment"], [INVOICE])
        body = {"status": "paid", "amount": 500}
        assert await call_back(fake_dialog, provider, body) == 200
        done = await run.finish()
        assert await call_back(fake_dialog, provider, body) == 410
    assert done.messages == [INVOICE, "Оплата 500 ₽ получена. Спасибо!"]
    assert done.data == {"status": "paid", "amount": 500}


async def test_a_wrong_call_is_rejected(fake_dialog: FakeDialog, provider: WebService) -> None:
    """A body that is not a payment gets 422, and the block still waits; then it is cancelled."""
    async with fake_dialog:
        run = await fake_dialog.start("payment", amount=500)
        assert await call_back(fake_dialog, provider, {"status": "maybe", "amount": 5}) == 422
        assert run.waiting_for == ["payment"]
        await run.send_event("payment", {"status": "cancelled", "amount": 0})
        assert (await run.finish()).data == {"status": "cancelled", "amount": 0}


async def test_an_invoice_expires(fake_dialog: FakeDialog, provider: WebService) -> None:
    """After two hours the user is informed and the bot can branch on it."""
    async with fake_dialog:
        run = await fake_dialog.start("payment", amount=500)
        await run.skip(hours=1, minutes=59)
        assert not run.ended
        await run.skip(minutes=1)
        done = await run.finish()
    assert done.messages[-1] == "Счёт больше не действует."
    assert done.data["status"] == "expired"


async def test_crashes_make_no_second_invoice(
    fake_dialog: FakeDialog, provider: WebService
) -> None:
    """The invoice is a step; a request that is repeated has the same key."""
    provider.answers[:0] = [503]
    run = await fake_dialog.run("payment", crash_everywhere=True, amount=500)
    assert run.data["status"] == "expired"
    assert len(provider.requests) == 2
    assert len(set(provider.keys)) == 1


async def test_a_provider_that_is_down(fake_dialog: FakeDialog, provider: WebService) -> None:
    """The bot gets a code instead of waiting."""
    provider.answers = [500]
    run = await fake_dialog.run("payment", amount=500)
    assert run.data["error"]["code"] == "no_invoice"
