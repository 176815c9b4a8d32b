"""Steps that are retried: pauses, timeouts, which errors, and what a crash leaves."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from vertexkit import App, BlockFailed, Context, SyncContext
from vertexkit.testing import FakeDialog


class Flaky:
    """A function that fails some times before it succeeds."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls: list[tuple[object, ...]] = []

    async def fetch(self, *args: object) -> int:
        self.calls.append(args)
        if self.errors:
            raise self.errors.pop(0)
        return len(self.calls)


async def test_a_step_is_retried_until_it_succeeds(app: App, dialog: FakeDialog) -> None:
    """Each failed call is a `step_retried` with a growing pause; the result is journalled once."""
    flaky = Flaky(ConnectionError("a"), ValueError("secret"), OSError())

    @app.block("work")
    async def work(ctx: Context) -> int:
        return await ctx.retrying(5, backoff=timedelta(seconds=1)).step("rate", flaky.fetch, "RUB")

    run = await dialog.run("work")
    assert (run.data, flaky.calls) == ({"result": 4}, [("RUB",)] * 4)
    retried = [event for event in run.timeline if event.name == "step_retried"]
    assert [event.fields["reason"] for event in retried] == [
        "ConnectionError",
        "ValueError",
        "OSError",
    ]
    assert [event.fields["attempt"] for event in retried] == [1, 2, 3]
    for number, event in enumerate(retried):
        assert 0.5 * 2**number <= event.fields["seconds"] <= 2**number
    assert "secret" not in repr(run.timeline)
    assert run.events.count("step_completed") == 1
    [done] = [event for event in run.timeline if event.name == "step_completed"]
    assert done.at - retried[0].at >= sum(event.fields["seconds"] for event in retried) - 0.01


async def test_the_last_error_is_raised(app: App, dialog: FakeDialog) -> None:
    """After the last attempt the step raises its error, and a later call is a new step."""
    flaky = Flaky(*[ConnectionError(number) for number in range(4)])

    @app.block("work")
    async def work(ctx: Context) -> int:
        with pytest.raises(ConnectionError, match="1"):
            await ctx.retrying(2).step("rate", flaky.fetch)
        return await ctx.retrying().step("rate", flaky.fetch)

    run = await dialog.run("work")
    assert (run.data, len(flaky.calls)) == ({"result": 5}, 5)


@pytest.mark.parametrize(
    "error", [TypeError(), AttributeError(), BlockFailed("no", "No")], ids=repr
)
async def test_errors_in_the_code_are_not_retried(
    app: App, dialog: FakeDialog, error: Exception
) -> None:
    """An error of the author's code or of vertexkit ends the step at once, unless `on` names it."""
    flaky, named = Flaky(error), Flaky(error)

    @app.block("work")
    async def work(ctx: Context) -> int:
        with pytest.raises(type(error)):
            await ctx.retrying(5).step("rate", flaky.fetch)
        return await ctx.retrying(5, on=type(error)).step("named", named.fetch)

    run = await dialog.run("work")
    assert (len(flaky.calls), run.data) == (1, {"result": 2})


async def test_only_the_named_errors_are_retried(app: App, dialog: FakeDialog) -> None:
    """With `on`, another error ends the step; a subclass of a named one does not."""
    flaky = Flaky(ConnectionResetError(), TimeoutError(), ValueError("bad"))

    @app.block("work")
    async def work(ctx: Context) -> None:
        steps = ctx.retrying(9, on=(ConnectionError, TimeoutError))
        with pytest.raises(ValueError, match="bad"):
            await steps.step("rate", flaky.fetch)

    assert (await dialog.run("work")).ok
    assert len(flaky.calls) == 3


