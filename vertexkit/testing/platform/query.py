"""The query of a request for dialogs, read as strictly as the document can be read."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from vertexkit.testing.platform.body import read_object, wrong_variables
from vertexkit.testing.platform.conversations import Filter

NUMBER = re.compile("[0-9]{1,18}")
COUNT = re.compile("0{0,8}[1-9][0-9]{0,8}")
DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
MOMENT = re.compile(
    r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:?\d{2})?", re.ASCII
)
DAY_SECONDS = 86_400
PAGE_SIZE = 40
"""Dialogs on a page when the request does not say: as in the document's example."""
LARGEST_PAGE = 1000
"""A larger page is not given; the answer's `per_page` then says this. The document is silent."""


def read_query(method: str, query: bytes) -> tuple[Mapping[str, Any], list[str]]:
    """The parameters by name, each as its value, and a sentence for each breach."""
    known = PARAMETERS.get(method, {})
    try:
        pairs = parse_qsl(query.decode(), keep_blank_values=True, errors="strict")
    except ValueError:
        return {}, [f"{method}: the query is not UTF-8"]
    values: dict[str, Any] = {}
    wrongs = []
    for name, text in pairs:
        if name not in known:
            listed = ", ".join(f"`{each}`" for each in known) or "none"
            wrongs.append(f"{method}: there is no parameter {name!r}; it takes {listed}")
        elif name in values:
            wrongs.append(f"{method}: `{name}` is there twice")
        else:
            try:
                values[name] = known[name](text)
            except ValueError as problem:
                values[name] = None
                wrongs.append(f"{method}: `{name}` is {problem}")
    return values, wrongs


def filter_of(values: Mapping[str, Any]) -> Filter:
    """The filter that the parameters of a list ask for."""
    return Filter(**{FILTERS[name]: value for name, value in values.items() if name in FILTERS})


def _number(text: str) -> int:
    if not NUMBER.fullmatch(text):
        raise ValueError(f"{text!r}, no whole number")
    return int(text)


def _count(text: str) -> int:
    if not COUNT.fullmatch(text):
        raise ValueError(f"{text!r}, no whole number from 1")
    return int(text)


def _from(text: str) -> int:
    return _seconds(text)


def _to(text: str) -> int:
    # A day that is an end is in the period up to its last second.
    return _seconds(text) + (DAY_SECONDS - 1 if DAY.fullmatch(text) else 0)


def _seconds(text: str) -> int:
    if not DAY.fullmatch(text) and not MOMENT.fullmatch(text):
        hint = "; a `+` in a query is written %2B" if " " in text else ""
        raise ValueError(
            f"{text!r}, neither a date nor a date with a time (ISO 8601, as in 2023-05-01 or "
            f"2023-05-01T10:00:00+05:00){hint}"
        )
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r}, which no calendar or clock shows") from None
    # Whoever names no zone means UTC here: the document does not say what the platform takes.
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return int((aware - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() // 1)


def _flag(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(f"{text!r}, neither true nor false")
    return text == "true"


def _variables(text: str) -> dict[str, Any]:
    wrong = wrong_variables(text)
    content, _ = read_object(text.encode("utf-8", "surrogatepass"))
    if wrong is not None or content is None:
        raise ValueError((wrong or "").removeprefix("is "))
    return content


Reader = Callable[[str], Any]
LIST: dict[str, Reader] = {
    "BotID": _number,
    "PageNumber": _count,
    "PageCount": _count,
    "CreatedFrom": _from,
    "CreatedTo": _to,
    "UpdatedFrom": _from,
    "UpdatedTo": _to,
}
PARAMETERS: dict[str, dict[str, Reader]] = {
    "v1.conversations": LIST,
    "v2.conversations": LIST,
    "v1.create": {"variables": _variables},
    "v2.create": {"variables": _variables},
    "v2.create_and_start": {"response": _flag, "variables": _variables},
}
"""What the query of each method may hold; that of any other holds nothing."""
FILTERS = {
    "BotID": "bot_id",
    "CreatedFrom": "created_from",
    "CreatedTo": "created_to",
    "UpdatedFrom": "updated_from",
    "UpdatedTo": "updated_to",
}
