"""The exchange rate, requested from a service behind a real uvicorn."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from example_blocks.currency import app as app
from tests.http_server import served
from tests.reserved_port import reserved_port
from vertexkit.testing import FakeDialog

RATES = """{"Date": "2026-02-28T11:30:00+03:00", "Valute": {
    "USD": {"CharCode": "USD", "Nominal": 1, "Name": "Доллар США", "Value": 81.256},
    "JPY": {"CharCode": "JPY", "Nominal": 100, "Name": "Иен", "Value": 52.0}}}"""
APOLOGY = "Курсы валют сейчас недоступны. Попробуйте позже."


@dataclass
class RateService:
    """The rate service: its response, and the client ports of the requests it received."""

    status: int = 200
    body: str = RATES
    ports: list[int] = field(default_factory=list)

    async def answer(self, request: Request) -> Response:
        self.ports.append(request.scope["client"][1])
        return Response(self.body, self.status, media_type="application/javascript")


@pytest.fixture
async def rates(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[RateService]:
    service = RateService()
    web = Starlette(routes=[Route("/daily_json.js", service.answer)])
    async with served(web) as port:
        monkeypatch.setenv("RATES_URL", f"http://127.0.0.1:{port}")
        yield service


@pytest.mark.parametrize(
    "code, rubles, message", [("USD", 81.256, "1 USD = 81.26 ₽"), ("JPY", 0.52, "1 JPY = 0.52 ₽")]
)
async def test_it_sends_the_rate(
    fake_dialog: FakeDialog, rates: RateService, code: str, rubles: float, message: str
) -> None:
    """The rate is for one unit, even if the service quotes it for a hundred."""
    run = await fake_dialog.run("currency", code=code)
    assert run.messages == [message]
    assert run.data == {"rubles": rubles}


async def test_executions_share_the_client(fake_dialog: FakeDialog, rates: RateService) -> None:
    """Consecutive dialogs use the same connection."""
    async with fake_dialog:
        for _ in range(3):
            assert (await fake_dialog.run("currency", code="USD")).ok
    assert len(rates.ports) == 3
    assert len(set(rates.ports)) == 1


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    "status, body",
    [(500, RATES), (404, "no"), (200, "<html>"), (200, "{}"), (302, ""), (200, '{"Valute": []}')],
)
async def test_an_error_of_the_service_is_explained(
    fake_dialog: FakeDialog, rates: RateService, status: int, body: str
) -> None:
    """The user gets an apology, and the bot gets a code to branch on."""
    rates.status, rates.body = status, body
    run = await fake_dialog.run("currency", code="USD")
    assert run.messages == [APOLOGY]
    assert run.data == {"ok": False, "error": {"code": "no_rates", "message": APOLOGY}}


async def test_an_unreachable_service_is_explained(
    fake_dialog: FakeDialog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the service cannot be reached, the user gets an apology and the dialog continues."""
    with reserved_port() as port:
        monkeypatch.setenv("RATES_URL", f"http://127.0.0.1:{port}")
        run = await fake_dialog.run("currency", code="USD")
    assert run.messages == [APOLOGY]
    assert run.data["error"]["code"] == "no_rates"


async def test_an_unknown_currency_is_named(fake_dialog: FakeDialog, rates: RateService) -> None:
    """The message names the currency, and the code differs from the code of an outage."""
    run = await fake_dialog.run("currency", code="XXX")
    assert run.messages == ["Валюта XXX не найдена."]
    assert run.data["error"]["code"] == "no_such_currency"


async def test_an_invalid_code_is_rejected(fake_dialog: FakeDialog, rates: RateService) -> None:
    """The service gets no request for a text that cannot be a currency code."""
    run = await fake_dialog.run("currency", code="usd/../secret")
    assert run.status == 422
    assert rates.ports == []
