"""JSON Schemas in a normal form: a union of flat schemas, each with one type or a list of values."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from itertools import combinations, product
from typing import Any, TypeAlias

Schema: TypeAlias = Mapping[str, Any] | bool
Flat: TypeAlias = dict[str, Any]
"""A schema with `type` (one name) or `enum`, and without references and alternatives."""

ANNOTATIONS = frozenset(
    {
        *("title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly"),
        *("$comment", "$schema", "$id", "$anchor", "$defs", "definitions", "discriminator"),
        *("contentMediaType", "contentEncoding", "contentSchema", "example", "nullable"),
    }
)
"""Keywords that accept and reject no value."""
KEYWORDS = {
    "number": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"},
    "string": {"minLength", "maxLength", "pattern", "format"},
    "array": {"items", "prefixItems", "minItems", "maxItems", "uniqueItems"},
    "object": {
        *("properties", "required", "additionalProperties", "patternProperties"),
        *("propertyNames", "minProperties", "maxProperties"),
    },
}
"""The keywords that are compared, by the type of the values that they apply to."""
FURTHER = {
    "array": {"contains", "minContains", "maxContains", "unevaluatedItems", "additionalItems"},
    "object": {
        *("dependentRequired", "dependentSchemas", "unevaluatedProperties", "dependencies"),
    },
}
"""Keywords that are not compared, by the type of the values that they apply to."""
ANNOTATING_FORMATS = frozenset({"password", "binary", "byte"})
"""Formats that validators ignore."""
ALTERNATIVES = ("anyOf", "oneOf")
SUBSCHEMAS = frozenset({"items", "additionalProperties", "propertyNames", "not", "contains"})
SUBSCHEMA_LISTS = frozenset({"prefixItems", "anyOf", "oneOf", "allOf"})
SUBSCHEMA_MAPS = frozenset({"properties", "patternProperties", "dependentSchemas"})
TYPES = ("null", "boolean", "number", "string", "array", "object")
UNKNOWN = "unknown"
"""Key of a flat schema: what is not compared, as a text."""
FROM_ANY = "from-any"
"""Key of a flat schema: it comes from a schema that names no type."""
STRICTER: dict[str, Callable[[Any, Any], Any]] = {
    **dict.fromkeys(("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"), max),
    **dict.fromkeys(("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"), min),
    **dict.fromkeys(("items", "propertyNames"), lambda one, other: {"allOf": [one, other]}),
    "required": lambda one, other: sorted({*one, *other}),
    "uniqueItems": lambda one, other: one or other,
}
"""Keywords, and what two of them in schemas that both apply amount to."""
MAX_DEPTH = 40
MAX_BRANCHES = 200


class Undecidable(Exception):
    """The comparison does not know a construct; the message names it."""


class Document:
    """Resolves the references of schemas.

    Args:
        root: the document that the references start from.
    """

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root

    def resolve(self, reference: str) -> Schema:
        """Return the schema that a reference names.

        Raises:
            Undecidable: the document has no such schema.
        """
        found: Any = self._root
        if not reference.startswith("#"):
            raise Undecidable(f"the reference {reference} leads out of the document")
        for part in filter(None, reference[1:].split("/")):
            name = part.replace("~1", "/").replace("~0", "~")
            if not isinstance(found, Mapping) or name not in found:
                raise Undecidable(f"the document has no {reference}")
            found = found[name]
        return found if isinstance(found, (Mapping, bool)) else {}

    def flatten(self, schema: Schema, depth: int = 0) -> list[Flat]:
        """Return the flat schemas that together accept what a schema accepts.

        Raises:
            Undecidable: a reference leads nowhere or to itself, or there are too many of them.
        """
        if depth > MAX_DEPTH:
            raise Undecidable("the schema refers to itself")
        if isinstance(schema, bool):
            return _split({}) if schema else []
        rest = {n: v for n, v in schema.items() if n not in ANNOTATIONS and not n.startswith("x-")}
        parts: list[list[Flat]] = []
        if (reference := rest.pop("$ref", None)) is not None:
            parts.append(self.flatten(self.resolve(reference), depth + 1))
        parts += [
            self._alternatives(keyword, rest.pop(keyword), depth)
            for keyword in ALTERNATIVES
            if keyword in rest
        ]
        parts += [self.flatten(part, depth + 1) for part in rest.pop("allOf", ())]
        if rest or not parts:
            parts.insert(0, _split(rest))
        return self._intersect_all(parts)

    def _alternatives(self, keyword: str, schemas: Iterable[Schema], depth: int) -> list[Flat]:
        groups = [self.flatten(schema, depth + 1) for schema in schemas]
        flat = [branch for group in groups for branch in group]
        if keyword == "oneOf" and any(
            not self.are_disjoint(one, other)
            for first, second in combinations(groups, 2)
            for one, other in product(first, second)
        ):
            text = f"oneOf {json.dumps([self.canonical(s) for s in schemas], sort_keys=True)}"
            return [branch | {UNKNOWN: [*branch.get(UNKNOWN, []), text]} for branch in flat]
        return flat

    def _intersect_all(self, parts: list[list[Flat]]) -> list[Flat]:
        result = parts[0]
        for part in parts[1:]:
            if len(result) * len(part) > MAX_BRANCHES:
                raise Undecidable("the schema has too many alternatives")
            pairs = product(result, part)
            result = [both for one, other in pairs if (both := _intersect(one, other)) is not None]
        return result

    def are_disjoint(self, one: Flat, other: Flat) -> bool:
        """Whether no value is valid under both flat schemas, as far as that is easy to find."""
        if "enum" in one and "enum" in other:
            return not any(is_equal(a, b) for a in one["enum"] for b in other["enum"])
        kinds = kinds_of(one), kinds_of(other)
        if kinds[0].isdisjoint(kinds[1]):
            return True
        if kinds[0] | kinds[1] != {"object"} or "enum" in one or "enum" in other:
            return False
        shared = set(one.get("required", ())) & set(other.get("required", ()))
        return any(
            self._finite_disjoint(one["properties"][name], other["properties"][name])
            for name in shared
            if name in one.get("properties", {}) and name in other.get("properties", {})
        )

    def _finite_disjoint(self, one: Schema, other: Schema) -> bool:
        first, second = self.flatten(one, MAX_DEPTH // 2), self.flatten(other, MAX_DEPTH // 2)
        return all(
            "enum" in a and "enum" in b and self.are_disjoint(a, b)
            for a, b in product(first, second)
        )

    def canonical(self, schema: Schema, above: tuple[str, ...] = ()) -> Any:
        """Return a schema without annotations, and with the schemas that it refers to."""
        if isinstance(schema, bool):
            return schema
        reference = schema.get("$ref")
        if isinstance(reference, str):
            if reference in above:
                return {"$cycle": len(above) - above.index(reference)}
            inner = self.canonical(self.resolve(reference), (*above, reference))
            rest = {name: value for name, value in schema.items() if name != "$ref"}
            others = self.canonical(rest, above)
            return {"allOf": [inner, others]} if others else inner
        result = {
            name: self._canonical_value(name, value, above)
            for name, value in schema.items()
            if name not in ANNOTATIONS and not name.startswith("x-")
        }
        return {"enum": [result["const"]]} if set(result) == {"const"} else result

    def _canonical_value(self, keyword: str, value: Any, above: tuple[str, ...]) -> Any:
        if keyword in SUBSCHEMA_MAPS and isinstance(value, Mapping):
            return {name: self.canonical(item, above) for name, item in value.items()}
        if keyword in SUBSCHEMA_LISTS:
            return [self.canonical(item, above) for item in value]
        if keyword in SUBSCHEMAS and isinstance(value, Mapping):
            return self.canonical(value, above)
        return sorted(value) if keyword == "required" else value


def kinds_of(flat: Flat) -> set[str]:
    """Return the types of the values of a flat schema; an integer is a number."""
    if "enum" in flat:
        return {_kind(value) for value in flat["enum"]}
    return {"number" if flat["type"] == "integer" else flat["type"]}


def _kind(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return "null" if value is None else "boolean"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def is_equal(one: Any, other: Any) -> bool:
    """Compare JSON values: true is not 1, 1.0 is 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_equal, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_equal(one[n], other[n]) for n in one)
    return bool(one == other)


