"""Middleware: what wraps every handler."""

from typing import Any

from vertexkit import App, BlockFailed, Context, SyncContext
from vertexkit.testing import FakeDialog


async def test_middleware_wraps_from_the_outside_in() -> None:
    """The first one is the outermost; each gets what the inner ones returned."""
    order: list[str] = []

    async def outer(ctx: Context, call_next: Any) -> Any:
        order.append("outer in")
        result = await call_next(ctx)
        order.append("outer out")
        return {"outer": result}

    async def inner(ctx: Context, call_next: Any) -> Any:
        order.append(f"inner in {ctx.inputs['name']}")
        result = await call_next(ctx)
        order.append("inner out")
        return result

    app = App(middleware=[outer, inner])

    @app.block("block")
    async def block(ctx: Context, name: str) -> Any:
        order.append("handler")
        return {"name": name}

    run = await FakeDialog(app).run("block", name="x")
    assert order == ["outer in", "inner in x", "handler", "inner out", "outer out"]
    assert run.data == {"outer": {"name": "x"}}


async def test_middleware_may_replace_the_handler() -> None:
    """Middleware that does not call `call_next` replaces the handler: for caches and switches."""

    async def closed(ctx: Context, call_next: Any) -> Any:
        await ctx.send_message("Мы закрыты.")
        return {"open": False}

    app = App(middleware=[closed])

    @app.block("block")
    async def block(ctx: Context) -> Any:
        raise AssertionError("it is not called")

    run = await FakeDialog(app).run("block")
    assert run.messages == ["Мы закрыты."]
    assert run.data == {"open": False}


async def test_middleware_sees_what_a_handler_raises() -> None:
    """It may turn an exception into a failure of its own, and a plain function is wrapped too."""

    async def translate(ctx: Context, call_next: Any) -> Any:
        try:
            return await call_next(ctx)
        except ZeroDivisionError as error:
            raise BlockFailed("divided", "By nothing.") from error

    app = App(middleware=[translate])

    @app.block("plain")
    def plain(ctx: SyncContext) -> float:
        return 1 / 0

    run = await FakeDialog(app).run("plain")
    assert run.data["error"] == {"code": "divided", "message": "By nothing."}


async def test_middleware_that_fails_fails_the_block() -> None:
    """Its exception fails the block, which is completed as failed."""

    async def broken(ctx: Context, call_next: Any) -> Any:
        raise RuntimeError("in the middleware")

    app = App(middleware=[broken])

    @app.block("block")
    async def block(ctx: Context) -> None: ...

    assert (await FakeDialog(app).run("block")).data["error"]["code"] == "internal"
