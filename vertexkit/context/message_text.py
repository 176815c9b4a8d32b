"""The text of a message, as an author gives it."""

from vertexkit.text import replace_surrogates


def message_text(method: str, text: object) -> str:
    """Return the text of a message without lone surrogates.

    Args:
        method: Name of the method that got it, for the error.
        text: What the author gave.

    Raises:
        TypeError: It is empty or not a string.
    """
    if not isinstance(text, str) or not text:
        given = "an empty string" if text == "" else type(text).__name__
        raise TypeError(f"{method} needs a text of at least 1 character, got {given}")
    return replace_surrogates(text)
