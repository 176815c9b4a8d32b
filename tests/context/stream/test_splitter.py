"""The splitter: a growing text becomes whole messages."""

import re
import sys
from collections.abc import Iterable
from itertools import pairwise
from types import FrameType
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertexkit.context.stream.splitter import Splitter

By = Literal["paragraph", "sentence"]


def cut(chunks: str | Iterable[str], limit: int = 1000, by: By = "paragraph") -> list[str]:
    splitter = Splitter(limit, by)
    fed = [chunks] if isinstance(chunks, str) else chunks
    return [message for chunk in fed for message in splitter.feed(chunk)] + splitter.finish()


def visible(text: str) -> str:
    return "".join(text.split())


_FRAGMENTS = [
    *(
        "`",
        "``",
        "```",
        "```py\n",
        "\n```\n",
        "~~~\n",
        "\n~~~",
        "[",
        "]",
        "](",
        ")",
        "![",
        "(",
        "\\",
    ),
    *("http://", "https://пример.рф/a", "[имя](https://a.b/c)", '[x](y "a. b")', "`a. b`"),
    *(". ", "! ", "?! ", "… ", ".» ", "\n", "\n\n", "\r\n", " ", "    ", "\t", "\u00a0"),
    *(
        "1. ",
        "- ",
        "# ",
        "> ",
        "| a. b |",
        "т. д.",
        "А. С. Пушкин",
        "Dr. ",
        "3.14",
        "слово",
        "word",
    ),
    *("👨‍👩‍👧‍👦", "🇷🇺", "👍🏽", "e\u0301", "длинноеслово" * 4, "x" * 90, "a. B c. " * 8),
]
_TEXTS = st.lists(st.sampled_from(_FRAGMENTS), max_size=60).map("".join)
_PROSE = st.lists(
    st.sampled_from([part for part in _FRAGMENTS if not re.search(r"[`~\[\]/]", part)]), max_size=60
).map("".join)
_LIMITS = st.sampled_from([12, 13, 20, 33, 60, 1000])
_BY: st.SearchStrategy[By] = st.sampled_from(["paragraph", "sentence"])


def test_paragraphs() -> None:
    """A blank line, also one with spaces in it, ends a message; a single line end does not."""
    text = "\n\nПривет! 👋\nКак дела?\n \nI am fine.\r\n\r\n\n\n  - indented\n\n   \n"
    assert cut(text) == ["Привет! 👋\nКак дела?", "I am fine.", "  - indented"]


def test_ready_at_once() -> None:
    """A message is handed out with the line end or space that completes it, not later."""
    splitter = Splitter()
    assert splitter.feed("One.\n") == []
    assert splitter.feed("\n") == ["One."]
    splitter = Splitter(by="sentence")
    assert splitter.feed("Раз.") == []
    assert splitter.feed(" ") == ["Раз."]
    assert splitter.feed("Два") == []
    assert splitter.finish() == ["Два"]


def test_used_again() -> None:
    """After `finish` a splitter knows nothing of the earlier text."""
    splitter = Splitter()
    splitter.feed("`[a](```\n")
    splitter.finish()
    assert splitter.feed("a\n\n") == ["a"]


@pytest.mark.parametrize(
    "sentence",
    [
        "Хлеб, соль и т. д. лежат на столе.",
        "Хлеб, т.е. еда, и т. п. вещи.",
        "Он живёт на ул. Ленина в г. Москва.",
        "Цена 100 руб. за штуку, парк им. Горького.",
        "А. С. Пушкин родился в 1799 году.",
        "Число π — это 3.14 или 3,14.",
        "Dr. Watson met Mr. Holmes and Mrs. Hudson.",
        "Fruit, e.g. apples, i.e. food, etc. on a table (cf. p. 5).",
        "См. файл readme.md и v1.2.",
        "1. Первый пункт. Второе предложение.",
        "2) One. Two.",
        "**3. Title** And more. And more.",
        "- Пункт. Ещё.",
        "## Heading. With a stop",
        "| a. b | c. d |",
        "> Quoted. Still quoted.",
        "Он сказал: «Привет!» и ушёл.",
        "Run `a. b` or `` c. ` d `` or `e[0]. [` now.",
        "See [a. b! c](https://a.b/c) and ![d. e](f.png) now.",
        'See [a](https://a.b/c "A title. With a stop") now.',
        "[![a. b](c)\nd. e](https://a.b) is a picture.",
        "See https://example.com/a.b?c=d!e now.",
        "Да?! ",
        "Ну…",
    ],
)
def test_one_sentence(sentence: str) -> None:
    """Abbreviations, initials, numbers, markers, code and links do not end a sentence."""
    assert cut(f"Начало. {sentence}" if sentence[0].isalpha() else sentence, by="sentence")[-1] == (
        sentence.strip()
    )


def test_sentences() -> None:
    """Each stop, or several of them, with a closing quote or not, ends a message."""
    text = "Привет! Как?! Ну… Да... «Нет.» (Yes.) **Bold.** It was 2024. См. [a](b). 👍 Конец"
    assert cut(text, by="sentence") == [
        *("Привет!", "Как?!", "Ну…", "Да...", "«Нет.»", "(Yes.)", "**Bold.**", "It was 2024."),
        *("См. [a](b).", "👍 Конец"),
    ]


