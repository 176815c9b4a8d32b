"""Decides whether every value of one JSON Schema, the source, is valid under another, the target.

A source describes what is sent: its objects have the members that it names, and further ones only
if it says `additionalProperties`. A target is read as a validator reads it.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction
from typing import Any

from vertexkit.cli.check.schemas import (
    FROM_ANY,
    UNKNOWN,
    Document,
    Flat,
    Schema,
    Undecidable,
    accepts_flat,
    kinds_of,
    matches,
)

MAX_LISTED = 200
"""Integers between two limits that are compared one by one."""
MAX_NAMED = 3
"""Values that a reason names."""
WITNESSES = ("", "a", "A", "0", " ", "-", "а", "aA0-", "a" * 40)
"""Texts that show that a pattern rejects some texts."""
ONE = {
    "integer": "an integer",
    "number": "a number",
    "string": "a string",
    "boolean": "a boolean",
    "array": "an array",
    "object": "an object",
}
EVERY = {
    "integer": "every integer",
    "number": "every number",
    "string": "every string",
    "boolean": "every boolean",
    "array": "every array",
    "object": "every object",
}
FEWER = {
    "Length": "fewer than {} characters are not accepted",
    "Items": "fewer than {} items are not accepted",
    "Properties": "fewer than {} members are not accepted",
}
MORE = {
    "Length": "more than {} characters are not accepted",
    "Items": "more than {} items are not accepted",
    "Properties": "more than {} members are not accepted",
}


class Verdict(StrEnum):
    """What a change means for published bots."""

    COMPATIBLE = "compatible"
    UNDECIDED = "cannot be decided"
    BREAKS = "breaks"


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a value of the source may be invalid under the target."""

    path: tuple[str, ...]
    """Names of members; `[]` for items, `{}` for further members."""
    verdict: Verdict
    reason: str


