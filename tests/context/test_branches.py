"""Branches of a handler that run side by side: after a crash, each finds its own effects."""

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.waiting import PATIENCE_SECONDS
from vertexkit import App, Context, Retry, SyncContext
from vertexkit.botone.models import Message
from vertexkit.clock import Clock
from vertexkit.context.branches import tracked_tasks
from vertexkit.context.effects import Effects
from vertexkit.context.lifetime import Lifetime
from vertexkit.context.runtime import RunOptions, Runtime
from vertexkit.errors import VertexkitError
from vertexkit.execution import Effect, EffectState, Execution
from vertexkit.journal.memory import MemoryJournal
from vertexkit.journal.protocol import Lease, NullJournalObserver
from vertexkit.telemetry.events import Events
from vertexkit.testing import FakeDialog
from vertexkit.token import Token

Operation = tuple[str, str]
"""`send` and a text, or the name of a step and its argument."""
Program = list[list[Operation]]
"""The operations of each branch."""


class Platform:
    """Counts the messages."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    async def send_message(self, _: Token, text: str, *__: Any) -> Message:
        self.texts.append(text)
        await asyncio.sleep(0)
        return Message(len(self.texts), 0)


class CrashingJournal(MemoryJournal):
    """A journal whose process dies after a number of recorded effects."""

    def __init__(self) -> None:
        super().__init__(Clock())
        self.effects_left = 0
        self.crashed = asyncio.Event()

    async def record_intent(self, lease: Lease, effect: Effect) -> None:
        if self.crashed.is_set():
            await asyncio.Event().wait()
        await super().record_intent(lease, effect)

    async def record_effect(self, lease: Lease, effect: Effect) -> None:
        await super().record_effect(lease, effect)
        if effect.state is EffectState.CONFIRMED:
            self.effects_left -= 1
        if self.effects_left == 0:
            self.crashed.set()
            await asyncio.Event().wait()


@dataclass
class Control:
    """What a context needs of its attempt."""

    stopped: VertexkitError | None = None

    def stop(self, reason: VertexkitError) -> None:
        self.stopped = reason

    def suspend(self, seconds: float) -> None:
        pass

    async def complete(self, data: Any) -> None:
        pass

    async def ensure_lease(self) -> None:
        pass


class World:
    """One execution, its journal and its platform, over several runs."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.platform = Platform()
        self.calls: Counter[Operation] = Counter()
        """Calls of each step's function."""
        self.results: list[tuple[Operation, Any]] = []
        """Of the last run."""
        self._journal = CrashingJournal()

    async def run(self, order: list[int], delays: random.Random, effects: int = -1) -> bool:
        """Run all branches, started in this order.

        Args:
            order: Of the branches.
            delays: Decides how long each branch waits before its operations.
            effects: Confirmed effects after which the process dies; -1: none.

        Returns:
            Whether the run came to its end.
        """
        journal = self._journal
        await journal.open(NullJournalObserver())
        if not self.results and not self.calls and not self.platform.texts:
            await journal.accept(Execution("e" * 22, "b", Token("t"), {}), 10)
        journal.effects_left, journal.crashed = effects, asyncio.Event()
        [lease] = await journal.claim("w", {"b": 1}, 1)
        self.results = []
        with tracked_tasks():
            run = asyncio.ensure_future(self._handler(lease, order, delays))
            crash = asyncio.ensure_future(journal.crashed.wait())
            await asyncio.wait({run, crash}, return_when=asyncio.FIRST_COMPLETED)
        is_over = run.done()
        crash.cancel()
        run.cancel()
        await asyncio.wait({run, crash})
        if is_over:
            run.result()
        journal.release_worker("w")
        return is_over

    async def _handler(self, lease: Lease, order: list[int], delays: random.Random) -> None:
        clock = Clock()
        runtime = Runtime(
            self._journal, cast(Any, self.platform), Events(clock), clock, cast(Any, None)
        )
        control, lifetime = Control(), Lifetime(clock.now() + 60)
        lifetime.branches.enter()
        options = RunOptions("assume_sent", control, lifetime)
        effects = Effects(runtime, lease, options)
        await asyncio.gather(*(self._branch(effects, branch, delays) for branch in order))
        assert control.stopped is None

    async def _branch(self, effects: Effects, branch: int, delays: random.Random) -> None:
        for kind, value in self.program[branch]:
            for _ in range(delays.randrange(30)):
                await asyncio.sleep(0)
            if kind == "send":
                await effects.send(value, True)
            else:
                result = await effects.step(kind, self._call, (kind, value), {})
                self.results.append(((kind, value), result))

    async def _call(self, kind: str, value: str) -> list[str]:
        await asyncio.sleep(0)
        self.calls[kind, value] += 1
        return [kind, value]

    def check(self, crashes: int) -> None:
        """Each message was sent once, and each step has its own result."""
        wanted = [operation for branch in self.program for operation in branch]
        texts = Counter(value for kind, value in wanted if kind == "send")
        assert Counter(self.platform.texts) == texts
        steps = Counter(operation for operation in wanted if operation[0] != "send")
        assert Counter(operation for operation, _ in self.results) == steps
        assert all(list(operation) == result for operation, result in self.results)
        assert all(self.calls[step] >= steps[step] for step in steps)
        # Only those that ran when the process died may have run twice.
        assert sum(self.calls.values()) - sum(steps.values()) <= crashes * len(self.program)


