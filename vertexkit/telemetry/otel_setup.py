"""Puts OpenTelemetry's tracer in use, if the author or the environment asks for it.

OpenTelemetry is an optional extra: it is imported only if its SDK is loaded already, or if the
environment names a collector.
"""

import os
import sys
from collections.abc import Callable

from vertexkit.telemetry import tracing

ENDPOINT_VARIABLES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
"""If one of these environment variables is set, spans are exported."""
SDK = "opentelemetry.sdk.trace"


def start_exporter() -> Callable[[], None] | None:
    """Export spans as the environment says, unless the author has set up OpenTelemetry.

    Returns:
        A function that sends the remaining spans, to be called in a thread at the end; None if no
        exporter was started.
    """
    if SDK in sys.modules or not any(os.environ.get(name) for name in ENDPOINT_VARIABLES):
        return None
    try:
        from vertexkit.telemetry import otel

        return otel.start_exporter()
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("vertexkit"):
            raise
        return None  # the extra `otel` is not installed: the variable may be for other programs


def use_tracer() -> None:
    """Record spans from now on, if OpenTelemetry is set up and no tracer is in use."""
    if tracing.is_active() or SDK not in sys.modules:
        return
    from vertexkit.telemetry import otel

    tracing.use(otel.current_tracer())