class Inclusion:
    """Compares schemas of two documents.

    Args:
        source: the document of the values that are sent.
        target: the document of the schemas that they must fit.
        any_is_open: a source that names no type promises nothing: what does not fit cannot be
            decided.
    """

    def __init__(self, source: Document, target: Document, *, any_is_open: bool = False) -> None:
        self._source = source
        self._target = target
        self._any_is_open = any_is_open
        self._above: list[tuple[Any, Any]] = []

    def problems(self, source: Schema, target: Schema, path: tuple[str, ...] = ()) -> list[Problem]:
        """Return why values of the source may be invalid under the target; empty: none are.

        Args:
            source: schema of what is sent.
            target: schema that it must fit.
            path: of the values, for the problems.
        """
        pair = (source, target)
        if pair in self._above:  # it is being compared: a model that contains itself
            return []
        self._above.append(pair)
        try:
            return self._compare(source, target, path)
        except Undecidable as error:
            return [Problem(path, Verdict.UNDECIDED, str(error))]
        finally:
            self._above.pop()

    def _compare(self, source: Schema, target: Schema, path: tuple[str, ...]) -> list[Problem]:
        targets = self._target.flatten(target)
        problems: list[Problem] = []
        for flat in self._source.flatten(source):
            found = self._branch(flat, targets, path)
            if (self._any_is_open and FROM_ANY in flat) or flat.get(UNKNOWN):
                found = [replace(problem, verdict=Verdict.UNDECIDED) for problem in found]
            problems += found
        return list(dict.fromkeys(problems))

    def _branch(self, source: Flat, targets: list[Flat], path: tuple[str, ...]) -> list[Problem]:
        source = _listed(source, targets)
        if "enum" in source:
            return self._values(source["enum"], targets, path)
        same = [flat for flat in targets if kinds_of(flat) == kinds_of(source)]
        kind = source["type"]
        if not same:
            return [Problem(path, Verdict.BREAKS, f"{ONE.get(kind, kind)} is not accepted")]
        several = [flat for flat in same if not self._disjoint(source, flat)] or same
        found = [self._same_kind(source, flat, path) for flat in several]
        best = min(found, key=lambda problems: (len(problems), _severity(problems)))
        if len(several) > 1 and best:
            reason = f"none of {len(several)} alternatives accepts {EVERY.get(kind, kind)}"
            return [Problem(path, Verdict.UNDECIDED, f"{reason}: {best[0].reason}")]
        return best

    def _disjoint(self, source: Flat, target: Flat) -> bool:
        """Whether an alternative takes no value of the source: its tag has other values."""
        if source["type"] != "object" or target.get("type") != "object":
            return False
        mine, theirs = source.get("properties", {}), target.get("properties", {})
        for name in set(target.get("required", ())) & mine.keys() & theirs.keys():
            ours = self._source.flatten(mine[name])
            others = self._target.flatten(theirs[name])
            values = [value for flat in ours for value in flat.get("enum", ())]
            if all("enum" in flat for flat in (*ours, *others)) and not any(
                accepts_flat(v, flat) for v in values for flat in others
            ):
                return True
        return False

    def _values(
        self, values: list[Any], targets: list[Flat], path: tuple[str, ...]
    ) -> list[Problem]:
        rejected: list[Any] = []
        unclear: list[Any] = []
        for value in values:
            try:
                if not any(accepts_flat(value, flat) for flat in targets if not flat.get(UNKNOWN)):
                    (unclear if _has_unknown(value, targets) else rejected).append(value)
            except Undecidable:
                unclear.append(value)
        problems: list[Problem] = []
        if names := _names(rejected):
            one, many = f"{names} is not accepted", f"{names} are not accepted"
            reason = one if len(rejected) == 1 else many
            problems.append(Problem(path, Verdict.BREAKS, reason))
        if names := _names(unclear):
            one = f"{names} is compared with what cannot be read"
            many = f"{names} are compared with what cannot be read"
            reason = one if len(unclear) == 1 else many
            problems.append(Problem(path, Verdict.UNDECIDED, reason))
        return problems

    def _same_kind(self, source: Flat, target: Flat, path: tuple[str, ...]) -> list[Problem]:
        if "enum" in target:
            kind = source["type"]
            return [
                Problem(
                    path,
                    Verdict.BREAKS,
                    f"only {_names(target['enum'])}, not {EVERY.get(kind, kind)}",
                )
            ]
        problems: list[Problem] = []
        unknown = [text for text in target.get(UNKNOWN, ()) if text not in source.get(UNKNOWN, ())]
        for text in unknown:
            keyword = text.partition(" ")[0]
            problems.append(Problem(path, Verdict.UNDECIDED, f"{keyword} is not compared"))
        match source["type"]:
            case "integer" | "number":
                found = _numbers(source, target)
            case "string":
                found = _strings(source, target)
            case "array":
                return [*problems, *self._arrays(source, target, path)]
            case _:
                return [*problems, *self._objects(source, target, path)]
        return [*problems, *(Problem(path, verdict, reason) for verdict, reason in found)]

    def _arrays(self, source: Flat, target: Flat, path: tuple[str, ...]) -> Iterator[Problem]:
        most = source.get("maxItems", math.inf)
        least = source.get("minItems", 0)
        for verdict, reason in _sizes(target, "Items", (least, most)):
            yield Problem(path, verdict, reason)
        if target.get("uniqueItems") and not source.get("uniqueItems") and most > 1:
            yield Problem(path, Verdict.BREAKS, "items that are equal are not accepted")
        first, others = source.get("prefixItems", []), target.get("prefixItems", [])
        for number in range(max(len(first), len(others))):
            if number < most:
                mine = first[number] if number < len(first) else source.get("items", True)
                theirs = others[number] if number < len(others) else target.get("items", True)
                yield from self.problems(mine, theirs, (*path, f"[{number}]"))
        if max(len(first), len(others)) < most:
            inner = (*path, "[]")
            yield from self.problems(source.get("items", True), target.get("items", True), inner)

    def _objects(self, source: Flat, target: Flat, path: tuple[str, ...]) -> Iterator[Problem]:
        mine, theirs = source.get("properties", {}), target.get("properties", {})
        required, extras = set(source.get("required", ())), _extras(source)
        for name in target.get("required", ()):
            if name not in required:
                what = (
                    "it is required now" if name in mine else "it is required, and no bot passes it"
                )
                is_open = self._any_is_open and extras and name not in mine
                verdict = Verdict.UNDECIDED if is_open else Verdict.BREAKS
                yield Problem((*path, name), verdict, what)
        others = target.get("additionalProperties", True)
        patterns = target.get("patternProperties", {})
        for name, schema in mine.items():
            inner = (*path, name)
            matching = [p for pattern, p in patterns.items() if matches(pattern, name)]
            if name in theirs:
                matching.append(theirs[name])
            if not matching and others is False:
                yield Problem(inner, Verdict.BREAKS, "it is not accepted any more")
            for other in matching or [others]:
                yield from self.problems(schema, other, inner)
        for schema in extras:
            yield from self._further(schema, (source, target), path)
        if target.get("propertyNames", source.get("propertyNames")) != source.get("propertyNames"):
            yield Problem(path, Verdict.UNDECIDED, "names of members are not compared")
        sizes = (
            max(source.get("minProperties", 0), len(required)),
            min(source.get("maxProperties", math.inf), math.inf if extras else len(mine)),
        )
        for verdict, reason in _sizes(target, "Properties", sizes):
            yield Problem(path, verdict, reason)

    def _further(
        self, schema: Schema, objects: tuple[Flat, Flat], path: tuple[str, ...]
    ) -> Iterator[Problem]:
        """Compare the members that a source does not name."""
        source, target = objects
        inner, others = (*path, "{}"), target.get("additionalProperties", True)
        patterns = target.get("patternProperties", {})
        if others is False and not patterns:
            yield Problem(inner, Verdict.BREAKS, "further members are not accepted")
        elif patterns and patterns != source.get("patternProperties", {}):
            yield Problem(inner, Verdict.UNDECIDED, "patterns of names are not compared")
        for other in [*([] if others is False else [others]), *patterns.values()]:
            yield from self.problems(schema, other, inner)
        for name, other in target.get("properties", {}).items():
            if name not in source.get("properties", {}):
                yield from self.problems(schema, other, (*path, name))


