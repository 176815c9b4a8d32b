"""What recordings show of steps, waits and errors."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from pydantic import BaseModel

from vertexkit import App, Context
from vertexkit.telemetry.events import Event
from vertexkit.testing import FakeDialog
from vertexkit.testing.contents import MAX_CONTENT_BYTES, content_event, describe_error

app = App()


class Payment(BaseModel):
    amount: int


def add(one: int, other: int = 0) -> int:
    return one + other


def fail(value: object) -> None:
    raise ValueError("no such thing")


@app.block("work")
async def work(ctx: Context) -> int:
    total = await ctx.step("add", add, 1, other=2)
    payment = await ctx.wait_for("payment", Payment, timeout=3600)
    await ctx.sleep(7200)
    with suppress(ValueError):
        await ctx.step("fail", fail, b"bytes")
    return total + payment.amount


async def test_steps_and_waits_have_their_contents() -> None:
    """Arguments, results, the schema of an event and its data; once, whatever is run again."""
    contents: list[Event] = []
    dialog = FakeDialog(app)
    async with dialog:
        dialog.subscribe(
            lambda event: contents.append(content_event(event, 0.0, dialog.clock.unix())),
            contents=True,
        )
        live = await dialog.start("work")
        await live.send_event("payment", {"amount": 4})
        await live.skip(hours=2)
        assert (await live.finish()).data == {"result": 7}
    seen = {
        (event.name, event.fields.get("step", event.fields.get("event"))): event.fields
        for event in contents
    }
    assert seen["step_started", "add"]["args"] == [1]
    assert seen["step_started", "add"]["kwargs"] == {"other": 2}
    assert seen["step_ended", "add"]["result"] == 3
    assert seen["step_ended", "fail"]["error"]["message"] == "no such thing"
    assert seen["waiting", "payment"]["schema"]["properties"].keys() == {"amount"}
    assert 3500 < seen["waiting", "payment"]["seconds"] <= 3600
    assert seen["waited", "payment"]["data"] == {"amount": 4}
    assert "data" not in seen["waited", ""]
    assert [event.name for event in contents].count("step_ended") == 2


def test_a_large_value_is_cut() -> None:
    """A recording does not grow with what a step is given."""
    event = Event("step_started", "e", 0.0, {"args": ("x" * 100_000,), "kwargs": {}})
    [text] = [content_event(event, 0.0, 0.0).fields["args"]]
    assert isinstance(text, str)
    assert len(text) <= MAX_CONTENT_BYTES + 1


def misspelt() -> object:
    return "text".uper()  # pyrefly: ignore[missing-attribute]


def raised(function: Callable[[], Any]) -> Exception:
    try:
        function()
    except Exception as error:  # noqa: BLE001 - what the tests describe
        return error
    raise AssertionError("nothing was raised")


def test_an_error_has_its_place_and_a_suggestion() -> None:
    """The frames are the author's own; a misspelt attribute or name has a suggestion."""
    described = describe_error(raised(misspelt))
    assert (described["type"], described["hint"]) == ("AttributeError", "Did you mean 'upper'?")
    assert described["frames"][-1]["file"].endswith("test_contents.py")
    assert "uper()" in described["frames"][-1]["code"]
    assert describe_error(raised(lambda: lenn("x")))["hint"] == "Did you mean 'len'?"  # pyrefly: ignore[unknown-name]  # noqa: F821
    assert describe_error(ValueError("x"))["hint"] == ""
