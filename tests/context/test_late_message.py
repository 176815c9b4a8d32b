"""Messages that are sent only if the body takes long, and what a later run makes of them."""

import asyncio
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from vertexkit import App, Context, SyncContext
from vertexkit.context.late_message import SyncLateMessage
from vertexkit.errors import BadRequest
from vertexkit.testing import FakeDialog, FakePlatform

TEXT = "One moment…"
AFTER, SHORT, LONG = 60, 1, 200
"""Seconds after which it is said, and of bodies that end before and after that, also on a machine that
is frozen for a while."""


@pytest.fixture
def dialog(app: App, fake_platform: FakePlatform) -> FakeDialog:
    """Its handlers have time for several long bodies."""
    return FakeDialog(app, fake_platform, timeout=3000)


@pytest.mark.parametrize("seconds, messages", [(SHORT, ["Done"]), (LONG, [TEXT, "Done"])])
@pytest.mark.parametrize("crash_everywhere", [False, True])
async def test_it_is_said_only_if_the_body_takes_long(
    app: App, dialog: FakeDialog, seconds: int, messages: list[str], crash_everywhere: bool
) -> None:
    """After `after` seconds of the body it is sent, once, also if each effect crashes.

    What takes long after the body does not count.
    """

    @app.block("work")
    async def work(ctx: Context) -> str:
        async with ctx.or_say(AFTER, TEXT, typing=False):
            await ctx.step("think", asyncio.sleep, seconds)
        await ctx.step("look", asyncio.sleep, LONG)
        await ctx.send_message("Done")
        return "done"

    run = await dialog.run("work", crash_everywhere=crash_everywhere)
    assert (run.messages, run.data) == (messages, {"result": "done"})
    if len(messages) == 2:
        assert AFTER <= run.messages[0].at < LONG
        assert run.messages[0].typing is False


@pytest.mark.parametrize("first, second", [(LONG, 0), (0, LONG)])
async def test_a_later_run_repeats_the_decision(
    app: App, dialog: FakeDialog, first: int, second: int
) -> None:
    """Its body may take another time than the first run's: no message more, and none less."""

    @app.block("work")
    async def work(ctx: Context) -> None:
        async with ctx.or_say(AFTER, f"{TEXT} {ctx.attempt}"):
            await asyncio.sleep(first if ctx.attempt == 1 else second)
        await ctx.send_message(f"Run {ctx.attempt}")
        await ctx.step("end", lambda: 1)
        await ctx.send_message("Done")

    run = await dialog.run("work", crash_after="end")
    late = [f"{TEXT} 1"] if first > AFTER else []
    assert run.messages == [*late, "Run 1", "Done"]
    assert (run.ok, run.attempts) == (True, 2)


async def test_a_crash_after_the_decision_does_not_lose_it(app: App, dialog: FakeDialog) -> None:
    """A run that dies between the decision and the message sends it in the next run, at once."""

    @app.block("work")
    async def work(ctx: Context) -> None:
        async with ctx.or_say(AFTER, TEXT):
            await ctx.send_message(f"Before {ctx.attempt}")
            await asyncio.sleep(LONG if ctx.attempt == 1 else 0)
            await ctx.send_message("In the body")

    run = await dialog.run("work", crash_after="or_say")
    assert sorted(run.messages) == sorted(["Before 1", TEXT, "In the body"])
    assert run.ok


async def test_the_same_text_elsewhere_is_another_message(app: App, dialog: FakeDialog) -> None:
    """A usual message with the same text is sent too, in whatever order later runs ask."""

    @app.block("work")
    async def work(ctx: Context) -> None:
        async def late() -> None:
            async with ctx.or_say(1, TEXT):
                await ctx.step("think", asyncio.sleep, 3)

        async def at_once() -> None:
            await ctx.send_message(TEXT)

        calls = [late(), at_once()]
        await ctx.gather(*(calls if ctx.attempt % 2 else calls[::-1]))

    run = await dialog.run("work", crash_everywhere=True)
    assert (run.messages, run.ok) == ([TEXT, TEXT], True)


async def test_errors_of_the_body_are_raised(app: App, dialog: FakeDialog) -> None:
    """The body's error reaches the handler; the decision is kept, so a later run repeats it."""
    raised: list[str] = []

    @app.block("work")
    async def work(ctx: Context) -> None:
        for name, seconds in (("short", SHORT), ("long", LONG)):
            try:
                async with asyncio.timeout(seconds), ctx.or_say(AFTER, f"{TEXT} {name}"):
                    await asyncio.sleep(600)
            except TimeoutError:
                raised.append(name)
        await ctx.step("end", lambda: 1)

    run = await dialog.run("work", crash_everywhere=True)
    assert (run.messages, run.ok) == ([f"{TEXT} long"], True)
    assert raised[-2:] == ["short", "long"]