def _extras(source: Flat) -> list[Schema]:
    """Return the schemas of members that a source may have and does not name."""
    patterns = source.get("patternProperties", {})
    default = "properties" not in source and not patterns
    further = source.get("additionalProperties", default)
    return [*patterns.values(), *([] if further is False else [further])]


def _listed(source: Flat, targets: list[Flat]) -> Flat:
    """List the integers between two near limits, if each must be compared alone."""
    alone = len(targets) > 1 or any("enum" in t or "multipleOf" in t for t in targets)
    if source.get("type") != "integer" or not alone:
        return source
    low, high = _integer_limits(source)
    if not high - low <= MAX_LISTED:
        return source
    numbers = range(int(low), int(high) + 1)
    listed = [n for n in numbers if accepts_flat(n, source, unknown=True)]
    return {"enum": listed} | ({UNKNOWN: source[UNKNOWN]} if UNKNOWN in source else {})


def _has_unknown(value: Any, targets: list[Flat]) -> bool:
    return any(flat.get(UNKNOWN) and accepts_flat(value, flat, unknown=True) for flat in targets)


def _integer_limits(flat: Flat) -> tuple[float, float]:
    low = math.ceil(flat["minimum"]) if "minimum" in flat else -math.inf
    high = math.floor(flat["maximum"]) if "maximum" in flat else math.inf
    if "exclusiveMinimum" in flat:
        low = max(low, math.floor(flat["exclusiveMinimum"]) + 1)
    if "exclusiveMaximum" in flat:
        high = min(high, math.ceil(flat["exclusiveMaximum"]) - 1)
    return low, high


