"""The fake platform against its own description of the fifteen methods."""

import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openapi_spec_validator import validate
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.testing.test_fifteen import ROWS
from tests.testing.threaded import threaded
from vertexkit.testing import FakePlatform
from vertexkit.testing.description import describe

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
SCHEMA: Any = schemathesis.openapi.from_dict(describe("/api"))
OPERATIONS = [found.ok() for found in SCHEMA.get_all_operations()]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with threaded(FakePlatform(seed=5, tokens="any")) as url:
        yield url


def test_it_is_openapi_and_holds_the_fifteen() -> None:
    """A valid document; verbs, paths and statuses are those of the table of methods."""
    document = describe("/api")
    validate(document)
    described = {
        (verb.upper(), path.replace("{key}", "{}")): set(operation["responses"])
        for path, item in document["paths"].items()
        for verb, operation in item.items()
    }
    wanted = {}
    for row in ROWS:
        path = "/api" + row.path
        for name in ("{id}", "{uuid}", "{bot}", "{file}"):
            path = path.replace(name, "{}")
        wanted[row.verb, path] = {str(row.status), *map(str, row.errors)}
    assert described.keys() == wanted.keys()
    for key, statuses in wanted.items():
        assert statuses <= described[key], key


@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: str(operation.label))
def test_whatever_is_asked_is_answered_as_described(
    operation: Any, mode: GenerationMode, url: str
) -> None:
    """Requests of the description, right ones and spoilt ones: a described status, body and type."""

    @settings(
        max_examples=12, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(st.data())
    def ask(data: st.DataObject) -> None:
        case = data.draw(operation.as_strategy(generation_mode=mode))
        case.headers.pop("Authorization", None)
        basic = None if "vertex" in operation.path else ("demo", "demo")
        answer = case.call(base_url=url, auth=basic, timeout=10)
        # A spoilt verb, path or header meets the server before it meets the platform.
        if answer.status_code != 405:
            case.validate_response(answer, checks=CHECKS)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ask()