operations = st.one_of(
    st.tuples(st.just("send"), st.sampled_from("ABCD")),
    st.tuples(st.sampled_from(["take", "save"]), st.sampled_from("abc")),
)
programs = st.lists(st.lists(operations, min_size=1, max_size=4), min_size=1, max_size=4)


@pytest.mark.unmeasured
@settings(max_examples=60, deadline=None)
@given(program=programs, seed=st.integers(0, 1000), data=st.data())
def test_each_branch_finds_its_own_after_each_crash(
    program: Program, seed: int, data: st.DataObject
) -> None:
    """Random programs, crashes after random effects, and later runs in any order."""
    delays = random.Random(seed)
    branches = list(range(len(program)))
    total = sum(map(len, program))
    orders = [data.draw(st.permutations(branches)) for _ in range(3)]
    crashes = sorted(data.draw(st.lists(st.integers(1, total), max_size=2)))

    async def play() -> None:
        world = World(program)
        for order, effects in zip(orders, crashes, strict=False):
            if await world.run(order, delays, effects):
                return
        assert await world.run(orders[-1], delays)
        world.check(len(crashes))

    asyncio.run(asyncio.wait_for(play(), PATIENCE_SECONDS))


PROGRAM: Program = [
    [("send", "A"), ("take", "a")],
    [("take", "b"), ("send", "B")],
    [("send", "C"), ("save", "c")],
]


@pytest.mark.parametrize("effects", range(1, 7))
async def test_every_order_of_the_second_run(effects: int) -> None:
    """A crash after each effect, and then the branches in every order."""
    for order in itertools.permutations(range(3)):
        for seed in range(3):
            world = World(PROGRAM)
            assert not await world.run([0, 1, 2], random.Random(seed), effects)
            assert await world.run(list(order), random.Random(seed + 10))
            world.check(1)


def waits(ctx: Context, names: str) -> dict[str, float]:
    """Of two branches: the second run has them the other way round."""
    first, second = tuple(names)
    return {first: 0.0, second: 0.02} if ctx.attempt == 1 else {first: 0.02, second: 0.0}


Start = Callable[[Iterator[Awaitable[Any]]], Awaitable[None]]


async def gather(work: Iterator[Awaitable[Any]]) -> None:
    await asyncio.gather(*work)


async def group(work: Iterator[Awaitable[Any]]) -> None:
    async with asyncio.TaskGroup() as tasks:
        for coroutine in work:
            tasks.create_task(cast(Any, coroutine))


async def wait(work: Iterator[Awaitable[Any]]) -> None:
    await asyncio.wait([asyncio.ensure_future(coroutine) for coroutine in work])


@pytest.mark.parametrize("start", [gather, group, wait])
async def test_a_message_that_another_branch_confirmed_is_not_taken(
    app: App, dialog: FakeDialog, start: Start
) -> None:
    """The branch that comes first in the second run sends its own message; nothing is sent twice."""

    @app.block("again")
    async def again(ctx: Context) -> None:
        async def branch(name: str, seconds: float) -> None:
            await asyncio.sleep(seconds)
            if ctx.attempt == 2 or name == "A":
                await ctx.send_message(name)

        await start(branch(*item) for item in waits(ctx, "AB").items())
        if ctx.attempt == 1:
            raise Retry(after=0)

    run = await dialog.run("again")
    assert sorted(run.messages) == ["A", "B"]


