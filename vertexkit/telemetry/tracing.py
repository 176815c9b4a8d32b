"""Tracing: spans if a tracer is in use, otherwise nothing, at no cost.

`vertexkit.telemetry.otel_setup` puts OpenTelemetry's tracer in use.
"""

from collections.abc import MutableMapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal, Protocol

SpanKind = Literal["internal", "server", "client", "consumer"]


class Tracer(Protocol):
    """What the functions of this module call."""

    def span(
        self,
        operation: str,
        target: str,
        kind: SpanKind,
        parent: str | None,
        attributes: dict[str, Any],
    ) -> AbstractContextManager[None]:
        """As `span`."""

    def set_attributes(self, attributes: dict[str, Any]) -> None:
        """As `set_attributes`."""

    def traceparent(self) -> str:
        """As `traceparent`."""

    def add_ids(self, event: MutableMapping[str, Any]) -> None:
        """As `add_ids`."""

    def inject(self, headers: MutableMapping[str, str]) -> None:
        """As `inject`."""


_tracer: Tracer | None = None
_NO_SPAN = nullcontext()


def use(tracer: Tracer | None) -> None:
    """Record spans with this tracer from now on, in the whole process.

    Args:
        tracer: None: record no spans.
    """
    global _tracer  # noqa: PLW0603 - OpenTelemetry's provider is one for the process, too
    _tracer = tracer


def is_active() -> bool:
    """Whether a tracer is in use."""
    return _tracer is not None


def span(
    operation: str,
    target: str,
    kind: SpanKind = "internal",
    *,
    parent: str | None = None,
    **attributes: Any,
) -> AbstractContextManager[None]:
    """Make a context that is a span, and the current one for everything awaited in it.

    Args:
        operation: first word of the span's name.
        target: second word of the span's name.
        kind: OpenTelemetry's kind of span.
        parent: a `traceparent` header, if it is not the current span. Empty: start a new trace.
        **attributes: exported with the prefix `vertexkit.`; None values are left out.

    Returns:
        The context.
    """
    if _tracer is None:
        return _NO_SPAN
    return _tracer.span(operation, target, kind, parent, attributes)


def set_attributes(**attributes: Any) -> None:
    """Add attributes to the current span, as `span` takes them."""
    if _tracer is not None:
        _tracer.set_attributes(attributes)


def traceparent() -> str:
    """The current span as a `traceparent` header; empty if there is none."""
    return "" if _tracer is None else _tracer.traceparent()


def add_ids(event: MutableMapping[str, Any]) -> None:
    """Add the ids of the current span to a log line."""
    if _tracer is not None:
        _tracer.add_ids(event)


def inject(headers: MutableMapping[str, str]) -> None:
    """Add the current span to the headers of a request, unless they contain one."""
    if _tracer is not None:
        _tracer.inject(headers)
