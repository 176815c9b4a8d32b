"""The page of recorded runs: its commands do what it shows, and its schema is the format's."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.docs.conftest import fences

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ["runs.md", "runs.ru.md"]


@pytest.mark.parametrize("page", PAGES)
def test_it_does_what_it_says(reader: Any, page: str) -> None:
    """Recorded, replayed, made a test of: each command prints what is shown."""
    reader.follow(DOCS / page)


@pytest.mark.parametrize("page", PAGES)
def test_its_schema_is_the_format_s(reader: Any, page: str) -> None:
    """Every line of a run that was just recorded fits the schema; a spoilt one does not."""
    schema = json.loads(next(each.text for each in fences(DOCS / page) if each.language == "json"))
    Draft202012Validator.check_schema(schema)
    validator: Any = Draft202012Validator(schema)
    reader.follow(DOCS / page)
    [run] = (reader.folder / ".vertexkit" / "runs").glob("*.jsonl")
    lines = [json.loads(line) for line in run.read_text(encoding="utf-8").splitlines()]
    assert {line["kind"] for line in lines} >= {"run", "event", "request", "end"}
    for line in lines:
        validator.validate(line)
    assert not validator.is_valid({"kind": "run", "version": 2})


def test_both_languages_show_the_same(pages: Any) -> None:
    """The Russian page has the same code, names and links as the English one."""
    english, russian = (pages.skeleton(DOCS / page) for page in PAGES)
    assert english == russian


@pytest.mark.parametrize("page", PAGES)
def test_its_links_lead_somewhere(pages: Any, page: str) -> None:
    """Each link to a file of the project names one that is there."""
    assert not pages.dead_links(DOCS / page)
