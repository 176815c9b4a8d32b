"""The fifteen methods, as the table of the platform's document has them."""

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class MethodCase:
    """One of the fifteen methods, as the document describes it."""

    number: int
    verb: str
    path: str
    status: int
    errors: tuple[int, ...]
    query: dict[str, Any] = field(default_factory=dict)
    body: Any = None
    malformed: dict[str, Any] = field(default_factory=dict)
    """What to replace in the request for a 400."""

    @property
    def basic(self) -> bool:
        return self.number < 14


FILTERS = {
    "BotID": 698,
    "PageNumber": 1,
    "PageCount": 3,
    "CreatedFrom": "2023-01-09",
    "CreatedTo": "2023-06-30T23:59:59+00:00",
    "UpdatedFrom": "2023-01-09T00:00:00Z",
    "UpdatedTo": "2023-12-31",
}

VARIABLES = json.dumps({"name": "Аня"}, ensure_ascii=False)
BAD_LIST = {"query": {"PageNumber": "first"}}
METHOD_CASES = [
    MethodCase(1, "GET", "/v1/conversations", 200, (400, 401), FILTERS, malformed=BAD_LIST),
    MethodCase(2, "GET", "/v1/conversation/{id}", 200, (401, 403, 404)),
    MethodCase(3, "GET", "/v1/dialog/{bot}/create", 200, (401, 404), {"variables": VARIABLES}),
    MethodCase(4, "GET", "/v1/file/{file}", 200, (401, 404)),
    MethodCase(5, "GET", "/v2/conversations", 200, (400, 401), FILTERS, malformed=BAD_LIST),
    MethodCase(6, "GET", "/v2/conversation/{uuid}", 200, (401, 403, 404)),
    MethodCase(7, "GET", "/v2/dialog/{bot}/create", 200, (401, 404), {"variables": VARIABLES}),
    MethodCase(
        8,
        "POST",
        "/v2/dialog/{bot}/create",
        200,
        (401, 404),
        body={"response": True, "variables": VARIABLES},
    ),
    MethodCase(9, "POST", "/v2/conversation/{uuid}/stop", 204, (401, 403, 404)),
    MethodCase(10, "POST", "/v2/conversation/{uuid}/start", 204, (401, 403, 404)),
    MethodCase(
        11,
        "POST",
        "/v2/conversation/{uuid}/send",
        204,
        (400, 401, 403, 404),
        body={"body": "Здравствуйте!"},
        malformed={"body": {"body": 5}},
    ),
    MethodCase(
        12,
        "POST",
        "/v2/conversation/{uuid}/command",
        200,
        (400, 401, 403, 404),
        body={"body": "goto 698"},
        malformed={"body": {"body": "jump 698"}},
    ),
    MethodCase(13, "GET", "/v2/file/{file}", 200, (401, 404)),
    MethodCase(
        14,
        "POST",
        "/vertex/v1/complete",
        204,
        (403,),
        body={"token": "{token}", "data": {"ok": True}},
    ),
    MethodCase(
        15,
        "POST",
        "/vertex/v1/dialog/send_message",
        200,
        (400, 403),
        body={"token": "{token}", "text": "Привет", "typing": True},
        malformed={"body": {"token": "{token}", "text": 5, "typing": True}},
    ),
]
