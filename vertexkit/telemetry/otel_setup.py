"""Puts OpenTelemetry's tracer in use, if the author or the environment asks for it.

OpenTelemetry is an optional extra: it is imported only if its SDK is loaded already, or if the
environment names a collector.
"""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from importlib.util import find_spec

import structlog
from structlog.typing import FilteringBoundLogger

from vertexkit.references import reference_of
from vertexkit.telemetry import tracing

ENDPOINT_VARIABLES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
"""If one of these environment variables is set, spans are exported by default."""
PROTOCOL_VARIABLES = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
"""The first one that is set names the protocol of OTLP."""
OTLP = {"http/protobuf": "otlp_proto_http", "grpc": "otlp_proto_grpc"}
"""OpenTelemetry's names of the exporters for OTLP, by protocol."""
PACKAGES = {
    "otlp_proto_http": "vertexkit[otel]",
    "console": "vertexkit[otel]",
    "otlp_proto_grpc": "opentelemetry-exporter-otlp-proto-grpc",
}
"""What to install for an exporter that is missing."""
GROUP = "opentelemetry_traces_exporter"
"""Entry points by which packages of OpenTelemetry and others offer exporters."""
SDK = "opentelemetry.sdk.trace"

log: FilteringBoundLogger = structlog.get_logger("vertexkit")


@dataclass(frozen=True, slots=True)
class ExportPlan:
    """What the environment asks for."""

    exporters: tuple[str, ...] = ()
    """Names of the exporters; empty: spans are not exported."""
    problem: str = ""
    """Why they cannot be used, and how to fix it; a sentence without its end."""
    loaders: tuple[Callable[[], type], ...] = field(default=(), repr=False)


def read_environment() -> ExportPlan:
    """Read OpenTelemetry's environment variables, and look for the packages that they need."""
    variables = os.environ
    if variables.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return ExportPlan()
    is_endpoint_set = any(variables.get(name) for name in ENDPOINT_VARIABLES)
    chosen = variables.get("OTEL_TRACES_EXPORTER", "") or ("otlp" if is_endpoint_set else "")
    names = [name.strip() for name in chosen.split(",") if name.strip()]
    if "none" in names:
        return ExportPlan()
    protocol = next(filter(None, map(variables.get, PROTOCOL_VARIABLES)), "http/protobuf")
    if "otlp" in names and protocol not in OTLP:
        return ExportPlan(
            tuple(names), f"the protocol {protocol!r} of OTLP is not supported. Use {_list(OTLP)}"
        )
    exporters = tuple(OTLP[protocol] if name == "otlp" else name for name in names)
    loaders = []
    for name in exporters:
        found = list(entry_points(group=GROUP, name=name))
        if not found or find_spec("opentelemetry") is None:
            return ExportPlan(exporters, _missing(name))
        loaders.append(found[0].load)
    return ExportPlan(exporters, "", tuple(loaders))


def _missing(name: str) -> str:
    if name in PACKAGES:
        return f"the exporter {name} is not installed. Run: pip install '{PACKAGES[name]}'"
    return (
        f"there is no exporter {name!r}. Install its package, or set OTEL_TRACES_EXPORTER to otlp, "
        "console or none"
    )


def _list(names: dict[str, str]) -> str:
    return " or ".join(names)


def start_exporter() -> Callable[[], None] | None:
    """Export spans as the environment says, unless the author has set up OpenTelemetry.

    If it cannot be done, the log says why, and the service works without it.

    Returns:
        A function that sends the remaining spans, to be called in a thread at the end; None if no
        exporter was started.
    """
    if SDK in sys.modules:
        return None
    plan = read_environment()
    if plan.problem:
        log.warning("traces_not_exported", reason=plan.problem)
    if plan.problem or not plan.loaders:
        return None
    try:
        from vertexkit.telemetry import otel

        return otel.start_exporters([load() for load in plan.loaders])
    except Exception as error:  # noqa: BLE001 - exporters read variables of their own
        log.warning(
            "traces_not_exported",
            reason=f"{type(error).__name__}: {error}",
            reference=reference_of(error),
        )
        return None


def use_tracer() -> None:
    """Record spans from now on, if OpenTelemetry is set up and no tracer is in use."""
    if tracing.is_active() or SDK not in sys.modules:
        return
    from vertexkit.telemetry import otel

    tracing.use(otel.current_tracer())
