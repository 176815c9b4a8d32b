"""The fake platform against its own description of the fifteen methods."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from openapi_spec_validator import validate
from schemathesis.generation import GenerationMode

from tests.openapi_fuzzing import check_operation, operations
from tests.testing.platform.test_methods import ROWS
from tests.testing.platform_server import served_in_thread
from vertexkit.testing import FakePlatform
from vertexkit.testing.platform.openapi import describe

OPERATIONS = operations(describe("/api"))
SOME = settings(
    max_examples=12, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with served_in_thread(FakePlatform(seed=5, tokens="any")) as url:
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

    def call(case: Any) -> Any:
        case.headers.pop("Authorization", None)
        basic = None if "vertex" in operation.path else ("demo", "demo")
        return case.call(base_url=url, auth=basic, timeout=10)

    check_operation(operation, mode, call, SOME)
