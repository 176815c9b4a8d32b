"""Crashes that a test orders: the process of a handler dies after an effect."""

import asyncio
import gc
from pathlib import Path
from typing import Any

import pytest

from vertexkit import App, BlockFailed, Context, Retry, SyncContext
from vertexkit.testing import FakeDialog, FakePlatform

app = App()
done: list[str] = []
runs: list[int] = []


@pytest.fixture(autouse=True)
def nothing_done() -> None:
    done.clear()
    runs.clear()


def note(name: str) -> str:
    done.append(name)
    return name


@app.block("order")
async def order(ctx: Context, item: str = "tea") -> dict[str, str]:
    runs.append(ctx.attempt)
    number = await ctx.step("reserve", note, f"reserve {item}")
    await ctx.send_message("Reserved.")
    paid = await ctx.step("pay", note, "pay")
    await ctx.send_message("Paid.")
    done.append("end")
    return {"number": number, "paid": paid}


@app.block("plain")
def plain(ctx: SyncContext) -> str:
    runs.append(ctx.attempt)
    first = ctx.step("reserve", note, "reserve")
    ctx.send_message("Reserved.")
    return first


@app.block("cleans_up")
async def cleans_up(ctx: Context) -> None:
    runs.append(ctx.attempt)
    try:
        await ctx.step("reserve", note, "reserve")
        await ctx.send_message("Reserved.")
    except Exception:  # noqa: BLE001 - what authors write
        await ctx.send_message("Something went wrong.")
        raise BlockFailed("failed", "Failed.") from None
    finally:
        done.append(f"clean-up {ctx.attempt}")


@app.block("attempts_once", on_crash="fail")
async def attempts_once(ctx: Context) -> None:
    await ctx.step("reserve", note, "reserve")


@app.block("changes_step")
async def changes_step(ctx: Context) -> None:
    await ctx.step("first", note, "first")
    await ctx.step(f"second {len(runs)}", note, "second")
    runs.append(1)
    await ctx.step("third", note, "third")


@app.block("changes_text")
async def changes_text(ctx: Context) -> None:
    await ctx.send_message(f"Attempt {ctx.attempt}")


@app.block("waits")
async def waits(ctx: Context) -> int:
    await ctx.send_message("one")
    if ctx.attempt < 4:
        raise Retry(after=3600)
    await ctx.send_message("two")
    return ctx.attempt


@app.block("early")
async def early(ctx: Context) -> None:
    await ctx.send_message("one")
    await ctx.complete({"early": True})
    await ctx.step("after", note, "after")


@app.block("remembers")
async def remembers(ctx: Context) -> None:
    await ctx.memory.update("visits", lambda visits: visits + 1, int, 0)
    done.append("before")
    await ctx.send_message("Hello.")
    done.append("between")
    await ctx.sleep(3600)
    await ctx.step("pay", note, "pay")
    done.append("end")


MESSAGES = ["Reserved.", "Paid."]
EFFECTS = ["reserve tea", "pay", "end"]


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    "crash_after", [1, 2, 3, 4, "reserve", "send_message", "pay"], ids=lambda value: f"{value}"
)
async def test_a_second_run_continues_after_the_crash(crash_after: int | str) -> None:
    """Whatever the effect is, none is repeated, and the platform sees one completion."""
    dialog = FakeDialog(app)
    run = await dialog.run("order", crash_after=crash_after)
    assert run.messages == MESSAGES
    assert run.data == {"number": "reserve tea", "paid": "pay"}
    assert done == EFFECTS
    assert (run.crashes, run.attempts, runs) == (1, 2, [1, 2])
    assert "fenced" in run.events
    dialog.platform.check()


@pytest.mark.parametrize("journal", ["memory:", "sqlite:{}/journal.db"])
async def test_a_crash_after_every_effect_changes_nothing(journal: str, tmp_path: Path) -> None:
    """Each run does one effect more; the attempt stays 2, so that `attempts` does not end it."""
    dialog = FakeDialog(app, journal=journal.format(tmp_path), attempts=2)
    run = await dialog.run("order", crash_everywhere=True)
    assert run.messages == MESSAGES
    assert done == EFFECTS
    assert (run.crashes, runs) == (4, [1, 2, 2, 2, 2])
    dialog.platform.check()


@pytest.mark.parametrize(
    "crash_after, expected",
    [
        (1, ["before", "before", "between", "before", "between", "pay", "end"]),
        (2, ["before", "between", "before", "between", "pay", "before", "between", "end"]),
        ("memory.update:visits", ["before", "between", "before", "between", "pay", "end"]),
        ("sleep", [*["before", "between"] * 3, "pay", "end"]),  # it is over in the second run
    ],
)
async def test_messages_and_steps_are_counted(crash_after: int | str, expected: list[str]) -> None:
    """Calls of the memory and waits have names, and no numbers."""
    run = await FakeDialog(app).run("remembers", crash_after=crash_after)
    assert (done, run.crashes, run.messages) == (expected, 1, ["Hello."])


async def test_an_effect_that_has_no_number_is_listed_too() -> None:
    """The error of a crash that did not happen numbers messages and steps only."""
    effects = "'memory.update:visits', 1 'send_message', 'sleep', 2 'pay'"
    with pytest.raises(AssertionError, match=f"its effects: {effects}$"):
        await FakeDialog(app).run("remembers", crash_after=3)


