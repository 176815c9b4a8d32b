"""The app whose process is killed: each block says who it is in all that it says."""

import asyncio
import os
from typing import Any

from vertexkit import App, Context, SendOutcomeUnknown
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
"""The blocks that say two things, and how each is run."""


async def pass_gate(path: str) -> None:
    """Wait until the test has put something into this pipe; it stays open then."""
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
    """Two messages, each behind a gate."""
    ids = []
    try:
        for number, gate in enumerate((first, second)):
            await pass_gate(gate)
            message = await ctx.send_message(f"{ctx.execution_id} {number}", typing=False)
            ids.append(message.message_id)
    except SendOutcomeUnknown:
        return {"execution": ctx.execution_id, "unsure": True}
    return {"execution": ctx.execution_id, "ids": ids}


@app.block("poison", attempts=2)
async def poison(ctx: Context) -> None:
    await ctx.send_message(f"{ctx.execution_id} 0", typing=False)
    os.abort()


for name, terms in TERMS.items():
    app.block(name, **terms)(talk)
