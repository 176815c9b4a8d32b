"""Messages with an unknown outcome: the block's `on_unknown` decides."""

from contextlib import suppress
from typing import Any

import pytest

from vertexkit import App, Context, Message
from vertexkit.errors import Fate, PlatformError, SendOutcomeUnknown
from vertexkit.execution import EffectState, OutcomeStatus
from vertexkit.testing import FakeDialog, FakePlatform

LOSSES: dict[str, tuple[dict[str, Any], bool]] = {
    "lost": ({"kind": "lost"}, True),
    "500": ({"kind": "lost", "status": 500}, True),
    "cut": ({"kind": "cut"}, False),
    "502": ({"status": 502}, False),
}
"""Answers that never came or that say nothing, and whether the message was carried out."""
each_loss = pytest.mark.parametrize("fault,processed", LOSSES.values(), ids=LOSSES)


@each_loss
async def test_by_default_it_counts_as_sent(
    app: App,
    dialog: FakeDialog,
    fake_platform: FakePlatform,
    fault: dict[str, Any],
    processed: bool,
) -> None:
    """A message with an unknown outcome is not sent again, has no id, and the handler continues."""
    fake_platform.fail("send_message", **fault)
    sent: list[Message] = []

    @app.block("talk")
    async def talk(ctx: Context) -> None:
        sent.append(await ctx.send_message("Раз"))
        await ctx.send_message("Два")

    run = await dialog.run("talk")
    assert sent == [Message(None, None)]
    assert run.messages == (["Раз", "Два"] if processed else ["Два"])
    assert run.ok
    assert run.events.count("send_outcome_unknown") == 1
    assert run.retries == 0


@pytest.mark.unmeasured
@each_loss
async def test_resend_may_send_twice(
    app: App,
    dialog: FakeDialog,
    fake_platform: FakePlatform,
    fault: dict[str, Any],
    processed: bool,
) -> None:
    """With `resend` it is sent until the platform confirms it, even if it may be sent twice."""
    fake_platform.fail("send_message", **fault, times=2)
    sent: list[Message] = []

    @app.block("talk", on_unknown="resend")
    async def talk(ctx: Context) -> None:
        sent.append(await ctx.send_message("Раз"))

    run = await dialog.run("talk")
    assert run.messages == ["Раз"] * (3 if processed else 1)
    assert run.ok
    assert [message.message_id for message in sent] == [run.messages[-1].message_id]
    tries = [entry for entry in fake_platform.ledger if entry.method == "send_message"]
    assert len({entry.body for entry in tries}) == 1
    assert tries[1].at - tries[0].at >= 1


async def test_resend_ends_with_the_handler_s_time(
    app: App, dialog: FakeDialog, fake_platform: FakePlatform
) -> None:
    """If the platform never confirms, sending ends at the deadline."""
    fake_platform.fail("send_message", status=500, times=5000)

    @app.block("talk", timeout=10, on_unknown="resend")
    async def talk(ctx: Context) -> None:
        await ctx.send_message("Раз")

    run = await dialog.run("talk")
    assert run.data["error"]["code"] == "timeout"
    tries = [entry for entry in fake_platform.ledger if entry.method == "send_message"]
    assert 2 <= len(tries) <= 12
    fake_platform._faults._queues["send_message"].clear()


@pytest.mark.unmeasured
@each_loss
async def test_raise_leaves_it_to_the_handler(
    app: App,
    dialog: FakeDialog,
    fake_platform: FakePlatform,
    fault: dict[str, Any],
    processed: bool,
) -> None:
    """With `raise` the handler gets SendOutcomeUnknown, and may continue."""
    fake_platform.fail("send_message", **fault)

    @app.block("talk", on_unknown="raise")
    async def talk(ctx: Context) -> None:
        with pytest.raises(SendOutcomeUnknown) as info:
            await ctx.send_message("Раз")
        assert info.value.fate is Fate.UNKNOWN
        assert isinstance(info.value.__cause__, PlatformError)
        await ctx.send_message("Два")

    run = await dialog.run("talk")
    assert run.messages == (["Раз", "Два"] if processed else ["Два"])
    assert run.ok


