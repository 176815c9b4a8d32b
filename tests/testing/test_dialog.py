"""FakeDialog: a dialog with a block in one process, without network and waiting."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pydantic import AliasChoices, BaseModel, Field, model_validator

from tests.loop_time import skip
from tests.waiting import occurs
from vertexkit import App, BlockFailed, Context, Retry
from vertexkit.clock import Clock
from vertexkit.telemetry.events import Event
from vertexkit.testing import FakeDialog, FakePlatform, VirtualClock

lifespans: list[str] = []


@asynccontextmanager
async def lifespan(_: App) -> AsyncIterator[None]:
    lifespans.append("start")
    yield
    lifespans.append("stop")


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


class Aliases(BaseModel):
    first: int = Field(alias="First")
    second: int = Field(validation_alias=AliasChoices("second", "2nd"))


class Anything(BaseModel, extra="allow"):
    pass


class Converted(BaseModel):
    new_name: int

    @model_validator(mode="before")
    @classmethod
    def rename(cls, inputs: dict[str, Any]) -> dict[str, Any]:
        return {"new_name": inputs["old_name"]}


@app.block("aliases")
async def aliases(ctx: Context, request: Aliases) -> None:
    pass


@app.block("anything")
async def anything(ctx: Context, request: Anything) -> None:
    pass


@app.block("converted")
async def converted(ctx: Context, request: Converted) -> None:
    pass


@app.block("hangs")
async def hangs(ctx: Context) -> None:
    await asyncio.Event().wait()


async def test_a_run_is_the_record_of_a_call() -> None:
    """A run has the messages with their details, the data, the outcome and the timeline."""
    run = await FakeDialog(app).run("talk", name="Аня", times=2)
    assert run.ok
    assert run.status == 200
    assert run.messages == ["Аня 0", "Аня 1"]
    assert [message.typing for message in run.messages] == [True, False]
    assert [message.message_id for message in run.messages] == [1, 2]
    assert all(isinstance(message.created_at, int) for message in run.messages)
    assert 0 <= run.messages[0].at <= run.messages[1].at < 60
    assert run.data == {"name": "Аня"}
    assert run.outcome is not None
    assert (run.outcome.status, run.outcome.code) == ("completed", "ok")
    assert run.events == [
        "accepted",
        "claimed",
        "sent",
        "sent",
        "result_recorded",
        "completed",
        "settled",
    ]
    assert (
        {event.execution for event in run.timeline} == {run.execution} == {run.answer["execution"]}
    )
    assert (run.attempts, run.retries) == (1, 0)


async def test_days_of_back_off_take_no_time() -> None:
    """`Retry` and the platform's Retry-After wait on the virtual clock."""
    dialog = FakeDialog(app)
    dialog.platform.fail("complete", status=503, retry_after=60, times=2)
    run = await dialog.run("later")
    assert run.timeline[-1].at - run.timeline[0].at > 2 * 86_400 + 2 * 60
    assert (run.attempts, run.retries) == (3, 4)


async def test_a_rate_limited_message_counts_as_retried() -> None:
    """The dialog has it once, and the run has the number of retries."""
    dialog = FakeDialog(app)
    dialog.platform.fail("send_message", status=429, retry_after=30, times=2)
    before = dialog.clock.unix()
    run = await dialog.run("talk", name="x", times=2)
    assert run.messages == ["x 0", "x 1"]
    assert (run.attempts, run.retries) == (1, 2)
    assert run.messages[0].at >= 60
    assert run.messages[0].created_at >= int(before) + 60


async def test_a_failed_block_is_not_ok() -> None:
    """`ok` is false after a failure of the block."""
    run = await FakeDialog(app).run("fails")
    assert not run.ok
    assert run.data == {"ok": False, "error": {"code": "no", "message": "No."}}


async def test_a_rejected_call_has_its_problem_and_its_completion() -> None:
    """422: the run has the problem and no outcome, and the block was completed as failed."""
    dialog = FakeDialog(app)
    assert (await dialog.run("talk", name="x")).ok
    run = await dialog.run("talk", times="many")
    assert (run.status, run.answer["code"]) == (422, "invalid_input")
    assert run.outcome is None
    assert run.execution is None
    assert run.timeline == []
    assert run.data["error"]["code"] == "invalid_input"


async def test_each_run_starts_and_ends_the_app() -> None:
    """The lifespan spans each run, or all runs within `async with`."""
    lifespans.clear()
    dialog = FakeDialog(app)
    await dialog.run("talk", name="a")
    await dialog.run("talk", name="b")
    assert lifespans == ["start", "stop"] * 2
    lifespans.clear()
    async with dialog:
        runs = await asyncio.gather(*(dialog.run("talk", name=str(n)) for n in range(20)))
    assert lifespans == ["start", "stop"]
    assert [run.messages for run in runs] == [[f"{n} 0"] for n in range(20)]


