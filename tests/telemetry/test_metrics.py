"""What is counted: each event of executions, once, under its block."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vertexkit import App, BlockFailed, Context, Retry
from vertexkit.clock import Clock
from vertexkit.execution import OutcomeStatus
from vertexkit.service import Service
from vertexkit.telemetry.events import Events
from vertexkit.telemetry.metrics import MAX_FAILURE_CODES, Metrics
from vertexkit.testing import FakeDialog

Labels = dict[str, str]


def samples_of(metrics: Metrics) -> dict[str, float]:
    """All samples, by their name with its labels in text format."""
    found = {}
    for _, _, _, samples in metrics.snapshot():
        for name, labels, value in samples:
            text = ",".join(f"{key}={value}" for key, value in labels.items())
            found[f"{name}{{{text}}}" if text else name] = value
    return found


def service_of(dialog: FakeDialog) -> Service:
    assert dialog._service is not None
    return dialog._service


@pytest.fixture
def app() -> App:
    """A block that can end in every way."""
    app = App()

    @app.block("talk", on_unknown="assume_sent")
    async def talk(ctx: Context, end: str = "") -> str:
        await ctx.send_message("Раз")
        if end == "retry" and ctx.attempt == 1:
            raise Retry(after=60)
        if end == "fail":
            raise BlockFailed("no_money", "There is none.")
        if end == "break":
            raise ValueError
        return "done"

    return app


async def counted(app: App, faults: Callable[[Any], object], **inputs: Any) -> dict[str, float]:
    """The samples after one execution on a platform with these faults."""
    async with FakeDialog(app) as dialog:
        faults(dialog.platform)
        await dialog.run("talk", **inputs)
        return samples_of(service_of(dialog).metrics)


async def test_an_execution_that_goes_well_is_counted_once_everywhere(app: App) -> None:
    """The call, the wait, the message, the requests, the outcome and its time each count one."""
    seen = await counted(app, lambda _: None)
    for name in (
        "vertexkit_calls_total{block=talk,answer=accepted}",
        "vertexkit_queue_wait_seconds_count{block=talk}",
        "vertexkit_messages_total{block=talk,outcome=sent}",
        "vertexkit_executions_settled_total{block=talk,outcome=completed,code=ok}",
        "vertexkit_execution_seconds_count{block=talk}",
        "vertexkit_platform_requests_total{method=send_message,status=200}",
        "vertexkit_platform_requests_total{method=complete,status=204}",
        "vertexkit_platform_request_seconds_count{method=send_message}",
        "vertexkit_workers",
        "vertexkit_workers_ready",
    ):
        assert seen[name] == 1, name
    assert not [name for name in seen if name.startswith("vertexkit_retries")]
    assert not [name for name in seen if name.endswith("_created")]


@pytest.mark.parametrize(
    "end, code", [("fail", "no_money"), ("break", "internal"), ("", "ok"), ("retry", "ok")]
)
async def test_an_outcome_is_counted_by_its_code(app: App, end: str, code: str) -> None:
    """Executions are counted by how they ended: failed by the author, broken, or ok."""
    seen = await counted(app, lambda _: None, end=end)
    name = f"vertexkit_executions_settled_total{{block=talk,outcome=completed,code={code}}}"
    assert seen[name] == 1
    assert seen.get("vertexkit_retries_total{block=talk,what=handler}", 0) == (end == "retry")
    assert seen["vertexkit_queue_wait_seconds_count{block=talk}"] == 1


async def test_requests_to_the_platform_are_counted(app: App) -> None:
    """Statuses, lost answers and the retries that they cause are counted separately."""

    def faults(platform: Any) -> None:
        platform.fail("send_message", status=429, times=2)
        platform.fail("send_message", kind="lost")
        platform.fail("complete", status=503)

    seen = await counted(app, faults)
    assert seen["vertexkit_platform_requests_total{method=send_message,status=429}"] == 2
    assert seen["vertexkit_platform_requests_total{method=send_message,status=unknown}"] == 1
    assert seen["vertexkit_platform_requests_total{method=complete,status=503}"] == 1
    assert seen["vertexkit_retries_total{block=talk,what=message}"] == 2
    assert seen["vertexkit_retries_total{block=talk,what=completion}"] == 1
    assert seen["vertexkit_messages_total{block=talk,outcome=unknown}"] == 1


async def test_the_retries_of_a_step_are_counted() -> None:
    """A function of a step that is called again counts as a retry of the step."""
    app, calls = App(), list[int]()

    @app.block("talk")
    async def talk(ctx: Context) -> None:
        async def work() -> None:
            calls.append(1)
            if len(calls) < 3:
                raise ConnectionError

        await ctx.retrying(3).step("work", work)

    seen = await counted(app, lambda _: None)
    assert seen["vertexkit_retries_total{block=talk,what=step}"] == 2


async def test_a_rejected_message_is_counted(app: App) -> None:
    """A message that the platform rejects counts neither as sent nor as unknown."""
    seen = await counted(app, lambda platform: platform.fail("send_message", status=400))
    assert seen["vertexkit_messages_total{block=talk,outcome=send_failed}"] == 1
    assert seen["vertexkit_messages_total{block=talk,outcome=sent}"] == 0


async def test_rejected_calls_are_counted_by_code(app: App) -> None:
    """A rejected call counts under the problem's code, and under its block if there is one."""
    async with FakeDialog(app) as dialog:
        await dialog.run("talk", end=["no text"])
        await dialog.call("nowhere", {})
        seen = samples_of(service_of(dialog).metrics)
    assert seen["vertexkit_calls_total{block=talk,answer=invalid_input}"] == 1
    assert seen["vertexkit_calls_total{block=,answer=unknown_block}"] == 1
    for code in ("invalid_input", "unknown_block"):
        assert seen[f"vertexkit_rejected_calls_total{{code={code},outcome=completed}}"] == 1


