"""The app whose process is killed; its messages and results contain the execution's id."""

import asyncio
import os
from typing import Any

from tests.chaos.waits import report_read
from vertexkit import App, Context, SendOutcomeUnknown, WaitTimeout
from vertexkit.blocks.policies import BlockOptions

app = App()
TERMS: dict[str, BlockOptions] = {
    "assume_sent": {},
    "resend": {"on_unknown": "resend"},
    "raise": {"on_unknown": "raise"},
    "park": {"on_unknown": "park"},
    "leave": {"on_unknown": "park", "on_park": "leave"},
    "once": {"on_crash": "fail"},
}
"""The blocks that send two messages, and their options."""


async def wait_at_barrier(path: str) -> None:
    """Wait until the test has written to this pipe."""
    if not path:
        return
    opened, loop = asyncio.Event(), asyncio.get_running_loop()
    pipe = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    loop.add_reader(pipe, opened.set)
    try:
        await opened.wait()
    finally:
        loop.remove_reader(pipe)
        os.close(pipe)


async def talk(ctx: Context, first: str = "", second: str = "") -> dict[str, Any]:
    """Send two messages, each behind a barrier."""
    ids = []
    try:
        for number, barrier in enumerate((first, second)):
            await wait_at_barrier(barrier)
            message = await ctx.send_message(f"{ctx.execution_id} {number}", typing=False)
            ids.append(message.message_id)
    except SendOutcomeUnknown:
        return {"execution": ctx.execution_id, "unsure": True}
    return {"execution": ctx.execution_id, "ids": ids}


@app.block("wait")
async def wait(ctx: Context, seconds: float = 600.0) -> dict[str, Any]:
    """Wait for an event, and send a message."""
    try:
        event = await ctx.wait_for("go", timeout=seconds)
    except WaitTimeout:
        event = {"number": None}
    report_read(ctx.execution_id, "go", event["number"])
    await ctx.send_message(f"{ctx.execution_id} 0", typing=False)
    return {"execution": ctx.execution_id, "number": event["number"]}


@app.block("sleep")
async def sleep(ctx: Context, seconds: float) -> dict[str, Any]:
    """Sleep between two messages."""
    await ctx.send_message(f"{ctx.execution_id} 0", typing=False)
    await ctx.sleep(seconds)
    await ctx.send_message(f"{ctx.execution_id} 1", typing=False)
    return {"execution": ctx.execution_id}


@app.block("poison", attempts=2)
async def poison(ctx: Context) -> None:
    await ctx.send_message(f"{ctx.execution_id} 0", typing=False)
    os.abort()


for name, terms in TERMS.items():
    app.block(name, **terms)(talk)
