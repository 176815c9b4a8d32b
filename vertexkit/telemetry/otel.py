"""OpenTelemetry, behind `vertexkit.telemetry.tracing`: imported only where somebody has set it up."""

import asyncio
import os
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import version
from typing import Any

from opentelemetry import context, propagate, trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from vertexkit.telemetry.tracing import Kind

HEADER = "traceparent"
OURS = TraceContextTextMapPropagator()
"""A caller's baggage is not taken in: it would be handed on to the author's own services."""
KINDS = {kind.name.lower(): kind for kind in trace.SpanKind}
NAMES = {"status": "http.response.status_code", "path": "url.path"}
"""Attributes with a name that OpenTelemetry gives them; the others are `vertexkit.` ones."""


class OpenTelemetry:
    """Spans by a provider.

    Args:
        provider: where they go.
    """

    def __init__(self, provider: trace.TracerProvider) -> None:
        self._tracer = provider.get_tracer("vertexkit", version("vertexkit"))

    @contextmanager
    def span(
        self, what: str, of: str, kind: Kind, parent: str | None, attributes: dict[str, Any]
    ) -> Iterator[None]:
        """As `spans.span`. An exception leaves its name only: its text may hold anything."""
        above = context.Context() if parent == "" else None
        if parent:
            above = OURS.extract({HEADER: parent}, context.Context())
        with self._tracer.start_as_current_span(
            f"{what} {of}",
            above,
            KINDS[kind],
            _named(attributes),
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield
            except asyncio.CancelledError:
                raise
            except BaseException as error:
                span.set_status(trace.StatusCode.ERROR, type(error).__name__)
                raise

    def note(self, attributes: dict[str, Any]) -> None:
        """As `spans.note`."""
        trace.get_current_span().set_attributes(_named(attributes))

    def carried(self) -> str:
        """As `spans.carried`."""
        carrier: dict[str, str] = {}
        OURS.inject(carrier)
        return carrier.get(HEADER, "")

    def on_line(self, event: MutableMapping[str, Any]) -> None:
        """As `spans.on_line`."""
        found = trace.get_current_span().get_span_context()
        if found.is_valid:
            event["trace_id"] = trace.format_trace_id(found.trace_id)
            event["span_id"] = trace.format_span_id(found.span_id)

    def hand_on(self, headers: MutableMapping[str, str]) -> None:
        """As `spans.hand_on`."""
        if HEADER not in headers:
            propagate.inject(headers)


def start() -> OpenTelemetry | None:
    """Spans by the provider of this process, if there is one."""
    provider = trace.get_tracer_provider()
    if isinstance(provider, trace.ProxyTracerProvider):
        return None
    return OpenTelemetry(provider)


def set_up() -> Callable[[], None]:
    """Make the provider that the environment describes.

    Returns:
        A callable that sends what is left.

    Raises:
        ModuleNotFoundError: the SDK, or the exporter, is not installed.
    """
    sdk = import_module("opentelemetry.sdk.trace")
    export = import_module("opentelemetry.sdk.trace.export")
    otlp = import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    os.environ.setdefault("OTEL_SERVICE_NAME", "vertexkit")
    provider = sdk.TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(export.BatchSpanProcessor(otlp.OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    shut_down: Callable[[], None] = provider.shutdown
    return shut_down


def _named(attributes: dict[str, Any]) -> dict[str, Any]:
    return {
        NAMES.get(name, f"vertexkit.{name}"): value
        for name, value in attributes.items()
        if value is not None
    }