def _split(schema: Mapping[str, Any]) -> list[Flat]:
    """Split a schema without references and alternatives by the types of its values."""
    kinds = schema.get("type", TYPES)
    kinds = [kinds] if isinstance(kinds, str) else list(kinds)
    if "integer" in kinds and "number" in kinds:
        kinds.remove("integer")
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    branches = [_typed(schema, kind) for kind in kinds]
    if "type" not in schema:
        branches = [branch | {FROM_ANY: True} for branch in branches]
    if values is None:
        return branches
    rest = [{"enum": _matching([v], branches)} for v in values]
    listed = [value for item in rest for value in item["enum"]]
    return [{"enum": listed}] if listed else []


def _matching(values: list[Any], branches: Iterable[Flat]) -> list[Any]:
    branches = list(branches)
    return [value for value in values if any(accepts_flat(value, flat) for flat in branches)]


def _typed(schema: Mapping[str, Any], kind: str) -> Flat:
    if kind == "null":
        return {"enum": [None]} | _unknown(schema, kind)
    if kind == "boolean":
        return {"enum": [False, True]} | _unknown(schema, kind)
    group = "number" if kind == "integer" else kind
    known = {name: schema[name] for name in KEYWORDS[group] if name in schema}
    if known.get("format") in ANNOTATING_FORMATS:
        del known["format"]
    if kind == "object" and "type" not in schema and not known:
        known["additionalProperties"] = True
    return {"type": kind} | known | _unknown(schema, kind)


