"""What recordings keep of the contents of executions: the waits of handlers, as JSON."""

from pydantic import TypeAdapter
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticUserError
from pydantic_core import from_json

from vertexkit.telemetry.events import Event

WAITS = frozenset({"waiting", "waited"})
"""Names of contents that are recorded of every execution."""


def wait_event(event: Event, unix: float) -> Event:
    """Return contents about a wait with fields that are JSON.

    Args:
        event: of `Events.subscribe_contents`, one of `WAITS`.
        unix: Unix time, for the seconds that the wait takes.
    """
    fields = dict(event.fields)
    if "data" in fields:
        fields["data"] = from_json(fields["data"])
    if "until" in fields:
        fields["seconds"] = round(max(0.0, fields["until"] - unix), 3)
    if "shape" in fields:
        fields["schema"] = _schema(fields.pop("shape"))
    return Event(event.name, event.execution, event.at, fields, event.block)


def _schema(shape: TypeAdapter[object]) -> dict[str, object]:
    try:
        return shape.json_schema()
    except (PydanticInvalidForJsonSchema, PydanticUserError):
        return {}
