"""The fifteen methods described for programs: OpenAPI 3.1, as the fake platform plays them."""

from typing import Any

from vertexkit.testing.platform.methods import ROWS, Row
from vertexkit.testing.platform.query import LARGEST_PAGE

Json = dict[str, Any]

TEXT: Json = {"type": "string"}
MAYBE: Json = {"type": ["string", "null"]}
WHOLE: Json = {"type": "integer", "minimum": 0, "maximum": 10**18 - 1}
COUNT: Json = {"type": "integer", "minimum": 1, "maximum": 10**9 - 1}
UUID: Json = {"type": "string", "format": "uuid"}
FLAG: Json = {"type": "boolean"}
MOMENT: Json = {
    "anyOf": [{"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}]
}
OBJECT: Json = {
    "type": "string",
    "contentMediaType": "application/json",
    "contentSchema": {"type": "object"},
}
NAMES = {
    "v1.conversations": "List dialogs",
    "v1.conversation": "Show a dialog with its data",
    "v1.create": "Create a dialog, not started",
    "v1.download": "Fetch a file",
    "v2.conversations": "List dialogs",
    "v2.conversation": "Show a dialog with its data",
    "v2.create": "Create a dialog, not started",
    "v2.create_and_start": "Create a dialog and start it",
    "v2.stop": "Stop the bot and hand over to an operator",
    "v2.start": "Let the bot go on",
    "v2.send": "Say something as the operator",
    "v2.goto": "Move the dialog to another bot",
    "v2.download": "Fetch a file",
}
REFUSALS = {400: "A parameter has a wrong form.", 401: "Wrong login or password."} | {
    403: "The dialog or the instance cannot be reached.",
    404: "There is no such object.",
}


def describe(base: str) -> Json:
    """The description, with `base` (for example `/api`) before each path."""
    paths: dict[str, Json] = {}
    for row in ROWS:
        paths.setdefault(base + row.path, {})[row.verb.lower()] = _operation(row)
    for name, operation in VERTEX.items():
        paths[base + name] = {"post": operation}
    return {
        "openapi": "3.1.0",
        "info": {"title": "The Bot.one API, as vertexkit plays it", "version": "2023"},
        "paths": paths,
        "components": {
            "securitySchemes": {"user": {"type": "http", "scheme": "basic"}},
            "schemas": SCHEMAS,
        },
    }


def _operation(row: Row) -> Json:
    operation: Json = {
        "operationId": row.name,
        "summary": NAMES[row.name],
        "tags": [f"V{row.version}"],
        "security": [{"user": []}],
        "parameters": _parameters(row),
        "responses": _answers(row),
    }
    if row.name in BODIES:
        operation["requestBody"] = _body(BODIES[row.name], row.name != "v2.create_and_start")
    return operation


def _parameters(row: Row) -> list[Json]:
    found = []
    if row.about != "list":
        by_uuid = row.about == "dialog" and row.version > 1
        schema = UUID if by_uuid else WHOLE
        found.append({"name": "key", "in": "path", "required": True, "schema": schema})
    for name, schema in QUERIES.get(row.deed, {}).items():
        found.append({"name": name, "in": "query", "required": False, "schema": schema})
    return found


def _answers(row: Row) -> Json:
    answers: Json = {}
    if row.deed in {"stop", "start", "send"}:
        answers["204"] = {"description": "Done."}
    elif row.deed == "download":
        answers["200"] = {"description": "The file's bytes.", "content": {"*/*": {}}}
    elif row.deed == "create_and_start":
        # Nothing is said unless `response` asks for it.
        answers["200"] = {"description": "The ids, if `response` is true; else nothing."}
    else:
        answers["200"] = _json("Done.", ANSWERS[row.deed].format(version=row.version))
    documented = {401, 403, 404} if row.about != "list" else {401, 403}
    for status in sorted(documented | {row.wrong}):
        answers[str(status)] = _json(REFUSALS[status], "Refusal")
    return answers


def _json(description: str, schema: str) -> Json:
    held = {"schema": {"$ref": f"#/components/schemas/{schema}"}}
    return {"description": description, "content": {"application/json": held}}


def _body(members: Json, required: bool) -> Json:
    schema = {"type": "object", "properties": members, "additionalProperties": False}
    if required:
        schema["required"] = list(members)
    return {"required": required, "content": {"application/json": {"schema": schema}}}


QUERIES: dict[str, Json] = {
    "conversations": {
        "BotID": WHOLE,
        "PageNumber": COUNT,
        "PageCount": COUNT | {"description": f"{LARGEST_PAGE} at most are given."},
        "CreatedFrom": MOMENT,
        "CreatedTo": MOMENT,
        "UpdatedFrom": MOMENT,
        "UpdatedTo": MOMENT,
    },
    "create": {"variables": OBJECT},
    "create_and_start": {"response": FLAG, "variables": OBJECT},
}
BODIES: dict[str, Json] = {
    "v2.create_and_start": {"response": FLAG, "variables": OBJECT},
    "v2.send": {"body": TEXT | {"minLength": 1}},
    "v2.goto": {"body": {"type": "string", "pattern": "^goto [0-9]{1,18}$"}},
}
ANSWERS = {
    "conversations": "ListV{version}",
    "conversation": "DialogV{version}",
    "create": "Created",
    "goto": "Moved",
}


def _listed(version: int) -> Json:
    members: Json = {
        "id": WHOLE if version == 1 else UUID,
        "name": MAYBE,
        "status": TEXT,
        "ip": MAYBE,
        "location": MAYBE,
        "updated": TEXT | {"description": "ISO 8601 with zone, or an empty text."},
        "duration": {"type": ["number", "null"]},
    }
    if version > 1:
        members["source"] = MAYBE
    return members


def _object(members: Json, **more: Any) -> Json:
    return {"type": "object", "properties": members, "required": list(members), **more}


PAGINATION = {
    name: {"type": "integer"}
    for name in ("total", "count", "per_page", "current_page", "total_pages")
} | {"links": {}}
ANSWER = _object({"question": MAYBE, "type": MAYBE, "answer": {}, "variable": MAYBE})
SCHEMAS: dict[str, Json] = {
    "Refusal": _object({"message": TEXT}),
    "Created": _object({"dialogId": UUID}),
    "Moved": _object({"message": TEXT}),
}
for _version in (1, 2):
    SCHEMAS[f"ListV{_version}"] = {
        "type": "object",
        "properties": {"meta": _object({"pagination": _object(PAGINATION)})},
        "required": ["meta"],
        "patternProperties": {"^[0-9]+$": _object(_listed(_version))},
        "additionalProperties": False,
    }
    _data = {"anyOf": [{"const": "[]"}, {"type": "array", "items": ANSWER}]}
    SCHEMAS[f"DialogV{_version}"] = _object(_listed(_version) | {"data": _data})


def _vertex(name: str, members: Json, answers: Json) -> Json:
    return {
        "operationId": name,
        "tags": ["Vertex"],
        "requestBody": _body({"token": TEXT | {"minLength": 1}} | members, required=True),
        "responses": answers
        | {"400": _json(REFUSALS[400], "Refusal")}
        | {"403": _json(REFUSALS[403], "Refusal")},
    }


VERTEX = {
    "/vertex/v1/complete": _vertex(
        "complete", {"data": {"type": ["object", "null"]}}, {"204": {"description": "Done."}}
    ),
    "/vertex/v1/dialog/send_message": _vertex(
        "send_message",
        {"text": TEXT | {"minLength": 1}, "typing": FLAG},
        {"200": _json("SentMessage.", "SentMessage")},
    ),
}
SCHEMAS["SentMessage"] = _object(
    {"message_id": {"type": "integer"}, "created_at": {"type": "integer"}}
)
