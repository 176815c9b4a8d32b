"""sys.exit() and KeyboardInterrupt in an author's code end one execution, not the service."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, NoReturn

import pytest
import structlog
from pydantic import AfterValidator, BaseModel, PlainSerializer

from vertexkit import App, Context, Failure, SyncContext
from vertexkit.testing import FakeDialog


class Odd(BaseException):
    """Not even an Exception."""


KINDS: list[type[BaseException]] = [SystemExit, KeyboardInterrupt]
Leave = Callable[..., NoReturn]
"""Raises the exception."""


async def leave_soon(leave: Leave) -> None:
    await asyncio.sleep(0)
    leave()


async def in_handler(ctx: Context, leave: Leave) -> None:
    leave()


async def in_task(ctx: Context, leave: Leave) -> None:
    await asyncio.create_task(leave_soon(leave))


async def in_task_that_nothing_awaits(ctx: Context, leave: Leave) -> None:
    task = asyncio.create_task(leave_soon(leave))
    await asyncio.Event().wait()
    task.cancel()


async def in_task_of_a_task(ctx: Context, leave: Leave) -> None:
    async def start() -> None:
        await asyncio.gather(leave_soon(leave), asyncio.Event().wait())

    await asyncio.create_task(start())


async def in_group(ctx: Context, leave: Leave) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(leave_soon(leave))
        group.create_task(asyncio.sleep(3600))


async def in_gather(ctx: Context, leave: Leave) -> None:
    await asyncio.gather(leave_soon(leave), asyncio.sleep(3600))


async def in_thread(ctx: Context, leave: Leave) -> None:
    await asyncio.to_thread(leave)


async def in_step(ctx: Context, leave: Leave) -> None:
    await ctx.step("leave", leave)


async def in_async_step(ctx: Context, leave: Leave) -> None:
    await ctx.step("leave", leave_soon, leave)


async def in_cleanup(ctx: Context, leave: Leave) -> None:
    task = asyncio.create_task(asyncio.Event().wait())
    await asyncio.sleep(0)
    task.add_done_callback(lambda _: None)
    try:
        raise ValueError
    finally:
        leave()


PLACES: list[Callable[[Context, Leave], Awaitable[None]]] = [
    in_handler,
    in_task,
    in_task_that_nothing_awaits,
    in_task_of_a_task,
    in_group,
    in_gather,
    in_thread,
    in_step,
    in_async_step,
    in_cleanup,
]


def leave_by(kind: type[BaseException]) -> Leave:
    def leave(*_: object) -> NoReturn:
        raise kind(3)

    return leave


async def assert_internal(app: App[Any]) -> None:
    """The block fails as `internal`, and the next call of the other block succeeds."""

    @app.block("other")
    async def other(ctx: Context) -> int:
        return 1

    dialog = FakeDialog(app)
    with structlog.testing.capture_logs() as lines:
        run = await dialog.run("block")
        assert run.data["error"]["code"] == "internal"
        assert (await dialog.run("other")).data == {"result": 1}
    assert not [line for line in lines if line["event"] == "background_task_failed"]


@pytest.mark.unmeasured
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", PLACES)
async def test_wherever_a_handler_exits_only_its_execution_ends(
    place: Callable[[Context, Leave], Awaitable[None]], kind: type[BaseException]
) -> None:
    """In the handler, in its tasks, groups and threads, and in its steps."""
    app: App[Any] = App()

    @app.block("block")
    async def block(ctx: Context) -> None:
        await place(ctx, leave_by(kind))

    await assert_internal(app)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("in_step", [False, True])
async def test_a_def_handler_that_exits(kind: type[BaseException], in_step: bool) -> None:
    """In its thread, or in the function of a step."""
    app: App[Any] = App()

    @app.block("block")
    def block(ctx: SyncContext) -> None:
        if in_step:
            ctx.step("leave", leave_by(kind))
        leave_by(kind)()

    await assert_internal(app)


@pytest.mark.parametrize("kind", [*KINDS, Odd])
async def test_middleware_that_exits(kind: type[BaseException]) -> None:
    """Before the handler runs."""

    async def middleware(ctx: Context, call_next: Any) -> Any:
        if ctx.block == "block":
            leave_by(kind)()
        return await call_next(ctx)

    app: App[Any] = App(middleware=[middleware])

    @app.block("block")
    async def block(ctx: Context) -> None:
        pass

    await assert_internal(app)


@pytest.mark.unmeasured
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("as_task", [False, True])
async def test_a_hook_that_exits(kind: type[BaseException], as_task: bool) -> None:
    """The block is completed with the default result."""

    async def on_failure(ctx: Context, failure: Failure) -> None:
        if as_task:
            await asyncio.create_task(leave_soon(leave_by(kind)))
        leave_by(kind)()

    app: App[Any] = App(on_failure=on_failure)

    @app.block("block")
    async def block(ctx: Context) -> None:
        raise ValueError

    await assert_internal(app)


@pytest.mark.parametrize("kind", [*KINDS, Odd])
async def test_a_validator_that_exits(kind: type[BaseException]) -> None:
    """A validator of the inputs: the receiver rejects nothing, and the handler does not run."""
    called = 0

    def validate(value: int) -> int:
        nonlocal called
        called += 1
        if called > 1:  # the receiver validates first
            leave_by(kind)()
        return value

    class Inputs(BaseModel):
        number: Annotated[int, AfterValidator(validate)] = 1

        model_config = {"validate_default": True}

    app: App[Any] = App()

    @app.block("block")
    async def block(ctx: Context, inputs: Inputs) -> None:
        pass

    called = 0
    await assert_internal(app)


@pytest.mark.parametrize("kind", [*KINDS, Odd])
async def test_a_result_that_exits(kind: type[BaseException]) -> None:
    """A serializer of the result: the block fails as `bad_result`."""

    class Offer(BaseModel):
        price: Annotated[int, PlainSerializer(lambda _: leave_by(kind)(), return_type=int)]

    app: App[Any] = App()

    @app.block("block")
    async def block(ctx: Context) -> Any:
        return Offer(price=1)

    run = await FakeDialog(app).run("block")
    assert run.data["error"]["code"] == "bad_result"


async def test_the_author_s_line_is_in_the_log() -> None:
    """The traceback leads to the call of sys.exit()."""
    app: App[Any] = App()

    @app.block("block")
    async def block(ctx: Context) -> None:
        async def deep() -> None:
            sys.exit("no more")

        await asyncio.create_task(deep())

    with structlog.testing.capture_logs() as lines:
        await FakeDialog(app).run("block")
    [error] = [line["exc_info"] for line in lines if line["event"] == "handler_failed"]
    assert "sys.exit('no more')" in str(error)
    assert isinstance(error.__cause__, SystemExit)
