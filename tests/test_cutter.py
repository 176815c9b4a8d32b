"""The cutter: a growing text becomes whole messages."""

import re
import sys
from collections.abc import Iterable
from itertools import pairwise
from types import FrameType
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertexkit.cutter import Cutter

By = Literal["paragraph", "sentence"]


def cut(chunks: str | Iterable[str], limit: int = 1000, by: By = "paragraph") -> list[str]:
    cutter = Cutter(limit, by)
    fed = [chunks] if isinstance(chunks, str) else chunks
    return [message for chunk in fed for message in cutter.feed(chunk)] + cutter.finish()


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
    cutter = Cutter()
    assert cutter.feed("One.\n") == []
    assert cutter.feed("\n") == ["One."]
    cutter = Cutter(by="sentence")
    assert cutter.feed("Раз.") == []
    assert cutter.feed(" ") == ["Раз."]
    assert cutter.feed("Два") == []
    assert cutter.finish() == ["Два"]


def test_used_again() -> None:
    """After `finish` a cutter knows nothing of the earlier text."""
    cutter = Cutter()
    cutter.feed("`[a](```\n")
    cutter.finish()
    assert cutter.feed("a\n\n") == ["a"]


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
    cutter = Cutter(by="sentence")
    assert cutter.feed("An [ or ` alone. Two. Three [see the note. Four. ") == []
    assert cutter.feed("\n\n") == ["An [ or ` alone.", "Two.", "Three [see the note.", "Four."]
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


def test_links_go_elsewhere_whole() -> None:
    """A cut that would fall into a link, code or URL is made before it."""
    for unit in (
        "[a b c](https://a.b)",
        "`a b c d e f g h i`",
        "https://a.b/c-d-e-f",
        '![a b](c "d e")',
    ):
        assert cut(f"Десять слов здесь {unit}. И ещё слова", 25)[:2] == [
            *("Десять слов здесь", f"{unit}.")
        ]


def test_huge_link() -> None:
    """A link over the limit is a message of its own, with the full stop behind it."""
    url = "https://a.b/" + "c" * 100
    for unit in (url, f"[a b]({url})", f"**[a b]({url})**.", f"({url})."):
        assert cut(f"See {unit} now", 40) == ["See", unit, "now"]
    assert cut(f"See {url}", 30) == ["See", url]


def test_link_without_end() -> None:
    """Four limits of a URL are sent as one message, the rest as plain text."""
    assert [len(message) for message in cut("https://" + "x" * 200, 20)] == [80, *[20] * 6, 8]
    messages = cut("[a](" + "x" * 200, 20)
    assert [len(message) for message in messages] == [80, *[20] * 6, 4]


def test_units_without_space_between() -> None:
    """Links that touch each other are one unit; it, too, ends at four limits."""
    url = "https://a.b/c"
    assert cut(f"[a]({url}){url}", 12) == [f"[a]({url}){url}"]
    messages = cut(f"[a]({url})" * 5, 12)
    assert len(messages[0]) == 48
    assert "".join(messages) == f"[a]({url})" * 5


def test_fence_is_whole() -> None:
    """Blank lines, sentences and links in a fenced block cut nothing; nor do inner fences."""
    for block in (
        "```py\na. b\n\n[x](\n\n```",
        "~~~~ text\n```\n\n~~~\n\nA. B\n~~~~~",
        "   ```\n   a\n\n   b\n   ```",
        "- ```sh\n  a\n\n  b\n  ```",
        "```\nnever closed\n\nA. B",
    ):
        assert cut(f"Код\n{block}") == cut(f"Код\n{block}", by="sentence") == [f"Код\n{block}"]
        ends = "never" not in block
        assert cut(f"{block}\n\nA\n\nB") == ([block, "A", "B"] if ends else [f"{block}\n\nA\n\nB"])


def test_inline_triple_backticks() -> None:
    """Three backticks that close on the same line are inline code, not a fence."""
    assert cut("```a. b``` c.\n\nd") == ["```a. b``` c.", "d"]


def test_fence_is_not_torn_from_a_full_message() -> None:
    """A block that no longer fits goes to the next message; the text after it may join it."""
    block = "```py\nprint(1)\n\nprint(2)\n```"
    assert cut(f"Вот пример такого кода:\n{block}\nВсё.", 40) == [
        *("Вот пример такого кода:", f"{block}\nВсё.")
    ]
    assert cut(f"{block}\nДа. Нет.", by="sentence") == [block, "Да.", "Нет."]


def test_long_fence() -> None:
    """A block over the limit is cut at line ends; each part is fenced, with the language."""
    code = [f"x{number} = {number}" for number in range(40)]
    messages = cut("\n".join(["Code:", "```py title", *code, "```", "", "End"]), 60)
    assert (messages[0], messages[-1]) == ("Code:", "End")
    assert all(m.startswith("```py title\n") and m.endswith("\n```") for m in messages[1:-1])
    assert all(len(message) <= 60 for message in messages)
    assert [line for m in messages[1:-1] for line in m.split("\n")[1:-1]] == code


def test_long_line_of_code() -> None:
    """A line of code over the limit is cut anywhere; no part of the block is empty."""
    messages = cut("```\n" + "x" * 100 + "\n\n\n```\n" + "\n" * 50 + "a", 30)
    assert cut(f"```\n{'x' * 22}\n" + " \n" * 9 + "```\na", 30) == [f"```\n{'x' * 22}\n```", "a"]
    assert messages == [*[f"```\n{'x' * 22}\n```"] * 4, f"```\n{'x' * 12}\n\n\n```", "a"]


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


@given(st.lists(st.sampled_from(["a = 1", "", "  b. C", "x" * 70, "[x](y", "`"]), max_size=40))
def test_code_survives(lines: list[str]) -> None:
    """The parts of a long block give back its code, but for blank lines and cut lines' ends."""
    messages = cut("\n".join(["~~~py", *lines, "~~~"]), 50)
    parts = ["\n".join(message.split("\n")[1:-1]) for message in messages]
    assert visible("".join(parts)) == visible("".join(lines))
    assert all(
        m.startswith("~~~py\n") and m.endswith("\n~~~") and len(m) <= 50 for m in messages[:-1]
    )


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


@pytest.mark.parametrize(
    "pattern",
    ["слово. ", "x", "[", "`", "](", "```\n", "a `b [c](d) https://e/f\n", " ", "\n", "~", "👍🏽"],
)
def test_cost_is_linear(pattern: str) -> None:
    """A text four times as long takes about four times the work, whatever it consists of."""
    size = 8000
    short, long = (_calls((pattern * n)[:n]) for n in (size, 4 * size))
    assert long < 5 * short


def test_a_megabyte_by_characters() -> None:
    """A megabyte in single characters is cut, and what waits within stays small."""
    cutter = Cutter(by="sentence")
    waiting = most = 0
    for char in ("Слово за словом [и](https://a.b) так далее. " * 25000)[:1_000_000]:
        sent = sum(map(len, cutter.feed(char)))
        waiting = 0 if sent else waiting + 1
        most = max(most, waiting)
    assert most < 100
    assert cutter.finish()


def test_limit_too_small() -> None:
    """A limit that leaves no room for a fenced line is refused."""
    with pytest.raises(ValueError, match="at least 12"):
        Cutter(11)
