"""Steps: performed once for an execution, however often its handler runs."""

import asyncio
import dataclasses
import functools
import gc
import math
import threading
import weakref
from datetime import date
from decimal import Decimal
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

from tests.waiting import until
from vertexkit import App, Context, Retry
from vertexkit.clock import Clock
from vertexkit.execution import Effect, EffectState, Execution
from vertexkit.journal.memory import MemoryJournal
from vertexkit.journal.protocol import Lease
from vertexkit.service import running_service
from vertexkit.settings import Settings
from vertexkit.testing import FakeDialog, FakePlatform
from vertexkit.testing.asgi_wire import AsgiWire
from vertexkit.token import Token


class Rate(BaseModel):
    percent: float
    on: date | None = None


@dataclasses.dataclass
class Point:
    x: int
    y: Decimal


def rate() -> Rate:
    return Rate(percent=7.5, on=date(2026, 11, 23))


def points() -> list[Point]:
    return [Point(1, Decimal("0.10"))]


def pair() -> tuple[int, str]:
    return (1, "б")


def picture() -> bytes:
    return "текст".encode()


def positive() -> Annotated[int, Field(gt=0)]:
    return 5


def nothing() -> None:
    return None


def not_a_number() -> float:
    return math.nan


async def later() -> set[int]:
    return {1, 2}


async def whenever(last: int) -> list[int]:
    return [1, last]


class Greeter:
    async def __call__(self) -> str:
        return "сам"


TYPED: dict[str, tuple[Any, Any]] = {
    "model": (rate, rate()),
    "dataclasses": (points, points()),
    "tuple": (pair, (1, "б")),
    "bytes": (picture, "текст".encode()),
    "annotated": (positive, 5),
    "nothing": (nothing, None),
    "coroutine": (later, {1, 2}),
    "callable object": (Greeter(), "сам"),
    "partial": (functools.partial(int, "7"), 7),
    "lambda": (lambda: {"a": [1, None]}, {"a": [1, None]}),
    "lambda of a coroutine": (lambda: whenever(2), [1, 2]),
}


async def test_a_step_is_done_once(app: App, dialog: FakeDialog) -> None:
    """In three runs of a handler a step's function is called once, with its arguments."""
    calls: list[Any] = []

    async def fetch(city: str, *, days: int) -> dict[str, Any]:
        calls.append((city, days))
        return {"degrees": -3.5}

    @app.block("step")
    async def step(ctx: Context) -> Any:
        weather = await ctx.step("weather", fetch, "Пермь", days=2)
        if ctx.attempt < 3:
            raise Retry
        return weather

    run = await dialog.run("step")
    assert (run.data, run.attempts, run.events.count("step_completed")) == ({"degrees": -3.5}, 3, 1)
    assert calls == [("Пермь", 2)]


@pytest.mark.parametrize("fn,value", TYPED.values(), ids=TYPED)
async def test_the_second_run_gets_the_same_type(twice: Any, fn: Any, value: Any) -> None:
    """What the journal returns equals what the function returned, in value and in type."""
    assert await twice(fn) == [value, value]


async def test_without_an_annotation_a_result_has_the_types_of_json(twice: Any) -> None:
    """Without an annotation a result has the types of JSON, in the first run too."""
    assert await twice(lambda: (1, "б")) == [[1, "б"], [1, "б"]]


@pytest.mark.parametrize("fn", [not_a_number, lambda: math.nan], ids=["float", "lambda"])
async def test_a_nan_is_read_back(twice: Any, fn: Any) -> None:
    """NaN is read back from the journal as NaN."""
    assert [math.isnan(number) for number in await twice(fn)] == [True, True]


async def test_a_plain_function_runs_in_a_thread(app: App, dialog: FakeDialog) -> None:
    """A blocking function does not stop other handlers: the event loop runs while it waits."""
    gate = threading.Event()

    def blocking() -> bool:
        gate.wait(30)
        return threading.current_thread() is threading.main_thread()

    @app.block("step")
    async def step(ctx: Context) -> bool:
        stepping = asyncio.create_task(ctx.step("block", blocking))
        await ctx.send_message("Пока ждём")
        gate.set()
        return await stepping

    run = await dialog.run("step")
    assert (run.messages, run.data) == (["Пока ждём"], {"result": False})


async def test_a_step_that_fails_has_not_happened(app: App, dialog: FakeDialog) -> None:
    """What a step raises reaches the handler, and the next run calls the function again."""
    calls = 0

    def flaky() -> int:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise ConnectionError("no route")
        return calls

    @app.block("step")
    async def step(ctx: Context) -> int:
        try:
            return await ctx.step("flaky", flaky)
        except ConnectionError as error:
            raise Retry(after=1) from error

    run = await dialog.run("step")
    assert (run.data, calls, run.events.count("step_completed")) == ({"result": 2}, 2, 1)


