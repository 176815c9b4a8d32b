"""The invariant about memories reports violations made by hand."""

from dataclasses import replace

from tests.chaos.good_run import RECORD
from tests.chaos.memories import (
    COUNT,
    NAME,
    Recalled,
    RememberedNumbers,
    counted_once,
    none_lost,
)
from vertexkit.execution import MEMORY_UPDATE, Effect, EffectState

ONE = "1" * 22
NO_ONE: frozenset[str] = frozenset()


def seen(*numbers: int) -> RememberedNumbers:
    """An execution that has read and written these numbers, in two runs."""
    seen = RememberedNumbers()
    for _ in range(2):
        before = None
        for position, number in enumerate(numbers):
            seen.read(Recalled(ONE, position, before))
            seen.write(ONE, number)
            before = number
    return seen


def test_a_memory_that_is_kept_breaks_nothing() -> None:
    """I17 accepts the newest number, and one that was written and not confirmed any more."""
    for stored in (4, 9):
        assert none_lost(seen(1, 4), {7: {}, 8: {NAME.format(ONE): stored}}, NO_ONE) == []


def test_a_lost_write_is_reported() -> None:
    """I17 reports a confirmed write that the memory does not have, unless the execution is unlike."""
    lost: list[dict[int, dict[str, int]]] = [{}, {7: {NAME.format(ONE): 1}}]
    for memories in lost:
        assert none_lost(seen(1, 4), memories, NO_ONE)
        assert not none_lost(seen(1, 4), memories, frozenset({ONE}))


def test_a_run_that_reads_something_else_is_reported() -> None:
    """I17 reports two runs of a handler that have read different values at the same position."""
    broken = seen(1, 4)
    broken.read(Recalled(ONE, 1, 4))
    assert none_lost(broken, {7: {NAME.format(ONE): 4}}, NO_ONE)


def test_an_update_that_was_not_made_once_is_reported() -> None:
    """I17 compares the number of updates in the journal with what the memory has counted."""
    updates = tuple(
        Effect(position, MEMORY_UPDATE + COUNT, "", EffectState.CONFIRMED) for position in (1, 3)
    )
    records = [replace(RECORD, dialog=7, effects=updates), replace(RECORD, dialog=8)]
    assert counted_once(records, {7: {COUNT: 2}, 9: {}}) == []
    wrong: list[dict[int, dict[str, int]]] = [
        *({7: {COUNT: 1}}, {7: {COUNT: 3}}, {}),
        {7: {COUNT: 2}, 9: {COUNT: 1}},
    ]
    for memories in wrong:
        assert len(counted_once(records, memories)) == 1
