"""Replay: a handler that runs again gets the stored results, and no message is sent twice."""

import asyncio
from typing import Any

import pytest
import structlog

from vertexkit import App, Context, Message, Retry
from vertexkit.errors import BadRequest, NonDeterministic, SendOutcomeUnknown
from vertexkit.execution import Effect, Execution, Outcome, OutcomeStatus
from vertexkit.journal.memory import MemoryJournal
from vertexkit.service import running_service
from vertexkit.settings import Settings
from vertexkit.telemetry.events import Event
from vertexkit.testing import FakeDialog, FakePlatform, VirtualClock
from vertexkit.testing.asgi_wire import AsgiWire
from vertexkit.token import Token


async def test_a_second_run_sends_nothing_again(app: App, dialog: FakeDialog) -> None:
    """After a Retry every message returns its stored result, and only what is new is sent."""
    runs: list[list[Message]] = []

    @app.block("again")
    async def again(ctx: Context) -> None:
        runs.append([await ctx.send_message("Раз"), await ctx.send_message("Два")])
        if ctx.attempt == 1:
            raise Retry(after=60)
        runs[-1].append(await ctx.send_message("Три"))

    run = await dialog.run("again")
    assert run.messages == ["Раз", "Два", "Три"]
    assert runs[0] == runs[1][:2]
    assert runs[1][2].message_id == run.messages[2].message_id
    assert (run.attempts, run.events.count("sent"), run.ok) == (2, 3, True)


async def test_another_text_is_logged_and_not_sent(app: App, dialog: FakeDialog) -> None:
    """Another text in the second run is not sent; it is logged without the text."""

    @app.block("again")
    async def again(ctx: Context) -> None:
        await ctx.send_message(f"Попытка {ctx.attempt}")
        if ctx.attempt == 1:
            raise Retry

    with structlog.testing.capture_logs() as lines:
        run = await dialog.run("again")
    assert (run.messages, run.ok) == (["Попытка 1"], True)
    [line] = [line for line in lines if line["event"] == "effect_changed"]
    assert (line["position"], line["kind"], line["log_level"]) == (0, "send", "warning")
    assert "Попытка" not in repr(line)


async def test_a_rejected_message_is_sent_again(
    app: App, dialog: FakeDialog, fake_platform: FakePlatform
) -> None:
    """A message that the platform rejected was not sent: the next run may send it."""
    fake_platform.fail("send_message", status=400)

    @app.block("again")
    async def again(ctx: Context) -> None:
        try:
            await ctx.send_message(f"Попытка {ctx.attempt}")
        except BadRequest as error:
            raise Retry from error

    run = await dialog.run("again")
    assert (run.messages, run.attempts) == (["Попытка 2"], 2)


@pytest.mark.parametrize("policy, second", [("assume_sent", "sent"), ("raise", "sent")])
async def test_what_is_unknown_stays_unknown(
    app: App, dialog: FakeDialog, fake_platform: FakePlatform, policy: Any, second: str
) -> None:
    """A message with an unknown outcome is not sent by a later run, which gets the same result."""
    fake_platform.fail("send_message", kind="lost")
    ends: list[str] = []

    @app.block("again", on_unknown=policy)
    async def again(ctx: Context) -> None:
        try:
            assert await ctx.send_message("Раз") == Message(None, None)
            ends.append("sent")
        except SendOutcomeUnknown:
            ends.append("sent")
        if ctx.attempt == 1:
            raise Retry

    run = await dialog.run("again")
    assert (run.messages, ends, run.ok) == (["Раз"], [second] * 2, True)


@pytest.mark.parametrize(
    "first,second",
    [("send", "step:a"), ("step:a", "send"), ("step:a", "step:b")],
)
async def test_another_kind_of_effect_parks(
    app: App, dialog: FakeDialog, first: str, second: str
) -> None:
    """A second run that does something else is stopped, and parked with the reason."""
    went_on: list[str] = []

    async def do(ctx: Context, kind: str) -> None:
        if kind == "send":
            await ctx.send_message("Раз")
        else:
            await ctx.step(kind.removeprefix("step:"), lambda: 1)

    @app.block("again")
    async def again(ctx: Context) -> None:
        await do(ctx, first if ctx.attempt == 1 else second)
        if ctx.attempt == 1:
            raise Retry
        went_on.append("too far")

    run = await dialog.run("again")
    assert went_on == []
    assert run.outcome is not None
    assert (run.outcome.status, run.outcome.code) == (OutcomeStatus.PARKED, "nondeterministic")
    assert "position 0" in run.outcome.reason
    assert first in run.outcome.reason
    assert second in run.outcome.reason
    assert run.data["error"]["code"] == "nondeterministic"


