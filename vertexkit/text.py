"""Text from outside, made safe for a terminal, a page and a file."""

import codecs
import re
from typing import Any, Literal

Language = Literal["en", "ru"]
"""The languages of pages, reports and templates."""
UNSAFE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f\ud800-\udfff]+"
)
"""Control characters and line separators (a terminal obeys them), changes of text direction (they
make a text look different from what it is) and lone surrogates (UTF-8 cannot encode them)."""
UNSAFE_IN_LINES = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f]"
)
"""The same, but for line breaks, tabs and surrogates."""
BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # starts like the one of UTF-16
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""The first bytes of a file that names its encoding, as editors on Windows write it."""
LETTER, DIGIT = re.compile(r"[^\W\d_]"), re.compile(r"\d")
SPACES = re.compile(r"\s+")
READ_CHARACTERS_PER_KEPT = 8
"""A text is cut to this multiple of its limit before it is searched, so that a long one is cheap."""


def replace_surrogates(text: str) -> str:
    """Return the text with each lone surrogate replaced by U+FFFD, so that UTF-8 can encode it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def decode_file(data: bytes) -> str:
    """Decode a text file that a person may have written in any editor.

    Args:
        data: The file's bytes: UTF-8, or UTF-16 or UTF-32 with a byte order mark.

    Raises:
        UnicodeDecodeError: It is none of these, or contains NUL, as UTF-16 without the mark does.
    """
    encodings = (name for mark, name in BYTE_ORDER_MARKS.items() if data.startswith(mark))
    text = data.decode(next(encodings, "utf-8"))
    if "\0" in text:
        start = data.index(0)
        raise UnicodeDecodeError("utf-8", data, start, start + 1, "it contains a NUL byte")
    return text


def encodable(value: Any) -> Any:
    """Return a JSON value with `replace_surrogates` applied to each of its texts.

    Args:
        value: The value, nested to any depth. It is not changed.
    """
    if isinstance(value, str):
        return replace_surrogates(value)
    if isinstance(value, dict):
        return {encodable(name): encodable(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [encodable(item) for item in value]
    return value


def printable(value: object) -> str:
    """Return a text, or the text of another object, without lone surrogates.

    Args:
        value: What an author has given in the place of a text: an exception, for example. None is
            an empty text.
    """
    if value is None:
        return ""
    try:
        return replace_surrogates(str(value))
    except Exception:  # noqa: BLE001 - of an author's `__str__`
        return f"<{type(value).__name__}>"


def sanitize(text: str, limit: int = 200) -> str:
    """Return a text as one line without unsafe characters.

    Args:
        text: The text.
        limit: Maximum length in characters. A longer text is cut and ends with `…`.
    """
    text = text[: READ_CHARACTERS_PER_KEPT * limit]
    line = SPACES.sub(" ", UNSAFE.sub(" ", text)).strip()
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def sanitize_lines(text: str) -> str:
    """Return a text with its line breaks and tabs, but without unsafe characters.

    Args:
        text: The text, of any length. Each unsafe character becomes a space, each lone surrogate
            U+FFFD.
    """
    return UNSAFE_IN_LINES.sub(" ", replace_surrogates(text.replace("\r\n", "\n")))


def mask(text: str) -> str:
    """Replace each letter with x and each digit with 0; length and punctuation stay."""
    return DIGIT.sub("0", LETTER.sub("x", text))
