"""The app of a simulation: each execution is a random program, the same in every run."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any, Protocol

from tests.chaos.memories import NAME, Recalled
from tests.chaos.observed import Policy
from vertexkit import App, BlockFailed, Context, Retry, WaitTimeout
from vertexkit.blocks.policies import BlockOptions, block_limits, complete_options
from vertexkit.errors import VertexkitError
from vertexkit.journal.limits import NO_LIMITS

BLOCKS: dict[str, BlockOptions] = {
    "assume": {},
    "resend": {"on_unknown": "resend"},
    "raise": {"on_unknown": "raise"},
    "park": {"on_unknown": "park"},
    "leave": {"on_unknown": "park", "on_park": "leave"},
    "once": {"on_crash": "fail"},
    "poison": {"attempts": 3},
    "brief": {"timeout": 1.0, "concurrency": 2},
}
"""The blocks and their options."""
LIMITED: dict[str, BlockOptions] = {
    "assume": {"rate": "3/5s", "key": lambda call, request: request.seed % 2},
    "resend": {"fleet_concurrency": 1},
    "raise": {"fleet_concurrency": 2, "key": lambda call, request: request.seed % 2},
    "park": {"rate": "1/2s"},
    "leave": {"fleet_concurrency": 1, "key": lambda call, request: request.seed % 3},
    "once": {"rate": "2/10s", "fleet_concurrency": 3},
    "poison": {"rate": "4/6s", "fleet_concurrency": 1},
    "brief": {"rate": "5/5s"},
}
"""Their limits, in a part of the worlds."""
LIMITS = {
    name: block_limits(complete_options(name, options)) or NO_LIMITS
    for name, options in LIMITED.items()
}
POLICIES = {
    name: Policy(options.get("on_unknown", "assume_sent"), options.get("on_park", "complete"))
    for name, options in BLOCKS.items()
}
ACTIONS = {"send": 6, "step": 3, "pause": 2, "together": 2, "stream": 1, "long": 0.3}
WAITS = {"sleep": 2, "wait": 4}
"""Further actions of the programs in a part of the worlds."""
MEMORY = {"memory": 4}
"""A further action of some programs."""
PROGRAMS_WITHOUT_MEMORY = 5
"""Of that many programs, all but one do not use the memory of their dialog."""
NAMES = ("first", "second")
"""The events that programs wait for."""
SLEEP_SECONDS = (0.5, 2.0, 50.0)
WAIT_SECONDS = (0.5, 3.0, 60.0)
"""What a program does, and how often."""
ENDS = {"done": 80, "again": 8, "failed": 4, "broken": 4, "early": 6, "deaf": 4}


class Witness(Protocol):
    """Sees what handlers do."""

    def started(self, execution: str, attempt: int) -> None:
        """A handler has been started."""

    def performed(self) -> int:
        """A step's function runs; return a number that no other one gets."""

    def used(self, execution: str, step: str, value: int) -> None:
        """A step has returned a value to its handler."""

    def waits(self, execution: str, attempt: int) -> None:
        """A handler comes to the first wait of its run."""

    def read(self, execution: str, name: str, number: int | None) -> None:
        """A wait has returned an event to its handler; None: it has timed out."""

    def recalled(self, found: Recalled) -> None:
        """A handler has read its number from the memory of the dialog."""

    def remembered(self, execution: str, number: int) -> None:
        """The memory of the dialog has confirmed a number to its handler."""


class Programs(App[Witness]):
    """The app; `ctx.state` is the witness. It is made once: making its schemas takes long."""

    def __init__(self, *, limited: bool) -> None:
        super().__init__(lifespan=self._lifespan)
        self.witness: Witness
        for name, options in BLOCKS.items():
            limits = LIMITED[name] if limited else BlockOptions()
            self.block(name, title=name, **options | limits)(play)

    @asynccontextmanager
    async def _lifespan(self, _: Any) -> AsyncIterator[Witness]:
        yield self.witness


