"""A process that was suspended for longer than its leases: it claims its own executions again."""

import asyncio

from tests.worker.running import StoppedClock, WatchedJournal, accept, ended, serving
from vertexkit import App, Context
from vertexkit.errors import Fenced
from vertexkit.testing import FakePlatform


async def test_a_suspended_process_runs_each_execution_once_more_and_no_oftener() -> None:
    """The run that lost its lease is stopped, the one that took over is held, and it ends once."""
    app, platform, hand = App(), FakePlatform(), StoppedClock()
    journal, began = WatchedJournal(hand), [asyncio.Event(), asyncio.Event()]
    stopped: list[type[BaseException]] = []
    go_on = asyncio.Event()

    @app.block("block")
    async def block(ctx: Context) -> int:
        began[ctx.attempt - 1].set()
        try:
            await go_on.wait()
            await ctx.send_message("now")
        except (Fenced, asyncio.CancelledError) as error:
            stopped.append(type(error))
            raise
        return ctx.attempt

    async with serving(app, journal, platform, concurrency=5) as service:
        over = ended(service, 2)
        fenced = asyncio.Event()
        service.events.subscribe(lambda e: fenced.set() if e.name == "fenced" else None)
        token = await accept(journal, platform, "block", "one")
        await began[0].wait()
        hand.time = 31.0
        await accept(journal, platform, "block", "two")  # wakes it, before it renews
        await began[1].wait()
        await fenced.wait()
        assert service.dispatcher.held == 2
        go_on.set()
        await over.wait()
    assert stopped == [asyncio.CancelledError]
    activation = platform.activation(token)
    assert [message.text for message in activation.messages] == ["now"]
    assert [completion.data for completion in activation.completions] == [{"result": 2}]
    platform.check()