def test_lines_of_lists_and_headings() -> None:
    """A heading goes with the sentence below it, a list item is cut where its line ends."""
    text = "# Plan\nWe go. Then:\n1. Buy. Now.\n2. Eat.  \n- a\n- b\n\nEnd"
    assert cut(text, by="sentence") == [
        *("# Plan\nWe go.", "Then:\n1. Buy. Now.", "2. Eat.", "- a\n- b", "End")
    ]


def test_stray_marks() -> None:
    """A bracket or backtick that nothing closes holds a text back to the paragraph's end only."""
    splitter = Splitter(by="sentence")
    assert splitter.feed("An [ or ` alone. Two. Three [see the note. Four. ") == []
    assert splitter.feed("\n\n") == ["An [ or ` alone.", "Two.", "Three [see the note.", "Four."]
    assert cut("a[1] is. f(x) is. \\[no. \\`no. yes", by="sentence") == [
        *("a[1] is.", "f(x) is.", "\\[no.", "\\`no.", "yes")
    ]


def test_best_place() -> None:
    """A paragraph over the limit is cut at a sentence, else a line, else a word, else anywhere."""
    assert cut("One two. Three\nfour five six", 20) == ["One two.", "Three\nfour five six"]
    assert cut("One two three\nfour five six", 20) == ["One two three", "four five six"]
    assert cut("Один два три четыре пять", 20) == ["Один два три четыре", "пять"]
    assert cut("x" * 45, 20) == ["x" * 20, "x" * 20, "x" * 5]
    assert cut("x" * 20 + "\n" + "y" * 20, 20) == ["x" * 20, "y" * 20]


@pytest.mark.parametrize(
    "sign", ["👨‍👩‍👧‍👦", "👍🏽", "🇷🇺", "e\u0301\u0323", "1\ufe0f\u20e3", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "\ud83d\udc4d"]
)
def test_characters_stay_whole(sign: str) -> None:
    """What is seen as one character is not torn, even where there is no space to cut at."""
    for shift in range(len(sign)):
        messages = cut("x" * shift + sign * 40, 30)
        assert all(
            visible(message).strip("x") == sign * message.count(sign) for message in messages
        )
        assert sum(message.count(sign) for message in messages) == 40


@pytest.mark.unmeasured
@given(_TEXTS, _LIMITS, _BY, st.data())
def test_chunks_do_not_matter(text: str, limit: int, by: By, data: st.DataObject) -> None:
    """Any split of a text, also into single characters, gives the same messages."""
    places = data.draw(st.lists(st.integers(0, len(text)), max_size=20).map(sorted))
    chunks = [text[start:end] for start, end in pairwise([0, *places, len(text)])]
    assert cut(chunks, limit, by) == cut(text, limit, by) == cut(list(text), limit, by)


@given(_TEXTS, st.sampled_from([400, 2000]), _BY)
def test_nothing_is_lost(text: str, limit: int, by: By) -> None:
    """The messages hold all that is visible in the text, in order."""
    text = text[: limit if "```" in text or "~~~" in text else None]
    assert visible("".join(cut(text, limit, by))) == visible(text)


@given(_PROSE, _LIMITS, _BY)
def test_prose(text: str, limit: int, by: By) -> None:
    """Prose comes out whole, in messages within the limit that are not blank."""
    messages = cut(text, limit, by)
    assert visible("".join(messages)) == visible(text)
    assert all(0 < len(message) <= limit and message.strip() for message in messages)
    assert all(
        message == message.rstrip() and message.splitlines()[0].strip() for message in messages
    )


@given(_TEXTS, _LIMITS, _BY)
def test_bounds(text: str, limit: int, by: By) -> None:
    """No message is blank or, whatever the text, longer than four limits."""
    for message in cut(text, limit, by):
        assert message.strip()
        assert len(message) <= 4 * limit


def _calls(text: str) -> int:
    """How many calls, also of built-in functions, it takes to cut a text given by characters."""
    count = 0

    def note(_frame: FrameType, _event: str, _argument: Any) -> None:
        nonlocal count
        count += 1

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        cut(text)
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    "pattern",
    ["слово. ", "x", "[", "`", "](", "```\n", "a `b [c](d) https://e/f\n", " ", "\n", "~", "👍🏽"],
)
def test_cost_is_linear(pattern: str) -> None:
    """A text four times as long takes about four times the work, whatever it consists of."""
    size = 2000
    short, long = (_calls((pattern * n)[:n]) for n in (size, 4 * size))
    assert long < 5 * short


@pytest.mark.unmeasured
def test_a_long_text_by_characters() -> None:
    """A book in single characters is cut, and what waits within stays small."""
    splitter = Splitter(by="sentence")
    waiting = most = 0
    for char in ("Слово за словом [и](https://a.b) так далее. " * 2000)[:60_000]:
        sent = sum(map(len, splitter.feed(char)))
        waiting = 0 if sent else waiting + 1
        most = max(most, waiting)
    assert most < 100
    assert splitter.finish()


def test_limit_too_small() -> None:
    """A limit that is too small for a fenced line is rejected."""
    with pytest.raises(ValueError, match="at least 12"):
        Splitter(11)
