"""Lists the changes of the blocks' inputs and results, and judges what each means for bots."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from vertexkit.cli.check.descriptions import describe
from vertexkit.cli.check.documents import Contract
from vertexkit.cli.check.inclusion import Inclusion, Problem, Verdict
from vertexkit.cli.check.schemas import Flat, Schema, Undecidable
from vertexkit.cli.translation import Phrase, fill

INPUT, RESULT = "input", "result"
SENTENCES = {
    (INPUT, "added"): "bots do not have to pass it",
    (INPUT, "removed"): "bots may still pass it; the block ignores it",
    (INPUT, "changed"): "the block accepts every value that it accepted before",
    (INPUT, "default"): "bots that do not pass it get the new default",
    (RESULT, "added"): "bots do not read it yet",
    (RESULT, "removed"): "bots that read it find no value",
    (RESULT, "changed"): "every value is one that bots could get before",
}


@dataclass(frozen=True, slots=True)
class Change:
    """A difference between the deployed version of a block and the current one."""

    verdict: Verdict
    block: str
    side: str
    """`input`, `result` or empty: the block itself."""
    member: str
    """Its path, for example `address.city`; empty: the whole."""
    old: str
    new: str
    reason: str


def compare(
    old: Mapping[str, Contract], new: Mapping[str, Contract], phrase: Phrase = fill
) -> Iterator[Change]:
    """Yield the changes from the blocks of a deployed version to the current ones.

    Args:
        old: contracts of the deployed version, by the block's name.
        new: contracts of the current code.
        phrase: translates the descriptions of schemas; the reasons are English sentences.
    """
    absent = phrase("absent")
    for name, contract in old.items():
        if name not in new:
            reason = "bots that call it get 404"
            yield Change(Verdict.BREAKS, name, "", "", phrase("block"), absent, reason)
            continue
        current = new[name]
        yield from _Side(name, INPUT, contract, current, phrase).changes()
        if contract.result is None:
            reason = "an OpenAPI document does not describe results; use the catalogue"
            yield Change(Verdict.UNDECIDED, name, RESULT, "", phrase("unknown"), "", reason)
        else:
            yield from _Side(name, RESULT, contract, current, phrase).changes()
    for name in new.keys() - old.keys():
        reason = "no bot calls it yet"
        yield Change(Verdict.COMPATIBLE, name, "", "", absent, phrase("block"), reason)
    if len(old) == 1 and len(new) > 1:
        name = next(iter(old))
        reason = (
            "bots that call the address / get 404: only an app with one block answers there. "
            f"Their address must be /blocks/{name}"
        )
        before, after = phrase("the only block"), phrase("one of several")
        yield Change(Verdict.UNDECIDED, name, "", "", before, after, reason)


@dataclass(frozen=True, slots=True)
class _Difference:
    """A place where two schemas differ."""

    kind: str
    """`added`, `removed`, `changed` or `default`."""
    old: str
    new: str


class _Side:
    """The inputs or the results of one block in both versions."""

    def __init__(self, block: str, side: str, old: Contract, new: Contract, phrase: Phrase) -> None:
        self._block, self._side, self._phrase = block, side, phrase
        if side == INPUT:
            self._old, self._new = old.inputs, new.inputs
            self._documents = old.inputs_document, new.inputs_document
        else:
            self._old, self._new = old.result or {}, new.result or {}
            self._documents = old.result_document, new.result_document
        self._above: list[tuple[Schema, Schema]] = []

    def changes(self) -> Iterator[Change]:
        """Yield one change for each member that differs."""
        old, new = self._documents
        if self._side == INPUT:
            problems = Inclusion(old, new).problems(self._old, self._new)
        elif self._old == {"type": "null"}:
            problems = []  # bots cannot read anything of a block without a result
        else:
            problems = Inclusion(new, old, any_is_open=True).problems(self._new, self._old)
        try:
            places = dict(self._differences(self._old, self._new, ()))
        except Undecidable:
            places = {}
        by_path: dict[tuple[str, ...], list[Problem]] = {}
        for problem in problems:
            by_path.setdefault(problem.path, []).append(problem)
        whole = self._changed(self._old, self._new)
        for path, found in by_path.items():
            place = places.get(path) or next(
                (places[path[:n]] for n in range(len(path), -1, -1) if path[:n] in places), whole
            )
            yield self._change(path, place, found)
        for path, place in places.items():
            if not any(path == p[: len(path)] or p == path[: len(p)] for p in by_path):
                yield self._change(path, place, [])

    def _change(self, path: tuple[str, ...], place: _Difference, found: list[Problem]) -> Change:
        verdict, reason = Verdict.COMPATIBLE, SENTENCES.get((self._side, place.kind), "")
        if found:
            is_break = any(problem.verdict is Verdict.BREAKS for problem in found)
            verdict = Verdict.BREAKS if is_break else Verdict.UNDECIDED
            reason = "; ".join(dict.fromkeys(problem.reason for problem in found))
        if self._side == RESULT:
            if place.kind == "removed":  # even if it was optional: no bot gets it any more
                verdict = verdict if found else Verdict.BREAKS
                reason = SENTENCES[RESULT, "removed"]
            elif found:
                reason = f"bots expect the old values: {reason}"
        member = ".".join(path).replace(".[", "[").replace(".{", "{")
        return Change(verdict, self._block, self._side, member, place.old, place.new, reason)

    def _differences(
        self, old: Schema, new: Schema, path: tuple[str, ...]
    ) -> Iterator[tuple[tuple[str, ...], _Difference]]:
        """Yield the places where two schemas differ, the innermost ones that have a name."""
        if (old, new) in self._above:  # a model that contains itself
            return
        self._above.append((old, new))
        try:
            yield from self._differences_of(old, new, path)
        finally:
            self._above.pop()

    def _differences_of(
        self, old: Schema, new: Schema, path: tuple[str, ...]
    ) -> Iterator[tuple[tuple[str, ...], _Difference]]:
        first, second = self._documents
        if first.canonical(old) == second.canonical(new):
            yield from self._changed_default(old, new, path)
            if path or old == new or self._side == RESULT:
                return
        before, after = first.flatten(old), second.flatten(new)
        inner = _only(before, "object"), _only(after, "object")
        if inner[0] is not None and inner[1] is not None:
            yield from self._members(inner[0], inner[1], path)
            before.remove(inner[0])
            after.remove(inner[1])
            if not _same_rest(before, after, inner[0], inner[1], ("properties", "required")):
                yield path, self._changed(old, new)
            return
        lists = _only(before, "array"), _only(after, "array")
        if lists[0] is not None and lists[1] is not None:
            items = lists[0].get("items", True), lists[1].get("items", True)
            yield from self._differences(*items, (*path, "[]"))
            before.remove(lists[0])
            after.remove(lists[1])
            if not _same_rest(before, after, lists[0], lists[1], ("items",)):
                yield path, self._changed(old, new)
            return
        if before != after:
            yield path, self._changed(old, new)

    def _members(
        self, old: Flat, new: Flat, path: tuple[str, ...]
    ) -> Iterator[tuple[tuple[str, ...], _Difference]]:
        first, second = self._documents
        before, after = old.get("properties", {}), new.get("properties", {})
        for name in [*before, *(n for n in after if n not in before)]:
            inner = (*path, name)
            if name not in after:
                described = describe(before[name], first, self._phrase)
                yield inner, _Difference("removed", described, self._phrase("absent"))
            elif name not in before:
                is_required = name in new.get("required", ())
                described = describe(after[name], second, self._phrase, is_required)
                yield inner, _Difference("added", self._phrase("absent"), described)
            else:
                required = [name in flat.get("required", ()) for flat in (old, new)]
                if required[0] != required[1] and self._side == INPUT:
                    yield (
                        inner,
                        _Difference(
                            "changed",
                            describe(before[name], first, self._phrase, required[0]),
                            describe(after[name], second, self._phrase, required[1]),
                        ),
                    )
                else:
                    yield from self._differences(before[name], after[name], inner)

    def _changed(self, old: Schema, new: Schema) -> _Difference:
        first, second = self._documents
        before, after = describe(old, first, self._phrase), describe(new, second, self._phrase)
        return _Difference("changed", before, after)

    def _changed_default(
        self, old: Schema, new: Schema, path: tuple[str, ...]
    ) -> Iterator[tuple[tuple[str, ...], _Difference]]:
        if isinstance(old, bool) or isinstance(new, bool) or not path:
            return
        before, after = ({"default": s["default"]} if "default" in s else {} for s in (old, new))
        if before and after and before != after:
            shown = (
                self._phrase("default {0}", repr(value["default"])) for value in (before, after)
            )
            yield path, _Difference("default", *shown)


def _only(flats: list[Flat], kind: str) -> Flat | None:
    """Return the only flat schema of a type; None if there are none or several."""
    found = [flat for flat in flats if flat.get("type") == kind]
    return found[0] if len(found) == 1 else None


def _same_rest(
    before: list[Flat], after: list[Flat], old: Flat, new: Flat, without: tuple[str, ...]
) -> bool:
    """Whether two schemas are equal beside keywords that were compared."""
    rests = ({n: v for n, v in flat.items() if n not in without} for flat in (old, new))
    return before == after and next(rests) == next(rests)
