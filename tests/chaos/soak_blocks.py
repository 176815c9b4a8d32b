"""The app of the soak test: each execution is a random program, the same in every run.

Its second version does more at the end of each program. In some programs it also does something else
where the first one waits, so that neither version continues there what the other one has done.
"""

import asyncio
import time
from random import Random
from typing import Any

from tests.chaos.memories import COUNT, NAME, Recalled, report_use
from tests.chaos.senders import NAMES
from tests.chaos.waits import report_read
from vertexkit import App, BlockFailed, Context, Retry, SyncContext, WaitTimeout
from vertexkit.blocks.policies import BlockOptions

app, second = App(), App()
TERMS: dict[str, BlockOptions] = {
    "assume": {},
    "resend": {"on_unknown": "resend"},
    "raise": {"on_unknown": "raise"},
    "park": {"on_unknown": "park"},
    "leave": {"on_unknown": "park", "on_park": "leave"},
    "once": {"on_crash": "fail"},
    "poison": {"attempts": 3},
    "brief": {"timeout": 0.3},
    "thread": {},
}
"""The blocks and their options."""
PROGRAMS_PER_CHANGED_ONE = 6
"""Of this number of programs, one does something else in the second version."""
LONG_WAIT_SECONDS = 600.0
"""More than a round lasts: an execution that waits for so long ends only by its event."""
OPERATIONS = ("send", "step", "pause", "sleep", "wait", "memory")
WEIGHTS = (6, 2, 2, 1, 2, 2)
SLEEP_SECONDS = (0.2, 1.1, 2.0)
WAIT_SECONDS = (1.1, 2.5, LONG_WAIT_SECONDS)


async def work(seconds: float) -> float:
    """Return a different result each time, after a moment."""
    await asyncio.sleep(seconds)
    return time.time()


async def wait(ctx: Context, name: str, seconds: float) -> None:
    """Wait for an event, and report what came."""
    try:
        event = await ctx.wait_for(name, timeout=seconds)
    except WaitTimeout:
        event = {"number": None}
    report_read(ctx.execution_id, name, event["number"])


async def remember(ctx: Context, position: int) -> None:
    """Keep a number in the dialog's memory, and count up what all its executions count."""
    name = NAME.format(ctx.execution_id)
    report_use(Recalled(ctx.execution_id, position, await ctx.memory.get(name, int)))
    await ctx.memory.set(name, position)
    report_use(Recalled(ctx.execution_id, position, position), kept=True)
    await ctx.memory.update(COUNT, lambda number: number + 1, int, 0)


async def play(ctx: Context, seed: int) -> dict[str, Any]:
    """Run a program made from this seed."""
    random = Random(seed)
    stepped = await perform(ctx, random, changed=False)
    return await end(ctx, random, stepped)


async def play_more(ctx: Context, seed: int) -> dict[str, Any]:
    """Run the second version of the program."""
    random = Random(seed)
    stepped = await perform(ctx, random, changed=seed % PROGRAMS_PER_CHANGED_ONE == 0)
    stepped.append(await ctx.step("more", work, 0.0))
    await ctx.send_message(f"{ctx.execution_id} more")
    return await end(ctx, random, stepped)


async def perform(ctx: Context, random: Random, *, changed: bool) -> list[float]:
    """Perform the operations of a program; return the results of its steps.

    Args:
        ctx: of the execution.
        random: of the program.
        changed: send a message before each wait.
    """
    stepped, names = [], list(NAMES)
    for number in range(random.randrange(6)):
        match random.choices(OPERATIONS, WEIGHTS)[0]:
            case "send":
                await ctx.send_message(f"{ctx.execution_id} {number}")
            case "step":
                stepped.append(await ctx.step(f"work{number}", work, random.random() / 50))
            case "sleep":
                await ctx.sleep(random.choice(SLEEP_SECONDS))
            case "memory":
                await remember(ctx, number)
            case "wait" if names:
                if changed:
                    await ctx.send_message(f"{ctx.execution_id} {number} before the wait")
                await wait(ctx, names.pop(0), random.choice(WAIT_SECONDS))
            case _:
                await asyncio.sleep(random.random() * 0.05)
    return stepped


async def end(ctx: Context, random: Random, stepped: list[float]) -> dict[str, Any]:
    """End a program in one of the ways in which handlers end."""
    match random.choices(("done", "again", "failed", "broken", "early"), (80, 8, 4, 4, 4))[0]:
        case "again" if ctx.attempt == 1:
            raise Retry(after=random.random() * 0.3, reason="not yet")
        case "failed":
            raise BlockFailed("said_so", data={"execution": ctx.execution_id})
        case "broken":
            raise ValueError("as the program says")
        case "early":
            await ctx.complete({"execution": ctx.execution_id, "step_completed": stepped})
    return {"execution": ctx.execution_id, "step_completed": stepped}


def plainly(ctx: SyncContext, seed: int) -> dict[str, Any]:
    """Run the program in a thread."""
    random = Random(seed)
    for number in range(random.randrange(4)):
        ctx.send_message(f"{ctx.execution_id} {number}")
        time.sleep(random.random() * 0.02)
        if number == 1:
            event = ctx.wait_for(NAMES[0])
            report_read(ctx.execution_id, NAMES[0], event["number"])
    return {"execution": ctx.execution_id}


def plainly_more(ctx: SyncContext, seed: int) -> dict[str, Any]:
    """Run the second version of the program in a thread."""
    result = plainly(ctx, seed)
    ctx.send_message(f"{ctx.execution_id} more")
    return result


for name, terms in TERMS.items():
    app.block(name, title=name, **terms)(plainly if name == "thread" else play)
    second.block(name, title=name, **terms)(plainly_more if name == "thread" else play_more)