@pytest.mark.parametrize("start", [gather, group, wait])
async def test_texts_that_change_in_branches_are_not_sent_again(
    app: App, dialog: FakeDialog, start: Start
) -> None:
    """Of two branches whose texts change with each run, each repeats one message."""

    @app.block("again")
    async def again(ctx: Context) -> None:
        async def branch(name: str, seconds: float) -> None:
            await asyncio.sleep(seconds)
            await ctx.send_message(f"{name}{ctx.attempt}")

        await start(branch(*item) for item in waits(ctx, "AB").items())
        if ctx.attempt < 3:
            raise Retry(after=0)

    run = await dialog.run("again")
    assert (run.messages, run.attempts) == (["A1", "B1"], 3)


async def test_steps_of_one_name_keep_their_results(app: App, dialog: FakeDialog) -> None:
    """Told apart by their arguments, also when they come in another order."""

    @app.block("again")
    async def again(ctx: Context) -> Any:
        async def branch(name: str, seconds: float) -> tuple[str, str]:
            await asyncio.sleep(seconds)
            return name, await ctx.step("take", lambda value: f"took {value}", name)

        taken = dict(await asyncio.gather(*(branch(*item) for item in waits(ctx, "ab").items())))
        if ctx.attempt == 1:
            raise Retry(after=0)
        return taken

    run = await dialog.run("again")
    assert run.data == {"a": "took a", "b": "took b"}


async def test_a_step_with_other_arguments_parks(app: App, dialog: FakeDialog) -> None:
    """Its result must not be returned, and it must not happen twice."""

    @app.block("again")
    async def again(ctx: Context) -> Any:
        await ctx.step("charge", lambda amount: amount, ctx.attempt)
        raise Retry(after=0)

    run = await dialog.run("again")
    assert run.outcome is not None
    assert run.outcome.code == "nondeterministic"
    assert "'step:charge' with other arguments" in run.outcome.reason


async def test_a_rejected_step_may_change(app: App, dialog: FakeDialog) -> None:
    """It did not happen: the next run may do something else in its place."""

    @app.block("again")
    async def again(ctx: Context) -> Any:
        try:
            return await ctx.step(f"way {ctx.attempt}", lambda: 1 // (ctx.attempt - 1))
        except ZeroDivisionError:
            raise Retry(after=0) from None

    assert (await dialog.run("again")).data == {"result": 1}


async def test_a_background_task_does_not_hold_a_message_for_long(
    app: App, dialog: FakeDialog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task that never makes a call: after a while the message is sent as a new one."""
    monkeypatch.setattr("vertexkit.context.effects.BRANCH_SECONDS", 0.05)

    @app.block("again")
    async def again(ctx: Context) -> None:
        ticker = asyncio.create_task(asyncio.Event().wait())
        await ctx.send_message(f"Run {ctx.attempt}")
        ticker.cancel()
        if ctx.attempt == 1:
            raise Retry(after=0)

    assert (await dialog.run("again")).messages == ["Run 1", "Run 2"]


async def test_a_def_handler_repeats_at_once(app: App, dialog: FakeDialog) -> None:
    """Its own thread is its only branch: a text that changes with each run is not waited for."""
    seconds = 0.0

    @app.block("again")
    def again(ctx: SyncContext) -> None:
        nonlocal seconds
        started = Clock().now()
        ctx.send_message(f"Run {ctx.attempt}")
        seconds = Clock().now() - started
        if ctx.attempt == 1:
            raise Retry(after=0)

    assert (await dialog.run("again")).messages == ["Run 1"]
    assert seconds < 10  # less than half of the dialog's timeout, which a wait would take


async def test_threads_of_a_def_handler_find_their_own(
    app: App, dialog: FakeDialog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in another order."""
    monkeypatch.setattr("vertexkit.context.effects.BRANCH_SECONDS", 2.0)

    @app.block("again")
    def again(ctx: SyncContext) -> None:
        order = "AB" if ctx.attempt == 1 else "BA"
        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(ctx.send_message, order[0])
            if ctx.attempt == 1:
                first.result()
                raise Retry(after=0)
            pool.submit(ctx.send_message, order[1]).result()
            first.result()

    run = await dialog.run("again")
    assert sorted(run.messages) == ["A", "B"]


async def test_apps_share_an_event_loop() -> None:
    """Tasks that a handler starts run as well if several services are in one process."""
    apps = [App(), App()]

    async def say(ctx: Context) -> None:
        await asyncio.gather(ctx.send_message("A"), ctx.send_message("B"))

    for app in apps:
        app.block("say")(say)
    async with FakeDialog(apps[0]) as first, FakeDialog(apps[1]) as second:
        runs = [await dialog.run("say") for dialog in (first, second)]
    assert [run.messages for run in runs] == [["A", "B"], ["A", "B"]]
