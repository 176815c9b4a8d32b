"""The console of a running service, on the operators' port."""

import asyncio
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.http_connection import HttpConnection, HttpResponse
from tests.ingress.served_app import served
from tests.reserved_port import reserved_port
from vertexkit.console.measurements import measurements
from vertexkit.telemetry import logs
from vertexkit.telemetry.metrics import Metrics


@pytest.fixture
def ops_port() -> Iterator[int]:
    """A port on which nothing listens yet."""
    with reserved_port() as port:
        yield port


async def ask(port: int, path: str, method: str = "GET", body: bytes = b"") -> HttpResponse:
    """One request to this port, as the page makes it."""
    line = HttpConnection(*await asyncio.open_connection("127.0.0.1", port))
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nX-Vertexkit-Console: 1\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    await line.send(head.encode() + body)
    try:
        return await line.answer()
    finally:
        await line.hang_up()


async def test_the_console_is_on_the_operators_port_alone(ops_port: int) -> None:
    """It describes the service; without a setting it is read-only."""
    async with served(ops_port=ops_port, stall=0) as edge:  # a loaded machine is ready, too
        answer = await edge.call("echo", edge.platform.issue("echo"))
        await edge.settled(answer.execution)
        assert (await ask(edge.port, "/console/")).status == 404
        assert b"<html" in (await ask(ops_port, "/console/")).body
        described = (await ask(ops_port, "/console/api/service")).json
        service = described["service"]
        assert described["writable"] is False
        assert (service["ready"], service["reasons"], service["trouble"]) == (True, [], "")
        assert [block["name"] for block in service["blocks"]] == ["echo", "loan", "wait"]
        assert service["limits"]["queue"] == 10_000
        counters = service["figures"]["counters"]
        assert (counters["accepted"], counters["completed"], counters["requests"]) == (1, 1, 1)
        listed = (await ask(ops_port, "/console/api/executions")).json["executions"]
        assert [execution["execution"] for execution in listed] == [answer.execution]
        assert (await ask(ops_port, "/metrics")).status == 200
        refused = await ask(
            ops_port, f"/console/api/executions/{answer.execution}/drop", "POST", b"{}"
        )
        assert refused.rejection == (403, "read_only")


async def test_a_handler_resumes_with_an_event_of_the_console(ops_port: int) -> None:
    """With `write`, an operator drops an execution that waits for its handler."""
    async with served(ops_port=ops_port, console="write", concurrency=1) as edge:
        await edge.call("wait", edge.platform.issue("wait"))
        await edge.until(lambda: edge.hold.started)
        token = edge.platform.issue("wait")
        waiting = (await edge.call("wait", token)).execution
        path = f"/console/api/executions/{waiting}/drop"
        dropped = await ask(ops_port, path, "POST", b"{}")
        assert (dropped.status, dropped.json["done"]) == (200, "failing")
        edge.hold.release.set()
        assert (await edge.completed(token))["error"]["code"] == "dropped"


async def test_an_execution_becomes_a_test(ops_port: int) -> None:
    """The answer has a pytest and a recording without what the user wrote, as `save-test` writes."""
    async with served(ops_port=ops_port, app="blocks:app") as edge:
        answer = await edge.call("wait", edge.platform.issue("wait"), city="Казань-314")
        await edge.until(lambda: edge.hold.started)
        path = f"/console/api/executions/{answer.execution}/save_test"
        saved = (await ask(ops_port, path, "POST", b"{}")).json
        [test, recording] = saved["files"]
        assert (test.startswith("test_wait"), recording.endswith(".jsonl")) == (True, True)
        assert "async def test_" in saved["files"][test]
        assert "Казань" not in str(saved["files"])
        assert "/tmp" not in saved["files"][test]


async def test_the_console_can_be_turned_off(ops_port: int) -> None:
    """Then the port has no console, and the other pages stay."""
    async with served(ops_port=ops_port, console="off"):
        assert (await ask(ops_port, "/console/")).status == 404
        assert (await ask(ops_port, "/healthz")).status == 200


def test_the_figures_add_up_the_metrics() -> None:
    """Counters by outcome over all blocks, gauges, and buckets by their bounds."""
    metrics = Metrics()
    metrics.declare_blocks(["loan", "echo"])
    for outcome, code in (("completed", "ok"), ("completed", "timeout"), ("parked", "unknown")):
        fields: dict[str, Any] = {"outcome": outcome, "code": code, "seconds": 0.2}
        metrics.count_event("settled", "loan", fields)
    metrics.count_event("accepted", "echo", {})
    metrics.count_event("deduplicated", "echo", {})
    metrics.call_rejected("echo", "queue_full")
    metrics.platform_request_ended("send_message", "204", 0.02)
    metrics.platform_request_ended("complete", "503", 0.2)
    found = json.loads(json.dumps(measurements(metrics.snapshot())))
    counters = {name: value for name, value in found["counters"].items() if value}
    assert counters == {
        "accepted": 1,
        "rejected": 1,
        "completed": 1,
        "failed": 1,
        "parked": 1,
        "requests": 2,
        "requests_failed": 1,
    }
    buckets = found["durations"]["platform_request"]
    assert buckets["bounds"][-1] is None
    assert buckets["counts"][-1] == 2
    assert dict(zip(buckets["bounds"], buckets["counts"], strict=True))[0.025] == 1
    assert found["gauges"]["workers"] == 1


async def test_the_log_lines_of_an_execution_are_in_the_console(ops_port: int) -> None:
    """They are those that the service has written."""
    stream = io.BytesIO()
    writer = logs.configure("json", "info", stream)
    async with served(ops_port=ops_port, stall=0) as edge:
        answer = await edge.call("echo", edge.platform.issue("echo"))
        await edge.settled(answer.execution)
        writer.flush()
        path = f"/console/api/executions/{answer.execution}/show_log"
        shown = (await ask(ops_port, path, "POST", b"{}")).json["lines"]
        written = [line for line in stream.getvalue().splitlines() if b"echo" in line]
        own = [json.loads(line) for line in written if answer.execution.encode() in line]
        assert own == shown != []