async def test_runs_of_one_dialog_crash_apart_from_each_other() -> None:
    """The crash of one execution does not end those that run at the same time."""
    async with FakeDialog(app) as dialog:
        plans: list[dict[str, Any]] = [{"crash_after": 2}, {}, {"crash_everywhere": True}, {}]
        orders = [dialog.run("order", item=f"{n}", **plan) for n, plan in enumerate(plans)]
        results = await asyncio.gather(*orders)
    assert [run.crashes for run in results] == [1, 0, 4, 0]
    assert [run.attempts for run in results] == [2, 1, 5, 1]
    assert all(run.messages == MESSAGES for run in results)


async def test_a_plain_function_crashes_too() -> None:
    """A `def` handler's thread cannot be killed; what it does afterwards does not count."""
    run = await FakeDialog(app).run("plain", crash_everywhere=True)
    assert run.messages == ["Reserved."]
    assert (done, runs) == (["reserve"], [1, 2, 2])


async def test_tasks_of_a_handler_crash_with_it() -> None:
    """Also those that no other code awaits when the process dies: asyncio reports none of them."""
    own = App()

    @own.block("tasks")
    async def tasks(ctx: Context) -> None:
        queue: asyncio.Queue[int] = asyncio.Queue()

        async def work() -> None:
            while True:
                await ctx.send_message(f"job {await queue.get()}")
                queue.task_done()

        first = asyncio.create_task(ctx.send_message("first"))
        workers = [asyncio.create_task(work()) for _ in range(3)]
        for job in range(4):
            queue.put_nowait(job)
        await queue.join()
        await first
        for worker in workers:
            worker.cancel()

    async with asyncio.timeout(60):
        run = await FakeDialog(own, FakePlatform()).run("tasks", crash_everywhere=True)
        gc.collect()
        await asyncio.sleep(0)
    assert sorted(run.messages) == ["first", *(f"job {job}" for job in range(4))]
    assert run.ok


async def test_clean_up_of_a_dead_process_does_not_count() -> None:
    """Its `except` cannot send messages nor end the block; the next run starts after it."""
    dialog = FakeDialog(app)
    run = await dialog.run("cleans_up", crash_after="reserve")
    assert run.messages == ["Reserved."]
    assert run.ok, run
    assert done == ["reserve", "clean-up 1", "clean-up 2"]
    dialog.platform.check()


async def test_on_crash_is_obeyed() -> None:
    """A block that must not run again is completed as failed."""
    run = await FakeDialog(app).run("attempts_once", crash_after=1)
    assert run.data["error"]["code"] == "crashed"
    assert done == ["reserve"]


async def test_a_rerun_that_does_something_else_fails_the_test() -> None:
    """The message names the block, the position and both effects."""
    with pytest.raises(AssertionError, match=r"'changes_step' is not deterministic: .*second 0.*1"):
        await FakeDialog(app).run("changes_step", crash_everywhere=True)


async def test_a_rerun_with_another_text_fails_the_test() -> None:
    """The message counts as sent in production; a test should know that its text differs."""
    with pytest.raises(AssertionError, match=r"'changes_text' is not deterministic: .*position 0"):
        await FakeDialog(app).run("changes_text", crash_everywhere=True)


async def test_a_single_crash_shows_nondeterminism_in_the_run() -> None:
    """With `crash_after`, the execution is parked as it would be in production."""
    run = await FakeDialog(app).run("changes_step", crash_after=3)
    assert run.outcome is not None
    assert (run.outcome.status, run.outcome.code) == ("parked", "nondeterministic")


async def test_retries_and_crashes_are_counted_apart() -> None:
    """`ctx.attempt` grows by one for all crashes, and by one for each `Retry`."""
    run = await FakeDialog(app, attempts=4).run("waits", crash_everywhere=True)
    assert run.messages == ["one", "two"]
    assert run.ok, run


async def test_a_crash_after_an_early_completion() -> None:
    """The completion is not sent twice."""
    dialog = FakeDialog(app)
    run = await dialog.run("early", crash_everywhere=True)
    assert run.messages == ["one"]
    assert run.data == {"early": True}
    dialog.platform.check()


@pytest.mark.parametrize(
    "crash_after, message",
    [
        ("pya", "crash_after='pya': .* its effects: 1 'reserve', 2 'send_message', 3 'pay'"),
        (5, "crash_after=5: the process did not crash, because the block has no such effect"),
    ],
)
async def test_a_crash_that_did_not_happen_fails_the_test(
    crash_after: int | str, message: str
) -> None:
    """A misspelt step or a number that is too large is an error, which lists the effects."""
    with pytest.raises(AssertionError, match=message):
        await FakeDialog(app).run("order", crash_after=crash_after)


@pytest.mark.parametrize("plan", [{"crash_after": 0}, {"crash_after": 1, "crash_everywhere": True}])
async def test_an_order_that_makes_no_sense_is_an_error(plan: dict[str, Any]) -> None:
    """Effects are counted from 1, and the two kinds of crashes exclude each other."""
    with pytest.raises(ValueError, match="crash_after"):
        await FakeDialog(app).run("order", **plan)


def test_a_plain_test_can_order_crashes() -> None:
    """`run_sync` takes the same arguments."""
    run = FakeDialog(app).run_sync("order", crash_after="pay")
    assert (run.crashes, run.messages) == (1, MESSAGES)
