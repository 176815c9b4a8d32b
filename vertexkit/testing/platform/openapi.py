"""An OpenAPI 3.1 document of the fifteen methods, as the fake platform implements them."""

from typing import Any

from vertexkit.testing.platform.methods import METHODS, Method
from vertexkit.testing.platform.query import MAX_PAGE_SIZE

Json = dict[str, Any]

STRING: Json = {"type": "string"}
NULLABLE_STRING: Json = {"type": ["string", "null"]}
WHOLE_NUMBER: Json = {"type": "integer", "minimum": 0, "maximum": 10**18 - 1}
POSITIVE_NUMBER: Json = {"type": "integer", "minimum": 1, "maximum": 10**9 - 1}
UUID: Json = {"type": "string", "format": "uuid"}
BOOLEAN: Json = {"type": "boolean"}
DATE_OR_TIME: Json = {
    "anyOf": [{"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}]
}
ENCODED_OBJECT: Json = {
    "type": "string",
    "contentMediaType": "application/json",
    "contentSchema": {"type": "object"},
}
SUMMARIES = {
    "v1.conversations": "List dialogs",
    "v1.conversation": "Show a dialog with its data",
    "v1.create": "Create a dialog without starting it",
    "v1.download": "Download a file",
    "v2.conversations": "List dialogs",
    "v2.conversation": "Show a dialog with its data",
    "v2.create": "Create a dialog without starting it",
    "v2.create_and_start": "Create a dialog and start it",
    "v2.stop": "Stop the bot and hand the dialog over to an operator",
    "v2.start": "Start the bot again",
    "v2.send": "Send a message as the operator",
    "v2.goto": "Move the dialog to another bot",
    "v2.download": "Download a file",
}
ERROR_DESCRIPTIONS = {
    400: "A parameter is invalid.",
    401: "Wrong login or password.",
    403: "The dialog or the instance cannot be reached.",
    404: "The object does not exist.",
}


def openapi_document(base: str) -> Json:
    """Return the document, with `base` (for example `/api`) before each path."""
    paths: dict[str, Json] = {}
    for method in METHODS:
        paths.setdefault(base + method.path, {})[method.verb.lower()] = _operation(method)
    for name, operation in VERTEX_OPERATIONS.items():
        paths[base + name] = {"post": operation}
    return {
        "openapi": "3.1.0",
        "info": {"title": "The Bot.one API, as the fake platform implements it", "version": "2023"},
        "paths": paths,
        "components": {
            "securitySchemes": {"user": {"type": "http", "scheme": "basic"}},
            "schemas": SCHEMAS,
        },
    }


def _operation(method: Method) -> Json:
    operation: Json = {
        "operationId": method.name,
        "summary": SUMMARIES[method.name],
        "tags": [f"V{method.version}"],
        "security": [{"user": []}],
        "parameters": _parameters(method),
        "responses": _responses(method),
    }
    if method.name in REQUEST_BODIES:
        operation["requestBody"] = _body(
            REQUEST_BODIES[method.name], [] if method.name == "v2.create_and_start" else None
        )
    return operation


def _parameters(method: Method) -> list[Json]:
    found = []
    if method.resource != "list":
        schema = UUID if method.takes_uuid else WHOLE_NUMBER
        found.append({"name": "key", "in": "path", "required": True, "schema": schema})
    for name, schema in QUERY_PARAMETERS.get(method.operation, {}).items():
        found.append({"name": name, "in": "query", "required": False, "schema": schema})
    return found


def _responses(method: Method) -> Json:
    responses: Json = {}
    if method.operation in {"stop", "start", "send"}:
        responses["204"] = {"description": "Success."}
    elif method.operation == "download":
        responses["200"] = {"description": "The file's bytes.", "content": {"*/*": {}}}
    elif method.operation == "create_and_start":
        # The body is empty unless `response` is true.
        responses["200"] = {
            "description": "The ids if `response` is true, otherwise an empty body."
        }
    else:
        responses["200"] = _json(
            "Success.", RESPONSE_SCHEMAS[method.operation].format(version=method.version)
        )
    documented = {401, 403, 404} if method.resource != "list" else {401, 403}
    for status in sorted(documented | {method.invalid_status}):
        responses[str(status)] = _json(ERROR_DESCRIPTIONS[status], "Error")
    return responses


def _json(description: str, schema: str) -> Json:
    held = {"schema": {"$ref": f"#/components/schemas/{schema}"}}
    return {"description": description, "content": {"application/json": held}}


def _body(fields: Json, required: list[str] | None = None) -> Json:
    """Describe a body; by default all of its fields are required, with an empty list none is."""
    names = list(fields) if required is None else required
    schema: Json = {"type": "object", "properties": fields, "additionalProperties": False}
    if names:
        schema["required"] = names
    return {"required": bool(names), "content": {"application/json": {"schema": schema}}}


QUERY_PARAMETERS: dict[str, Json] = {
    "conversations": {
        "BotID": WHOLE_NUMBER,
        "PageNumber": POSITIVE_NUMBER,
        "PageCount": POSITIVE_NUMBER | {"description": f"At most {MAX_PAGE_SIZE}."},
        "CreatedFrom": DATE_OR_TIME,
        "CreatedTo": DATE_OR_TIME,
        "UpdatedFrom": DATE_OR_TIME,
        "UpdatedTo": DATE_OR_TIME,
    },
    "create": {"variables": ENCODED_OBJECT},
    "create_and_start": {"response": BOOLEAN, "variables": ENCODED_OBJECT},
}
REQUEST_BODIES: dict[str, Json] = {
    "v2.create_and_start": {"response": BOOLEAN, "variables": ENCODED_OBJECT},
    "v2.send": {"body": STRING | {"minLength": 1}},
    "v2.goto": {"body": {"type": "string", "pattern": "^goto [0-9]{1,18}$"}},
}
RESPONSE_SCHEMAS = {
    "conversations": "ListV{version}",
    "conversation": "DialogV{version}",
    "create": "Created",
    "goto": "Moved",
}


def _list_item(version: int) -> Json:
    fields: Json = {
        "id": WHOLE_NUMBER if version == 1 else UUID,
        "name": NULLABLE_STRING,
        "status": STRING,
        "ip": NULLABLE_STRING,
        "location": NULLABLE_STRING,
        "updated": STRING | {"description": "ISO 8601 with a time zone, or an empty string."},
        "duration": {"type": ["number", "null"]},
    }
    if version > 1:
        fields["source"] = NULLABLE_STRING
    return fields


def _object(fields: Json, **more: Any) -> Json:
    return {"type": "object", "properties": fields, "required": list(fields), **more}


INTEGER: Json = {"type": "integer"}
PAGINATION_FIELDS: Json = {
    "total": INTEGER,
    "count": INTEGER,
    "per_page": INTEGER,
    "current_page": INTEGER,
    "total_pages": INTEGER,
    "links": {},
}
ANSWER_SCHEMA = _object(
    {
        "question": NULLABLE_STRING,
        "type": NULLABLE_STRING,
        "answer": {},
        "variable": NULLABLE_STRING,
    }
)
SCHEMAS: dict[str, Json] = {
    "Error": _object({"message": STRING}),
    "Created": _object({"dialogId": UUID}),
    "Moved": _object({"message": STRING}),
    "Message": _object({"message_id": INTEGER, "created_at": INTEGER}),
}
for _version in (1, 2):
    SCHEMAS[f"ListV{_version}"] = {
        "type": "object",
        "properties": {"meta": _object({"pagination": _object(PAGINATION_FIELDS)})},
        "required": ["meta"],
        "patternProperties": {"^[0-9]+$": _object(_list_item(_version))},
        "additionalProperties": False,
    }
    _data = {"anyOf": [{"const": "[]"}, {"type": "array", "items": ANSWER_SCHEMA}]}
    SCHEMAS[f"DialogV{_version}"] = _object(_list_item(_version) | {"data": _data})


def _vertex(name: str, body: Json, responses: Json, errors: tuple[int, ...]) -> Json:
    return {
        "operationId": name,
        "tags": ["Vertex"],
        "requestBody": body,
        "responses": {
            **responses,
            **{str(status): _json(ERROR_DESCRIPTIONS[status], "Error") for status in errors},
        },
    }


_TOKEN = {"token": STRING | {"minLength": 1}}


VERTEX_OPERATIONS = {
    "/vertex/v1/complete": _vertex(
        "complete",
        _body(_TOKEN | {"data": {"type": ["object", "null"]}}, ["token"]),
        {"204": {"description": "Success."}},
        (403,),
    ),
    "/vertex/v1/dialog/send_message": _vertex(
        "send_message",
        _body(_TOKEN | {"text": STRING | {"minLength": 1}, "typing": BOOLEAN}),
        {"200": _json("Success.", "Message")},
        (400, 403),
    ),
}
