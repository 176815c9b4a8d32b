"""Spans: one trace from the caller through the execution to the services that it calls."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import structlog
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from vertexkit import App, Context, http_client
from vertexkit.cli.serve.check import check
from vertexkit.execution import Execution
from vertexkit.journal.shared import encoding
from vertexkit.telemetry import logs, otel_setup, tracing
from vertexkit.telemetry.otel import OpenTelemetryTracer
from vertexkit.testing import FakeDialog
from vertexkit.token import Token

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TRACE = int(CALLER.split("-")[1], 16)


class Recorded:
    """The spans that have ended."""

    def __init__(self, exporter: InMemorySpanExporter) -> None:
        self._exporter = exporter

    @property
    def all(self) -> list[ReadableSpan]:
        return list(self._exporter.get_finished_spans())

    def one(self, name: str) -> Any:
        [found] = [span for span in self.all if span.name == name]
        return found


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Recorded:
    """Spans are recorded, as by a provider that an author has set up."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing, "_tracer", OpenTelemetryTracer(provider))
    return Recorded(exporter)


@pytest.fixture
def app() -> App:
    app = App()

    @app.block("talk")
    async def talk(ctx: Context, end: str = "") -> str:
        await ctx.send_message("Раз")
        if end:
            raise ValueError(end)
        return "done"

    return app


async def call(app: App, traceparent: str = "", **inputs: Any) -> Any:
    """Let the platform call the block, with this header."""
    async with FakeDialog(app) as dialog:
        inner = dialog._asgi
        assert inner is not None

        async def with_header(scope: Any, receive: Any, send: Any) -> None:
            scope["headers"] += [(b"traceparent", traceparent.encode())] if traceparent else []
            await inner(scope, receive, send)

        dialog._asgi = with_header
        return await dialog.run("talk", **inputs)


async def test_a_call_is_one_trace_from_the_caller_to_the_platform(
    app: App, recorded: Recorded
) -> None:
    """Call, execution, handler and each request are one trace, below the caller's span."""
    run = await call(app, CALLER)
    answered, execution = recorded.one("call talk"), recorded.one("execution talk")
    handler = recorded.one("handler talk")
    message = recorded.one("POST /vertex/v1/dialog/send_message")
    completion = recorded.one("POST /vertex/v1/complete")
    contexts = [span.context for span in recorded.all]
    assert {context and context.trace_id for context in contexts} == {TRACE}
    assert format(answered.parent.span_id, "016x") == CALLER.split("-")[2]
    assert execution.parent.span_id == answered.context.span_id
    assert handler.parent.span_id == execution.context.span_id
    assert message.parent.span_id == handler.context.span_id
    assert completion.parent.span_id == execution.context.span_id
    assert [answered.kind, execution.kind] == [SpanKind.SERVER, SpanKind.CONSUMER]
    assert [handler.kind, message.kind] == [SpanKind.INTERNAL, SpanKind.CLIENT]
    assert answered.attributes["vertexkit.execution"] == run.execution
    assert execution.attributes["vertexkit.execution"] == run.execution
    assert execution.attributes["vertexkit.outcome"] == "completed"
    assert execution.attributes["vertexkit.dialog"] > 0
    assert message.attributes == {
        "url.path": "/vertex/v1/dialog/send_message",
        "http.response.status_code": 200,
    }


@pytest.mark.parametrize("header", ["", "nonsense", "00-0-0-01"])
async def test_without_a_callers_span_each_call_is_a_trace(
    app: App, recorded: Recorded, header: str
) -> None:
    """A call with an invalid header or without one starts a new trace."""
    await call(app, header)
    await call(app, header)
    roots = [span for span in recorded.all if span.name == "call talk"]
    assert [span.parent for span in roots] == [None, None]
    traces = {span.context.trace_id for span in recorded.all if span.context}
    assert len(traces) == 2
    assert len(recorded.all) == 10


async def test_a_failed_handler_leaves_its_errors_name_only(app: App, recorded: Recorded) -> None:
    """The span is marked as failed; the exception's text, which may hold anything, is not in it."""
    await call(app, end="s3cret")
    handler = recorded.one("handler talk")
    assert handler.status.status_code is StatusCode.ERROR
    assert handler.status.description == "ValueError"
    assert recorded.one("execution talk").attributes["vertexkit.code"] == "internal"
    assert not [span for span in recorded.all if "s3cret" in span.to_json()]
    assert not handler.events


async def test_a_stranger_begins_no_span(app: App, recorded: Recorded) -> None:
    """A call without the URL's secret is answered, and recorded nowhere."""
    async with FakeDialog(app, url_secrets="sesame") as dialog:
        status, _ = await dialog.post("/blocks/talk", {"token": "t"})
    assert status == 404
    assert not recorded.all


