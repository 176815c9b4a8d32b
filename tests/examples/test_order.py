"""The status of an order, from a shop behind a real HTTP server."""

from collections.abc import AsyncIterator

import pytest

from example_blocks import order
from example_blocks.order import app as app
from tests.examples.web_service import WebService
from vertexkit.testing import FakeDialog


@pytest.fixture
async def shop(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[WebService]:
    service = WebService({"status": "shipped", "city": "Пермь"})
    async with service.serving() as url:
        monkeypatch.setenv("SHOP_URL", url)
        yield service


async def test_the_shop_is_asked_once(
    fake_dialog: FakeDialog, shop: WebService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several dialogs get the same status with one request; later there is another request."""
    async with fake_dialog:
        for _ in range(3):
            run = await fake_dialog.run("order", number="A-17")
            assert run.messages == ["Заказ A-17 в пути (Пермь)."]
            assert run.data == {"status": "shipped", "city": "Пермь"}
        assert shop.requests == [("/orders/A-17", None)]
        shop.answers = [{"status": "delivered"}]
        monkeypatch.setattr(order, "CACHE_SECONDS", -1)
        await fake_dialog.run("order", number="B-1")
        run = await fake_dialog.run("order", number="B-1")
    assert run.messages == ["Заказ B-1 доставлен."]
    assert len(shop.requests) == 3


async def test_the_cache_is_bounded(
    fake_dialog: FakeDialog, shop: WebService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full cache is emptied."""
    monkeypatch.setattr(order, "CACHE_SIZE", 1)
    async with fake_dialog:
        for number in ("A-1", "A-2", "A-1"):
            assert (await fake_dialog.run("order", number=number)).ok
    assert len(shop.requests) == 3


async def test_an_unknown_order_has_a_code(fake_dialog: FakeDialog, shop: WebService) -> None:
    """The bot can branch on the code; the request is not repeated."""
    shop.answers = [404]
    run = await fake_dialog.run("order", number="A-17")
    assert run.data["error"]["code"] == "no_such_order"
    assert len(shop.requests) == 1
