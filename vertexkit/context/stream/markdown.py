"""What a cut text must keep whole: inline code, Markdown links and URLs."""

import unicodedata
from bisect import bisect_right
from collections import deque
from operator import itemgetter

SPACE = " \t\n\r\f\v"  # a no-break space is no place to cut
HUGE = 4  # a link may be so many times as long as the limit
CLUSTER = 64  # characters seen as one are not more than this


def joined(text: list[str], at: int) -> bool:
    """Whether the characters on both sides of `at` are seen as one."""
    left, right = text[at - 1], text[at]
    if left == "\u200d" or "\U0001f3fb" <= right <= "\U0001f3ff":
        return True
    if "\U0001f1e6" <= left <= "\U0001f1ff" and "\U0001f1e6" <= right <= "\U0001f1ff":
        start = at
        while start and at - start < CLUSTER and "\U0001f1e6" <= text[start - 1] <= "\U0001f1ff":
            start -= 1
        return (at - start) % 2 == 1  # two of them make a flag
    if "\ud800" <= left <= "\udbff" and "\udc00" <= right <= "\udfff":
        return True
    return unicodedata.category(right) in ("Mn", "Me", "Mc", "Cf")


class Units:
    """Inline code, links and URLs: where they are, and where one may have begun."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._base = 0
        self._spans: list[tuple[int, int]] = []  # apart, in order
        self.close()

    def close(self) -> None:
        """Nothing that is still open can be closed any more: the paragraph has ended."""
        self._ticks: dict[int, int] = {}  # length of a run of backticks -> its place
        self._run: int | None = None
        self._escaped = False
        self._brackets: deque[int] = deque()
        self._label: int | None = None  # "[...]" has just been closed
        self._link: int | None = None  # within the "(...)" of a link
        self._depth, self._gap, self._title = 0, False, False
        self._url: int | None = None

    def read(self, piece: str, at: int, before: str) -> None:
        """The next piece of a paragraph, its place and the few characters before it."""
        char = piece[0]
        if char == "`":
            if self._run is None:
                self._run, self._escaped = at, before.endswith("\\")
        elif self._run is not None:
            self._end_run(self._run, at)
        label, self._label = self._label, None
        if self._url is not None and char in SPACE:
            self.keep(self._url, at)
            self._url = None
        elif self._url is None and char == "/" and before.lower().endswith(("http:/", "https:/")):
            self._url = at - (7 if before[-7:-6] in ("h", "H") else 6)
        if self._link is not None:
            self._read_link(self._link, char, at)
        elif char == "(" and label is not None:
            self._link, self._depth, self._gap, self._title = label, 1, False, False
        if self._link is None and char == "[" and not before.endswith("\\"):
            self._brackets.append(at - before.endswith("!"))
        elif self._link is None and char == "]" and self._brackets:
            self._label = self._brackets.pop()

    def _end_run(self, run: int, at: int) -> None:
        self._run = None
        opened = self._ticks.pop(at - run, None)
        if opened is None:
            if not self._escaped:
                self._ticks[at - run] = run
            return
        self.keep(opened, at)
        self._ticks = {length: place for length, place in self._ticks.items() if place < opened}
        while self._brackets and self._brackets[-1] > opened:
            self._brackets.pop()

    def _read_link(self, start: int, char: str, at: int) -> None:
        if char in SPACE:
            self._gap = True
        elif self._gap and not self._title and char not in "\"'()":
            self._link = None  # only a title may follow the address
            return
        self._title = self._title or (self._gap and char in "\"'(")
        self._depth += (char == "(") - (char == ")")
        if self._depth == 0:
            self.keep(start, at + 1)
            self._link = None

    def keep(self, start: int, end: int) -> None:
        """Never cut between the two places."""
        start = max(start, self._base)
        while self._spans and self._spans[-1][1] > start:
            earlier = self._spans.pop()
            start, end = min(start, earlier[0]), max(end, earlier[1])
        self._spans.append((start, end))

    def around(self, place: int) -> tuple[int, int] | None:
        """The unit that a cut at this place would tear."""
        found = bisect_right(self._spans, place, key=itemgetter(1))
        inside = found < len(self._spans) and self._spans[found][0] < place
        return self._spans[found] if inside else None

    def horizon(self, end: int) -> int:
        """Up to which place it is known what is a unit and what is not."""
        while self._brackets and end - self._brackets[0] > self._limit:
            self._brackets.popleft()
        while self._ticks and end - (first := next(iter(self._ticks.values()))) > self._limit:
            self._ticks = {length: at for length, at in self._ticks.items() if at > first}
        huge = HUGE * self._limit
        if self._link is not None and end - self._link > huge:
            self.keep(self._link, self._link + huge)
            self._link = None
        if self._url is not None and end - self._url > huge:
            self.keep(self._url, self._url + huge)
            self._url = None
        first_tick = next(iter(self._ticks.values()), None)
        bracket = self._brackets[0] if self._brackets else None
        places = (self._run, first_tick, bracket, self._label, self._link, self._url)
        return min((place for place in places if place is not None), default=end)

    def forget(self, base: int) -> None:
        """What lies before this place has been sent."""
        self._base = base
        self._spans = [(max(start, base), end) for start, end in self._spans if end > base]
        self._url = None if self._url is not None and self._url < base else self._url
        self._link = None if self._link is not None and self._link < base else self._link
