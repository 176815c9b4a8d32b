"""Masking of the secrets in a recorded call; lengths and punctuation stay readable."""

import re
from typing import Any

from vertexkit.token import JWT_IN_TEXT, decode_payload

SECRET_NAME = re.compile(r"token|secret|passw|api.?key|authorization|cookie|^key$", re.IGNORECASE)
"""Names of fields, headers and parameters whose values are secret."""
LETTER, DIGIT = re.compile(r"[^\W\d_]"), re.compile(r"\d")
OPAQUE = re.compile(r"[\w+=~-]{24,}", re.ASCII)
"""A run of 24 or more of these characters is treated as a secret, whatever its name."""


def mask(text: str) -> str:
    """Replace each letter with x and each digit with 0; length and punctuation stay."""
    return DIGIT.sub("0", LETTER.sub("x", text))


def mask_value(name: str, value: Any) -> Any:
    """Mask the secrets in a JSON value.

    Args:
        name: The name of the field, header or parameter that holds the value.
        value: The value, nested to any depth.
    """
    if isinstance(value, dict):
        return {key: mask_value(key, item) for key, item in value.items()}
    if isinstance(value, list):
        return [mask_value(name, item) for item in value]
    if isinstance(value, str):
        return mask(value) if SECRET_NAME.search(name) else mask_text(value)
    return value


def mask_text(text: str) -> str:
    """Mask each part of a text that looks like a token."""
    return OPAQUE.sub(
        lambda match: mask(match[0]), JWT_IN_TEXT.sub(lambda match: mask(match[0]), text)
    )


def claim_types(text: str) -> dict[str, str]:
    """The names and types of the claims of the first JWT in a text; empty if there is none."""
    match = JWT_IN_TEXT.search(text)
    claims = None if match is None else decode_payload(match[1])
    return {key: type(value).__name__ for key, value in (claims or {}).items()}
