"""Whether every value of a schema is valid under another one: judged by a validator."""

from random import Random
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.cli.check.schema_samples import changed, closed, model, schema, value
from vertexkit.cli.check.inclusion import Inclusion, Problem, Verdict
from vertexkit.cli.check.schemas import Document

PAIRS, VALUES = 400, 12
Schema = dict[str, Any]


def problems(source: Schema, target: Schema) -> list[Problem]:
    return Inclusion(Document(source), Document(target)).problems(source, target)


def pair(random: Random) -> tuple[Schema, Schema]:
    """A schema and a changed one; each has its own `Node`."""
    first = schema(random)
    second = changed(random, first)
    node = model(random, 2)
    other = node if random.random() < 0.5 else model(random, 2)
    return {**first, "$defs": {"Node": node}}, {**second, "$defs": {"Node": other}}


@pytest.mark.unmeasured
def test_what_a_validator_rejects_is_found() -> None:
    """A value that the source accepts and the target rejects is found as a problem.

    Most pairs that are said to break have such a value, and most without a problem have none.
    """
    counterexamples = breaks = shown = 0
    for seed in range(PAIRS):
        random = Random(seed)
        source, target = pair(random)
        old, new = Draft202012Validator(closed(source)), Draft202012Validator(target)
        found, witness = problems(source, target), False
        for _ in range(VALUES):
            sample = value(random, source, source)
            if old.is_valid(sample) and not new.is_valid(sample):
                counterexamples, witness = counterexamples + 1, True
                assert found, f"seed {seed}: {sample!r} of {source} is rejected by {target}"
        if any(problem.verdict is Verdict.BREAKS for problem in found):
            breaks, shown = breaks + 1, shown + witness
    assert counterexamples > 500
    assert shown > 0.8 * breaks


@pytest.mark.unmeasured
def test_equal_schemas_include_each_other() -> None:
    """A schema has no problem with itself, whatever it consists of."""
    for seed in range(PAIRS):
        source, _ = pair(Random(seed))
        assert problems(source, source) == [], f"seed {seed}: {source}"


STRING, INTEGER = {"type": "string"}, {"type": "integer"}


def record(required: list[str] | None = None, **members: Any) -> Schema:
    return {"type": "object", "properties": members, "required": required or []}


@pytest.mark.parametrize(
    "source, target, path, verdict",
    [
        (record(a=INTEGER), record(["a"], a=INTEGER), ("a",), Verdict.BREAKS),
        (record(), record(["a"], a=INTEGER), ("a",), Verdict.BREAKS),
        (record(a=record(b=STRING)), record(a=record(b=INTEGER)), ("a", "b"), Verdict.BREAKS),
        (
            record(a={"type": "array", "items": {"type": "number"}}),
            record(a={"type": "array", "items": INTEGER}),
            ("a", "[]"),
            Verdict.BREAKS,
        ),
        ({"const": "x"}, {"enum": ["y", "z"]}, (), Verdict.BREAKS),
        (STRING, STRING | {"pattern": "^a"}, (), Verdict.BREAKS),
        (STRING | {"pattern": "^a+$"}, STRING | {"pattern": "^a"}, (), Verdict.UNDECIDED),
        (STRING, STRING | {"format": "date"}, (), Verdict.BREAKS),
        (INTEGER, {"type": "integer", "not": {"const": 3}}, (), Verdict.UNDECIDED),
        (STRING, {"$ref": "https://example.test/schema"}, (), Verdict.UNDECIDED),
        (STRING, {"$ref": "#/$defs/Absent"}, (), Verdict.UNDECIDED),
        (
            INTEGER | {"minimum": 0, "maximum": 10},
            {"anyOf": [INTEGER | {"maximum": 5}, INTEGER | {"minimum": 7}]},
            (),
            Verdict.BREAKS,
        ),
        (
            {"type": "number"},
            {"anyOf": [{"type": "number", "maximum": 5}, {"type": "number", "minimum": 5}]},
            (),
            Verdict.UNDECIDED,
        ),
        ({"type": "array"}, {"type": "array", "uniqueItems": True}, (), Verdict.BREAKS),
        ({}, INTEGER, (), Verdict.BREAKS),
    ],
)
def test_problem(source: Schema, target: Schema, path: tuple[str, ...], verdict: Verdict) -> None:
    """A problem names its place and whether it is certain."""
    assert (path, verdict) in [(p.path, p.verdict) for p in problems(source, target)]


@pytest.mark.parametrize(
    "source, target",
    [
        (record(a=INTEGER), record(a={"type": "number"}, b=STRING)),
        (record(a=STRING), record()),
        (STRING, {"anyOf": [STRING, {"type": "null"}]}),
        ({"enum": [1, 2]}, {"type": "integer", "exclusiveMinimum": 0}),
        (INTEGER | {"minimum": 1, "maximum": 3}, {"enum": [1, 2, 3, 4]}),
        (INTEGER | {"exclusiveMinimum": 0}, {"type": "number", "minimum": 1}),
        ({"type": "number", "multipleOf": 0.5}, {"type": "number", "multipleOf": 0.25}),
        ({"type": "number", "multipleOf": 2}, INTEGER),
        ({"type": "boolean"}, {"enum": [True, False, None]}),
        ({"allOf": [INTEGER, {"minimum": 3}]}, INTEGER | {"minimum": 2}),
        (STRING, STRING | {"format": "password", "title": "New", "x-shown": True}),
        (STRING, {}),
    ],
)
def test_no_problem(source: Schema, target: Schema) -> None:
    """A wider schema takes every value of a narrower one."""
    assert problems(source, target) == []


def test_what_names_no_type_promises_nothing() -> None:
    """A source without a type breaks nothing for certain, if it is read as open."""
    open_source = Inclusion(Document({}), Document({}), any_is_open=True)
    found = open_source.problems({}, INTEGER)
    assert {problem.verdict for problem in found} == {Verdict.UNDECIDED}