async def play(ctx: Context[Witness], seed: int, waits: bool = False) -> dict[str, Any]:
    """Run a program made from this seed."""
    ctx.state.started(ctx.execution_id, ctx.attempt)
    random, names = Random(seed), list(NAMES)
    actions, waited = ACTIONS | WAITS if waits else ACTIONS, False
    if seed % PROGRAMS_WITHOUT_MEMORY == 0:
        actions = actions | MEMORY
    try:
        for number in range(random.randrange(6)):
            [action] = random.choices(list(actions), list(actions.values()))
            if action in WAITS and not waited:
                waited = True
                ctx.state.waits(ctx.execution_id, ctx.attempt)
            if action == "wait" and names:
                await _wait(ctx, names.pop(), random.choice(WAIT_SECONDS))
            await _act(ctx, action, number, random.random())
    except VertexkitError:
        if random.random() < 0.7:
            raise
        await ctx.send_message(f"{ctx.execution_id} after an error")
    [end] = random.choices(list(ENDS), list(ENDS.values()))
    return await _end(ctx, end, random.random())


async def _act(ctx: Context[Witness], action: str, number: int, draw: float) -> None:
    match action:
        case "send":
            await ctx.send_message(f"{ctx.execution_id} {number}")
        case "step":
            await _step(ctx, f"step{number}", draw)
        case "pause":
            await asyncio.sleep(draw)
        case "long":
            await asyncio.sleep(draw * 20)
        case "sleep":
            await ctx.sleep(SLEEP_SECONDS[int(draw * len(SLEEP_SECONDS))])
        case "together":
            await asyncio.gather(
                ctx.send_message(f"{ctx.execution_id} {number} left"),
                _step_and_send(ctx, number, draw),
                ctx.send_message(f"{ctx.execution_id} {number} right"),
            )
        case "memory":
            await _remember(ctx, number)
        case "stream":
            await ctx.stream(_chunks(ctx.execution_id, number, draw), by="sentence", limit=60)


async def _wait(ctx: Context[Witness], name: str, seconds: float) -> None:
    try:
        event = await ctx.wait_for(name, timeout=seconds)
    except WaitTimeout:
        event = {"number": None}
    ctx.state.read(ctx.execution_id, name, event["number"])


async def _remember(ctx: Context[Witness], number: int) -> None:
    name = NAME.format(ctx.execution_id)
    known = await ctx.memory.get(name, int)
    ctx.state.recalled(Recalled(ctx.execution_id, number, known))
    await ctx.memory.set(name, number)
    ctx.state.remembered(ctx.execution_id, number)


async def _step_and_send(ctx: Context[Witness], number: int, draw: float) -> None:
    await _step(ctx, f"inner{number}", draw)
    await ctx.send_message(f"{ctx.execution_id} {number} inner")


async def _step(ctx: Context[Witness], name: str, draw: float) -> None:
    async def work(seconds: float) -> int:
        await asyncio.sleep(seconds)
        return ctx.state.performed()

    value = await ctx.step(name, work, draw / 50)
    ctx.state.used(ctx.execution_id, name, value)


async def _chunks(execution: str, number: int, draw: float) -> AsyncIterator[str]:
    for sentence in range(1 + int(draw * 4)):
        yield f"{execution} {number}."
        await asyncio.sleep(draw / 20)
        yield f"{sentence} is a sentence. "


async def _end(ctx: Context[Witness], end: str, draw: float) -> dict[str, Any]:
    result = {"execution": ctx.execution_id}
    match end:
        case "again" if ctx.attempt == 1:
            raise Retry(after=draw * 5, reason="not yet")
        case "failed":
            raise BlockFailed("said_so", data=result)
        case "broken":
            raise ValueError("as the program says")
        case "early":
            await ctx.complete(result)
            await asyncio.sleep(draw)
        case "deaf":
            try:
                await asyncio.sleep(draw * 3)
            finally:
                await asyncio.sleep(draw / 2)
    return result


PROGRAMS = {limited: Programs(limited=limited) for limited in (False, True)}
