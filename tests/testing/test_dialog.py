"""FakeDialog: a block's dialog in one process, without network and without waiting."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from vertexkit import App, BlockFailed, Context, Retry
from vertexkit.events import Event
from vertexkit.testing import FakeDialog, FakePlatform, VirtualClock

log: list[str] = []


@asynccontextmanager
async def lifespan(_: App) -> AsyncIterator[None]:
    log.append("start")
    yield
    log.append("stop")


app = App(lifespan=lifespan)


@app.block("talk")
async def talk(ctx: Context, name: str, times: int = 1) -> dict[str, str]:
    for number in range(times):
        await ctx.send_message(f"{name} {number}", typing=number % 2 == 0)
    return {"name": name}


@app.block("later")
async def later(ctx: Context) -> float:
    if ctx.attempt < 3:
        raise Retry(after=86_400)
    return ctx.remaining


@app.block("fails")
async def fails(ctx: Context) -> None:
    raise BlockFailed("no", "No.")


@app.block("hangs")
async def hangs(ctx: Context) -> None:
    await asyncio.Event().wait()


async def test_a_run_tells_all_that_came_of_a_call() -> None:
    """Messages with what the platform noted, data, outcome, timeline: the whole story."""
    run = await FakeDialog(app).run("talk", name="Аня", times=2)
    assert run.ok
    assert run.status == 200
    assert run.messages == ["Аня 0", "Аня 1"]
    assert [said.typing for said in run.messages] == [True, False]
    assert [said.message_id for said in run.messages] == [1, 2]
    assert all(isinstance(said.created_at, int) for said in run.messages)
    assert 0 <= run.messages[0].at <= run.messages[1].at < 60
    assert run.data == {"name": "Аня"}
    assert run.outcome is not None
    assert (run.outcome.ending, run.outcome.code) == ("completed", "ok")
    assert run.events == [
        "accepted",
        "claimed",
        "sent",
        "sent",
        "concluded",
        "completed",
        "settled",
    ]
    assert (
        {event.execution for event in run.timeline} == {run.execution} == {run.answer["execution"]}
    )
    assert (run.attempts, run.retries) == (1, 0)


async def test_days_of_back_off_take_no_time() -> None:
    """`Retry` and the platform's Retry-After go by a virtual clock."""
    began = time.monotonic()
    dialog = FakeDialog(app)
    dialog.platform.fail("complete", status=503, retry_after=60, times=2)
    run = await dialog.run("later")
    assert time.monotonic() - began < 20
    assert run.timeline[-1].at - run.timeline[0].at > 2 * 86_400 + 2 * 60
    assert (run.attempts, run.retries) == (3, 4)


async def test_a_failed_block_is_not_ok() -> None:
    """`ok` is what a test asserts who wants no failure."""
    run = await FakeDialog(app).run("fails")
    assert not run.ok
    assert run.data == {"ok": False, "error": {"code": "no", "message": "No."}}


async def test_a_refused_call_tells_why_and_what_the_dialog_got() -> None:
    """422: the answer's problem, no outcome; the block was completed as failed all the same."""
    run = await FakeDialog(app).run("talk", times="many")
    assert (run.status, run.answer["code"]) == (422, "invalid_input")
    assert run.outcome is None
    assert run.execution is None
    assert run.timeline == []
    assert run.data["error"]["code"] == "invalid_input"


async def test_each_run_starts_and_ends_the_app() -> None:
    """The lifespan goes round each run, or round all runs within `async with`."""
    log.clear()
    dialog = FakeDialog(app)
    await dialog.run("talk", name="a")
    await dialog.run("talk", name="b")
    assert log == ["start", "stop"] * 2
    log.clear()
    async with dialog:
        runs = await asyncio.gather(*(dialog.run("talk", name=str(n)) for n in range(20)))
    assert log == ["start", "stop"]
    assert [run.messages for run in runs] == [[f"{n} 0"] for n in range(20)]


async def test_a_bot_that_loops_brings_its_token_again() -> None:
    """The same token after the completion is a new execution, and a run sees its own visit only."""
    async with FakeDialog(app) as dialog:
        token = dialog.platform.issue("talk")
        first = await dialog.call("talk", {"name": "one"}, token)
        again = dialog.platform.issue(reuse=token)
        second = await dialog.call("talk", {"name": "two"}, again)
    assert again == token
    assert (first.messages, second.messages) == (["one 0"], ["two 0"])
    assert first.execution != second.execution
    dialog.platform.check()


def test_plain_tests_can_run_it_too() -> None:
    """`run_sync` needs no loop."""
    assert FakeDialog(app).run_sync("talk", name="x").messages == ["x 0"]


async def test_settings_are_those_given_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands in the environment of whoever runs the tests changes nothing."""
    monkeypatch.setenv("VERTEXKIT_TIMEOUT", "nonsense")
    monkeypatch.setenv("VERTEXKIT_BODY_LIMIT", "1")
    assert (await FakeDialog(app).run("talk", name="x")).ok
    run = await FakeDialog(app, cleanup=0.05, timeout=0.05).run("hangs")
    assert run.data["error"]["code"] == "timeout"


async def test_a_run_that_hangs_is_told() -> None:
    """After the patience, in real seconds, it is a TimeoutError and not a test that never ends."""
    with pytest.raises(TimeoutError):
        await FakeDialog(app, patience=0.05, grace=0, cleanup=0.05).run("hangs")


@pytest.mark.parametrize("status", [200, 202, 204, 205])
async def test_any_success_may_answer_a_call(status: int) -> None:
    """Also one that has no body, and so does not name the execution."""
    run = await FakeDialog(app, ack_status=status).run("talk", name="x")
    assert run.status == status
    assert run.messages == ["x 0"]
    assert run.execution


async def test_who_subscribes_hears_while_it_happens() -> None:
    """Each event as it comes, for tests that do something in the middle."""
    heard: list[Event] = []
    async with FakeDialog(app) as dialog:
        dialog.subscribe(heard.append)
        run = await dialog.run("talk", name="x")
    assert heard == run.timeline


async def test_a_platform_of_ones_own() -> None:
    """Its clock is the dialog's; faults that were ordered before happen."""
    platform = FakePlatform(clock=VirtualClock())
    platform.fail("send_message", kind="gone")
    dialog = FakeDialog(app, platform)
    assert dialog.clock is platform.clock
    run = await dialog.run("talk", name="x")
    assert run.outcome is not None
    assert run.outcome.ending == "gone"
    assert (run.messages, run.data) == ([], None)


async def test_an_unknown_block_is_a_404(fake_platform: Any) -> None:
    """A misspelt name in a test is told by the answer."""
    run = await FakeDialog(app, fake_platform).run("tlak")
    assert (run.status, run.answer["code"]) == (404, "unknown_block")
