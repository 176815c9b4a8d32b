"""A growing text, cut into messages for a chat that only takes whole ones."""

import re
import unicodedata
from collections import deque
from dataclasses import dataclass, field
from typing import Literal

_SPACE = " \t\n\r\f\v"  # a no-break space is no place to cut
_PIECE = re.compile(r"[^\s`~\[\]()/]+|.", re.S)  # whatever may open or close a unit comes alone
_HEAD = r"([ \t]{0,20})(?:(?:[-*+]|\d{1,9}[.)])[ \t]{1,8})?"
_FENCE = re.compile(_HEAD + r"((`{3,})[^`]*|(~{3,}).*)", re.S)
_MAYBE_FENCE = re.compile(r"[ \t]{0,20}(?:[-*+]|\d{1,9}[.)]?)?[ \t]{0,8}(?:`{0,2}|~{0,2})")
_MARKER = re.compile(r"#{1,6}|[-+*•]|>+|\|.*|[*_]*\d{1,9}(?:\.\d{1,9})*[.)]", re.S)
_BLANK_LINES = re.compile(r"\A\s*\n")
_CLOSERS = "\"'»”’)]*_~"
_OPENERS = "\"'«„“‘([*_~"
_ABBREVIATIONS = frozenset(
    "акад англ вв гг гл г-жа г-н гос гр доп доц др д-р долл изд илл им инж исп кв корп коп куб"
    " лат макс мин млн млрд напр нем обл орг пер пл пос пп прим просп проф пр ред рис руб рус сб св"
    " сек см сокр ср ст стр табл тел тыс ул усл чел шт экз"
    " al approx apr aug ave bros capt cf col corp dec dept dr ed eds eg esp etc feb fig gen gov"
    " hon hr ie inc jan jr lt ltd messrs mr mrs ms mt nov oct ph.d pp prof rev sen sep sept sgt sr"
    " st vol vs".split()
)
_WORD, _LINE, _SENTENCE = 1, 2, 3  # the better the place to cut, the higher
_HUGE = 4  # a link may be so many times as long as the limit


def _ends_sentence(word: str) -> Literal["yes", "no", "perhaps"]:
    """Perhaps: a quotation or bracket ends here, and what follows must tell."""
    core = word.rstrip(_CLOSERS)
    stem = core.rstrip(".!?…")
    if stem == core:
        return "no"
    name = stem.lstrip(_OPENERS).lower()
    letters = bool(name) and all(len(part) == 1 and part.isalpha() for part in name.split("."))
    if core == stem + "." and (letters or name in _ABBREVIATIONS):
        return "no"
    return "yes" if core == word else "perhaps"


def _joined(text: list[str], at: int) -> bool:
    """Whether the characters on both sides of `at` are seen as one."""
    left, right = text[at - 1], text[at]
    if left == "\u200d" or "\U0001f3fb" <= right <= "\U0001f3ff":
        return True
    if "\U0001f1e6" <= left <= "\U0001f1ff" and "\U0001f1e6" <= right <= "\U0001f1ff":
        start = at
        while start and at - start < 64 and "\U0001f1e6" <= text[start - 1] <= "\U0001f1ff":
            start -= 1
        return (at - start) % 2 == 1  # two of them make a flag
    if "\ud800" <= left <= "\udbff" and "\udc00" <= right <= "\udfff":
        return True
    return unicodedata.category(right) in ("Mn", "Me", "Mc", "Cf")


