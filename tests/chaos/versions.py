"""Two versions of an app, of which one replaces the other while executions wait."""

from typing import Any

from tests.chaos.waits import report_read
from vertexkit import App, Context
from vertexkit.blocks.policies import BlockOptions

first, second = App(), App()
TERMS: dict[str, BlockOptions] = {"swap": {}, "kept": {"on_park": "leave"}}
"""The blocks whose second version does not continue what the first one did, and their options."""


async def wait(ctx: Context) -> int:
    """Wait for the event, and report what came."""
    event = await ctx.wait_for("go")
    report_read(ctx.execution_id, "go", event["number"])
    number: int = event["number"]
    return number


async def check(number: int) -> int:
    """A step of the second version."""
    return number


@first.block("grow")
async def grow(ctx: Context) -> dict[str, Any]:
    """Wait between two messages."""
    await ctx.send_message(f"{ctx.execution_id} 0")
    number = await wait(ctx)
    await ctx.send_message(f"{ctx.execution_id} 1")
    return {"execution": ctx.execution_id, "number": number}


@second.block("grow")
async def grow_more(ctx: Context) -> dict[str, Any]:
    """Say something else before the wait, and do more after it: the wait is found."""
    await ctx.send_message(f"{ctx.execution_id} 0 in other words")
    number = await ctx.step("check", check, await wait(ctx))
    await ctx.send_message(f"{ctx.execution_id} 1")
    await ctx.send_message(f"{ctx.execution_id} 2")
    return {"execution": ctx.execution_id, "number": number, "version": 2}


async def swap(ctx: Context) -> dict[str, Any]:
    """Wait, then send a message."""
    number = await wait(ctx)
    await ctx.send_message(f"{ctx.execution_id} 0")
    return {"execution": ctx.execution_id, "number": number}


async def swapped(ctx: Context) -> dict[str, Any]:
    """Send the message first: at the position of the wait."""
    await ctx.send_message(f"{ctx.execution_id} 0")
    return {"execution": ctx.execution_id, "number": await wait(ctx)}


for name, terms in TERMS.items():
    first.block(name, **terms)(swap)
    second.block(name, **terms)(swapped)
