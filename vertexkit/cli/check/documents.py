"""Reads what describes the blocks of a deployed version: a catalogue or an OpenAPI document."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vertexkit.blocks.registry import Block
from vertexkit.cli.check.schemas import Document, Schema
from vertexkit.errors import SettingsError
from vertexkit.ingress.openapi import catalogue
from vertexkit.text import decode_file

BLOCK_PATH = "/blocks/"
TOKEN = "token"  # noqa: S105 - a field's name
HOW_TO_SAVE = "Save one with: vertexkit check --output FILE"


@dataclass(frozen=True, slots=True)
class Contract:
    """What bots know of a block: the schemas of its inputs and of its result."""

    inputs: Schema
    inputs_document: Document
    result: Schema | None
    """None: the document does not describe results."""
    result_document: Document


def read_contracts(path: Path) -> dict[str, Contract]:
    """Read the contracts of the blocks in a file, by name.

    Args:
        path: `GET /blocks` or `GET /openapi.json` of a service.

    Raises:
        SettingsError: the file cannot be read, or is neither of these.
    """
    try:
        content = json.loads(decode_file(path.read_bytes()))
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror}. {HOW_TO_SAVE}") from error
    except ValueError as error:
        raise SettingsError(f"{path} is not valid JSON: {error}. {HOW_TO_SAVE}") from error
    if isinstance(content, dict):
        try:
            if isinstance(content.get("blocks"), list):
                return {block["name"]: _of_catalogue(block) for block in content["blocks"]}
            if "openapi" in content and isinstance(content.get("paths"), dict):
                return dict(_of_openapi(content))
        except (KeyError, TypeError, AttributeError) as error:
            raise SettingsError(f"{path} lacks a part of a block: {error}. {HOW_TO_SAVE}") from None
    raise SettingsError(
        f"{path} is neither a catalogue of blocks (GET /blocks) nor an OpenAPI document "
        f"(GET /openapi.json). {HOW_TO_SAVE}"
    )


def current_contracts(blocks: Mapping[str, Block]) -> dict[str, Contract]:
    """Return the contracts of the blocks of the current code, by name."""
    return {block["name"]: _of_catalogue(block) for block in catalogue(blocks)["blocks"]}


def save_catalogue(blocks: Mapping[str, Block], path: Path) -> None:
    """Write the catalogue of an app's blocks to a file: the content of `GET /blocks`.

    Raises:
        OSError: the file cannot be written.
    """
    text = json.dumps(catalogue(blocks), ensure_ascii=False, indent=2)
    path.write_text(text + "\n", encoding="utf-8")


def _of_catalogue(block: Mapping[str, Any]) -> Contract:
    inputs, result = dict(block["input"]), block["result"]
    document = Document(result if isinstance(result, Mapping) else {})
    return Contract(inputs, Document(inputs), _as_sent(result, document), document)


def _as_sent(result: Schema, document: Document) -> Schema:
    """Return the schema of a result as the platform gets it: an object, or null.

    Any other value is sent as the member `result` of an object.
    """
    kinds = {flat.get("type") for flat in document.flatten(result)}
    if kinds <= {"integer", "number", "string", "array"} and kinds:
        return {"type": "object", "properties": {"result": result}, "required": ["result"]}
    return result


def _of_openapi(content: Mapping[str, Any]) -> list[tuple[str, Contract]]:
    document, contracts = Document(content), []
    for path, item in content["paths"].items():
        if not path.startswith(BLOCK_PATH) or "post" not in item:
            continue
        body = item["post"]["requestBody"]["content"]["application/json"]["schema"]
        inputs = dict(body)
        # The document adds the token of the call to the inputs of each block.
        inputs["properties"] = {n: v for n, v in body["properties"].items() if n != TOKEN}
        inputs["required"] = [name for name in body.get("required", []) if name != TOKEN]
        contract = Contract(inputs, document, None, document)
        contracts.append((path.removeprefix(BLOCK_PATH), contract))
    return contracts
