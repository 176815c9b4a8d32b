"""Limits on how many handlers run at the same time."""

import asyncio

from tests.worker.gauge import Gauge
from vertexkit import App, Context, SyncContext
from vertexkit.errors import DialogGone
from vertexkit.testing import FakeDialog


async def test_a_block_has_its_own_limit() -> None:
    """`concurrency` handlers of a block run at once; it does not delay another block."""
    app, gauge = App(), Gauge()

    @app.block("narrow", concurrency=3)
    async def narrow(ctx: Context) -> None:
        await gauge.stay("narrow")

    @app.block("wide")
    async def wide(ctx: Context) -> None:
        return None

    async with FakeDialog(app) as dialog:
        crowd = [asyncio.create_task(dialog.run("narrow")) for _ in range(20)]
        opening = asyncio.create_task(gauge.let_go("narrow", 3))
        assert (await dialog.run("wide")).ok
        await opening
        assert all(run.ok for run in await asyncio.gather(*crowd))
    assert gauge.most["narrow"] == 3


async def test_an_app_has_a_limit_over_all_blocks() -> None:
    """VERTEXKIT_CONCURRENCY limits the handlers of a process, over all its blocks."""
    app, gauge = App(), Gauge()
    for name in ("one", "two"):

        @app.block(name)
        async def block(ctx: Context) -> None:
            await gauge.stay("any")

    async with FakeDialog(app, concurrency=4) as dialog:
        crowd = [asyncio.create_task(dialog.run(name)) for name in ("one", "two") * 10]
        await gauge.let_go("any", 4)
        assert all(run.ok for run in await asyncio.gather(*crowd))
    assert gauge.most["any"] == 4


async def test_threads_are_bounded() -> None:
    """VERTEXKIT_THREADS plain functions run at once; the others wait for a thread."""
    app, gauge = App(), Gauge()
    loop = asyncio.get_running_loop()

    @app.block("plain")
    def plain(ctx: SyncContext) -> None:
        asyncio.run_coroutine_threadsafe(gauge.stay("plain"), loop).result()

    async with FakeDialog(app, threads=2) as dialog:
        crowd = [asyncio.create_task(dialog.run("plain")) for _ in range(8)]
        await gauge.let_go("plain", 2)
        assert all(run.ok for run in await asyncio.gather(*crowd))
    assert gauge.most["plain"] == 2


async def test_no_more_handlers_start_than_there_are_connections() -> None:
    """A handler that would only wait for a connection is not started: its time would run."""
    app = App()
    started: list[str] = []

    @app.block("talk")
    async def talk(ctx: Context, name: str) -> None:
        started.append(name)
        await ctx.send_message(name)

    dialog = FakeDialog(app, connections=2)
    arrived = asyncio.Event()
    dialog.platform.fail("send_message", kind="slow", seconds=60, times=2)
    dialog.platform.subscribe(lambda _: arrived.set(), arrivals=True)
    dialog.platform.subscribe(lambda _: at_first.append(len(started)))
    at_first: list[int] = []
    async with dialog:
        crowd = [asyncio.create_task(dialog.run("talk", name=str(n))) for n in range(40)]
        assert all(run.ok for run in await asyncio.gather(*crowd))
    # Until the first response no handlers are started but those of the first claims.
    assert at_first[0] < 40
    assert len(started) == 40


async def test_a_handler_slot_is_free_while_the_completion_is_tried() -> None:
    """A platform that is down delays completions, but not the handlers of others."""
    app = App()
    ran: list[str] = []

    @app.block("one", concurrency=1)
    async def one(ctx: Context, name: str) -> None:
        ran.append(name)

    dialog = FakeDialog(app)
    dialog.platform.fail("complete", status=500, times=3)
    async with dialog:
        first, second = await asyncio.gather(
            dialog.run("one", name="first"), dialog.run("one", name="second")
        )
    assert first.ok
    assert second.ok
    assert first.retries + second.retries == 3
    assert sorted(ran) == ["first", "second"]


async def test_a_cancelled_handler_frees_its_slot() -> None:
    """A cancelled handler makes room for the next one."""
    app = App()

    @app.block("one", concurrency=1)
    async def one(ctx: Context) -> None:
        try:
            await ctx.send_message("hello")
        except DialogGone:
            await asyncio.Event().wait()

    dialog = FakeDialog(app)
    dialog.platform.fail("send_message", status=403)
    async with dialog:
        gone, well = await asyncio.gather(dialog.run("one"), dialog.run("one"))
    assert gone.data["error"]["code"] == "gone"
    assert well.ok
