"""Limits that hold over all processes, from the call to the handler."""

import asyncio
from collections.abc import Callable
from typing import Any

import structlog.testing
from pydantic import BaseModel

from tests.waiting import until
from tests.worker.gauge import Gauge
from vertexkit import App, CallInfo, Context, Retry
from vertexkit.testing import FakeDialog

PERIOD_SECONDS = 3540.0
"""An hour, less the time from a claim to the handler: a minute on the slowest machine."""


class Order(BaseModel):
    """What is ordered."""

    customer: str = "a"


class Shop:
    """An app with one block, and the times at which its handler started."""

    def __init__(self, **options: Any) -> None:
        self.app = App()
        self.now: Callable[[], float] = asyncio.get_running_loop().time
        self.starts: list[float] = []
        self.customers: list[str] = []

        @self.app.block("order", **options)
        async def order(ctx: Context, request: Order) -> None:
            self.starts.append(self.now())
            self.customers.append(request.customer)


def by_customer(call: CallInfo, request: Order) -> str:
    return request.customer


async def test_calls_above_the_rate_start_in_later_periods() -> None:
    """Five calls at two an hour start two at once, two an hour later, and one after that."""
    shop = Shop(rate="2/hour")
    async with FakeDialog(shop.app) as dialog:
        shop.now = dialog.clock.now
        runs = await asyncio.gather(*(dialog.run("order") for _ in range(5)))
    assert all(run.ok for run in runs)
    starts = sorted(shop.starts)
    assert starts[2] - starts[0] >= PERIOD_SECONDS
    assert starts[3] - starts[1] >= PERIOD_SECONDS
    assert starts[4] - starts[2] >= PERIOD_SECONDS
    assert starts[1] - starts[0] < PERIOD_SECONDS


async def test_another_key_does_not_wait() -> None:
    """A customer whose limit is reached does not delay another one who calls later."""
    shop = Shop(rate="1/hour", key=by_customer)
    async with FakeDialog(shop.app) as dialog:
        shop.now = dialog.clock.now
        calls = [dialog.run("order", customer=name) for name in ("a", "a", "a", "b")]
        await asyncio.gather(*calls)
    assert sorted(shop.customers[:2]) == ["a", "b"]
    assert shop.customers[2:] == ["a", "a"]


async def test_a_retry_waits_for_the_rate() -> None:
    """A run after `Retry` counts as a start, like the first one."""
    app, starts = App(), list[float]()

    @app.block("again", rate="1/hour")
    async def again(ctx: Context) -> None:
        starts.append(dialog.clock.now())
        if ctx.attempt == 1:
            raise Retry(after=1)

    async with FakeDialog(app) as dialog:
        run = await dialog.run("again")
    assert run.ok
    assert starts[1] - starts[0] >= PERIOD_SECONDS


async def test_what_waits_for_a_limit_too_long_fails_without_a_run() -> None:
    """After `max_wait` the block is completed as failed with `timeout`; its handler has not run."""
    shop = Shop(rate="1/hour", max_wait=100)
    async with FakeDialog(shop.app) as dialog:
        shop.now = dialog.clock.now
        first, second = await asyncio.gather(dialog.run("order"), dialog.run("order"))
    assert {first.ok, second.ok} == {True, False}
    failed = second if first.ok else first
    assert failed.outcome is not None
    assert failed.outcome.code == "timeout"
    assert len(shop.starts) == 1


async def test_plain_parameters_are_attributes_for_the_key() -> None:
    """The key function of a handler with plain parameters gets an object with them."""
    app, keys = App(), list[object]()

    def key(call: CallInfo, request: Any) -> object:
        keys.append((call.block, call.inputs["printer"], request.printer, request.copies))
        return request.printer

    @app.block("print", fleet_concurrency=1, key=key)
    async def print_page(ctx: Context, printer: str, copies: int = 1) -> None:
        return None

    async with FakeDialog(app) as dialog:
        assert (await dialog.run("print", printer="laser")).ok
    assert keys == [("print", "laser", "laser", 1)]


async def test_a_key_that_fails_does_not_reject_the_call() -> None:
    """An exception in the key function is logged, and the call is accepted."""

    def key(call: CallInfo, request: Order) -> str:
        raise KeyError(request.customer)

    shop = Shop(rate="10/second", key=key)
    with structlog.testing.capture_logs() as lines:
        async with FakeDialog(shop.app) as dialog:
            assert (await dialog.run("order")).ok
    assert [line["block"] for line in lines if line["event"] == "limit_key_failed"] == ["order"]


async def test_handlers_of_a_key_run_one_after_another() -> None:
    """With `fleet_concurrency=1` two handlers of a key never run at once, those of two keys do."""
    app, gauge = App(), Gauge()

    @app.block("order", fleet_concurrency=1, key=by_customer)
    async def order(ctx: Context, request: Order) -> None:
        await gauge.stay(request.customer)

    async with FakeDialog(app) as dialog:
        calls = [
            asyncio.create_task(dialog.run("order", customer=name))
            for name in ("a", "a", "a", "b", "b")
        ]
        await asyncio.gather(gauge.let_go("a", 1), gauge.let_go("b", 1))
        assert all(run.ok for run in await asyncio.gather(*calls))
    assert gauge.most == {"a": 1, "b": 1}


async def test_what_waits_for_a_limit_does_not_slow_other_calls() -> None:
    """Executions that wait for a limit do not delay the acceptance of other calls."""
    app, gauge = App(), Gauge()

    @app.block("narrow", fleet_concurrency=1)
    async def narrow(ctx: Context) -> None:
        await gauge.stay("narrow")

    async with FakeDialog(app) as dialog:
        calls = [asyncio.create_task(dialog.run("narrow")) for _ in range(6)]
        assert dialog._service is not None
        dispatcher, journal = dialog._service.dispatcher, dialog._service.journal
        await until(lambda: dispatcher.waiting_for_limits == {"narrow": 5}, "five wait for it")
        assert (journal.backlog(), dispatcher.count_waiting()) == (5, 0)
        await gauge.let_go("narrow", 1)
        await asyncio.gather(*calls)
    assert dispatcher.waiting_for_limits == {"narrow": 0}
