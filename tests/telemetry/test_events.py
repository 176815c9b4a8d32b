"""What happens, told in one place."""

import pytest
import structlog

from vertexkit.clock import Clock
from vertexkit.telemetry.events import LOUD, QUIET, Event, Events


def test_each_event_reaches_the_log_and_every_subscriber() -> None:
    """Subscribers get name, execution, time and fields; the log gets a line."""
    heard: list[Event] = []
    with structlog.testing.capture_logs() as lines:
        clock = Clock()
        events = Events(clock)
        events.subscribe(heard.append)
        events.subscribe(heard.append)
        before = clock.now()
        events.tell("accepted", "e1", bytes=3)
    assert [(each.name, each.execution, each.fields) for each in heard] == [
        ("accepted", "e1", {"bytes": 3})
    ] * 2
    assert before <= heard[0].at <= clock.now()
    assert lines == [{"event": "accepted", "bytes": 3, "log_level": "info"}]


@pytest.mark.parametrize(
    "name, level",
    [(name, "debug") for name in sorted(QUIET)]
    + [(name, "warning") for name in sorted(LOUD)]
    + [("settled", "info"), ("send_retried", "info")],
)
def test_an_operator_sees_what_matters(name: str, level: str) -> None:
    """What goes well step by step is for debugging; what somebody should look at is a warning."""
    with structlog.testing.capture_logs() as lines:
        Events(Clock()).tell(name, "e1")
    assert [line["log_level"] for line in lines] == [level]
