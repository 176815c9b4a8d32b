"""Random JSON Schemas as pydantic writes them, changed ones, and values that they accept."""

from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

NAMES = ("a", "b", "c")
VALUES: tuple[Any, ...] = ("x", "yy", 0, 1, 2.5, None, True)
PATTERNS = ("^a", "b$", "^[ab]{1,2}$")
TEXTS = ("", "a", "b", "ab", "abb", "xyz")
Schema = dict[str, Any]


def schema(random: Random, depth: int = 2) -> Schema:
    """Return a schema; `Node` is a model that contains itself."""
    simple: list[Callable[[], Schema]] = [
        lambda: {"type": "integer"} | _numbers(random),
        lambda: {"type": "number"} | _numbers(random),
        lambda: {"type": "string"} | _strings(random),
        lambda: {"type": "null"},
        lambda: {"type": "boolean"},
        lambda: {"enum": random.sample(VALUES, random.randint(1, 3))},
        dict,
    ]
    if not depth:
        return random.choice(simple)()
    inner = partial(schema, random, depth - 1)
    nested: list[Callable[[], Schema]] = [
        lambda: {"type": "array", "items": inner()} | _sizes(random, "Items"),
        lambda: _tuple([inner() for _ in range(random.randint(1, 2))]),
        lambda: model(random, depth),
        lambda: model(random, depth),
        lambda: {"type": "object", "additionalProperties": inner()},
        lambda: {"anyOf": [inner() for _ in range(random.randint(1, 3))]},
        lambda: {"oneOf": [_tagged(random, depth, tag) for tag in ("x", "y")]},
        lambda: {"$ref": "#/$defs/Node"},
    ]
    return random.choice([*simple, *nested])()


def _tuple(items: list[Schema]) -> Schema:
    size = len(items)
    return {"type": "array", "prefixItems": items, "minItems": size, "maxItems": size}


def model(random: Random, depth: int) -> Schema:
    """Return the schema of an object with named members."""
    names = random.sample(NAMES, random.randint(0, len(NAMES)))
    result: Schema = {
        "type": "object",
        "properties": {name: schema(random, depth - 1) for name in names},
        "required": [name for name in names if random.random() < 0.5],
    }
    if random.random() < 0.2:
        result["additionalProperties"] = False
    return result


def _tagged(random: Random, depth: int, tag: str) -> Schema:
    result = model(random, depth)
    result["properties"]["tag"] = {"const": tag}
    result["required"] = [*result["required"], "tag"]
    return result


def _numbers(random: Random) -> Schema:
    limits = {
        "minimum": random.randint(-1, 2),
        "exclusiveMinimum": random.randint(-1, 2),
        "maximum": random.randint(1, 4),
        "exclusiveMaximum": random.randint(2, 4),
        "multipleOf": random.choice([2, 0.5]),
    }
    return {name: value for name, value in limits.items() if random.random() < 0.25}


def _strings(random: Random) -> Schema:
    limits = _sizes(random, "Length")
    return limits | ({"pattern": random.choice(PATTERNS)} if random.random() < 0.2 else {})


def _sizes(random: Random, unit: str) -> Schema:
    limits = {f"min{unit}": random.randint(0, 2), f"max{unit}": random.randint(1, 3)}
    return {name: value for name, value in limits.items() if random.random() < 0.3}


def changed(random: Random, old: Schema, depth: int = 2) -> Schema:
    """Return a schema that differs from another one in a few places."""
    if random.random() < 0.3:
        return schema(random, depth)
    new = dict(old)
    if "properties" in new:
        new["properties"] = {
            name: changed(random, inner, max(0, depth - 1)) if random.random() < 0.4 else inner
            for name, inner in new["properties"].items()
        }
        if random.random() < 0.4:
            name = random.choice(NAMES)
            new["properties"][name] = schema(random, max(0, depth - 1))
            new["required"] = [*{*new["required"], name}]
    elif isinstance(new.get("items"), dict):
        new["items"] = changed(random, new["items"], max(0, depth - 1))
    elif "anyOf" in new:
        new["anyOf"] = [*new["anyOf"], schema(random, 0)]
    elif new.get("type") in ("integer", "number"):
        new |= _numbers(random)
    elif new.get("type") == "string":
        new |= _strings(random)
    return new


def value(random: Random, described: Schema, root: Schema, depth: int = 4) -> Any:
    """Return a value that is made after a schema; limits may reject it."""
    if depth < -3:  # a model that requires itself has no values
        return None
    if "$ref" in described:
        described = root["$defs"]["Node"]
    if "enum" in described or "const" in described:
        return random.choice(described.get("enum", [described.get("const")]))
    for keyword in ("anyOf", "oneOf"):
        if keyword in described:
            return value(random, random.choice(described[keyword]), root, depth)
    makers: dict[Any, Callable[[], Any]] = {
        "integer": lambda: random.randint(-2, 5),
        "number": lambda: random.choice([random.randint(-2, 5), random.randint(-4, 10) / 2, 0.3]),
        "string": lambda: random.choice(TEXTS),
        "null": lambda: None,
        "boolean": lambda: random.random() < 0.5,
        "array": lambda: _items(random, described, root, depth),
        "object": lambda: _object(random, described, root, depth),
        None: lambda: random.choice([*VALUES, [], {}, [1, "x"], {"a": 1}]),
    }
    return makers[described.get("type")]()


def _items(random: Random, described: Schema, root: Schema, depth: int) -> Any:
    items = described.get("prefixItems")
    if items is None:
        number = random.randint(0, max(0, min(depth, 4)))
        items = [described.get("items", {})] * number
    return [value(random, item, root, depth - 1) for item in items]


def _object(random: Random, described: Schema, root: Schema, depth: int) -> Any:
    required = described.get("required", ())
    result = {
        name: value(random, inner, root, depth - 1)
        for name, inner in described.get("properties", {}).items()
        if name in required or (depth > 0 and random.random() < 0.6)
    }
    further = described.get("additionalProperties", False)
    if isinstance(further, dict) and depth > 0:
        for name in random.sample(NAMES, random.randint(0, 2)):
            result[name] = value(random, further, root, depth - 1)
    return result


def closed(described: Any) -> Any:
    """Return the schema of what is sent: its models have the members that they name."""
    if isinstance(described, list):
        return [closed(item) for item in described]
    if not isinstance(described, dict):
        return described
    result = {name: closed(inner) for name, inner in described.items()}
    if described.get("type") == "object" and "properties" in described:
        result.setdefault("additionalProperties", False)
    return result