async def test_a_call_that_takes_too_long_is_retried(app: App, dialog: FakeDialog) -> None:
    """A call that exceeds `timeout` is cancelled and repeated, whatever `on` names."""
    seconds, cancelled = [60.0, 0.0], list[str]()

    async def fetch() -> str:
        try:
            await asyncio.sleep(seconds.pop(0))
        except asyncio.CancelledError:
            cancelled.append("cancelled")
            raise
        return "rate"

    @app.block("work", timeout=30)
    async def work(ctx: Context) -> str:
        rate = await ctx.retrying(2, timeout=5, on=ValueError).step("rate", fetch)
        seconds.append(60)
        with pytest.raises(TimeoutError, match="step 'slow' took longer than 5 s"):
            await ctx.retrying(1, timeout=5).step("slow", fetch)
        return rate

    run = await dialog.run("work")
    assert (run.data, cancelled) == ({"result": "rate"}, ["cancelled"] * 2)


async def test_pauses_end_before_the_deadline(app: App, dialog: FakeDialog) -> None:
    """A pause that would exceed the deadline is not made: the handler gets the error in time."""
    flaky = Flaky(*[ConnectionError() for _ in range(100)])

    @app.block("work", timeout=30)
    async def work(ctx: Context) -> str:
        try:
            await ctx.retrying(100, backoff=10).step("rate", flaky.fetch)
        except ConnectionError:
            await ctx.send_message("Try again later")
        return "apologised"

    run = await dialog.run("work")
    assert (run.messages, run.data) == (["Try again later"], {"result": "apologised"})
    assert 2 <= len(flaky.calls) <= 4


async def test_a_crash_between_attempts(app: App, dialog: FakeDialog) -> None:
    """A result is not computed again after a crash, and a step that failed is retried again."""
    flaky = Flaky(ConnectionError(), ConnectionError())

    @app.block("work")
    async def work(ctx: Context) -> int:
        await ctx.send_message("Working")
        number = await ctx.retrying(3).step("rate", flaky.fetch, 1)
        await ctx.send_message("Done")
        return number

    run = await dialog.run("work", crash_everywhere=True)
    assert (run.messages, run.data) == (["Working", "Done"], {"result": 3})
    assert len(flaky.calls) == 3


async def test_arguments_are_checked(app: App, dialog: FakeDialog) -> None:
    """A wrong argument, and a timeout for a function that cannot be stopped, are errors."""

    @app.block("work")
    async def work(ctx: Context) -> None:
        wrong: list[tuple[Any, type[Exception], str]] = [
            ({"attempts": 0}, ValueError, "at least 1 attempt, got 0"),
            ({"attempts": "5"}, TypeError, "number of attempts, got '5'"),
            ({"timeout": -1}, ValueError, "0 seconds or more"),
            ({"backoff": "1"}, TypeError, "number of seconds or a timedelta"),
            ({"on": "OSError"}, TypeError, "classes of exceptions, got 'OSError'"),
            ({"on": (OSError, KeyboardInterrupt)}, TypeError, "KeyboardInterrupt"),
        ]
        for arguments, error, message in wrong:
            with pytest.raises(error, match=message):
                ctx.retrying(**arguments)
        with pytest.raises(TypeError, match="use the timeout of the client"):
            await ctx.retrying(timeout=5).step("rate", lambda: 1)

    assert (await dialog.run("work")).ok


async def test_a_def_handler_has_retries(app: App, dialog: FakeDialog) -> None:
    """In a `def` handler, functions in threads are retried, and `async def` ones get a timeout."""
    errors = [ConnectionError(), ConnectionError()]
    flaky = Flaky(OSError())

    def fetch(city: str) -> str:
        if errors:
            raise errors.pop()
        return city

    @app.block("work")
    def work(ctx: SyncContext) -> list[Any]:
        rate = ctx.retrying(3).step("rate", fetch, "Perm")
        return [rate, ctx.retrying(timeout=5).step("more", flaky.fetch)]

    run = await dialog.run("work", crash_everywhere=True)
    assert (run.data, run.events.count("step_retried")) == ({"result": ["Perm", 2]}, 3)