async def test_a_bot_that_loops_uses_its_token_again() -> None:
    """The same token after the completion is a new execution; a run shows its own activation."""
    async with FakeDialog(app) as dialog:
        token = dialog.platform.issue("talk")
        first = await dialog.call("talk", {"name": "one"}, token)
        again = dialog.platform.issue(reuse=token)
        second = await dialog.call("talk", {"name": "two"}, again)
    assert again == token
    assert (first.messages, second.messages) == (["one 0"], ["two 0"])
    assert first.execution != second.execution
    dialog.platform.check()


async def test_concurrent_runs_have_an_app_of_their_own() -> None:
    """Without `async with`, the run that ends first does not stop the app of the others."""
    lifespans.clear()
    dialog = FakeDialog(app)
    runs = await asyncio.gather(*(dialog.run("talk", name=str(n), times=n) for n in range(5)))
    assert [len(run.messages) for run in runs] == [0, 1, 2, 3, 4]
    assert all(run.ok for run in runs)
    assert (lifespans.count("start"), lifespans.count("stop")) == (5, 5)


@pytest.mark.parametrize("status", [200, 204])
async def test_a_duplicate_call_shows_its_execution(status: int) -> None:
    """A second call while the handler runs: both runs show the same execution."""
    called_twice = asyncio.Event()

    def twice(event: Event) -> None:
        if event.name == "deduplicated":
            called_twice.set()

    waiting = App()

    @waiting.block("wait")
    async def wait(ctx: Context) -> None:
        await called_twice.wait()
        await ctx.send_message("called twice")

    async with FakeDialog(waiting, ack_status=status) as dialog:
        dialog.subscribe(twice)
        token = dialog.platform.issue("wait")
        first, again = await asyncio.gather(*(dialog.call("wait", {}, token) for _ in range(2)))
    assert first.execution == again.execution
    assert first.timeline == again.timeline
    assert "deduplicated" in first.events
    assert (first.messages, again.messages) == (["called twice"], ["called twice"])
    assert again.ok


def test_plain_tests_can_run_it_too() -> None:
    """`run_sync` needs no event loop, and one dialog can be used several times."""
    lifespans.clear()
    dialog = FakeDialog(app)
    assert [dialog.run_sync("talk", name=name).messages for name in "ab"] == [["a 0"], ["b 0"]]
    assert lifespans == ["start", "stop"] * 2


async def test_run_sync_in_an_async_test_is_an_error() -> None:
    """The error says what to write, and no coroutine remains unawaited."""
    with pytest.raises(RuntimeError, match=r"await dialog\.run"):
        FakeDialog(app).run_sync("talk", name="x")


async def test_the_environment_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Environment variables of the machine do not change the settings."""
    monkeypatch.setenv("VERTEXKIT_TIMEOUT", "nonsense")
    monkeypatch.setenv("VERTEXKIT_BODY_LIMIT", "1")
    assert (await FakeDialog(app).run("talk", name="x")).ok
    run = await FakeDialog(app, cleanup=0.05, timeout=0.05).run("hangs")
    assert run.data["error"]["code"] == "timeout"


async def test_a_run_that_hangs_in_real_time_is_an_error() -> None:
    """After the patience, in real seconds, there is a TimeoutError that lists the events so far."""
    claimed = asyncio.Event()
    async with FakeDialog(app, patience=30, virtual_sleep=False, grace=0, cleanup=0.05) as dialog:
        dialog.subscribe(lambda event: claimed.set() if event.name == "claimed" else None)
        running = asyncio.create_task(dialog.run("hangs"))
        await occurs(claimed, "the execution is claimed")
        skip(31)
        with pytest.raises(
            TimeoutError, match=r"'hangs' did not end within 30 s; events so far: accepted, claimed"
        ):
            await running


@pytest.mark.parametrize("status", [200, 202, 204, 205])
async def test_any_success_may_answer_a_call(status: int) -> None:
    """A status without a body, which does not name the execution, is accepted too."""
    run = await FakeDialog(app, ack_status=status).run("talk", name="x")
    assert run.status == status
    assert run.messages == ["x 0"]
    assert run.execution


@pytest.mark.parametrize("status", [200, 204])
async def test_a_call_that_is_dropped_has_no_execution(status: int) -> None:
    """With a full queue and `on_full=fail`, a 2xx is not mistaken for another execution."""
    busy, leave = App(), asyncio.Event()
    steps = {"claimed": asyncio.Event(), "accepted": asyncio.Event()}

    def on_event(event: Event) -> None:
        if event.name in steps:
            steps[event.name].set()

    @busy.block("busy")
    async def work(ctx: Context) -> None:
        await leave.wait()

    limits: dict[str, Any] = {"on_full": "fail", "queue": 1, "concurrency": 1}
    async with FakeDialog(busy, ack_status=status, **limits) as dialog:
        dialog.subscribe(on_event)
        first = asyncio.create_task(dialog.run("busy"))
        await steps["claimed"].wait()
        steps["accepted"].clear()
        second = asyncio.create_task(dialog.run("busy"))
        await steps["accepted"].wait()
        late = await dialog.run("busy")
        leave.set()
        kept = await asyncio.gather(first, second)
    assert [run.ok for run in kept] == [True, True]
    assert (late.status, late.outcome, late.execution, late.timeline) == (status, None, None, [])
    assert late.data["error"]["code"] == "overloaded"


async def test_subscribers_get_events_as_they_happen() -> None:
    """A test can act in the middle of an execution."""
    events: list[Event] = []
    async with FakeDialog(app) as dialog:
        dialog.subscribe(events.append)
        run = await dialog.run("talk", name="x")
    assert events == run.timeline


async def test_a_given_platform_is_used() -> None:
    """Its clock is the dialog's, and its ordered faults happen."""
    platform = FakePlatform(clock=VirtualClock())
    platform.fail("send_message", kind="gone")
    dialog = FakeDialog(app, platform)
    assert dialog.clock is platform.clock
    run = await dialog.run("talk", name="x")
    assert run.outcome is not None
    assert run.outcome.status == "gone"
    assert (run.messages, run.data) == ([], None)


