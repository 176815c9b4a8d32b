"""What recordings show of an execution's contents and of the author's errors, as JSON."""

import builtins
import traceback
from collections.abc import Iterable
from itertools import islice
from typing import Any

from pydantic_core import from_json, to_json, to_jsonable_python

from vertexkit.loading import display_path, is_library, suggestion
from vertexkit.recordings.contents import WAITS, wait_event
from vertexkit.telemetry.events import Event
from vertexkit.text import sanitize

MAX_CONTENT_BYTES = 32 * 1024
"""Arguments and results that are larger as JSON are cut."""
MAX_FRAMES = 12
"""Number of the innermost frames that are shown."""
MAX_NAMES = 2000
"""Names that are searched for one that is similar."""


def content_event(event: Event, now: float, unix: float) -> Event:
    """Return an event of `Events.subscribe_contents` with fields that are JSON.

    Args:
        event: with Python values.
        now: the time that the event gets.
        unix: Unix time, for the seconds that a wait takes.
    """
    if event.name in WAITS:
        fields = wait_event(event, unix).fields
    else:
        fields = dict(event.fields)
        for name in ("args", "kwargs"):
            if name in fields:
                fields[name] = _jsonable(fields[name])
        if "result" in fields:
            fields["result"] = _jsonable(from_json(fields["result"]))
        if "error" in fields:
            fields["error"] = describe_error(fields["error"])
    return Event(event.name, event.execution, now, fields, event.block)


def describe_error(error: BaseException) -> dict[str, Any]:
    """Describe an error of an author's code.

    Returns:
        `type`, `message`, `hint` (a name that may have been meant), and `frames`: the author's own
        ones, the innermost last, each with `file`, `line`, `function` and `code`.
    """
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not is_library(frame.filename)]
    return {
        "type": type(error).__name__,
        "message": sanitize(str(error), MAX_CONTENT_BYTES),
        "hint": _hint(error).strip(),
        "frames": [
            {
                "file": display_path(frame.filename),
                "line": frame.lineno,
                "function": frame.name,
                "code": frame.line or "",
            }
            for frame in own[-MAX_FRAMES:]
        ],
    }


def _hint(error: BaseException) -> str:
    name = getattr(error, "name", None)
    if not isinstance(name, str):
        return ""
    if isinstance(error, AttributeError):
        return suggestion(name, _names(dir(error.obj)))
    if isinstance(error, NameError) and error.__traceback__ is not None:
        *_, (frame, _line) = traceback.walk_tb(error.__traceback__)
        return suggestion(name, _names([*frame.f_locals, *frame.f_globals, *dir(builtins)]))
    return ""


def _names(names: Iterable[str]) -> Iterable[str]:
    return (name for name in islice(names, MAX_NAMES) if not name.startswith("_"))


def _jsonable(value: Any) -> Any:
    """Return a value as JSON, or the beginning of its text if it is large."""
    plain = to_jsonable_python(value, fallback=repr, inf_nan_mode="strings", bytes_mode="base64")
    text = to_json(plain)
    if len(text) <= MAX_CONTENT_BYTES:
        return plain
    return text[:MAX_CONTENT_BYTES].decode(errors="ignore") + "…"
