"""A growing text, cut into messages for a chat that only takes whole ones."""

import re
from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from vertexkit.context.stream.markdown import CLUSTER, HUGE, SPACE, Units, joined
from vertexkit.context.stream.sentences import ends_sentence

# Whatever may open or close a unit comes alone.
_PIECE = re.compile(r"[^\s`~\[\]()/]+|.", re.DOTALL)
_HEAD = r"([ \t]{0,20})(?:(?:[-*+]|\d{1,9}[.)])[ \t]{1,8})?"
_FENCE = re.compile(_HEAD + r"((`{3,})[^`]*|(~{3,}).*)", re.DOTALL)
_MAYBE_FENCE = re.compile(r"[ \t]{0,20}(?:[-*+]|\d{1,9}[.)]?)?[ \t]{0,8}(?:`{0,2}|~{0,2})")
_MARKER = re.compile(r"#{1,6}|[-+*•]|>+|\|.*|[*_]*\d{1,9}(?:\.\d{1,9})*[.)]", re.DOTALL)
_BLANK_LINES = re.compile(r"\A\s*\n")
_WORD, _LINE, _SENTENCE = 1, 2, 3  # the better the place to cut, the higher
_SMALLEST = 12  # fences around a few characters of code need it
_LEAD = 8  # so many signs, such as "**(", may stay before a huge link


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


class Splitter:
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
        if limit < _SMALLEST:
            raise ValueError(f"limit is {limit}; a message needs at least {_SMALLEST} characters")
        self._limit = limit
        self._sentences = by == "sentence"
        self._ready: list[str] = []
        self._reset()

    def _reset(self) -> None:
        # Places are counted from the start of the text; `_text` begins at `_base`.
        self._text: list[str] = []
        self._base = self._tail = self._word = 0  # `_tail`: behind the last visible character
        self._units = Units(self._limit)
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
        """The text has ended: returns what is left of it. The splitter is then as new."""
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
        self._head = None
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
        code = self._text[fence.code - self._base : fence.line - self._base]
        if fence.again and not "".join(code).strip():
            self._text.clear()
            self._tail = self._base
        else:
            self._units.keep(fence.start, self._end)
            self._word = self._tail = self._end
            self._break(_SENTENCE)
            if self._sentences:
                self._stops.append(self._tail)
        self._read("\n")

    def _read(self, piece: str) -> None:
        self._units.read(piece, self._end, "".join(self._text[-8:]))
        if piece in SPACE:
            self._read_space(piece)
        else:
            if self._gap or self._tail <= self._base:
                self._begin_word(piece[0])
            self._text.extend(piece)
            self._tail = self._end
        self._settle()

    def _read_space(self, char: str) -> None:
        newline = char == "\n"
        if newline:
            self._head, self._first_word, self._item = "", True, False
        if self._tail <= self._base:  # nothing yet but indentation
            if newline:
                self._text.clear()
                self._mid_line = False
            elif not self._mid_line and len(self._text) < self._limit:
                self._text.append(char)
            return
        if not self._gap:
            self._end_word(newline)
        if newline:
            self._break(_LINE)
        if self._ending == "yes" and not self._item:
            self._stop()
        self._gap += 1
        self._newlines += newline
        if newline or self._gap < self._limit:
            self._text.append(char)
        if self._newlines > 1:
            self._end_paragraph()

    def _begin_word(self, char: str) -> None:
        if self._ending == "perhaps" and not char.islower():
            self._break(_SENTENCE)
            if not self._item:
                self._stop()
        self._ending, self._gap, self._newlines, self._word = "no", 0, 0, self._end

    def _end_word(self, newline: bool) -> None:
        word = "".join(self._text[max(self._word - self._base, 0) : self._tail - self._base])
        first, self._first_word = self._first_word and not newline, newline
        if first and _MARKER.fullmatch(word):
            self._item = True  # and no cut between a marker and what it marks
            return
        self._ending = ends_sentence(word)
        self._break(_SENTENCE if self._ending == "yes" else _WORD)

    def _break(self, rank: int) -> None:
        if self._breaks and self._breaks[-1][0] == self._tail:
            rank = max(rank, self._breaks.pop()[1])
        self._breaks.append((self._tail, rank))

    def _stop(self) -> None:
        self._ending = "no"
        if self._sentences:
            self._stops.append(self._tail)

    def _end_paragraph(self) -> None:
        self._units.read("\n", self._end, "")
        self._units.close()
        if self._tail > self._base:
            self._break(_LINE)
            self._stops.append(self._tail)
        self._settle()

    def _settle(self) -> None:
        while (cut := self._next_cut()) is not None:
            if self._fence is not None and self._fence.start <= self._base:
                self._split(self._fence)
            else:
                self._send(cut)

    def _next_cut(self) -> int | None:
        horizon, window = self._units.horizon(self._end), self._base + self._limit
        while self._stops and self._stops[0] <= min(horizon, window):
            stop = self._stops.popleft()
            if stop > self._base and not self._units.around(stop):
                return stop
        if self._tail <= window or horizon < window:
            return None
        places = [
            (rank, place)
            for place, rank in self._breaks
            if self._base < place <= window and not self._units.around(place)
        ]
        return max(places)[1] if places else self._cut_word(window, horizon)

    def _cut_word(self, window: int, horizon: int) -> int | None:
        unit = self._units.around(window)
        if unit is None:
            return self._between_characters(window, self._base)
        start, end = unit
        lead = self._text[: min(start - self._base, _LEAD + 1)]
        if len(lead) > _LEAD or any(char.isalnum() for char in lead):
            return start
        self._breaks = [found for found in self._breaks if found[0] >= end]
        huge = self._base + HUGE * self._limit
        if self._breaks and self._breaks[0][0] <= min(horizon, huge):
            return self._breaks[0][0]  # with the full stop or bracket behind it
        return min(end, huge) if self._tail > huge else None

    def _between_characters(self, place: int, floor: int) -> int:
        lowest = max(floor, place - CLUSTER)
        cut = place
        while cut > lowest and joined(self._text, cut - self._base):
            cut -= 1
        return cut if cut > lowest else place

    def _send(self, cut: int) -> None:
        size = cut - self._base
        text = _BLANK_LINES.sub("", "".join(self._text[:size])).rstrip()
        if text:
            self._ready.append(text)
        line, end = size, size
        while end < len(self._text) and self._text[end] in SPACE:
            end += 1
            line = end if self._text[end - 1] == "\n" else line
        self._mid_line = line == size
        self._forget(end if self._mid_line else line)

    def _forget(self, size: int) -> None:
        del self._text[:size]
        self._base += size
        self._units.forget(self._base)
        self._breaks = [found for found in self._breaks if found[0] > self._base]
        while self._stops and self._stops[0] <= self._base:
            self._stops.popleft()

    def _split(self, fence: _Fence) -> None:
        close = fence.indent + fence.mark
        room = self._base + self._limit - len(close) - 1
        fits = [end for end in fence.ends if end <= room]
        cut = fits[-1] if fits else self._between_characters(room, fence.code)
        part = "".join(self._text[: cut - self._base])
        if part[fence.code - self._base :].strip():
            self._ready.append(f"{part}\n{close}")
        self._forget(cut - self._base + bool(fits))
        fence.ends = [end for end in fence.ends if end >= self._base]
        fence.start, fence.code, fence.again = self._base - len(fence.opener) - 1, self._base, True
        self._base = fence.start
        self._text[:0] = fence.opener + "\n"
