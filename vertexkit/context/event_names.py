"""The names of events: checked where a handler waits, and where an event is delivered."""

import re

EVENT_NAME = re.compile(r"[\w.-]{1,100}")


def check_event_name(name: object) -> None:
    """Check the name of an event.

    Raises:
        TypeError: It is not a text.
        ValueError: It is not a name.
    """
    if not isinstance(name, str):
        raise TypeError(f"the name of an event must be a text, got {type(name).__name__}")
    if not EVENT_NAME.fullmatch(name):
        raise ValueError(
            "the name of an event must have 1 to 100 letters, digits, dots, hyphens and "
            f"underscores, got {name!r:.120}"
        )