async def test_the_authors_own_calls_carry_it_on(recorded: Recorded) -> None:
    """A request through `vertexkit.http_client` has the handler's span, unless it has its own."""
    seen: list[str | None] = []

    async def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("traceparent"))
        return httpx.Response(200)

    app = App()

    @app.block("talk")
    async def talk(ctx: Context) -> None:
        async with http_client(transport=httpx.MockTransport(answer)) as http:
            await http.get("http://rates.test/")
            await http.get("http://rates.test/", headers={"traceparent": CALLER})

    await call(app)
    context = recorded.one("handler talk").context
    carried, own = seen
    assert (carried or "").startswith(f"00-{context.trace_id:032x}-{context.span_id:016x}-")
    assert own == CALLER


async def test_log_lines_join_the_trace(app: App, recorded: Recorded) -> None:
    """A line logged inside a span has its ids; a line outside of spans has none."""
    event: dict[str, Any] = {"event": "greeted"}
    with tracing.span("handler", "talk"):
        inside = logs._add_execution(None, "info", dict(event))
    handler = recorded.one("handler talk")
    assert inside == event | {
        "trace_id": format(handler.context.trace_id, "032x"),
        "span_id": format(handler.context.span_id, "016x"),
    }
    assert logs._add_execution(None, "info", dict(event)) == event


async def test_a_cancelled_handler_has_not_failed(recorded: Recorded) -> None:
    """A cancelled span is not marked as failed."""

    async def wait() -> None:
        with tracing.span("handler", "talk"):
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert recorded.one("handler talk").status.status_code is StatusCode.UNSET


@pytest.mark.parametrize("size", [1, 10_000])
async def test_the_trace_waits_in_the_journal(
    app: App, recorded: Recorded, tmp_path: Path, size: int
) -> None:
    """An execution read from the journal's file continues its trace, in any worker."""
    async with FakeDialog(app, journal=f"sqlite:{tmp_path}/journal.db") as dialog:
        await dialog.run("talk", end="x" * size)
    assert len({span.context.trace_id for span in recorded.all if span.context}) == 1
    execution = Execution("e", "talk", Token("t"), {}, b"", 0.0, CALLER)
    assert encoding.decode_execution(encoding.encode_execution(execution)).trace == CALLER


SERVE = """
import asyncio
import os
import sys

import aiohttp
import httpx

from vertexkit import App, Context
from vertexkit.cli.serve import run
from vertexkit.settings import Settings


async def main():
    app = App(settings=Settings.of(platform_url="http://127.0.0.1:9/api", journal="memory:"))

    @app.block("talk")
    async def talk(ctx: Context) -> None:
        pass

    asked = asyncio.Queue()
    up = asyncio.Event()

    async def send(message):
        up.set()

    asked.put_nowait({"type": "lifespan.startup"})
    life = asyncio.create_task(app({"type": "lifespan"}, asked.get, send))
    await up.wait()
    from vertexkit.telemetry import tracing

    print("on" if tracing.is_active() else "off", "opentelemetry" in sys.modules, flush=True)
    asked.put_nowait({"type": "lifespan.shutdown"})
    await life


print("imported:", "opentelemetry" in sys.modules, flush=True)
for case in sys.stdin:
    setup, variables = eval(case)
    process = os.fork()
    if not process:
        os.environ.update(variables)
        exec(setup)
        asyncio.run(main())
        sys.stdout.flush()
        os._exit(0)
    assert os.waitpid(process, 0)[1] == 0
"""
OWN = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
trace.set_tracer_provider(TracerProvider())
"""
IMPORTED: list[tuple[str, dict[str, str], str]] = [
    ("", {}, "off False"),
    ("", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}, "on True"),
    (OWN, {}, "on True"),
    (OWN, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}, "on True"),
    ("import opentelemetry.sdk.trace", {}, "off True"),
    ("", {"OTEL_TRACES_EXPORTER": "console"}, "on True"),
    ("", {"OTEL_EXPORTER_OTLP_ENDPOINT": "x", "OTEL_TRACES_EXPORTER": "none"}, "off False"),
]
"""What the author imports, the environment, and whether there are spans and the library is imported."""


@pytest.mark.unmeasured
@pytest.mark.skipif(sys.platform == "win32", reason="processes are forked")
def test_it_is_imported_only_on_request() -> None:
    """The library is imported only if the author or the environment asks for it.

    Each app is served in a process that is forked from a new one, which has imported vertexkit.
    """
    cases = [repr((setup, variables)) for setup, variables, _ in IMPORTED]
    done = subprocess.run(
        [sys.executable, "-c", SERVE],
        input="\n".join(cases) + "\n",
        env={name: text for name, text in os.environ.items() if not name.startswith("OTEL_")},
        capture_output=True,
        encoding="utf-8",
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    shown = [
        line for line in done.stdout.splitlines() if line.startswith(("imported", "on ", "off "))
    ]
    assert shown == ["imported: False", *(output for _, _, output in IMPORTED)]


ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}


@pytest.fixture
def no_variables(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without OpenTelemetry's variables."""
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)
    return monkeypatch


