"""Blocks under simulated failures: what a person in the dialog would have seen."""

import asyncio
from typing import Any

import pytest

from vertexkit import App, BlockFailed, Context
from vertexkit.context.effects import Effects
from vertexkit.execution import Outcome, OutcomeStatus
from vertexkit.testing import chaos
from vertexkit.testing.chaos import (
    COMPLETED_TWICE,
    CONFIRMED_TWICE,
    HANGS,
    NO_FAULT,
    NOT_REPEATABLE,
    Chaos,
    Played,
    Scenario,
    Seen,
    judge,
)
from vertexkit.testing.run import Run

app = App()


@app.block("greet")
async def greet(ctx: Context, name: str) -> dict[str, str]:
    await ctx.send_message(f"Hello, {name}!")
    await ctx.step("count", lambda: 1)
    await ctx.send_message("Bye.")
    return {"greeted": name}


@app.block("resend", on_unknown="resend")
async def resend(ctx: Context) -> None:
    await ctx.send_message("Hello!")


@app.block("park", on_unknown="park", on_park="leave")
async def park(ctx: Context) -> None:
    await ctx.send_message("Hello!")


@app.block("changing")
async def changing(ctx: Context) -> None:
    await ctx.step(f"attempt {ctx.attempt}", lambda: 1)


@app.block("declined")
async def declined(ctx: Context) -> None:
    raise BlockFailed("closed", "The office is closed.")


@app.block("remembers")
async def remembers(ctx: Context) -> None:
    await ctx.memory.update("visits", lambda visits: visits + 1, int, 0)
    await ctx.memory.get("name", str, "")
    await ctx.send_message("Hello!")
    await ctx.step(f"attempt {ctx.attempt}", lambda: 1)


@app.block("stuck")
async def stuck(ctx: Context) -> None:
    await asyncio.Event().wait()


async def seen(block: str, **inputs: Any) -> dict[str, Seen]:
    found = await Chaos(app).check(block, inputs)
    return {run.scenario: run for run in found}


@pytest.mark.unmeasured
async def test_a_block_keeps_its_promises() -> None:
    """Each failure is a row; lost answers, kills and a duplicate call change nothing."""
    found = await seen("greet", name="Anna")
    assert not any(run.broken for run in found.values())
    for scenario in (
        "no fault",
        "lost answer to message 1",
        "lost answer to message 2",
        "lost answer to the completion",
        "429 to message 1",
        "503 to the completion, twice",
        "duplicate call",
        "killed after effect 3",
        "killed after each effect",
    ):
        run = found[scenario]
        assert (run.messages, run.end) == (("Hello, Anna!", "Bye."), "completed"), scenario
    gone = found["dialog gone at message 2"]
    assert (gone.messages, gone.missing, gone.end) == (("Hello, Anna!",), 1, "dialog gone")


async def test_a_message_of_unknown_fate_may_come_twice() -> None:
    """A block that resends doubles it: that is shown, and no promise."""
    run = (await seen("resend"))["lost answer to message 1"]
    assert (run.doubled, run.broken) == (1, ())


async def test_a_hanging_dialog_is_found() -> None:
    """A block that is parked without a completion leaves its dialog waiting."""
    found = await seen("park")
    assert found["lost answer to message 1"].broken == (HANGS,)
    assert found["lost answer to message 1"].end == "hangs"
    assert not found["429 to message 1"].broken


async def test_a_handler_that_hangs_does_not_keep_its_dialog(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its deadline ends it, and the dialog continues: that is a failure of the block only."""
    monkeypatch.setattr(chaos, "_scenarios", lambda _: [])
    run = (await seen("stuck"))["no fault"]
    assert (run.end, run.broken) == ("failed: timeout", ())


async def test_a_handler_that_is_not_deterministic_is_found() -> None:
    """A handler that does something else in its second run does not survive a crash."""
    found = await seen("changing")
    assert not found["no fault"].broken
    assert NOT_REPEATABLE in found["killed after each effect"].broken


async def test_the_process_is_killed_after_each_message_and_step() -> None:
    """Also after the last ones of a block that uses the memory, whose calls are not counted."""
    found = await seen("remembers")
    assert not found["killed after effect 1"].broken
    assert NOT_REPEATABLE in found["killed after effect 2"].broken
    assert "killed after effect 3" not in found


async def test_a_failure_of_the_author_is_an_end() -> None:
    """A block that fails on purpose ends as its author meant."""
    run = (await seen("declined"))["no fault"]
    assert (run.end, run.broken) == ("failed: closed", ())


async def test_a_confirmed_message_that_is_sent_again_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If effects of earlier runs were forgotten, a kill would double messages."""
    number = iter(range(1000))

    async def forget(*_: object) -> tuple[int, None]:
        return next(number), None

    kill = Scenario("killed", crash_after=3)
    monkeypatch.setattr(Effects, "match", forget)
    monkeypatch.setattr(chaos, "_scenarios", lambda _: [kill])
    assert CONFIRMED_TWICE in (await seen("greet", name="Anna"))["killed"].broken


def test_a_second_completion_is_found() -> None:
    """The platform reports it as a violation; each other violation is shown, too."""
    run = Run(200, {}, outcome=Outcome(OutcomeStatus.COMPLETED))
    second = "complete: the block was already completed by request 2"
    other = "send_message: unknown token 12345678"
    base = Played(run, ("Hello!",), completed=True)
    played = Played(run, ("Hello!",), completed=True, violations=(second, other))
    found = judge("greet", Scenario("killed after effect 1"), base, played)
    assert found.broken == (COMPLETED_TWICE, other)
    assert judge("greet", NO_FAULT, base, base).broken == ()
