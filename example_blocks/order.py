"""The status of an order, with a cache: many customers ask, the shop's system is asked once."""

import os
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated

import httpx
from pydantic import BaseModel, Field

from vertexkit import App, BlockFailed, Context, http_client

CACHE_SECONDS = 30
CACHE_SIZE = 10_000
TEXTS = {"packing": "собирается", "shipped": "в пути", "delivered": "доставлен"}


class Order(BaseModel):
    status: str = Field(title="Состояние")
    city: str = Field(default="", title="Где находится")


class Orders:
    """Reads orders, and remembers each for half a minute. All executions of a process share it."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self._known: dict[str, tuple[float, Order]] = {}

    async def find(self, number: str) -> Order:
        now = time.monotonic()
        expires, order = self._known.get(number, (0.0, None))
        if order is None or expires < now:
            order = await self._request(number)
            if len(self._known) >= CACHE_SIZE:
                self._known.clear()
            self._known[number] = now + CACHE_SECONDS, order
        return order

    async def _request(self, number: str) -> Order:
        response = await self._client.get(f"/orders/{number}")
        if response.status_code == 404:
            raise BlockFailed("no_such_order", f"Заказ {number} не найден.")
        return Order.model_validate_json(response.raise_for_status().content)


@asynccontextmanager
async def lifespan(app: App) -> AsyncGenerator[Orders]:
    url = os.environ.get("SHOP_URL", "https://shop.example")
    async with http_client(base_url=url, timeout=5) as client:
        yield Orders(client)


app = App(lifespan=lifespan)


@app.block("order", title="Статус заказа", timeout=20)
async def order(
    ctx: Context[Orders],
    number: Annotated[str, Field(pattern=r"^[A-Z]-\d{1,9}$", title="Номер", examples=["A-17"])],
) -> Order:
    found = await ctx.retrying(3, on=httpx.HTTPError).step("order", ctx.state.find, number)
    place = f" ({found.city})" if found.city else ""
    await ctx.send_message(f"Заказ {number} {TEXTS.get(found.status, found.status)}{place}.")
    return found
