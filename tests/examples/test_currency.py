"""The currency's rate, asked of a service behind a real uvicorn."""

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from example_blocks.currency import app as app

if TYPE_CHECKING:
    from vertexkit.testing import FakeDialog

RATES = """{"Date": "2026-02-28T11:30:00+03:00", "Valute": {
    "USD": {"CharCode": "USD", "Nominal": 1, "Name": "Доллар США", "Value": 81.256},
    "JPY": {"CharCode": "JPY", "Nominal": 100, "Name": "Иен", "Value": 52.0}}}"""
APOLOGY = "Курсы сейчас не узнать. Попробуйте позже."


@dataclass
class RateService:
    """The other service: what it answers, and over which connections it was asked."""

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
    server = uvicorn.Server(uvicorn.Config(web, log_level="critical"))
    with socket.create_server(("127.0.0.1", 0)) as door:
        monkeypatch.setenv("RATES_URL", f"http://127.0.0.1:{door.getsockname()[1]}")
        serving = asyncio.create_task(server.serve(sockets=[door]))
        yield service
        server.should_exit = True
        await serving


@pytest.mark.parametrize(
    "code, rubles, said", [("USD", 81.256, "1 USD = 81.26 ₽"), ("JPY", 0.52, "1 JPY = 0.52 ₽")]
)
async def test_it_says_the_rate(
    fake_dialog: "FakeDialog", rates: RateService, code: str, rubles: float, said: str
) -> None:
    """The rate is for one unit, also where the service quotes a hundred."""
    run = await fake_dialog.run("currency", code=code)
    assert run.messages == [said]
    assert run.data == {"rubles": rubles}


async def test_executions_share_the_client(fake_dialog: "FakeDialog", rates: RateService) -> None:
    """One connection serves one dialog after the other."""
    async with fake_dialog:
        for _ in range(3):
            assert (await fake_dialog.run("currency", code="USD")).ok
    assert len(rates.ports) == 3
    assert len(set(rates.ports)) == 1


@pytest.mark.parametrize(
    "status, body",
    [(500, RATES), (404, "no"), (200, "<html>"), (200, "{}"), (302, ""), (200, '{"Valute": []}')],
)
async def test_a_service_that_fails_is_spoken_of(
    fake_dialog: "FakeDialog", rates: RateService, status: int, body: str
) -> None:
    """The dialog reads an apology, and its bot gets a code to branch on."""
    rates.status, rates.body = status, body
    run = await fake_dialog.run("currency", code="USD")
    assert run.messages == [APOLOGY]
    assert run.data == {"ok": False, "error": {"code": "no_rates", "message": APOLOGY}}


async def test_a_service_that_is_down_is_spoken_of(
    fake_dialog: "FakeDialog", monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nobody listens the dialog hears of it too, instead of hanging."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        monkeypatch.setenv("RATES_URL", f"http://127.0.0.1:{probe.getsockname()[1]}")
    run = await fake_dialog.run("currency", code="USD")
    assert run.messages == [APOLOGY]
    assert run.data["error"]["code"] == "no_rates"


async def test_an_unknown_currency_is_named(fake_dialog: "FakeDialog", rates: RateService) -> None:
    """The failure's sentence is the author's, and its code is another than an outage's."""
    run = await fake_dialog.run("currency", code="XXX")
    assert run.messages == ["Не знаю валюты XXX."]
    assert run.data["error"]["code"] == "no_such_currency"


async def test_what_is_no_code_is_refused(fake_dialog: "FakeDialog", rates: RateService) -> None:
    """The service is not asked for what cannot be a currency."""
    run = await fake_dialog.run("currency", code="usd/../secret")
    assert run.status == 422
    assert rates.ports == []