@pytest.mark.parametrize(
    "block, inputs, message",
    [
        ("tlak", {}, "there is no block 'tlak'. Did you mean 'talk'? The app has: talk, later, "),
        ("xyz", {}, "there is no block 'xyz'. The app has: talk, later, "),
        (
            "talk",
            {"nam": "x"},
            "block 'talk' has no input 'nam'. Did you mean 'name'? It has: name, times",
        ),
        ("later", {"x": 1}, "block 'later' has no input 'x'. It has: no inputs"),
        (
            "aliases",
            {"third": 1},
            "block 'aliases' has no input 'third'. It has: First, second, 2nd",
        ),
    ],
)
async def test_a_misspelt_name_fails_the_test(
    block: str, inputs: dict[str, Any], message: str
) -> None:
    """`run` rejects unknown blocks and unknown inputs, and suggests the most similar name."""
    with pytest.raises(ValueError, match=re.escape(message)):
        await FakeDialog(app).run(block, **inputs)


@pytest.mark.parametrize(
    "block, inputs",
    [
        ("aliases", {"First": 1, "2nd": 2}),
        ("aliases", {"First": 1, "second": 2}),
        ("anything", {"whatever": 1}),
        ("converted", {"old_name": 1}),
    ],
)
async def test_all_names_that_a_model_reads_are_known(block: str, inputs: dict[str, Any]) -> None:
    """Aliases, extra fields and validators that convert the inputs are accepted."""
    assert (await FakeDialog(app).run(block, **inputs)).ok


async def test_call_sends_unknown_names() -> None:
    """`call` does what the platform might do: an unknown block is a 404, an input is ignored."""
    dialog = FakeDialog(app)
    run = await dialog.call("tlak", {}, dialog.platform.issue("tlak"))
    assert (run.status, run.answer["code"]) == (404, "unknown_block")
    run = await dialog.call("talk", {"name": "x", "nam": 1}, dialog.platform.issue("talk"))
    assert run.ok


@pytest.mark.parametrize(
    "text, received", [("cut \ud83d", "cut \ufffd"), ("\udc00x", "\ufffdx"), ("ok 😀", "ok 😀")]
)
async def test_half_an_emoji_in_an_input_is_repaired(text: str, received: str) -> None:
    """A lone surrogate becomes U+FFFD, as in a call of the platform; it does not fail the test."""
    run = await FakeDialog(app).run("talk", name=text)
    assert run.messages == [f"{received} 0"]
    assert run.data == {"name": received}


async def test_subscribing_outside_async_with_is_an_error() -> None:
    """The error says what to write."""
    with pytest.raises(AssertionError, match="async with dialog"):
        FakeDialog(app).subscribe(print)


async def test_real_time_is_possible() -> None:
    """A given clock is the platform's and the app's."""
    clock = Clock()
    dialog = FakeDialog(app, clock=clock)
    assert dialog.platform.clock is clock
    before = clock.now()
    run = await dialog.run("talk", name="x")
    assert before <= run.timeline[0].at <= run.timeline[-1].at <= clock.now()
