"""Descriptions of what an app serves: the catalogue of blocks and the OpenAPI document."""

from collections.abc import Mapping
from typing import Any

from vertexkit.blocks.registry import Block
from vertexkit.ingress.receiver import STATUSES_WITHOUT_BODY
from vertexkit.server.problems import MEDIA_TYPE

ERRORS = {
    "400": "The call is malformed.",
    "403": "The token is not signed with a known key.",
    "404": "The block does not exist, or the URL's secret is wrong.",
    "413": "The request body is too large.",
    "415": "The request body is neither JSON nor a form.",
    "422": "The inputs are invalid.",
    "500": "The block's own validation failed.",
    "503": "The service is overloaded or stopping. Retry after the time in Retry-After.",
}
PROBLEM: dict[str, Any] = {
    "type": "object",
    "required": ["title", "status", "code", "detail"],
    "properties": {
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "Stable identifier of the error."},
        "detail": {"type": "string"},
        "errors": {"type": "array", "items": {"type": "object"}},
    },
}


def catalogue(blocks: Mapping[str, Block]) -> dict[str, Any]:
    """Make the content of `GET /blocks`: each block with its title, URL path and schemas."""
    return {
        "blocks": [
            {
                "name": block.name,
                "title": block.title,
                "description": block.description,
                "path": f"/blocks/{block.name}",
                "input": block.signature.input_schema(),
                "result": block.signature.result_schema(),
                "limits": _limits(block),
            }
            for block in blocks.values()
        ]
    }


def _limits(block: Block) -> dict[str, Any]:
    options = block.options
    return {
        "concurrency": options["concurrency"],
        "fleet_concurrency": options["fleet_concurrency"],
        "rate": options["rate"],
        "by_key": options["key"] is not None,
    }


def openapi(blocks: Mapping[str, Block], version: str, ack_status: int) -> dict[str, Any]:
    """Make the content of `GET /openapi.json`: an OpenAPI 3.1 document of the block URLs.

    Args:
        blocks: by name.
        version: of the document.
        ack_status: HTTP status of the response to an accepted call.

    Returns:
        The document.
    """
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
    # Prefixed with the block's name: two blocks may have models of the same name.
    template = f"#/components/schemas/{block.name}.{{model}}"
    inputs = block.signature.model.model_json_schema(ref_template=template)
    models = inputs.pop("$defs", {})
    schemas.update({f"{block.name}.{name}": schema for name, schema in models.items()})
    token = {"type": "string", "description": "Integration token of the call.", "minLength": 1}
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
    accepted: dict[str, Any] = {"description": "Accepted. The handler runs after this response."}
    if ack_status not in STATUSES_WITHOUT_BODY:
        accepted["content"] = {"application/json": {"schema": execution}}
    return {
        "operationId": block.name,
        "summary": block.title,
        "description": block.description,
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {
            str(ack_status): accepted,
            **{status: _problem_response(text) for status, text in ERRORS.items()},
        },
    }


def _problem_response(text: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": text, "content": {MEDIA_TYPE: {"schema": schema}}}