async def test_catching_nondeterministic_does_not_help(app: App, dialog: FakeDialog) -> None:
    """Catching NonDeterministic does not help: nothing more is sent, and no step is run."""
    called = list[int]()

    @app.block("again")
    async def again(ctx: Context) -> None:
        if ctx.attempt == 1:
            await ctx.send_message("Раз")
            raise Retry
        for _ in range(2):
            with pytest.raises(NonDeterministic):
                await ctx.step("other", lambda: called.append(1))
        with pytest.raises(NonDeterministic):
            await ctx.send_message("Два")

    run = await dialog.run("again")
    assert (run.messages, called) == (["Раз"], [])
    assert run.outcome is not None
    assert run.outcome.code == "nondeterministic"


async def test_a_run_may_do_more_or_less_than_the_first(app: App, dialog: FakeDialog) -> None:
    """What an earlier run did and this one does not is left as it is."""

    @app.block("again")
    async def again(ctx: Context) -> None:
        await ctx.send_message("Раз")
        if ctx.attempt == 1:
            await ctx.send_message("Два")
            raise Retry

    run = await dialog.run("again")
    assert (run.messages, run.ok) == (["Раз", "Два"], True)


class Wreck:
    """An execution whose first worker died in the middle of it."""

    def __init__(self, app: App, platform: FakePlatform, clock: VirtualClock) -> None:
        self.app, self.platform, self.clock = app, platform, clock
        self.journal = MemoryJournal(clock)
        self.token = platform.issue("again")

    async def leave(self, *effects: Effect) -> None:
        """The dead worker had started these effects."""
        call = Execution("e" * 22, "again", Token(self.token), {})
        await self.journal.accept(call, 1)
        [lease] = await self.journal.claim("dead", {"again": 1}, 1)
        for effect in effects:
            await self.journal.record_intent(lease, effect)
        self.clock.skip_to(self.clock.now() + 31)

    async def end(self) -> tuple[list[str], Outcome]:
        """Another worker runs it to its outcome; return the events' names and the outcome."""
        settings = Settings.of(platform_url="http://platform.test/api", timeout=60)
        events: list[str] = []
        settled = asyncio.Event()

        def note(event: Event) -> None:
            events.append(event.name)
            if event.name == "settled":
                settled.set()

        wire = AsgiWire(self.platform, self.clock)
        async with running_service(
            self.app, settings, clock=self.clock, wire=wire, journal=self.journal
        ) as service:
            service.events.subscribe(note)
            await settled.wait()
        record = await self.journal.find("e" * 22)
        assert record is not None
        assert record.outcome is not None
        return events, record.outcome


@pytest.mark.parametrize(
    "policy,messages,code",
    [
        ("assume_sent", ["Два"], "ok"),
        ("resend", ["Раз", "Два"], "ok"),
        ("raise", ["Два"], "ok"),
        ("park", [], "unknown"),
    ],
)
async def test_a_message_interrupted_by_a_crash(
    app: App,
    fake_platform: FakePlatform,
    clock: VirtualClock,
    policy: Any,
    messages: list[str],
    code: str,
) -> None:
    """A message that a dead worker had started has an unknown outcome: the block's policy decides."""

    @app.block("again", on_unknown=policy)
    async def again(ctx: Context) -> None:
        assert ctx.attempt == 2
        try:
            await ctx.send_message("Раз")
        except SendOutcomeUnknown:
            if policy == "park":
                raise
        await ctx.send_message("Два")

    wreck = Wreck(app, fake_platform, clock)
    await wreck.leave(Effect(0, "send", "whatever"))
    events, outcome = await wreck.end()
    assert [message.text for message in fake_platform.dialog(wreck.token).messages] == messages
    assert outcome.code == code
    assert events.count("send_outcome_unknown") == 1


async def test_a_step_interrupted_by_a_crash(
    app: App, fake_platform: FakePlatform, clock: VirtualClock
) -> None:
    """A step that a dead worker had started is run again from its start."""
    calls: list[int] = []

    @app.block("again")
    async def again(ctx: Context) -> None:
        await ctx.step("rate", lambda: calls.append(ctx.attempt))

    wreck = Wreck(app, fake_platform, clock)
    await wreck.leave(Effect(0, "step:rate"))
    _, outcome = await wreck.end()
    assert (calls, outcome.code) == ([2], "ok")
