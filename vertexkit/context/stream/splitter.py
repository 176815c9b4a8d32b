"""Splits a growing text into messages, for a chat that only takes whole ones."""

import re
from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from vertexkit.context.stream.markdown import (
    GRAPHEME_LIMIT,
    LONG_SPAN_FACTOR,
    SPACES,
    MarkdownSpans,
    is_inside_grapheme,
)
from vertexkit.context.stream.sentences import SentenceEnd, ends_sentence

LIMIT_MIN = 12
"""Shortest limit of a message: the fences around a few characters of code need it."""
LEAD_CHARACTERS = 8
"""Signs, such as `**(`, that may stay in one message with a link that is longer than the limit."""

# Every character that may open or close a span is a piece of its own.
_PIECE = re.compile(r"[^\s`~\[\]()/]+|.", re.DOTALL)
_LINE_START = r"([ \t]{0,20})(?:(?:[-*+]|\d{1,9}[.)])[ \t]{1,8})?"
_FENCE = re.compile(_LINE_START + r"((`{3,})[^`]*|(~{3,}).*)", re.DOTALL)
_FENCE_START = re.compile(r"[ \t]{0,20}(?:[-*+]|\d{1,9}[.)]?)?[ \t]{0,8}(?:`{0,2}|~{0,2})")
_MARKER = re.compile(r"#{1,6}|[-+*•]|>+|\|.*|[*_]*\d{1,9}(?:\.\d{1,9})*[.)]", re.DOTALL)
_BLANK_LINES = re.compile(r"\A\s*\n")
_AFTER_WORD, _AFTER_LINE, _AFTER_SENTENCE = 1, 2, 3
"""Ranks of a place to split at: the higher, the better."""
_LOOK_BACK_CHARACTERS = 8
"""Characters before a piece by which a span's beginning is recognised."""


@dataclass(slots=True)
class _CodeBlock:
    """A fenced code block that is still open. Its numbers are places in the text."""

    start: int
    fence: str
    indent: str
    opening: str
    """What opens the block again after a split: the indent, the fence and the language."""
    code_start: int
    line_start: int
    """Start of its current line."""
    line_ends: list[int] = field(default_factory=list)
    is_continued: bool = False
    """Whether its beginning has been sent in an earlier message."""


