"""The service against its own description: it responds as /openapi.json says."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.fuzz.examples import MANY
from tests.fuzz.service import PATIENCE, SECRET, Target, target
from tests.ingress.served_app import Hold, make_app
from tests.openapi_fuzzing import MODES, check_operation, operations
from vertexkit.ingress.openapi import openapi

pytestmark = pytest.mark.unmeasured

DOCUMENT = openapi(make_app(Hold()).blocks, "1", 200)


@pytest.fixture(scope="module")
def service() -> Iterator[Target]:
    with target() as found:
        yield found
        assert found.is_well()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("operation", operations(DOCUMENT))
def test_calls_are_answered_as_described(operation: str, mode: str, service: Target) -> None:
    """Valid and invalid calls of each block: documented statuses, types and bodies, and no 500."""

    def call(case: Any) -> Any:
        case.query = {**(case.query or {}), "key": SECRET}
        return case.call(base_url=f"http://127.0.0.1:{service.port}", timeout=PATIENCE)

    check_operation(DOCUMENT, operation, mode, call, MANY)
