"""Property-based tests of a server against its own OpenAPI description."""

import importlib
import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

VERBS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
MODES = ("positive", "negative")
"""Valid requests, and invalid ones: values of `GenerationMode`."""


def operations(document: dict[str, Any]) -> list[str]:
    """Return the verb and the path of each operation of an OpenAPI document."""
    return [
        f"{verb.upper()} {path}"
        for path, item in document["paths"].items()
        for verb in item
        if verb in VERBS
    ]


@cache
def schemathesis(part: str = "") -> Any:
    """Import schemathesis, which takes seconds, only in the process that runs these tests."""
    return importlib.import_module(f"schemathesis{part}")


_found: dict[int, dict[str, Any]] = {}
"""By document: its operations, as schemathesis reads them."""


def _find(document: dict[str, Any], operation: str) -> Any:
    if id(document) not in _found:
        schema = schemathesis().openapi.from_dict(document)
        read = [one.ok() for one in schema.get_all_operations()]
        _found[id(document)] = {one.label: one for one in read}
    return _found[id(document)][operation]


def check_operation(
    document: dict[str, Any],
    operation: str,
    mode: str,
    call: Callable[[Any], Any],
    effort: settings,
) -> None:
    """Send generated requests, valid or invalid, to an operation and check each response."""
    found = _find(document, operation)
    generation_mode = schemathesis(".generation").GenerationMode(mode)
    rules = schemathesis(".specs.openapi.checks")
    checks = [
        schemathesis(".checks").not_a_server_error,
        rules.status_code_conformance,
        rules.content_type_conformance,
        rules.response_schema_conformance,
    ]

    @effort
    @given(st.data())
    def ask(data: st.DataObject) -> None:
        case = data.draw(found.as_strategy(generation_mode=generation_mode))
        answer = call(case)
        # The server rejects an invalid verb, path or header before it reaches the operation.
        if answer.status_code != 405:
            case.validate_response(answer, checks=checks)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ask()
