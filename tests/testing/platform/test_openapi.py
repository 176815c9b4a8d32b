"""The fake platform against its own OpenAPI document."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from openapi_spec_validator import validate

from tests.openapi_fuzzing import MODES, check_operation, operations
from tests.testing.platform.method_cases import METHOD_CASES
from tests.testing.platform_server import served_in_thread
from tests.waiting import PATIENCE_SECONDS
from vertexkit.testing import FakePlatform
from vertexkit.testing.platform.openapi import openapi_document

pytestmark = pytest.mark.unmeasured

DOCUMENT = openapi_document("/api")
FEW_EXAMPLES = settings(
    max_examples=int(os.environ.get("EXAMPLES", "6")),
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with served_in_thread(FakePlatform(seed=5, tokens="any")) as url:
        yield url


def test_it_is_valid_openapi_with_fifteen_methods() -> None:
    """The document is valid; verbs, paths and statuses are those of the table of methods."""
    document = openapi_document("/api")
    validate(document)
    described = {
        (verb.upper(), path.replace("{key}", "{}")): set(operation["responses"])
        for path, item in document["paths"].items()
        for verb, operation in item.items()
    }
    expected = {}
    for row in METHOD_CASES:
        path = "/api" + row.path
        for name in ("{id}", "{uuid}", "{bot}", "{file}"):
            path = path.replace(name, "{}")
        expected[row.verb, path] = {str(row.status), *map(str, row.errors)}
    assert described.keys() == expected.keys()
    for key, statuses in expected.items():
        assert statuses <= described[key], key


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("operation", operations(DOCUMENT))
def test_each_response_is_as_described(operation: str, mode: str, url: str) -> None:
    """Valid and invalid requests get a described status, body and content type."""

    def call(case: Any) -> Any:
        case.headers.pop("Authorization", None)
        basic = None if "vertex" in operation else ("demo", "demo")
        return case.call(base_url=url, auth=basic, timeout=PATIENCE_SECONDS)

    check_operation(DOCUMENT, operation, mode, call, FEW_EXAMPLES)