@pytest.mark.parametrize(
    "variables, exporters, problem",
    [
        ({}, [], ""),
        (ENDPOINT, ["otlp_proto_http"], ""),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://x"}, ["otlp_proto_http"], ""),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, ["otlp_proto_http"], ""),
        ({"OTEL_TRACES_EXPORTER": "otlp, console"}, ["otlp_proto_http", "console"], ""),
        (ENDPOINT | {"OTEL_TRACES_EXPORTER": ""}, ["otlp_proto_http"], ""),
        (ENDPOINT | {"OTEL_TRACES_EXPORTER": "none"}, [], ""),
        (ENDPOINT | {"OTEL_TRACES_EXPORTER": "otlp,none"}, [], ""),
        (ENDPOINT | {"OTEL_SDK_DISABLED": "true"}, [], ""),
        (ENDPOINT | {"OTEL_SDK_DISABLED": "TRUE"}, [], ""),
        (ENDPOINT | {"OTEL_SDK_DISABLED": "false"}, ["otlp_proto_http"], ""),
        (
            ENDPOINT | {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            ["otlp_proto_grpc"],
            "pip install 'opentelemetry-exporter-otlp-proto-grpc'",
        ),
        (
            ENDPOINT
            | {
                "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
                "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
            },
            ["otlp_proto_http"],
            "",
        ),
        (
            ENDPOINT | {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"},
            ["otlp"],
            "'http/json' of OTLP is not supported",
        ),
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, ["zipkin"], "there is no exporter 'zipkin'"),
    ],
)
def test_the_variables_of_opentelemetry_are_honoured(
    no_variables: pytest.MonkeyPatch, variables: dict[str, str], exporters: list[str], problem: str
) -> None:
    """Exporter, protocol and the switch that turns it off; what is missing is said with its package."""
    for name, value in variables.items():
        no_variables.setenv(name, value)
    plan = otel_setup.read_environment()
    assert list(plan.exporters) == exporters
    assert problem in plan.problem
    assert bool(plan.problem) is bool(problem)
    assert len(plan.loaders) == (0 if problem else len(exporters))


def test_an_extra_that_is_missing_is_reported(no_variables: pytest.MonkeyPatch) -> None:
    """With an endpoint but without the packages, the log and the check name the extra."""
    no_variables.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    no_variables.setattr(otel_setup, "entry_points", lambda **_: [])
    no_variables.delitem(sys.modules, otel_setup.SDK)
    logged = structlog.testing.LogCapture()
    structlog.configure(processors=[logged])
    assert otel_setup.start_exporter() is None
    [entry] = logged.entries
    assert (entry["event"], entry["log_level"]) == ("traces_not_exported", "warning")
    assert "pip install 'vertexkit[otel]'" in entry["reason"]
    [finding] = [f for f in check("no_such:app", offline=True) if f.subject == "tracing"]
    assert finding.level == "warn"
    assert "pip install 'vertexkit[otel]'" in finding.message


def test_an_exporter_that_fails_does_not_stop_the_service(no_variables: pytest.MonkeyPatch) -> None:
    """An exporter reads variables of its own; a wrong one is a warning."""

    def make() -> type:
        raise ValueError("OTEL_EXPORTER_OTLP_COMPRESSION: brotli")

    no_variables.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    no_variables.setattr(otel_setup, "entry_points", lambda **_: [SimpleNamespace(load=make)])
    no_variables.delitem(sys.modules, otel_setup.SDK)
    logged = structlog.testing.LogCapture()
    structlog.configure(processors=[logged])
    assert otel_setup.start_exporter() is None
    assert logged.entries[0]["event"] == "traces_not_exported"
    assert "brotli" in logged.entries[0]["reason"]


async def test_without_it_nothing_is_made(app: App) -> None:
    """Without OpenTelemetry every span is the same empty context."""
    structlog.configure(processors=[structlog.testing.LogCapture()])
    assert not tracing.is_active()
    assert tracing.span("handler", "talk") is tracing.span("call", "talk", "server", parent=CALLER)
    assert tracing.traceparent() == ""
    run = await call(app, CALLER)
    assert run.ok
