"""The service against its own description: what it says in /openapi.json is how it answers."""

import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import given
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.fuzz.conftest import MANY
from tests.fuzz.service import SECRET, Target, target
from tests.receiver.conftest import Hold, make_app
from vertexkit.catalogue import openapi

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
SCHEMA: Any = schemathesis.openapi.from_dict(openapi(make_app(Hold()).blocks, "1", 200))
OPERATIONS = [found.ok() for found in SCHEMA.get_all_operations()]


@pytest.fixture(scope="module")
def service() -> Iterator[Target]:
    with target() as found:
        yield found
        assert found.is_well()


@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: str(operation.label))
def test_calls_are_answered_as_described(
    operation: Any, mode: GenerationMode, service: Target
) -> None:
    """Right calls and spoilt ones of each block: a described status, type and body, and no 500."""

    @MANY
    @given(st.data())
    def ask(data: st.DataObject) -> None:
        case = data.draw(operation.as_strategy(generation_mode=mode))
        case.query = {**(case.query or {}), "key": SECRET}
        answer = case.call(base_url=f"http://127.0.0.1:{service.port}", timeout=10)
        # A spoilt verb, path or header meets the server before it meets a block.
        if answer.status_code != 405:
            case.validate_response(answer, checks=CHECKS)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ask()
