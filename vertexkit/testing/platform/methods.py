"""The table of methods 1 to 13, and a request for one of them, read."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from starlette.requests import Request

from vertexkit.testing.platform.body import MEMBERS, OPTIONAL, read_form
from vertexkit.testing.platform.query import read_query

ID = re.compile("[0-9]{1,18}")
HEX = "[0-9a-fA-F]"
DASHED = re.compile(f"{HEX}{{8}}-{HEX}{{4}}-{HEX}{{4}}-{HEX}{{4}}-{HEX}{{12}}")
About = Literal["list", "bot", "dialog", "file"]
"""What a method is asked about."""


@dataclass(frozen=True, slots=True)
class Row:
    """One of the thirteen methods.

    Attributes:
        name: by which faults are ordered: the version and the client's word for it.
        verb: the HTTP method.
        path: under the platform's base path.
        about: what it is asked about.
        wrong: the status of a request in a wrong form: 400 where the document has it, else 404
            ("check the values of the parameters").
    """

    name: str
    verb: str
    path: str
    about: About
    wrong: int = 404

    @property
    def version(self) -> int:
        """Of the API: 1 or 2."""
        return int(self.name[1])

    @property
    def deed(self) -> str:
        """Its name without the version."""
        return self.name.partition(".")[2]


ROWS = (
    Row("v1.conversations", "GET", "/v1/conversations", "list", 400),
    Row("v1.conversation", "GET", "/v1/conversation/{key}", "dialog"),
    Row("v1.create", "GET", "/v1/dialog/{key}/create", "bot"),
    Row("v1.download", "GET", "/v1/file/{key}", "file"),
    Row("v2.conversations", "GET", "/v2/conversations", "list", 400),
    Row("v2.conversation", "GET", "/v2/conversation/{key}", "dialog"),
    Row("v2.create", "GET", "/v2/dialog/{key}/create", "bot"),
    Row("v2.create_and_start", "POST", "/v2/dialog/{key}/create", "bot"),
    Row("v2.stop", "POST", "/v2/conversation/{key}/stop", "dialog"),
    Row("v2.start", "POST", "/v2/conversation/{key}/start", "dialog"),
    Row("v2.send", "POST", "/v2/conversation/{key}/send", "dialog", 400),
    Row("v2.goto", "POST", "/v2/conversation/{key}/command", "dialog", 400),
    Row("v2.download", "GET", "/v2/file/{key}", "file"),
)
"""Methods 1 to 13, in the document's order."""
DIALOG_METHODS = tuple(row.name for row in ROWS)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request in the right form: what it is about, its query and its body."""

    row: Row
    request: Request
    key: int | UUID | None
    query: Mapping[str, Any]
    content: Mapping[str, Any]

    @property
    def aim(self) -> int:
        """The bot that a goto names."""
        return int(self.content["body"].partition(" ")[2])


def read(row: Row, request: Request, body: bytes) -> tuple[Asked, list[str]]:
    """The request, and a sentence for each breach of the documented form."""
    query, wrongs = read_query(row.name, request.scope["query_string"])
    text = request.path_params.get("key")
    key: int | UUID | None = None
    if text is not None:
        by_uuid = row.about == "dialog" and row.version > 1
        if not (DASHED if by_uuid else ID).fullmatch(text):
            kind = "a UUID" if by_uuid else "a whole number"
            wrongs.append(f"{row.name}: {text!r} in the path is not {kind}")
        else:
            key = UUID(text) if by_uuid else int(text)
    content: Mapping[str, Any] = {}
    if row.name in MEMBERS and (body or row.name not in OPTIONAL):
        content, more = read_form(row.name, request.headers.get("content-type"), body)
        wrongs += more
    elif body:
        wrongs.append(f"{row.name}: it has no body, and {len(body)} bytes came")
    return Asked(row, request, key, query, content), wrongs
