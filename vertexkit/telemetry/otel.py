"""Spans by OpenTelemetry. Imported only by `vertexkit.telemetry.otel_setup`, if it is installed."""

import asyncio
import os
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import version
from typing import Any

from opentelemetry import context, propagate, trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from vertexkit.telemetry.tracing import SpanKind

HEADER = "traceparent"
PROPAGATOR = TraceContextTextMapPropagator()
"""Reads calls. It ignores a caller's baggage, which would be passed on to the author's services."""
KINDS = {kind.name.lower(): kind for kind in trace.SpanKind}
STANDARD_NAMES = {"status": "http.response.status_code", "path": "url.path"}
"""Attributes with a name of OpenTelemetry's own; the others get the prefix `vertexkit.`."""


class OpenTelemetryTracer:
    """A `Tracer` that records spans with a provider.

    Args:
        provider: of the process.
    """

    def __init__(self, provider: trace.TracerProvider) -> None:
        self._tracer = provider.get_tracer("vertexkit", version("vertexkit"))

    @contextmanager
    def span(
        self,
        operation: str,
        target: str,
        kind: SpanKind,
        parent: str | None,
        attributes: dict[str, Any],
    ) -> Iterator[None]:
        """As `tracing.span`. Of an exception only the name is recorded: its text may be secret."""
        parent_context = context.Context() if parent == "" else None
        if parent:
            parent_context = PROPAGATOR.extract({HEADER: parent}, context.Context())
        with self._tracer.start_as_current_span(
            f"{operation} {target}",
            parent_context,
            KINDS[kind],
            _exported(attributes),
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

    def set_attributes(self, attributes: dict[str, Any]) -> None:
        """As `tracing.set_attributes`."""
        trace.get_current_span().set_attributes(_exported(attributes))

    def traceparent(self) -> str:
        """As `tracing.traceparent`."""
        carrier: dict[str, str] = {}
        PROPAGATOR.inject(carrier)
        return carrier.get(HEADER, "")

    def add_ids(self, event: MutableMapping[str, Any]) -> None:
        """As `tracing.add_ids`."""
        span_context = trace.get_current_span().get_span_context()
        if span_context.is_valid:
            event["trace_id"] = trace.format_trace_id(span_context.trace_id)
            event["span_id"] = trace.format_span_id(span_context.span_id)

    def inject(self, headers: MutableMapping[str, str]) -> None:
        """As `tracing.inject`."""
        if HEADER not in headers:
            propagate.inject(headers)


def current_tracer() -> OpenTelemetryTracer | None:
    """A tracer for the provider of this process; None if no provider is set up."""
    provider = trace.get_tracer_provider()
    if isinstance(provider, trace.ProxyTracerProvider):
        return None
    return OpenTelemetryTracer(provider)


def start_exporters(exporters: Sequence[Callable[[], Any]]) -> Callable[[], None]:
    """Set up the provider that the environment describes.

    Args:
        exporters: classes that read their own environment variables.

    Returns:
        A function that sends the remaining spans.

    Raises:
        ModuleNotFoundError: the SDK is not installed.
    """
    sdk = import_module("opentelemetry.sdk.trace")
    export = import_module("opentelemetry.sdk.trace.export")
    if "service.name=" not in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", ""):
        os.environ.setdefault("OTEL_SERVICE_NAME", "vertexkit")
    provider = sdk.TracerProvider(shutdown_on_exit=False)
    for make in exporters:
        provider.add_span_processor(export.BatchSpanProcessor(make()))
    trace.set_tracer_provider(provider)
    shut_down: Callable[[], None] = provider.shutdown
    return shut_down


def _exported(attributes: dict[str, Any]) -> dict[str, Any]:
    return {
        STANDARD_NAMES.get(name, f"vertexkit.{name}"): value
        for name, value in attributes.items()
        if value is not None
    }
