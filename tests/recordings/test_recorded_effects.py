"""`replay --from N`: what a recorded run did before an effect is taken from its recording."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from vertexkit import App, Context
from vertexkit.cli.develop.replay import replay_run
from vertexkit.cli.develop.replay_options import ReplayOptions
from vertexkit.cli.develop.trigger import TriggerOptions, run_block
from vertexkit.errors import SettingsError
from vertexkit.recordings import Recording, RecordingsFolder
from vertexkit.testing.replay import replay

app = App()
THIS = "tests.recordings.test_recorded_effects:app"
called: list[str] = []
EFFECTS = ["send_message", "price", "send_message", "left", "right", "send_message"]
"""The messages and steps of `order`, in their order."""


async def look_up(what: str) -> dict[str, str]:
    called.append(what)
    return {"found": what}


@app.block("order", title="Order")
async def order(ctx: Context, city: str) -> dict[str, Any]:
    visits = await ctx.memory.get("visits", int, 0)
    await ctx.memory.set("visits", visits + 1)
    await ctx.send_message(f"Hello from {city}!")
    price = await ctx.step("price", look_up, "price")
    async with ctx.or_say(60, "One moment"):
        await ctx.send_message("Please pay.")
    paid = await ctx.wait_for("payment", dict, timeout=60)
    left, right = await ctx.gather(
        ctx.step("left", look_up, "left"), ctx.step("right", look_up, "right")
    )
    await ctx.sleep(3600)
    await ctx.send_message("Thanks!")
    return {"price": price, "paid": paid, "sides": [left, right], "visits": visits}


@pytest.fixture
def recording(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Recording:
    """A recorded run of `order` by `vertexkit trigger`; its folder is the working folder."""
    monkeypatch.chdir(tmp_path)
    events = ('payment={"amount": 5}',)
    options = TriggerOptions(THIS, "order", ["city=Omsk"], None, events=events, fast=True)
    assert run_block(options) == 0
    called.clear()
    return RecordingsFolder().find("last")


@pytest.mark.unmeasured
@pytest.mark.parametrize("first", range(1, len(EFFECTS) + 2))
async def test_a_run_continues_from_each_effect(recording: Recording, first: int) -> None:
    """Before it nothing is sent or called, from it on everything; the whole run is the recorded one."""
    replayed = await replay(app, recording, first=first)
    assert replayed.matches, "\n".join(replayed.difference())
    steps = [name for name in EFFECTS[first - 1 :] if name != "send_message"]
    assert called == steps
    assert len(replayed.run.messages) == EFFECTS[first - 1 :].count("send_message")
    assert [*replayed.taken, *replayed.run.messages] == recording.messages


async def test_changed_code_gets_the_recorded_results(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step with other arguments and a message with another text before N are not repeated."""

    async def changed(what: str) -> dict[str, str]:
        called.append(f"new {what}")
        return {"found": f"new {what}"}

    monkeypatch.setattr("tests.recordings.test_recorded_effects.look_up", changed)
    monkeypatch.setitem(recording.header.inputs, "city", "Tomsk")
    replayed = await replay(app, recording, first=5)
    assert called == ["new right"]
    assert replayed.taken == ("Hello from Omsk!", "Please pay.")
    assert replayed.run.messages == ["Thanks!"]
    assert replayed.run.data["price"] == {"found": "price"}
    assert replayed.run.data["sides"] == [{"found": "left"}, {"found": "new right"}]
    assert not replayed.matches
    assert replayed.replaced == 1


def test_the_command_shows_both_parts_and_keeps_the_recording(
    recording: Recording, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The recording is complete afterwards, and there is no other one."""
    [file] = (tmp_path / ".vertexkit" / "runs").glob("*")
    before = file.read_bytes()
    capsys.readouterr()
    assert replay_run("last", None, ReplayOptions(first=6, must_match=True)) == 0
    printed = capsys.readouterr().out
    assert printed.count("  bot   ") == 3
    assert "Matches the recording." in printed
    assert called == []
    assert list((tmp_path / ".vertexkit" / "runs").glob("*")) == [file]
    assert file.read_bytes() == before


def test_a_text_that_has_changed_is_reported(
    recording: Recording, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message of the current code was not sent, which the command says."""
    file = RecordingsFolder().files()[0]
    text = file.read_text(encoding="utf-8").replace("Please pay.", "Pay, please.")
    file.write_text(text, encoding="utf-8")
    capsys.readouterr()
    assert replay_run("last", None, ReplayOptions(first=6)) == 0
    printed = capsys.readouterr().out
    assert "  bot   Pay, please." in printed
    assert "Not sent, because the recorded text was taken instead: 1 message." in printed


def test_a_number_that_the_run_does_not_have_is_an_error(recording: Recording) -> None:
    """The error lists the effects with their numbers."""
    with pytest.raises(SettingsError, match=r"at most 7, got 8; .* 1 'send_message', 2 'price', 3"):
        replay_run("last", None, ReplayOptions(first=8))
    with pytest.raises(SettingsError, match="--save-test and --from exclude each other"):
        replay_run("last", None, ReplayOptions(first=2, save_test=True))


def test_a_result_that_is_not_in_the_recording_is_an_error(recording: Recording) -> None:
    """A service records no results of steps, and `trigger` cuts large ones."""
    lines = tuple(line for line in recording.lines if line.get("name") != "step_ended")
    with pytest.raises(SettingsError, match="not have the whole result of the step 'price'"):
        asyncio.run(replay(app, Recording(recording.header, lines), first=3))