async def test_raise_fails_a_block_that_does_not_catch_it(
    app: App, dialog: FakeDialog, fake_platform: FakePlatform
) -> None:
    """With `raise`, a handler that does not catch it fails as by any other exception."""
    fake_platform.fail("send_message", kind="lost")

    @app.block("talk", on_unknown="raise")
    async def talk(ctx: Context) -> None:
        await ctx.send_message("Раз")

    assert (await dialog.run("talk")).data["error"]["code"] == "internal"


@each_loss
async def test_park_leaves_it_to_an_operator(
    app: App,
    dialog: FakeDialog,
    fake_platform: FakePlatform,
    fault: dict[str, Any],
    processed: bool,
) -> None:
    """With `park` the execution is parked, and its block is completed as failed."""
    fake_platform.fail("send_message", **fault)
    went_on = False

    @app.block("talk", on_unknown="park")
    async def talk(ctx: Context) -> None:
        nonlocal went_on
        await ctx.send_message("Раз")
        went_on = True

    run = await dialog.run("talk")
    assert not went_on
    assert run.messages == (["Раз"] if processed else [])
    assert run.data["error"]["code"] == "unknown"
    assert run.outcome is not None
    assert (run.outcome.status, run.outcome.code) == (OutcomeStatus.PARKED, "unknown")
    assert "send_message" in run.outcome.reason


@pytest.mark.unmeasured
@pytest.mark.parametrize("kind", ["garbage", "half"])
@pytest.mark.parametrize("policy", ["assume_sent", "resend", "raise", "park"])
async def test_an_unreadable_confirmation_counts(
    app: App, dialog: FakeDialog, fake_platform: FakePlatform, kind: str, policy: str
) -> None:
    """A 200 whose body cannot be read means sent, whatever the policy: only the id is missing."""
    fake_platform.fail("send_message", kind=kind)
    sent: list[Message] = []

    async def talk(ctx: Context) -> None:
        sent.append(await ctx.send_message("Раз"))

    app.block("talk", on_unknown=policy)(talk)  # pyrefly: ignore[bad-argument-type]
    run = await dialog.run("talk")
    assert (run.messages, run.ok, run.events.count("send_outcome_unknown")) == (["Раз"], True, 0)
    assert sent == [Message(None, None)]


async def test_a_response_that_is_too_late(
    app: App, dialog: FakeDialog, fake_platform: FakePlatform
) -> None:
    """An answer that does not come within the request's time leaves its fate unknown."""
    fake_platform.fail("send_message", kind="slow", seconds=16)
    sent: list[Message] = []

    @app.block("talk")
    async def talk(ctx: Context) -> None:
        sent.append(await ctx.send_message("Раз"))

    run = await dialog.run("talk")
    assert (sent, run.messages, run.ok) == ([Message(None, None)], ["Раз"], True)


@pytest.mark.parametrize("policy", ["assume_sent", "raise", "park"])
async def test_the_journal_marks_it_unknown(
    app: App, dialog: FakeDialog, fake_platform: FakePlatform, policy: Any
) -> None:
    """An operator can see which messages may not have arrived, long after the end."""
    fake_platform.fail("send_message", kind="lost", after=1)

    @app.block("talk", on_unknown=policy)
    async def talk(ctx: Context) -> None:
        await ctx.send_message("Раз")
        with suppress(SendOutcomeUnknown):
            await ctx.send_message("Два")

    async with dialog:
        run = await dialog.run("talk")
        record = await dialog._journal.find(str(run.execution))
    assert record is not None
    states = [effect.state for effect in record.effects]
    assert states == [EffectState.CONFIRMED, EffectState.UNKNOWN]
