"""Secrets of a recorded call, masked so that their shape is kept."""

import base64
import json
import re
from typing import Any

JWT = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]*")
SECRETIVE = re.compile(r"token|secret|passw|api.?key|authorization|cookie|^key$", re.IGNORECASE)
"""Names whose values are secrets."""
LETTER, DIGIT = re.compile(r"[^\W\d_]"), re.compile(r"\d")
OPAQUE = re.compile(r"[\w+=~-]{24,}", re.ASCII)
"""A run of so many characters is taken for a secret wherever it stands."""


def mask(text: str) -> str:
    """Letters become x, digits 0: length and punctuation stay."""
    return DIGIT.sub("0", LETTER.sub("x", text))


def mask_value(name: str, value: Any) -> Any:
    """A JSON value with the secrets in it masked; `name` is what it is called."""
    if isinstance(value, dict):
        return {key: mask_value(key, each) for key, each in value.items()}
    if isinstance(value, list):
        return [mask_value(name, each) for each in value]
    if isinstance(value, str):
        return mask(value) if SECRETIVE.search(name) else mask_text(value)
    return value


def mask_text(text: str) -> str:
    """A text with everything in it masked that looks like a token."""
    return OPAQUE.sub(lambda found: mask(found[0]), JWT.sub(lambda found: mask(found[0]), text))


def claims_of(text: str) -> dict[str, str]:
    """Names and types of what a JWT in a text claims; empty if there is none."""
    found = JWT.search(text)
    if found is None:
        return {}
    body = found[0].split(".")[1]
    try:
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except ValueError:
        return {}
    return {key: type(value).__name__ for key, value in claims.items()}
