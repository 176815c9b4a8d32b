"""The table of methods 1 to 13, and the parsing of a request for one of them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from starlette.requests import Request

from vertexkit.testing.platform.query import read_query
from vertexkit.testing.platform.request_body import (
    FIELDS_BY_METHOD,
    METHODS_WITH_OPTIONAL_BODY,
    validate_body,
)

NUMERIC_ID = re.compile("[0-9]{1,18}")
HEX_DIGIT = "[0-9a-fA-F]"
DASHED_UUID = re.compile(
    f"{HEX_DIGIT}{{8}}-{HEX_DIGIT}{{4}}-{HEX_DIGIT}{{4}}-{HEX_DIGIT}{{4}}-{HEX_DIGIT}{{12}}"
)
Resource = Literal["list", "bot", "dialog", "file"]
"""What a method works on."""


@dataclass(frozen=True, slots=True)
class Method:
    """One of the thirteen methods.

    Attributes:
        name: the version and the client's name of the method; faults are ordered by it.
        verb: the HTTP method.
        path: under the platform's base path.
        resource: what it works on.
        invalid_status: the status of the response to an invalid request: 400 where the document
            has it, else 404 ("check the values of the parameters").
    """

    name: str
    verb: str
    path: str
    resource: Resource
    invalid_status: int = 404

    @property
    def version(self) -> int:
        """The version of the API: 1 or 2."""
        return int(self.name[1])

    @property
    def operation(self) -> str:
        """The name without the version."""
        return self.name.partition(".")[2]

    @property
    def takes_uuid(self) -> bool:
        """The path holds a UUID, not a number."""
        return self.resource == "dialog" and self.version > 1


METHODS = (
    Method("v1.conversations", "GET", "/v1/conversations", "list", 400),
    Method("v1.conversation", "GET", "/v1/conversation/{key}", "dialog"),
    Method("v1.create", "GET", "/v1/dialog/{key}/create", "bot"),
    Method("v1.download", "GET", "/v1/file/{key}", "file"),
    Method("v2.conversations", "GET", "/v2/conversations", "list", 400),
    Method("v2.conversation", "GET", "/v2/conversation/{key}", "dialog"),
    Method("v2.create", "GET", "/v2/dialog/{key}/create", "bot"),
    Method("v2.create_and_start", "POST", "/v2/dialog/{key}/create", "bot"),
    Method("v2.stop", "POST", "/v2/conversation/{key}/stop", "dialog"),
    Method("v2.start", "POST", "/v2/conversation/{key}/start", "dialog"),
    Method("v2.send", "POST", "/v2/conversation/{key}/send", "dialog", 400),
    Method("v2.goto", "POST", "/v2/conversation/{key}/command", "dialog", 400),
    Method("v2.download", "GET", "/v2/file/{key}", "file"),
)
"""Methods 1 to 13, in the document's order."""
DIALOG_METHODS = tuple(method.name for method in METHODS)


@dataclass(frozen=True, slots=True)
class MethodCall:
    """A request for one of the methods: its id in the path, its query and its body."""

    method: Method
    request: Request
    key: int | UUID | None
    query: Mapping[str, Any]
    content: Mapping[str, Any]

    @property
    def goto_bot(self) -> int:
        """The bot that a goto names."""
        return int(self.content["body"].partition(" ")[2])


def read_call(method: Method, request: Request, body: bytes) -> tuple[MethodCall, list[str]]:
    """Parse a request.

    Returns:
        The call, and a sentence for each deviation from the documented form.
    """
    query, problems = read_query(method.name, request.scope["query_string"])
    text = request.path_params.get("key")
    key: int | UUID | None = None
    if text is not None:
        if not (DASHED_UUID if method.takes_uuid else NUMERIC_ID).fullmatch(text):
            expected = "UUID" if method.takes_uuid else "whole number"
            problems.append(f"{method.name}: {text!r} in the path is not a {expected}")
        else:
            key = UUID(text) if method.takes_uuid else int(text)
    content: Mapping[str, Any] = {}
    name = method.name
    if name in FIELDS_BY_METHOD and (body or name not in METHODS_WITH_OPTIONAL_BODY):
        content, body_problems = validate_body(name, request.headers.get("content-type"), body)
        problems += body_problems
    elif body:
        problems.append(f"{name}: the method takes no body, and the request has {len(body)} bytes")
    return MethodCall(method, request, key, query, content), problems
