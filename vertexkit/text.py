"""Text from outside, made safe for a terminal, a page and a file."""

import re

UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]+")
"""Control characters (a terminal obeys them), changes of text direction (they make a text look
different from what it is) and lone surrogates (UTF-8 cannot encode them)."""
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


def sanitize(text: str, limit: int = 200) -> str:
    """Return a text as one line without unsafe characters.

    Args:
        text: The text.
        limit: Maximum length in characters. A longer text is cut and ends with `…`.
    """
    text = text[: READ_CHARACTERS_PER_KEPT * limit]
    line = SPACES.sub(" ", UNSAFE.sub(" ", text)).strip()
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"
