"""Events: logged and passed to subscribers."""

from io import BytesIO

import pytest
import structlog
from pydantic_core import from_json

from vertexkit.clock import Clock
from vertexkit.execution import Execution
from vertexkit.telemetry import logs
from vertexkit.telemetry.events import DEBUG_EVENTS, WARNING_EVENTS, Event, Events
from vertexkit.token import Token


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


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"bytes": 3},
        {"seconds": float("nan"), "of": {"a": b"\xff"}},
        {"text": "half \ud83d"},
        {"value": object},
        {"execution": "another"},
    ],
    ids=str,
)
def test_an_event_is_the_same_line_with_and_without_structlogs_chain(
    fields: dict[str, object],
) -> None:
    """The line that is composed at once has the fields of the chain's line, in the same order."""
    stream = BytesIO()
    writer = logs.configure("json", "info", stream)
    logs.bind(Execution("e1", "loan", Token("eyJ0.e30.x"), {}), 2)
    events = Events(Clock())
    assert logs.event_lines() is not None
    events.emit("accepted", "e1", **fields)
    structlog.get_logger("vertexkit").info("accepted", **fields)
    writer.flush()
    composed, chained = (from_json(line) for line in stream.getvalue().splitlines())
    assert composed.pop("time")
    assert chained.pop("time")
    assert list(composed.items()) == list(chained.items())


def test_an_authors_configuration_of_structlog_sees_every_event() -> None:
    """Processors of an author's, and `capture_logs` at any time, get what a line would say."""
    logs.configure("json", "info", BytesIO())
    events = Events(Clock())
    with structlog.testing.capture_logs() as lines:
        events.emit("accepted", "e1", bytes=3)
    assert lines == [{"event": "accepted", "bytes": 3, "log_level": "info"}]
    seen: list[str] = []

    def see(_: object, __: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
        seen.append(event["event"])
        raise structlog.DropEvent

    structlog.configure(processors=[see])
    Events(Clock()).emit("accepted", "e1")
    assert seen == ["accepted"]


@pytest.mark.parametrize("log_format, level", [("console", "info"), ("json", "debug")])
def test_other_configurations_use_structlogs_chain(log_format: logs.Format, level: str) -> None:
    """Lines for people, and those of other levels, are not composed at once."""
    logs.configure(log_format, level, BytesIO())
    assert logs.event_lines() is None
