"""A handler's result, and what the bot gets of it."""

import asyncio
import dataclasses
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator, BaseModel

from vertexkit import App, BlockFailed, Context, Retry, SyncContext
from vertexkit.testing import FakeDialog, Run


class Offer(BaseModel):
    monthly: float


@dataclasses.dataclass
class Point:
    x: int


class Picky(BaseModel):
    city: Annotated[str, AfterValidator({}.__getitem__)]


LARGE = "x" * (5 * 1024 * 1024)
"""Twenty times the limit of a result."""
DEEP: list[Any] = []
for _ in range(100_000):
    DEEP = [DEEP]


async def run_one(handler: Any, **settings: Any) -> Run:
    """Run a handler as the only block of an app; the platform must find no violation."""
    app = App()
    app.block("block")(handler)
    dialog = FakeDialog(app, **settings)
    run = await dialog.run("block")
    dialog.platform.check()
    assert len([e for e in dialog.platform.ledger if e.method == "complete"]) == 1
    return run


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    "value, data",
    [
        (None, None),
        ({"a": "ж"}, {"a": "ж"}),
        (Offer(monthly=1.5), {"monthly": 1.5}),
        (Point(3), {"x": 3}),
        ([1, 2], {"result": [1, 2]}),
        ("text", {"result": "text"}),
        (False, {"result": False}),
    ],
)
async def test_any_serialisable_value_is_a_result(value: Any, data: Any) -> None:
    """Objects and None are sent unchanged, other values as `{"result": value}`."""

    async def handler(ctx: Context) -> Any:
        return value

    run = await run_one(handler)
    assert run.ok
    assert run.data == data


@pytest.mark.parametrize(
    "value",
    [float("nan"), {"deep": [float("inf")]}, object(), LARGE, DEEP],
    ids=["nan", "inf", "object", "large", "deep"],
)
async def test_what_cannot_be_sent_fails_the_block_and_not_the_dialog(value: Any) -> None:
    """NaN, an object, 5 MB: the block is completed as failed with `bad_result`."""

    async def handler(ctx: Context) -> Any:
        return value

    run = await run_one(handler)
    assert run.data == {
        "ok": False,
        "error": {"code": "bad_result", "message": "The result of the block is invalid."},
    }


async def test_a_result_that_does_not_match_its_annotation_fails_the_block() -> None:
    """The return annotation is the result's type: what does not match does not reach the bot."""

    async def handler(ctx: Context) -> Offer:
        return {"monthly": "a lot"}  # pyrefly: ignore[bad-return]

    assert (await run_one(handler)).data["error"]["code"] == "bad_result"


async def test_a_result_that_breaks_its_validator_fails_the_block() -> None:
    """A validator of an author may raise any exception: the block fails."""

    async def handler(ctx: Context) -> Picky:
        return {"city": "Китеж"}  # pyrefly: ignore[bad-return]

    run = await run_one(handler)
    assert run.data["error"]["code"] == "bad_result"
    assert run.outcome is not None
    assert run.outcome.status == "completed"


@pytest.mark.parametrize(
    "error",
    [ValueError("secret detail"), KeyError("x"), ExceptionGroup("two", [OSError(), OSError()])],
)
async def test_an_exception_fails_the_block_without_its_text(error: Exception) -> None:
    """The bot sees `internal`; what the exception says stays in the log."""

    async def handler(ctx: Context) -> None:
        raise error

    run = await run_one(handler)
    assert run.data == {
        "ok": False,
        "error": {"code": "internal", "message": "The block failed."},
    }
    assert run.outcome is not None
    assert run.outcome.status == "completed"


class Odd(BaseException):
    """Not even an Exception."""


@pytest.mark.unmeasured
@pytest.mark.parametrize("thread", [False, True])
@pytest.mark.parametrize(
    "kind", [SystemExit, asyncio.CancelledError, GeneratorExit, StopIteration, Odd]
)
async def test_a_handler_cannot_stop_the_service(kind: type[BaseException], thread: bool) -> None:
    """sys.exit() in a handler, or a cancellation of its own, fails one block and no more."""

    async def asynchronous(ctx: Context) -> None:
        raise kind(3)

    def plain(ctx: SyncContext) -> None:
        raise kind(3)

    handler = plain if thread else asynchronous
    assert (await run_one(handler)).data["error"]["code"] == "internal"


async def test_an_author_says_why_a_block_failed() -> None:
    """BlockFailed: code, message and data reach the bot unchanged."""

    async def handler(ctx: Context) -> None:
        raise BlockFailed("no_such_city", "Такого города нет.", data={"asked": "Китеж"})

    run = await run_one(handler)
    assert run.data == {
        "ok": False,
        "error": {
            "code": "no_such_city",
            "message": "Такого города нет.",
            "data": {"asked": "Китеж"},
        },
    }
    assert run.outcome is not None
    assert run.outcome.code == "no_such_city"


@pytest.mark.parametrize("data", [object(), DEEP, LARGE], ids=["odd", "deep", "large"])
async def test_data_that_cannot_be_sent_is_left_out(data: Any) -> None:
    """A failure with data that cannot be serialised keeps its code."""

    async def handler(ctx: Context) -> None:
        raise BlockFailed("odd", "Odd.", data=data)

    run = await run_one(handler)
    assert run.data == {"ok": False, "error": {"code": "odd", "message": "Odd."}}


async def test_a_message_that_cannot_be_sent_is_left_out() -> None:
    """The code alone is enough for the bot to branch on."""

    async def handler(ctx: Context) -> None:
        raise BlockFailed("odd", LARGE, data={"a": 1})

    run = await run_one(handler)
    assert run.data == {"ok": False, "error": {"code": "odd", "message": ""}}
    assert run.outcome is not None
    assert run.outcome.status == "completed"


async def test_retry_runs_the_handler_again_later() -> None:
    """After the given seconds, from the top, with the next attempt's number."""
    seen: list[tuple[int, float]] = []

    async def handler(ctx: Context) -> int:
        seen.append((ctx.attempt, clock.now()))
        if ctx.attempt < 3:
            raise Retry(after=600, reason="not yet")
        return ctx.attempt

    app = App()
    app.block("block")(handler)
    dialog = FakeDialog(app)
    clock = dialog.clock
    run = await dialog.run("block")
    assert run.data == {"result": 3}
    assert run.retries == 2
    (_, first), (_, second), (_, third) = seen
    assert [number for number, _ in seen] == [1, 2, 3]
    assert 600 <= second - first < 660  # with the real time that a slow machine takes
    assert 600 <= third - second < 660


@pytest.mark.parametrize("own, policy, runs", [(None, 4, 4), (2, 4, 2)])
async def test_retry_ends_after_so_many_attempts(own: int | None, policy: int, runs: int) -> None:
    """The block's `attempts`, else the setting's; then it is completed as failed."""
    app = App()
    ran: list[int] = []

    @app.block("block", attempts=own)
    async def handler(ctx: Context) -> None:
        ran.append(ctx.attempt)
        raise Retry(after=0)

    run = await FakeDialog(app, attempts=policy).run("block")
    assert ran == list(range(1, runs + 1))
    assert run.data["error"]["code"] == "attempts"