def _limits(flat: Flat) -> tuple[tuple[float, bool], tuple[float, bool]]:
    """Return the lower and the upper limit, and whether the limit itself is excluded."""
    if flat["type"] == "integer":
        low, high = _integer_limits(flat)
        return (low, False), (high, False)
    lowest = [(flat.get("minimum", -math.inf), False)]
    highest = [(flat.get("maximum", math.inf), False)]
    if "exclusiveMinimum" in flat:
        lowest.append((flat["exclusiveMinimum"], True))
    if "exclusiveMaximum" in flat:
        highest.append((flat["exclusiveMaximum"], True))
    return max(lowest), min(highest, key=lambda limit: (limit[0], not limit[1]))


def _numbers(source: Flat, target: Flat) -> Iterator[tuple[Verdict, str]]:
    (low, low_excluded), (high, high_excluded) = _limits(source)
    if low > high:
        return
    step = _step(source)
    if target["type"] == "integer" and (step is None or step % 1):
        yield Verdict.BREAKS, "numbers with a fraction are not accepted"
    (lower, lower_excluded), (upper, upper_excluded) = _limits(target | {"type": "number"})
    certain = Verdict.UNDECIDED if "multipleOf" in source else Verdict.BREAKS
    if low < lower or (low == lower and lower_excluded and not low_excluded):
        yield certain, f"the lower limit is higher: {lower:g}"
    if high > upper or (high == upper and upper_excluded and not high_excluded):
        yield certain, f"the upper limit is lower: {upper:g}"
    multiple = target.get("multipleOf")
    if multiple is not None and (step is None or step % Fraction(str(multiple))):
        yield certain, f"only multiples of {multiple:g} are accepted"


def _step(flat: Flat) -> Fraction | None:
    """Return the number whose multiples a schema accepts; None: it accepts all numbers."""
    step = Fraction(str(flat["multipleOf"])) if "multipleOf" in flat else None
    if flat["type"] == "number":
        return step
    return Fraction(1 if step is None else step.numerator)


def _strings(source: Flat, target: Flat) -> Iterator[tuple[Verdict, str]]:
    own = source.get("pattern"), source.get("format")
    certain = Verdict.BREAKS if own == (None, None) else Verdict.UNDECIDED
    length = source.get("minLength", 0), source.get("maxLength", math.inf)
    for _, reason in _sizes(target, "Length", length):
        yield certain, reason
    pattern, fmt = target.get("pattern"), target.get("format")
    if fmt not in (None, own[1]):
        known = own[1] is not None and {own[1], fmt} <= {"date", "date-time", "time"}
        yield Verdict.UNDECIDED if known else Verdict.BREAKS, f"only the format {fmt} is accepted"
    if pattern is not None and pattern != own[0]:
        fitting = [text for text in WITNESSES if length[0] <= len(text) <= length[1]]
        rejects = any(not matches(pattern, text) for text in fitting)
        verdict = Verdict.BREAKS if rejects and own == (None, None) else Verdict.UNDECIDED
        yield verdict, f"only texts that match {pattern} are accepted"


def _sizes(target: Flat, keyword: str, sizes: tuple[float, float]) -> Iterator[tuple[Verdict, str]]:
    """Compare lengths: the source has from `sizes[0]` to `sizes[1]` units."""
    least, most = sizes
    if least > most:
        return
    lower, upper = target.get(f"min{keyword}", 0), target.get(f"max{keyword}", math.inf)
    if least < lower:
        yield Verdict.BREAKS, FEWER[keyword].format(lower)
    if most > upper:
        yield Verdict.BREAKS, MORE[keyword].format(upper)


def _severity(problems: list[Problem]) -> int:
    return sum(problem.verdict is Verdict.BREAKS for problem in problems)


def _names(values: list[Any]) -> str:
    shown = [_name(value) for value in values[:MAX_NAMED]]
    text = ", ".join(shown)
    return f"{text} and {len(values) - MAX_NAMED} more" if len(values) > MAX_NAMED else text


def _name(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return repr(value)