class _Units:
    """Inline code, links and URLs: where they are, and where one may have begun."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
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
        if self._url is not None and char in _SPACE:
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
        if char in _SPACE:
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
        while self._spans and self._spans[-1][1] > start:
            earlier = self._spans.pop()
            start, end = min(start, earlier[0]), max(end, earlier[1])
        self._spans.append((start, end))

    def around(self, place: int) -> tuple[int, int] | None:
        """The unit that a cut at this place would tear."""
        low, high = 0, len(self._spans)
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if self._spans[middle][1] <= place else (low, middle)
        found = low < len(self._spans) and self._spans[low][0] < place
        return self._spans[low] if found else None

    def horizon(self, end: int) -> int:
        """Up to which place it is known what is a unit and what is not."""
        while self._brackets and end - self._brackets[0] > self._limit:
            self._brackets.popleft()
        while self._ticks and end - (first := next(iter(self._ticks.values()))) > self._limit:
            self._ticks = {length: at for length, at in self._ticks.items() if at > first}
        huge = _HUGE * self._limit
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
        self._spans = [(max(start, base), end) for start, end in self._spans if end > base]
        self._url = None if self._url is not None and self._url < base else self._url
        self._link = None if self._link is not None and self._link < base else self._link


@dataclass(slots=True)
class _Fence:
    """A fenced code block that is still open."""

    start: int
    mark: str
    indent: str
    opener: str  # what opens it again after a cut
    code: int  # where its first line of code begins
    line: int  # where its current line begins
    ends: list[int] = field(default_factory=list)  # of its lines
    again: bool = False


class Cutter:
    """Cuts a text that comes in chunks into messages; the chunks' borders do not matter.

    A message ends with a paragraph (`by="sentence"`: with a sentence; the line of a heading, list
    item, quotation or table is not cut at its sentences). What is longer than `limit` characters
    is cut at the last sentence end before it, else line end, else space, else anywhere.

    Fenced code, inline code, Markdown links and URLs stay whole. Only fenced code longer than the
    limit is cut, at a line end, each part closed and opened again; a longer link or URL is a
    message of its own of up to four limits; inline code longer than the limit is plain text.
    An opener so long that parts of a block would not fit between two of it opens nothing.

    Raises ValueError when the limit is below 12.
    """

    def __init__(
        self, limit: int = 1000, by: Literal["paragraph", "sentence"] = "paragraph"
    ) -> None:
        if limit < 12:
            raise ValueError(f"limit is {limit}; a message needs room for at least 12 characters")
        self._limit = limit
        self._sentences = by == "sentence"
        self._ready: list[str] = []
        self._reset()

    def _reset(self) -> None:
        # Places are counted from the start of the text; `_text` begins at `_base`.
        self._text: list[str] = []
        self._base = self._tail = self._word = 0  # `_tail`: behind the last visible character
        self._units = _Units(self._limit)
        self._breaks: list[tuple[int, int]] = []  # (place, how good), in order of place
        self._stops: deque[int] = deque()  # places where a message ends in any case
        self._fence: _Fence | None = None
        self._head: str | None = ""  # a line's beginning that may yet become a fence
        self._newlines = self._gap = 0
        self._ending = "no"
        self._first_word, self._item, self._mid_line = True, False, False

    def feed(self, chunk: str) -> list[str]:
        """Take the next piece of the text; returns the messages that are ready, maybe none."""
        for piece in _PIECE.findall(chunk):
            if self._fence is not None:
                self._read_code(self._fence, piece)
            elif self._head is not None:
                self._read_head(self._head + piece, piece)
            else:
                self._read(piece)
        return self._take()

    def finish(self) -> list[str]:
        """The text has ended: returns what is left of it. The cutter is then as new."""
        self._release(self._head or "")
        if self._fence is None:
            self._end_paragraph()
        elif not self._fence.again or "".join(self._text[self._fence.code - self._base :]).strip():
            self._send(self._end)
        self._reset()
        return self._take()

    def _take(self) -> list[str]:
        ready, self._ready = self._ready, []
        return ready

    @property
    def _end(self) -> int:
        return self._base + len(self._text)

    def _read_head(self, head: str, piece: str) -> None:
        fence = _FENCE.fullmatch(head.removesuffix("\n"))
        if len(head) > self._limit // 3 or not (fence or _MAYBE_FENCE.fullmatch(head)):
            self._release(head)
        elif fence and piece == "\n":
            self._open_fence(fence)
        else:
            self._head = head

    def _release(self, head: str) -> None:
        self._head = None
        for piece in _PIECE.findall(head):
            self._read(piece)

    def _open_fence(self, found: re.Match[str]) -> None:
        self._units.close()
        self._begin_word("`")
        indent, opener, mark = found[1], found[2].rstrip(), found[3] or found[4]
        start = self._end
        self._text.extend(found[0] + "\n")
        self._tail = self._end
        self._fence = _Fence(start, mark, indent, indent + opener, self._end, self._end)
        self._settle()

    def _read_code(self, fence: _Fence, piece: str) -> None:
        if piece == "\n":
            line = "".join(self._text[max(fence.line, fence.code) - self._base :]).strip(" \t\r")
            if fence.line >= fence.code and line.strip(fence.mark[0]) == "" and fence.mark in line:
                self._close_fence(fence)
                return
            fence.ends.append(self._end)
            fence.line = self._end + 1
        self._text.extend(piece)
        self._tail = self._end
        self._settle()

    def _close_fence(self, fence: _Fence) -> None:
        self._fence, self._head, self._first_word = None, "", False
        if fence.again and not "".join(self._text[fence.code - self._base : fence.line - self._base]).strip():
            self._text.clear()
            self._tail = self._base
        else:
            self._units.keep(fence.start, self._end)
            self._word = self._tail = self._end
            self._break(_SENTENCE)
            if self._sentences:
                self._stops.append(self._tail)
        self._read("\n")
