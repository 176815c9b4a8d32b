"""The parts of Markdown that are never split: inline code, links and URLs."""

import unicodedata
from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from operator import itemgetter

SPACES = " \t\n\r\f\v"
"""Where a text may be split. A no-break space is not among them."""
LONG_SPAN_FACTOR = 4
"""A link or URL stays whole if it is not longer than this number of message limits."""
GRAPHEME_LIMIT = 64
"""Code points that are looked at to find where one visible character begins."""


def is_inside_grapheme(text: Sequence[str], index: int) -> bool:
    """Return whether the code points before and at the index are one visible character."""
    left, right = text[index - 1], text[index]
    if left == "\u200d" or "\U0001f3fb" <= right <= "\U0001f3ff":
        return True
    if _is_flag_letter(left) and _is_flag_letter(right):
        start = index
        while start and index - start < GRAPHEME_LIMIT and _is_flag_letter(text[start - 1]):
            start -= 1
        return (index - start) % 2 == 1  # two of them are one flag
    if "\ud800" <= left <= "\udbff" and "\udc00" <= right <= "\udfff":
        return True
    return unicodedata.category(right) in ("Mn", "Me", "Mc", "Cf")


def _is_flag_letter(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"


class MarkdownSpans:
    """Finds inline code, links and URLs in a text that is read piece by piece.

    All places are counted from the start of the text. The state consists of the finished spans,
    and of the places where a span may have started:

    - `_backticks`: runs of backticks that may open inline code, by their length;
      `_backtick_run`: the run that is being read;
    - `_brackets`: each `[` that may open a link's text;
    - `_closed_label`: the `[` of a `[...]` that was just closed, so that `(` would begin an
      address; `_link`: the `[` of a link within its `(...)`;
    - `_url`: start of the URL that is being read.

    Args:
        limit: Maximum length of a message in characters.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._start = 0  # places before this one do not matter any more
        self._spans: list[tuple[int, int]] = []  # finished, in order, without overlaps
        self.end_paragraph()

    def end_paragraph(self) -> None:
        """Forget everything that is still open: it cannot be closed in another paragraph."""
        self._backticks: dict[int, int] = {}
        self._backtick_run: int | None = None
        self._run_is_escaped = False
        self._brackets: deque[int] = deque()
        self._closed_label: int | None = None
        self._link: int | None = None
        self._parentheses, self._after_address, self._in_title = 0, False, False
        self._url: int | None = None

    def read(self, piece: str, place: int, before: str) -> None:
        """Read the next piece of a paragraph.

        Args:
            piece: One character, or several of which none opens or closes a span.
            place: Its place.
            before: A few characters before it.
        """
        char = piece[0]
        if char == "`":
            if self._backtick_run is None:
                self._backtick_run, self._run_is_escaped = place, before.endswith("\\")
        elif self._backtick_run is not None:
            self._end_backtick_run(self._backtick_run, place)
        label, self._closed_label = self._closed_label, None
        if self._url is not None and char in SPACES:
            self.protect(self._url, place)
            self._url = None
        elif self._url is None and char == "/" and before.lower().endswith(("http:/", "https:/")):
            self._url = place - (7 if before[-7:-6] in ("h", "H") else 6)
        if self._link is not None:
            self._read_link(self._link, char, place)
        elif char == "(" and label is not None:
            self._link = label
            self._parentheses, self._after_address, self._in_title = 1, False, False
        if self._link is None and char == "[" and not before.endswith("\\"):
            self._brackets.append(place - before.endswith("!"))
        elif self._link is None and char == "]" and self._brackets:
            self._closed_label = self._brackets.pop()

    def _end_backtick_run(self, run: int, place: int) -> None:
        """A run of backticks closes one of the same length, or may open inline code."""
        self._backtick_run = None
        opened = self._backticks.pop(place - run, None)
        if opened is None:
            if not self._run_is_escaped:
                self._backticks[place - run] = run
            return
        self.protect(opened, place)
        self._backticks = {length: at for length, at in self._backticks.items() if at < opened}
        while self._brackets and self._brackets[-1] > opened:
            self._brackets.pop()

    def _read_link(self, start: int, char: str, place: int) -> None:
        """Read a character of a link's `(address "title")`."""
        if char in SPACES:
            self._after_address = True
        elif self._after_address and not self._in_title and char not in "\"'()":
            self._link = None  # only a title may follow the address
            return
        self._in_title = self._in_title or (self._after_address and char in "\"'(")
        self._parentheses += (char == "(") - (char == ")")
        if self._parentheses == 0:
            self.protect(start, place + 1)
            self._link = None

    def protect(self, start: int, end: int) -> None:
        """Never split between these two places."""
        start = max(start, self._start)
        while self._spans and self._spans[-1][1] > start:
            earlier = self._spans.pop()
            start, end = min(start, earlier[0]), max(end, earlier[1])
        self._spans.append((start, end))

    def span_around(self, place: int) -> tuple[int, int] | None:
        """Return the span that contains this place, if there is one."""
        found = bisect_right(self._spans, place, key=itemgetter(1))
        inside = found < len(self._spans) and self._spans[found][0] < place
        return self._spans[found] if inside else None

    def known_until(self, end: int) -> int:
        """Return the place up to which it is certain where spans are.

        What was opened too long ago to be a span is given up.

        Args:
            end: End of the text that has been read.
        """
        while self._brackets and end - self._brackets[0] > self._limit:
            self._brackets.popleft()
        while (
            self._backticks and end - (oldest := next(iter(self._backticks.values()))) > self._limit
        ):
            self._backticks = {length: at for length, at in self._backticks.items() if at > oldest}
        longest = LONG_SPAN_FACTOR * self._limit
        if self._link is not None and end - self._link > longest:
            self.protect(self._link, self._link + longest)
            self._link = None
        if self._url is not None and end - self._url > longest:
            self.protect(self._url, self._url + longest)
            self._url = None
        oldest_backtick = next(iter(self._backticks.values()), None)
        oldest_bracket = self._brackets[0] if self._brackets else None
        places = (
            self._backtick_run,
            oldest_backtick,
            oldest_bracket,
            self._closed_label,
            self._link,
            self._url,
        )
        return min((place for place in places if place is not None), default=end)

    def discard_before(self, place: int) -> None:
        """Forget the text before this place: it has been sent."""
        self._start = place
        self._spans = [(max(start, place), end) for start, end in self._spans if end > place]
        self._url = None if self._url is not None and self._url < place else self._url
        self._link = None if self._link is not None and self._link < place else self._link
