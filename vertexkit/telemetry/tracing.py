"""Spans of OpenTelemetry where somebody has set it up; elsewhere nothing, at no cost.

The library is imported only if its SDK is there already, or the environment names a collector.
"""

import os
import sys
from collections.abc import MutableMapping
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from typing import Any, Literal, Protocol

Kind = Literal["internal", "server", "client", "consumer"]
ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
"""Either of them, in the environment, asks for spans."""
SDK = "opentelemetry.sdk.trace"


class Tracing(Protocol):
    """What `vertexkit.telemetry.otel` does, where it is imported."""

    def span(
        self, what: str, of: str, kind: Kind, parent: str | None, attributes: dict[str, Any]
    ) -> AbstractContextManager[None]:
        """As `span`."""

    def note(self, attributes: dict[str, Any]) -> None:
        """As `note`."""

    def carried(self) -> str:
        """As `carried`."""

    def on_line(self, event: MutableMapping[str, Any]) -> None:
        """As `on_line`."""

    def hand_on(self, headers: MutableMapping[str, str]) -> None:
        """As `hand_on`."""


_tracing: Tracing | None = None
_NOTHING = nullcontext()


def set_up() -> Any:
    """Send spans where the environment says, unless the author has set up something of their own.

    Returns:
        A callable that sends what is left, to be called in a thread at the end; None if there is
        nothing to do.
    """
    if SDK in sys.modules or not any(os.environ.get(name) for name in ENDPOINTS):
        return None
    try:
        return import_module("vertexkit.telemetry.otel").set_up()
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("vertexkit"):
            raise
        return None  # the extra `otel` is not installed: other programs may want the variable


def start() -> None:
    """Record spans from now on, if somebody has set OpenTelemetry up."""
    global _tracing  # noqa: PLW0603 - its provider is one for the process, too
    if _tracing is None and SDK in sys.modules:
        _tracing = import_module("vertexkit.telemetry.otel").start()


def span(
    what: str, of: str, kind: Kind = "internal", *, parent: str | None = None, **attributes: Any
) -> AbstractContextManager[None]:
    """A context that is a span, the current one for whatever is awaited in it.

    Args:
        what: the first word of its name.
        of: the second.
        kind: as OpenTelemetry has it.
        parent: a `traceparent`, if it is not the current span. Empty: it begins a trace.
        **attributes: get `vertexkit.` before their names; None is left out.
    """
    if _tracing is None:
        return _NOTHING
    return _tracing.span(what, of, kind, parent, attributes)


def note(**attributes: Any) -> None:
    """Add to the current span what is known by now."""
    if _tracing is not None:
        _tracing.note(attributes)


def carried() -> str:
    """The current span as a `traceparent`; empty if there is none."""
    return "" if _tracing is None else _tracing.carried()


def on_line(event: MutableMapping[str, Any]) -> None:
    """Put the current span's ids on a log line."""
    if _tracing is not None:
        _tracing.on_line(event)


def hand_on(headers: MutableMapping[str, str]) -> None:
    """Put the current span on a request to another service, unless it has one."""
    if _tracing is not None:
        _tracing.hand_on(headers)
