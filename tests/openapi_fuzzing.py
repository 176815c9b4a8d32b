"""Property-based tests of a server against its own OpenAPI description."""

import warnings
from collections.abc import Callable
from typing import Any

import schemathesis
from hypothesis import given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


def operations(document: dict[str, Any]) -> list[Any]:
    """Return all operations of an OpenAPI document."""
    schema: Any = schemathesis.openapi.from_dict(document)
    return [found.ok() for found in schema.get_all_operations()]


def check_operation(
    operation: Any, mode: GenerationMode, call: Callable[[Any], Any], effort: settings
) -> None:
    """Send generated requests, valid or invalid, to an operation and check each response."""

    @effort
    @given(st.data())
    def ask(data: st.DataObject) -> None:
        case = data.draw(operation.as_strategy(generation_mode=mode))
        answer = call(case)
        # The server rejects an invalid verb, path or header before it reaches the operation.
        if answer.status_code != 405:
            case.validate_response(answer, checks=CHECKS)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ask()
