"""Validation of query parameters, as strict as the document allows."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from vertexkit.testing.platform.conversations import ConversationFilter
from vertexkit.testing.platform.request_body import parse_object, variables_problem

WHOLE_NUMBER = re.compile("[0-9]{1,18}")
POSITIVE_NUMBER = re.compile("0{0,8}[1-9][0-9]{0,8}")
DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
DATE_TIME = re.compile(
    r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:?\d{2})?", re.ASCII
)
SECONDS_PER_DAY = 86_400
DEFAULT_PAGE_SIZE = 40
"""Dialogs on a page without `PageCount`: as in the document's example."""
MAX_PAGE_SIZE = 1000
"""Larger pages are cut to this size, and `per_page` then says so. The document is silent on it."""


def read_query(method: str, query: bytes) -> tuple[Mapping[str, Any], list[str]]:
    """Parse and validate the query of a request.

    Returns:
        The value of each parameter by name, and a sentence for each problem.
    """
    known = PARAMETERS.get(method, {})
    try:
        pairs = parse_qsl(query.decode(), keep_blank_values=True, errors="strict")
    except ValueError:
        return {}, [f"{method}: the query is not UTF-8"]
    values: dict[str, Any] = {}
    problems = []
    for name, text in pairs:
        if name not in known:
            listed = ", ".join(f"`{parameter}`" for parameter in known) or "none"
            problems.append(f"{method}: unknown parameter {name!r}; the method takes {listed}")
        elif name in values:
            problems.append(f"{method}: the parameter `{name}` is given twice")
        else:
            try:
                values[name] = known[name](text)
            except ValueError as error:
                values[name] = None
                problems.append(f"{method}: `{name}` is {error}")
    return values, problems


def filter_from(values: Mapping[str, Any]) -> ConversationFilter:
    """Return the filter that the parameters of a list describe."""
    return ConversationFilter(
        **{FILTER_FIELDS[name]: value for name, value in values.items() if name in FILTER_FIELDS}
    )


def _whole_number(text: str) -> int:
    if not WHOLE_NUMBER.fullmatch(text):
        raise ValueError(f"{text!r}, not a whole number")
    return int(text)


def _positive_number(text: str) -> int:
    if not POSITIVE_NUMBER.fullmatch(text):
        raise ValueError(f"{text!r}, not a whole number of at least 1")
    return int(text)


def _period_start(text: str) -> int:
    return _unix_seconds(text)


def _period_end(text: str) -> int:
    # A date without a time includes the whole day.
    return _unix_seconds(text) + (SECONDS_PER_DAY - 1 if DATE.fullmatch(text) else 0)


def _unix_seconds(text: str) -> int:
    if not DATE.fullmatch(text) and not DATE_TIME.fullmatch(text):
        hint = "; a `+` in a query is written %2B" if " " in text else ""
        raise ValueError(
            f"{text!r}, neither a date nor a date with a time (ISO 8601, as in 2023-05-01 or "
            f"2023-05-01T10:00:00+05:00){hint}"
        )
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r}, which does not exist in the calendar") from None
    # A time without a zone is UTC here: the document does not say what the platform takes it for.
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return int((aware - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() // 1)


def _boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(f"{text!r}, neither true nor false")
    return text == "true"


def _variables(text: str) -> dict[str, Any]:
    problem = variables_problem(text)
    content, _ = parse_object(text.encode("utf-8", "surrogatepass"))
    if problem is not None or content is None:
        raise ValueError(problem)
    return content


Parser = Callable[[str], Any]
LIST_PARAMETERS: dict[str, Parser] = {
    "BotID": _whole_number,
    "PageNumber": _positive_number,
    "PageCount": _positive_number,
    "CreatedFrom": _period_start,
    "CreatedTo": _period_end,
    "UpdatedFrom": _period_start,
    "UpdatedTo": _period_end,
}
PARAMETERS: dict[str, dict[str, Parser]] = {
    "v1.conversations": LIST_PARAMETERS,
    "v2.conversations": LIST_PARAMETERS,
    "v1.create": {"variables": _variables},
    "v2.create": {"variables": _variables},
    "v2.create_and_start": {"response": _boolean, "variables": _variables},
}
"""The query parameters of each method; the other methods take none."""
FILTER_FIELDS = {
    "BotID": "bot_id",
    "CreatedFrom": "created_from",
    "CreatedTo": "created_to",
    "UpdatedFrom": "updated_from",
    "UpdatedTo": "updated_to",
}