@pytest.mark.parametrize("journal", ["memory:", "sqlite:{}/journal.db"])
async def test_every_journal_keeps_the_decision(journal: str, tmp_path: Path) -> None:
    """The decisions of two blocks of code, one said and one not, survive a crash after each effect."""
    app = App()

    @app.block("work")
    async def work(ctx: Context) -> None:
        for seconds in (LONG, SHORT):
            async with ctx.or_say(AFTER, f"{TEXT} {seconds}"):
                await ctx.gather(
                    ctx.step("think", asyncio.sleep, seconds), ctx.send_message(f"In {seconds}")
                )

    dialog = FakeDialog(app, journal=journal.format(tmp_path), timeout=3000)
    run = await dialog.run("work", crash_everywhere=True)
    assert sorted(run.messages) == sorted([f"In {SHORT}", f"In {LONG}", f"{TEXT} {LONG}"])
    assert run.ok
    dialog.platform.check()


async def test_an_error_of_the_message_is_raised_after_the_body(
    app: App, dialog: FakeDialog
) -> None:
    """What the platform rejects is raised at the end of the body, as by `send_message`."""
    dialog.platform.fail("send_message", status=400)
    done: list[str] = []

    @app.block("work")
    async def work(ctx: Context) -> None:
        try:
            async with ctx.or_say(5, TEXT):
                await asyncio.sleep(9)
                done.append("body")
        except BadRequest:
            done.append("rejected")

    run = await dialog.run("work")
    assert (run.ok, run.messages, done) == (True, [], ["body", "rejected"])


async def test_a_wait_in_the_body_suspends_the_run(app: App) -> None:
    """A durable wait holds nothing and its time does not count; the decision comes afterwards."""
    runs: list[int] = []

    @app.block("wait")
    async def wait(ctx: Context) -> None:
        runs.append(1)
        async with ctx.or_say(5, TEXT):
            await ctx.sleep(3600)
        await ctx.send_message("Done")

    run = await FakeDialog(app).run("wait")
    assert (run.messages, len(runs)) == (["Done"], 2)


async def test_completing_in_the_body_ends_it(app: App, dialog: FakeDialog) -> None:
    """After `complete` nothing is sent and nothing raised."""

    @app.block("work")
    async def work(ctx: Context) -> None:
        async with ctx.or_say(5, TEXT):
            await ctx.complete()
            await asyncio.sleep(9)

    run = await dialog.run("work")
    assert (run.messages, run.ok) == ([], True)


async def test_arguments_are_checked(app: App, dialog: FakeDialog) -> None:
    """An empty text and a negative time are errors before the body."""

    @app.block("work")
    async def work(ctx: Context) -> None:
        with pytest.raises(TypeError, match="or_say needs a text of at least 1 character"):
            ctx.or_say(5, "")
        with pytest.raises(ValueError, match="0 seconds or more"):
            ctx.or_say(-1, TEXT)
        wrong: Any = "5"
        with pytest.raises(TypeError, match="number of seconds"):
            ctx.or_say(wrong, TEXT)

    assert (await dialog.run("work")).ok


@pytest.mark.parametrize("seconds, messages", [(SHORT, ["Done"]), (LONG, [TEXT, "Done"])])
async def test_a_def_handler_says_it_too(
    app: App, dialog: FakeDialog, seconds: int, messages: list[str]
) -> None:
    """In a `def` handler it is a `with` statement, with the same decision after crashes."""

    async def think(seconds: int) -> None:
        await asyncio.sleep(seconds)

    @app.block("work")
    def work(ctx: SyncContext) -> None:
        with ctx.or_say(AFTER, TEXT):
            ctx.step("think", think, seconds)
        ctx.send_message("Done")

    run = await dialog.run("work", crash_everywhere=True)
    assert (run.messages, run.ok) == (messages, True)


async def test_a_def_handler_waits_in_the_body() -> None:
    """The exception that leaves a `def` handler at a durable wait passes through the body."""
    app = App()

    @app.block("wait")
    def wait(ctx: SyncContext) -> None:
        with ctx.or_say(5, TEXT):
            ctx.sleep(3600)
            ctx.complete()

    run = await FakeDialog(app, threads=1).run("wait")
    assert (run.messages, run.ok) == ([], True)


async def test_an_abandoned_thread_leaves_no_timer() -> None:
    """A thread that leaves the body after its run has ended cancels the timer on the event loop."""
    late, waited = mock.Mock(is_open=False), list[object]()
    left = SyncLateMessage(late, waited.append, asyncio.get_running_loop())
    await asyncio.to_thread(left.__exit__, None, None, None)
    await asyncio.sleep(0)
    late.cancel.assert_called_once_with()
    assert not waited
