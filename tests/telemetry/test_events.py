"""Events: logged and passed to subscribers."""

import pytest
import structlog

from vertexkit.clock import Clock
from vertexkit.telemetry.events import DEBUG_EVENTS, WARNING_EVENTS, Event, Events


def test_each_event_reaches_the_log_and_every_subscriber() -> None:
    """Subscribers receive name, execution, time and fields; the log receives a line."""
    received: list[Event] = []
    with structlog.testing.capture_logs() as lines:
        clock = Clock()
        events = Events(clock)
        events.subscribe(received.append)
        events.subscribe(received.append)
        before = clock.now()
        events.emit("accepted", "e1", bytes=3)
    assert [(event.name, event.execution, event.fields) for event in received] == [
        ("accepted", "e1", {"bytes": 3})
    ] * 2
    assert before <= received[0].at <= clock.now()
    assert lines == [{"event": "accepted", "bytes": 3, "log_level": "info"}]


@pytest.mark.parametrize(
    "name, level",
    [(name, "debug") for name in sorted(DEBUG_EVENTS)]
    + [(name, "warning") for name in sorted(WARNING_EVENTS)]
    + [("settled", "info"), ("send_retried", "info")],
)
def test_an_event_is_logged_at_its_level(name: str, level: str) -> None:
    """Successful steps are logged at DEBUG; what an operator should see is logged at WARNING."""
    with structlog.testing.capture_logs() as lines:
        Events(Clock()).emit(name, "e1")
    assert [line["log_level"] for line in lines] == [level]
