"""The invariant about memories reports violations made by hand."""

from tests.chaos.memories import NAME, Recalled, RememberedNumbers, none_lost

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
        assert none_lost(seen(1, 4), [{}, {NAME.format(ONE): stored}], NO_ONE) == []


def test_a_lost_write_is_reported() -> None:
    """I17 reports a confirmed write that the memory does not have, unless the execution is unlike."""
    for memories in ([], [{NAME.format(ONE): 1}]):
        assert none_lost(seen(1, 4), memories, NO_ONE)
        assert not none_lost(seen(1, 4), memories, frozenset({ONE}))


def test_a_run_that_reads_something_else_is_reported() -> None:
    """I17 reports two runs of a handler that have read different values at the same position."""
    broken = seen(1, 4)
    broken.read(Recalled(ONE, 1, 4))
    assert none_lost(broken, [{NAME.format(ONE): 4}], NO_ONE)
