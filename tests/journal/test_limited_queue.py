"""The queue of a block with limits, against a model that keeps every start."""

from collections import Counter, defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st

from vertexkit.clock import Clock
from vertexkit.execution import Execution
from vertexkit.journal.limits import CONCURRENCY, RATE, BlockLimits, Rate
from vertexkit.journal.state.limited_queue import LimitedQueue
from vertexkit.journal.state.row import ExecutionRow
from vertexkit.token import Token

PLENTY = 1000
KEYS = st.sampled_from(["", "a", "b"])
"""The empty one: a limit of the whole block."""
OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), KEYS),
        st.tuples(st.just("resume"), KEYS),
        st.tuples(st.just("take"), st.integers(0, 4)),
        st.tuples(st.just("end"), st.integers(0, 20)),
        st.tuples(st.just("pass"), st.integers(0, 30)),
        st.tuples(st.just("remove"), st.integers(0, 20)),
    ),
    max_size=60,
)
LIMITS = st.builds(
    BlockLimits,
    st.none() | st.builds(Rate, st.integers(1, 3), st.integers(1, 40).map(float)),
    st.none() | st.integers(1, 3),
)


class SteppedClock(Clock):
    """A clock that a test sets; it starts at a whole second, so that sums are exact."""

    def __init__(self) -> None:
        self.time = 1000.0

    def now(self) -> float:
        return self.time

    def unix(self) -> float:
        return self.time


class Model:
    """A queue, and all that has happened in it.

    Args:
        limits: of the block.
    """

    def __init__(self, limits: BlockLimits) -> None:
        self.clock = SteppedClock()
        self.queue = LimitedQueue(self.clock)
        self.limits = limits
        self.waiting: list[ExecutionRow] = []
        self.running: list[ExecutionRow] = []
        self.starts: dict[str, list[float]] = defaultdict(list)
        self.number = 0

    def put(self, key: str) -> None:
        self._put(key, resumes=False)

    def resume(self, key: str) -> None:
        self._put(key, resumes=True)

    def _put(self, key: str, *, resumes: bool) -> None:
        self.number += 1
        execution = Execution(
            str(self.number),
            "loan",
            Token("t"),
            {},
            accepted_at=self.clock.time,
            limit_key=key or None,
        )
        row = ExecutionRow(execution, b"", resumes=resumes)
        self.queue.put(row)
        self.waiting.append(row)

    def take(self, places: int) -> None:
        taken = self.queue.take(places, self.limits)
        assert len(taken) <= places
        for row in taken:
            key = key_of(row)
            same = [w for w in self.waiting if key_of(w) == key and w.resumes == row.resumes]
            assert same[0] is row, "the first one of its key"
            self.waiting.remove(row)
            self.running.append(row)
            if not row.resumes:
                self.starts[key].append(self.clock.time)
        self.check()
        if len(taken) < places:
            self.check_nothing_is_left()

    def end(self, number: int) -> None:
        if self.running:
            row = self.running.pop(number % len(self.running))
            self.queue.end_run(key_of(row))

    def remove(self, number: int) -> None:
        if self.waiting:
            row = self.waiting.pop(number % len(self.waiting))
            assert self.queue.remove(row)

    def apply(self, operation: str, value: str | int) -> None:
        if operation == "pass":
            assert isinstance(value, int)
            self.clock.time += value
        else:
            getattr(self, operation)(value)
        assert len(self.queue) == len(self.waiting)

    def recent(self, key: str) -> int:
        """Number of starts in the period that ends now."""
        rate = self.limits.rate
        assert rate is not None
        return sum(start > self.clock.time - rate.seconds for start in self.starts[key])

    def check(self) -> None:
        running = Counter(map(key_of, self.running))
        if self.limits.running is not None:
            assert all(number <= self.limits.running for number in running.values())
        if (rate := self.limits.rate) is not None:
            assert all(self.recent(key) <= rate.number for key in self.starts)

    def check_nothing_is_left(self) -> None:
        """Each key that has executions has reached a limit, and is counted as waiting for it."""
        running = Counter(map(key_of, self.running))
        rate, places = self.limits.rate, self.limits.running
        for row in self.waiting:
            key = key_of(row)
            if places is not None and running[key] >= places:
                assert self.queue.limit_of(row) == CONCURRENCY
            else:
                assert rate is not None
                assert not row.resumes
                assert self.recent(key) == rate.number
                assert self.queue.limit_of(row) == RATE
                assert self.queue.next_start_at() <= self.clock.time + rate.seconds
        assert self.queue.blocked == len(self.waiting)


def key_of(row: ExecutionRow) -> str:
    return row.execution.limit_key or ""


@settings(max_examples=150)
@given(LIMITS, OPERATIONS)
def test_limits_hold_and_nothing_waits_without_a_limit(
    limits: BlockLimits, operations: list[tuple[str, str | int]]
) -> None:
    """In any order of events, limits are never exceeded, nothing is held back without one, and all start in the end."""
    model = Model(limits)
    for operation, value in operations:
        model.apply(operation, value)
    for _ in range(len(model.waiting)):
        while model.running:
            model.end(0)
        model.clock.time += 40
        model.take(PLENTY)
    assert not model.waiting


@given(st.integers(1, 5), st.lists(st.integers(0, 20), max_size=60))
def test_no_window_has_more_starts_than_the_rate(number: int, pauses: list[int]) -> None:
    """Whenever executions come, any window of the rate's length has at most its number of starts."""
    model = Model(BlockLimits(Rate(number, 10.0)))
    for pause in pauses:
        model.put("a")
        model.take(PLENTY)
        model.clock.time += pause
    starts = model.starts["a"]
    for first, last in zip(starts, starts[number:], strict=False):
        assert last - first >= 10.0


def test_keys_that_are_idle_are_forgotten() -> None:
    """The memory of a key without executions, handlers and starts in the period is free again."""
    model = Model(BlockLimits(Rate(1, 10.0), 1))
    for number in range(50):
        model.put(str(number))
    model.take(PLENTY)
    while model.running:
        model.end(0)
    model.clock.time += 11
    model.take(PLENTY)
    assert not model.queue._keys
    assert not model.queue._expiring


def test_a_key_is_remembered_while_its_handler_runs() -> None:
    """Its place is not given to another execution when its start has left the period of the rate."""
    model = Model(BlockLimits(Rate(2, 10.0), running=1))
    model.put("a")
    model.take(PLENTY)
    model.clock.time += 11
    model.take(PLENTY)
    model.put("a")
    model.take(PLENTY)
    assert (len(model.running), len(model.waiting)) == (1, 1)


def test_a_key_is_remembered_while_its_start_counts() -> None:
    """The rate holds although the handler has ended and no execution of the key waits."""
    model = Model(BlockLimits(Rate(1, 10.0)))
    model.put("a")
    model.take(PLENTY)
    model.end(0)
    model.put("a")
    model.take(PLENTY)
    assert (len(model.running), len(model.waiting)) == (0, 1)


def test_the_end_of_a_run_that_was_not_counted_is_forgotten() -> None:
    """It takes no memory."""
    model = Model(BlockLimits(running=1))
    model.queue.end_run("a")
    assert not model.queue._keys
