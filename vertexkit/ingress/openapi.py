"""What an app serves, told to people and machines: the blocks, OpenAPI, health."""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic_core import to_json
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from vertexkit.blocks.registry import Block
from vertexkit.ingress.gate import Gate
from vertexkit.ingress.receiver import BODILESS
from vertexkit.server.problems import MEDIA_TYPE, nothing_here

ERRORS = {
    "400": "The call is malformed.",
    "403": "The token is not signed with a known key.",
    "404": "There is no such block, or the URL's secret is wrong.",
    "413": "The body is too large.",
    "415": "The body is neither JSON nor a form.",
    "422": "The inputs do not fit the block.",
    "500": "The app's own validation failed.",
    "503": "There is no room, or the service is stopping; come back later.",
}
PROBLEM = {
    "type": "object",
    "required": ["title", "status", "code", "detail"],
    "properties": {
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "a stable word"},
        "detail": {"type": "string"},
        "errors": {"type": "array", "items": {"type": "object"}},
    },
}


class Page:
    """A JSON page made anew for each request; behind the URL's secret if there is one.

    Args:
        make: gives status and content.
        gate: who may see it; None: everybody.
    """

    def __init__(self, make: Callable[[], tuple[int, Any]], gate: Gate | None = None) -> None:
        self._make = make
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._gate is not None and not self._gate.opens(scope):
            response: Response = nothing_here()
        else:
            status, content = self._make()
            headers = {"Cache-Control": "no-store"}
            response = Response(to_json(content), status, headers, "application/json")
        await response(scope, receive, send)


def catalogue(blocks: Mapping[str, Block]) -> dict[str, Any]:
    """`GET /blocks`: each block with its title, URL path and schemas."""
    return {
        "blocks": [
            {
                "name": block.name,
                "title": block.title,
                "description": block.description,
                "path": f"/blocks/{block.name}",
                "input": block.signature.input_schema(),
                "result": block.signature.result_schema(),
            }
            for block in blocks.values()
        ]
    }


def openapi(blocks: Mapping[str, Block], version: str, ack_status: int) -> dict[str, Any]:
    """`GET /openapi.json`: OpenAPI 3.1 of the block URLs."""
    schemas: dict[str, Any] = {"Problem": PROBLEM}
    paths = {
        f"/blocks/{block.name}": {"post": _operation(block, schemas, ack_status)}
        for block in blocks.values()
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Bot.one external blocks", "version": version},
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _operation(block: Block, schemas: dict[str, Any], ack_status: int) -> dict[str, Any]:
    # By block: two of them may have models of one name.
    template = f"#/components/schemas/{block.name}.{{model}}"
    inputs = block.signature.model.model_json_schema(ref_template=template)
    models = inputs.pop("$defs", {})
    schemas.update({f"{block.name}.{name}": schema for name, schema in models.items()})
    token = {"type": "string", "description": "the integration token", "minLength": 1}
    required = [name for name in inputs.get("required", []) if name != "token"]
    body = inputs | {
        "properties": inputs.get("properties", {}) | {"token": token},
        "required": ["token", *required],
    }
    execution = {
        "type": "object",
        "required": ["execution"],
        "properties": {"execution": {"type": ["string", "null"]}},
    }
    accepted: dict[str, Any] = {"description": "Accepted: the handler runs after this answer."}
    if ack_status not in BODILESS:
        accepted["content"] = {"application/json": {"schema": execution}}
    return {
        "operationId": block.name,
        "summary": block.title,
        "description": block.description,
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {
            str(ack_status): accepted,
            **{status: _problem(text) for status, text in ERRORS.items()},
        },
    }


def _problem(text: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": text, "content": {MEDIA_TYPE: {"schema": schema}}}