async def test_a_cancelled_step_runs_again(app: App, dialog: FakeDialog) -> None:
    """A function that was cancelled in its middle has no result: the next run calls it again."""
    calls = 0
    begun = asyncio.Event()

    async def slow() -> int:
        nonlocal calls
        calls += 1
        begun.set()
        if calls == 1:
            await asyncio.Event().wait()
        return calls

    @app.block("step")
    async def step(ctx: Context) -> int:
        stepping = asyncio.create_task(ctx.step("slow", slow))
        if ctx.attempt == 1:
            await begun.wait()
            stepping.cancel()
            await asyncio.wait({stepping})
            raise Retry
        return await stepping

    assert (await dialog.run("step")).data == {"result": 2}


async def unfit_object() -> Any:
    return object()


def unfit_annotation() -> int:
    return "seven"  # pyrefly: ignore[bad-return]


def unfit_nan() -> Rate:
    return Rate(percent=math.nan)


def unfit_circle() -> Any:
    circle: list[Any] = []
    circle.append(circle)
    return circle


@pytest.mark.parametrize("fn", [unfit_object, unfit_annotation, unfit_nan, unfit_circle])
async def test_a_result_that_cannot_be_read_back(app: App, dialog: FakeDialog, fn: Any) -> None:
    """A result that the next run could not read is an error in the first run, with the step's name."""

    @app.block("step")
    async def step(ctx: Context) -> None:
        with pytest.raises(TypeError, match="step 'odd'"):
            await ctx.step("odd", fn)

    run = await dialog.run("step")
    assert (run.ok, run.events.count("step_completed")) == (True, 0)


async def test_steps_at_the_same_time(app: App, dialog: FakeDialog) -> None:
    """Steps may run at the same time; each keeps the result of its place, in any order."""
    first_may_end = asyncio.Event()

    async def first() -> str:
        await first_may_end.wait()
        return "первый"

    async def second() -> str:
        first_may_end.set()
        return "второй"

    @app.block("step")
    async def step(ctx: Context) -> tuple[str, str]:
        both = await asyncio.gather(ctx.step("one", first), ctx.step("two", second))
        if ctx.attempt == 1:
            raise Retry
        return both[0], both[1]

    assert (await dialog.run("step")).data == {"result": ["первый", "второй"]}


async def test_a_step_s_function_is_freed(app: App, dialog: FakeDialog) -> None:
    """A function that was made for one execution is freed after its end."""
    kept: list[weakref.ref[Any]] = []

    class Mass:
        pass

    @app.block("step")
    async def step(ctx: Context) -> None:
        mass = Mass()
        kept.append(weakref.ref(mass))
        await ctx.step("hold", lambda: str(mass))

    await dialog.run("step")
    gc.collect()
    # The thread that has called the function releases it when it gets the processor.
    await until(lambda: [ref() for ref in kept] == [None], "the function is freed")


async def test_the_journal_shows_a_failed_step(app: App, dialog: FakeDialog) -> None:
    """An operator sees which of an execution's steps happened and which did not."""

    @app.block("step")
    async def step(ctx: Context) -> None:
        await ctx.step("fine", nothing)
        with pytest.raises(ZeroDivisionError):
            await ctx.step("failing", lambda: 1 / 0)

    async with dialog:
        run = await dialog.run("step")
        record = await dialog._journal.find(str(run.execution))
    assert record is not None
    assert [(effect.kind, effect.state) for effect in record.effects] == [
        ("step:fine", EffectState.CONFIRMED),
        ("step:failing", EffectState.REJECTED),
    ]


class HeldOutcomes(MemoryJournal):
    """A journal that writes the outcomes of effects when it is released."""

    def __init__(self) -> None:
        super().__init__(Clock())
        self.asked, self.go_on = asyncio.Event(), asyncio.Event()

    async def record_effect(self, lease: Lease, effect: Effect) -> None:
        self.asked.set()
        await self.go_on.wait()
        await super().record_effect(lease, effect)


async def test_a_result_is_used_when_it_is_in_the_journal(app: App) -> None:
    """`ctx.step` returns after the journal has written the result: a later run has the same one."""
    journal, platform, over = HeldOutcomes(), FakePlatform(), asyncio.Event()
    used: list[int] = []

    @app.block("work")
    async def work(ctx: Context) -> None:
        used.append(await ctx.step("number", lambda: 17))

    settings = Settings.of(platform_url="http://p/api", grace=5)
    async with running_service(app, settings, wire=AsgiWire(platform), journal=journal) as service:
        service.events.subscribe(lambda event: over.set() if event.name == "settled" else None)
        token = Token(platform.issue("work"))
        await journal.accept(Execution("01e", "work", token, {}, b"", 0.0), 10)
        await journal.asked.wait()
        for _ in range(20):
            await asyncio.sleep(0)
        assert used == []
        journal.go_on.set()
        await over.wait()
    assert used == [17]