def _unknown(schema: Mapping[str, Any], kind: str) -> Flat:
    """Return what is not compared and applies to values of a type."""
    group = "number" if kind == "integer" else kind
    compared = {"type", "enum", "const"}.union(*KEYWORDS.values())
    others = {name for other, names in FURTHER.items() if other != group for name in names}
    unknown = [
        f"{name} {json.dumps(value, sort_keys=True)}"
        for name, value in sorted(schema.items())
        if name not in compared and name not in others
    ]
    return {UNKNOWN: unknown} if unknown else {}


def _intersect(one: Flat, other: Flat) -> Flat | None:
    """Return the flat schema of the values that both accept; None: there are none."""
    if "enum" in one or "enum" in other:
        if "enum" not in one:
            one, other = other, one
        values = [value for value in one["enum"] if accepts_flat(value, other, unknown=True)]
        unknown = [*one.get(UNKNOWN, []), *other.get(UNKNOWN, [])]
        return {"enum": values} | ({UNKNOWN: unknown} if unknown else {}) if values else None
    if kinds_of(one) != kinds_of(other):
        return None
    both = dict(one)
    if other["type"] == "integer":
        both["type"] = "integer"
    if not (FROM_ANY in one and FROM_ANY in other):
        both.pop(FROM_ANY, None)
    for name, value in other.items():
        if name in {"type", FROM_ANY}:
            continue
        both[name] = value if name not in both else _both(name, both[name], value, both)
    return {name: value for name, value in both.items() if value is not None}


def _both(name: str, one: Any, other: Any, flat: Flat) -> Any:
    """Return the value of a keyword that is in two schemas which both apply."""
    if name == UNKNOWN:
        return [*one, *other]
    if one == other:
        return one
    if name in STRICTER:
        return STRICTER[name](one, other)
    if name == "properties":
        shared = {n: {"allOf": [one[n], other[n]]} for n in one.keys() & other.keys()}
        return {**one, **other, **shared}
    flat[UNKNOWN] = [*flat.get(UNKNOWN, []), f"{name} {one!r} {other!r}"]
    return one


def accepts_flat(value: Any, flat: Flat, *, unknown: bool = False) -> bool:
    """Whether a flat schema accepts a value.

    Args:
        value: JSON.
        flat: the schema.
        unknown: ignore what is not compared.

    Raises:
        Undecidable: that depends on a construct that is not compared.
    """
    if flat.get(UNKNOWN) and not unknown:
        raise Undecidable(f"{flat[UNKNOWN][0].partition(' ')[0]} is not compared")
    if "enum" in flat:
        return any(is_equal(value, item) for item in flat["enum"])
    kind = _kind(value)
    if kind not in kinds_of(flat):
        return False
    if kind == "number":
        return _accepts_number(value, flat)
    if kind == "string":
        return _accepts_string(value, flat)
    if flat.keys() - {"type", FROM_ANY}:
        raise Undecidable(f"{kind}s among listed values are not compared")
    return True


def _accepts_number(value: float, flat: Flat) -> bool:
    multiple = flat.get("multipleOf")
    return (
        (flat["type"] == "number" or value == int(value))
        and value >= flat.get("minimum", value)
        and value <= flat.get("maximum", value)
        and ("exclusiveMinimum" not in flat or value > flat["exclusiveMinimum"])
        and ("exclusiveMaximum" not in flat or value < flat["exclusiveMaximum"])
        and (multiple is None or is_multiple(value, multiple))
    )


def is_multiple(value: float, step: float) -> bool:
    """Whether a number is a multiple of another one, by their decimal digits."""
    return Fraction(str(value)) % Fraction(str(step)) == 0


def _accepts_string(value: str, flat: Flat) -> bool:
    if not flat.get("minLength", 0) <= len(value) <= flat.get("maxLength", len(value)):
        return False
    if "pattern" in flat and not matches(flat["pattern"], value):
        return False
    if "format" in flat:
        raise Undecidable(f"the format {flat['format']} of a listed value is not compared")
    return True


def matches(pattern: str, text: str) -> bool:
    """Whether a text matches a pattern.

    Raises:
        Undecidable: Python cannot read the pattern.
    """
    try:
        return re.search(pattern, text) is not None
    except re.error as error:
        raise Undecidable(f"the pattern {pattern} cannot be read: {error}") from error