@pytest.mark.parametrize("on_full, answer", [("refuse", "queue_full"), ("fail", "overloaded")])
async def test_calls_rejected_by_a_full_queue_are_counted(on_full: Any, answer: str) -> None:
    """Both ways to reject a call when the queue is full are counted; gauges show the load."""
    app, begun, go_on, queued = App(), asyncio.Event(), asyncio.Event(), asyncio.Event()

    @app.block("slow")
    async def slow(ctx: Context) -> None:
        begun.set()
        await go_on.wait()

    dialog = FakeDialog(app, concurrency=1, queue=1, on_full=on_full)
    async with dialog, asyncio.TaskGroup() as group:
        group.create_task(dialog.run("slow"))
        await begun.wait()
        dialog.subscribe(lambda event: queued.set() if event.name == "accepted" else None)
        group.create_task(dialog.run("slow"))
        await queued.wait()
        metrics = service_of(dialog).metrics
        await dialog.run("slow")
        seen = samples_of(metrics)
        go_on.set()
    assert seen[f"vertexkit_calls_total{{block=slow,answer={answer}}}"] == 1
    assert seen["vertexkit_handlers_running{block=slow}"] == 1
    assert seen["vertexkit_executions_held"] == 1
    assert seen["vertexkit_executions_waiting"] == 1
    assert seen["vertexkit_workers_ready"] == 0
    assert samples_of(metrics)["vertexkit_handlers_running{block=slow}"] == 0


async def test_commits_are_counted(app: App, tmp_path: Path) -> None:
    """Each commit of a journal on a disk is counted, with its changes and its duration."""
    async with FakeDialog(app, journal=f"sqlite:{tmp_path}/journal.db") as dialog:
        await dialog.run("talk")
        seen = samples_of(service_of(dialog).metrics)
    commits = seen["vertexkit_journal_commit_seconds_count"]
    assert 4 <= commits <= seen["vertexkit_journal_writes_total"]
    assert seen["vertexkit_journal_commit_seconds_sum"] > 0
    assert seen["vertexkit_journal_commit_failures_total"] == 0


def test_codes_made_from_inputs_do_not_fill_the_memory() -> None:
    """After MAX_FAILURE_CODES different codes of authors the next ones count as `other`."""
    metrics = Metrics()
    events = Events(Clock(), metrics)
    for number in range(MAX_FAILURE_CODES + 3):
        how = {"outcome": OutcomeStatus.COMPLETED.value, "code": f"no-{number}", "seconds": 0.1}
        events.emit("settled", "e", "talk", **how)
    seen = samples_of(metrics)
    settled = [name for name in seen if name.startswith("vertexkit_executions_settled_total")]
    assert len(settled) == MAX_FAILURE_CODES + 1
    assert seen["vertexkit_executions_settled_total{block=talk,outcome=completed,code=other}"] == 3