class Splitter:
    """Splits a text that arrives in chunks into messages; the chunks' borders do not matter.

    A message ends with a paragraph or, with `by="sentence"`, with a sentence; a line of a heading,
    list item, quotation or table is not split at its sentences. What is longer than `limit`
    characters is split at the last end of a sentence before the limit, else at the end of a line,
    else at a space, else anywhere.

    Fenced code, inline code, Markdown links and URLs stay whole. Only fenced code that is longer
    than the limit is split, at the end of a line, and each part is closed and opened again. A link
    or URL that is longer is a message of its own, of up to four limits. Inline code longer than
    the limit is plain text. A fence whose opening is so long that no code fits between two of it
    is plain text, too.

    The text is read piece by piece, in one of three states:

    - at the start of a line (`_line_start` is a string): the line may become a fence. When it is
      certain that it does not, its pieces are read as text; when the fence is complete, the state
      is:
    - in a code block (`_code` is set): pieces are only collected, until the closing fence;
    - in a line of text (neither): words and spaces lead to places to split at (`_breaks`), and
      the ends of paragraphs and sentences to places where a message ends (`_stops`).

    After each piece, `_send_ready` sends whatever is certain to be a message: spans that may still
    be open hold it back (`MarkdownSpans.known_until`).

    Args:
        limit: Maximum length of a message in characters.
        by: Where a message ends.

    Raises:
        ValueError: The limit is less than 12.
    """

    def __init__(
        self, limit: int = 1000, by: Literal["paragraph", "sentence"] = "paragraph"
    ) -> None:
        if limit < LIMIT_MIN:
            raise ValueError(f"limit must be at least {LIMIT_MIN} characters, got {limit}")
        self._limit = limit
        self._by_sentence = by == "sentence"
        self._messages: list[str] = []
        self._reset()

    def _reset(self) -> None:
        # The text that has not been sent. Places are counted from the start of the whole text.
        self._text: list[str] = []
        self._text_start = 0  # place of `_text[0]`
        self._visible_end = 0  # place after the last character that is not a space
        # Where it may and where it must be split.
        self._spans = MarkdownSpans(self._limit)
        self._breaks: list[tuple[int, int]] = []  # (place, rank), in order of place
        self._stops: deque[int] = deque()  # places where a message ends in any case
        # The current line.
        self._line_start: str | None = ""  # a line's beginning that may still become a fence
        self._code: _CodeBlock | None = None
        self._at_first_word, self._in_item, self._is_continued_line = True, False, False
        # The current word, and the space after it.
        self._word_start = 0
        self._space_count = self._newline_count = 0
        self._sentence_end: SentenceEnd = "no"  # whether the last word ends a sentence

    def feed(self, chunk: str) -> list[str]:
        """Read the next piece of the text.

        Returns:
            The messages that are complete now.
        """
        for piece in _PIECE.findall(chunk):
            if self._code is not None:
                self._read_code(self._code, piece)
            elif self._line_start is not None:
                self._read_line_start(self._line_start + piece, piece)
            else:
                self._read_text(piece)
        return self._take_messages()

    def finish(self) -> list[str]:
        """End the text, so that the splitter can be used for another one.

        Returns:
            The messages that are left.
        """
        self._read_as_text(self._line_start or "")
        if self._code is None:
            self._end_paragraph()
        elif not self._code.is_continued or self._slice(self._code.code_start).strip():
            self._send(self._end)
        self._reset()
        return self._take_messages()

    def _take_messages(self) -> list[str]:
        messages, self._messages = self._messages, []
        return messages

    # The text that has not been sent

    @property
    def _end(self) -> int:
        return self._text_start + len(self._text)

    def _slice(self, start: int, end: int | None = None) -> str:
        """Return the text between two places; places that have been sent are left out."""
        first = max(start - self._text_start, 0)
        last = None if end is None else end - self._text_start
        return "".join(self._text[first:last])

    def _append(self, piece: str) -> None:
        self._text.extend(piece)
        self._visible_end = self._end

    # The start of a line

    def _read_line_start(self, start: str, piece: str) -> None:
        fence = _FENCE.fullmatch(start.removesuffix("\n"))
        if len(start) > self._limit // 3 or not (fence or _FENCE_START.fullmatch(start)):
            self._read_as_text(start)
        elif fence and piece == "\n":
            self._open_code(fence)
        else:
            self._line_start = start

    def _read_as_text(self, start: str) -> None:
        self._line_start = None
        for piece in _PIECE.findall(start):
            self._read_text(piece)

    # Code blocks

    def _open_code(self, fence: re.Match[str]) -> None:
        self._line_start = None
        self._spans.end_paragraph()
        self._begin_word("`")
        indent, opening, mark = fence[1], fence[2].rstrip(), fence[3] or fence[4]
        start = self._end
        self._append(fence[0] + "\n")
        self._code = _CodeBlock(start, mark, indent, indent + opening, self._end, self._end)
        self._send_ready()

    def _read_code(self, code: _CodeBlock, piece: str) -> None:
        if piece == "\n":
            line = self._slice(max(code.line_start, code.code_start)).strip(" \t\r")
            is_fence = line.strip(code.fence[0]) == "" and code.fence in line
            if code.line_start >= code.code_start and is_fence:
                self._close_code(code)
                return
            code.line_ends.append(self._end)
            code.line_start = self._end + 1
        self._append(piece)
        self._send_ready()

    def _close_code(self, code: _CodeBlock) -> None:
        self._code, self._line_start, self._at_first_word = None, "", False
        if code.is_continued and not self._slice(code.code_start, code.line_start).strip():
            self._text.clear()
            self._visible_end = self._text_start
        else:
            self._spans.protect(code.start, self._end)
            self._word_start = self._visible_end = self._end
            self._add_break(_AFTER_SENTENCE)
            if self._by_sentence:
                self._stops.append(self._visible_end)
        self._read_text("\n")

    # Lines of text

    def _read_text(self, piece: str) -> None:
        before = "".join(self._text[-_LOOK_BACK_CHARACTERS:])
        self._spans.read(piece, self._end, before)
        if piece in SPACES:
            self._read_space(piece)
        else:
            if self._space_count or self._visible_end <= self._text_start:
                self._begin_word(piece[0])
            self._append(piece)
        self._send_ready()

    def _read_space(self, char: str) -> None:
        is_newline = char == "\n"
        if is_newline:
            self._line_start, self._at_first_word, self._in_item = "", True, False
        if self._visible_end <= self._text_start:  # only indentation so far
            if is_newline:
                self._text.clear()
                self._is_continued_line = False
            elif not self._is_continued_line and len(self._text) < self._limit:
                self._text.append(char)
            return
        if not self._space_count:
            self._end_word(is_newline)
        if is_newline:
            self._add_break(_AFTER_LINE)
        if self._sentence_end == "yes" and not self._in_item:
            self._end_sentence()
        self._space_count += 1
        self._newline_count += is_newline
        if is_newline or self._space_count < self._limit:
            self._text.append(char)
        if self._newline_count > 1:
            self._end_paragraph()

    def _begin_word(self, char: str) -> None:
        if self._sentence_end == "maybe" and not char.islower():
            self._add_break(_AFTER_SENTENCE)
            if not self._in_item:
                self._end_sentence()
        self._sentence_end = "no"
        self._space_count = self._newline_count = 0
        self._word_start = self._end

    def _end_word(self, is_newline: bool) -> None:
        word = self._slice(self._word_start, self._visible_end)
        is_first, self._at_first_word = self._at_first_word and not is_newline, is_newline
        if is_first and _MARKER.fullmatch(word):
            self._in_item = True  # no break between a marker and its text
            return
        self._sentence_end = ends_sentence(word)
        self._add_break(_AFTER_SENTENCE if self._sentence_end == "yes" else _AFTER_WORD)

    def _end_sentence(self) -> None:
        self._sentence_end = "no"
        if self._by_sentence:
            self._stops.append(self._visible_end)

    def _end_paragraph(self) -> None:
        self._spans.read("\n", self._end, "")
        self._spans.end_paragraph()
        if self._visible_end > self._text_start:
            self._add_break(_AFTER_LINE)
            self._stops.append(self._visible_end)
        self._send_ready()

    def _add_break(self, rank: int) -> None:
        """Note that the text may be split after its last visible character."""
        if self._breaks and self._breaks[-1][0] == self._visible_end:
            rank = max(rank, self._breaks.pop()[1])
        self._breaks.append((self._visible_end, rank))

    # Where to split

    def _send_ready(self) -> None:
        while (place := self._next_split()) is not None:
            if self._code is not None and self._code.start <= self._text_start:
                self._send_code(self._code)
            else:
                self._send(place)

    def _next_split(self) -> int | None:
        """Return the place where the next message ends, if that is certain already."""
        known, full = self._spans.known_until(self._end), self._text_start + self._limit
        while self._stops and self._stops[0] <= min(known, full):
            stop = self._stops.popleft()
            if stop > self._text_start and not self._spans.span_around(stop):
                return stop
        if self._visible_end <= full or known < full:
            return None
        breaks = [
            (rank, place)
            for place, rank in self._breaks
            if self._text_start < place <= full and not self._spans.span_around(place)
        ]
        return max(breaks)[1] if breaks else self._split_without_break(full, known)

    def _split_without_break(self, full: int, known: int) -> int | None:
        """Return where to split a text without a break before its limit."""
        span = self._spans.span_around(full)
        if span is None:
            return self._between_graphemes(full, self._text_start)
        start, end = span
        lead = self._text[: min(start - self._text_start, LEAD_CHARACTERS + 1)]
        if len(lead) > LEAD_CHARACTERS or any(char.isalnum() for char in lead):
            return start
        self._breaks = [found for found in self._breaks if found[0] >= end]
        longest = self._text_start + LONG_SPAN_FACTOR * self._limit
        if self._breaks and self._breaks[0][0] <= min(known, longest):
            return self._breaks[0][0]  # with the full stop or the bracket after the span
        return min(end, longest) if self._visible_end > longest else None

    def _between_graphemes(self, place: int, after: int) -> int:
        """Return the last place that is not inside a visible character."""
        lowest = max(after, place - GRAPHEME_LIMIT)
        split = place
        while split > lowest and is_inside_grapheme(self._text, split - self._text_start):
            split -= 1
        return split if split > lowest else place

    # Sending

    def _send(self, place: int) -> None:
        """Send the text up to this place, without the blank space around it."""
        size = place - self._text_start
        message = _BLANK_LINES.sub("", "".join(self._text[:size])).rstrip()
        if message:
            self._messages.append(message)
        line, end = size, size
        while end < len(self._text) and self._text[end] in SPACES:
            end += 1
            line = end if self._text[end - 1] == "\n" else line
        self._is_continued_line = line == size
        self._discard(end if self._is_continued_line else line)

    def _send_code(self, code: _CodeBlock) -> None:
        """Send a part of a code block, and open the block again."""
        closing = code.indent + code.fence
        full = self._text_start + self._limit - len(closing) - 1
        line_ends = [end for end in code.line_ends if end <= full]
        split = line_ends[-1] if line_ends else self._between_graphemes(full, code.code_start)
        part = self._slice(self._text_start, split)
        if part[code.code_start - self._text_start :].strip():
            self._messages.append(f"{part}\n{closing}")
        self._discard(split - self._text_start + bool(line_ends))
        code.line_ends = [end for end in code.line_ends if end >= self._text_start]
        code.start = self._text_start - len(code.opening) - 1
        code.code_start = self._text_start
        code.is_continued = True
        self._text_start = code.start
        self._text[:0] = code.opening + "\n"

    def _discard(self, size: int) -> None:
        """Forget a number of characters at the start of the text."""
        del self._text[:size]
        self._text_start += size
        self._spans.discard_before(self._text_start)
        self._breaks = [found for found in self._breaks if found[0] > self._text_start]
        while self._stops and self._stops[0] <= self._text_start:
            self._stops.popleft()
