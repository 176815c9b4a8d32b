"""A stranger's text, made plain: safe for a terminal, a page and a file."""

import re

UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]+")
"""Controls (a terminal obeys them), changes of direction (they show what is not written), and
halves of characters (no file can hold them)."""
SPACES = re.compile(r"\s+")


def encodable(text: str) -> str:
    """Return the text with each lone surrogate replaced by U+FFFD, so that UTF-8 can hold it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def plain(text: str, limit: int = 200) -> str:
    """One line without what cannot be seen, cut to a length.

    Args:
        text: what somebody wrote.
        limit: characters; what is cut ends with `…`.
    """
    line = SPACES.sub(" ", UNSEEN.sub(" ", text[: 8 * limit])).strip()
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"
