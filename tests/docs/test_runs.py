"""docs/runs: its commands print what it shows, and its schema describes the format."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.docs.reader import DOCS, Reader, fences

pytestmark = pytest.mark.unmeasured

PAGES = ["runs.md", "runs.ru.md"]


@pytest.mark.parametrize("page", PAGES)
def test_its_examples_run_as_shown_and_its_schema_fits(reader: Reader, page: str) -> None:
    """A run is recorded, replayed and saved as a test; each command prints what the page shows.

    Every line of the recorded run fits the schema of the page; an invalid line does not.
    """
    schema = json.loads(
        next(fence.text for fence in fences(DOCS / page) if fence.language == "json")
    )
    Draft202012Validator.check_schema(schema)
    validator: Any = Draft202012Validator(schema)
    reader.follow(DOCS / page)
    [run] = (reader.folder / ".vertexkit" / "runs").glob("*.jsonl")
    lines = [json.loads(line) for line in run.read_text(encoding="utf-8").splitlines()]
    assert {line["kind"] for line in lines} >= {"run", "event", "request", "end"}
    for line in lines:
        validator.validate(line)
    assert not validator.is_valid({"kind": "run", "version": 2})
