"""What is never split: links, URLs, inline code, fenced code."""

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertexkit.context.stream.markdown import is_inside_grapheme
from vertexkit.context.stream.splitter import Splitter


def cut(
    text: str, limit: int = 1000, by: Literal["paragraph", "sentence"] = "paragraph"
) -> list[str]:
    splitter = Splitter(limit, by)
    return splitter.feed(text) + splitter.finish()


def visible(text: str) -> str:
    return "".join(text.split())


def test_links_move_to_the_next_message_whole() -> None:
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


def test_a_url_stays_whole_after_the_sentence_before_it() -> None:
    """A sentence that a stray bracket held back is sent while a URL is being read."""
    url = "https://e.test/a]" + "b" * 40
    messages = cut(f"[One two. See {url} end.", 40, by="sentence")
    assert messages == ["[One two.", "See", url, "end."]


def test_huge_link() -> None:
    """A link over the limit is a message of its own, with the full stop behind it."""
    url = "https://a.b/" + "c" * 100
    for unit in (url, f"[a b]({url})", f"**[a b]({url})**.", f"({url})."):
        assert cut(f"See {unit} now", 40) == ["See", unit, "now"]
    assert cut(f"See {url}", 30) == ["See", url]


@pytest.mark.parametrize("before", [0, 1, 60, 64, 5000])
def test_flags_are_whole(before: int) -> None:
    """Of a row of flags each is one character of two letters, wherever it is in the text."""
    text = list("a" * before + "🇷🇺🇩🇪🇫🇷" + "b")
    inside = [is_inside_grapheme(text, before + place) for place in range(1, 7)]
    assert inside == [True, False, True, False, True, False]


def test_only_a_title_may_follow_an_address() -> None:
    """Other text in the brackets makes it no link, which may be cut."""
    assert cut('See [a](b "c d e f")', 12) == ["See", '[a](b "c d e f")']
    assert cut("See [a](b c d e f)", 12) == ["See [a](b c", "d e f)"]


def test_link_without_end() -> None:
    """Four limits of a URL are sent as one message, the rest as plain text."""
    assert [len(message) for message in cut("https://" + "x" * 200, 20)] == [80, *[20] * 6, 8]
    messages = cut("* https://" + "x" * 64 + ")" * 8 + " next words", 20)
    assert [len(message) for message in messages] == [80, 13]
    messages = cut("[a](" + "x" * 200, 20)
    assert [len(message) for message in messages] == [80, *[20] * 6, 4]


def test_spans_without_space_between() -> None:
    """Links that touch each other are one span; it, too, ends at four limits."""
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


def test_fence_moves_to_the_next_message() -> None:
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


@given(st.lists(st.sampled_from(["a = 1", "", "  b. C", "x" * 70, "[x](y", "`"]), max_size=40))
def test_code_survives(lines: list[str]) -> None:
    """The parts of a long block contain its code, except for blank lines and ends of split lines."""
    messages = cut("\n".join(["~~~py", *lines, "~~~"]), 50)
    parts = ["\n".join(message.split("\n")[1:-1]) for message in messages]
    assert visible("".join(parts)) == visible("".join(lines))
    assert all(
        m.startswith("~~~py\n") and m.endswith("\n~~~") and len(m) <= 50 for m in messages[:-1]
    )
