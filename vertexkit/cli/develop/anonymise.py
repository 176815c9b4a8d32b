"""Masking of the secrets in a recorded call; lengths and punctuation stay readable."""

import re
from typing import Any

from vertexkit.text import mask
from vertexkit.token import JWT_IN_TEXT, decode_payload

SECRET_NAME = re.compile(
    r"token|secret|passw|pwd|credential|authori[sz]ation|cookie|signature|hmac|jwt|bearer"
    r"|(?:api|access|account|auth|private|shared|webhook)[^a-z]?key|session[^a-z]?id"
    r"|(?:^|[^a-z])(?:auth|hash|key|otp|pass|pin|sid|sig|sign)(?:$|[^a-z])",
    re.IGNORECASE,
)
"""Names of fields, headers and parameters whose values are secret."""
CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
"""Where a word begins in a name like `urlSig`."""
OPAQUE = re.compile(r"[\w+=~-]{24,}", re.ASCII)
"""A run of 24 or more of these characters is treated as a secret, whatever its name."""
NAMED_VALUES = (
    re.compile(
        r"""(?P<before>(?:^|[?&;,\s])(?P<name>[\w.%\[\]-]{1,100})=)(?P<value>[^&;,\s"'<>]+)"""
    ),
    re.compile(r"(?P<before><(?P<name>[\w.:-]{1,100})(?:\s[^<>]{0,500})?>)(?P<value>[^<>]+)"),
    re.compile(
        r'(?P<before>[\s;]name="?(?P<name>[^"\r\n;]{1,100})"?[^\r\n]{0,200}'
        r"(?:\r?\n[^\r\n]{1,200}){0,4}\r?\n\r?\n)"
        r"(?P<value>[^\r\n]+)"
    ),
    re.compile(
        r"""(?P<before>["'](?P<name>[\w.-]{1,100})["']\s{0,9}:\s{0,9}["'])(?P<value>[^"']+)"""
    ),
)
"""Values with their names in a text: of queries and forms, XML, multipart forms, broken JSON."""
USER_INFO = re.compile(r"(?<=//)[^/@\s]+:[^/@\s]+(?=@)")
"""The login in a URL."""
READABLE_SEGMENT = re.compile(r"[a-z]{1,20}(?:[-_.][a-z]{1,20}){0,2}|v?\d{1,10}|.{0,7}", re.DOTALL)
"""A part of a path that is not a secret: words in lower case, a number, or something short."""
KEY_IN_PATH = re.compile(r"(?<=/blocks/)([^/]+)/(.+)", re.DOTALL)
"""The name of a block and the URL's secret behind it."""


def is_secret(name: str) -> bool:
    """Whether values of this name are secret."""
    return SECRET_NAME.search(CAPITAL.sub("_", name)) is not None


def mask_value(name: str, value: Any) -> Any:
    """Mask the secrets in a JSON value.

    Args:
        name: The name of the field, header or parameter that holds the value.
        value: The value, nested to any depth. What is below a secret name is secret.
    """
    if isinstance(value, dict):
        return {
            mask_text(key): mask_value(name if is_secret(name) else key, item)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [mask_value(name, item) for item in value]
    if isinstance(value, str):
        return mask(value) if is_secret(name) else mask_text(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool) and is_secret(name):
        return 0
    return value


def mask_text(text: str) -> str:
    """Mask each part of a text that looks like a token, or that a name in the text calls secret."""
    for pattern in (JWT_IN_TEXT, USER_INFO, OPAQUE):
        text = pattern.sub(lambda match: mask(match[0]), text)
    for pattern in NAMED_VALUES:
        text = pattern.sub(_mask_named, text)
    return text


def _mask_named(match: re.Match[str]) -> str:
    if not is_secret(match["name"]):
        return match[0]
    return match["before"] + mask(match["value"])


def mask_path(path: str) -> str:
    """Mask the parts of a path that may be secrets: all but words, numbers and short ones."""
    path = KEY_IN_PATH.sub(lambda match: f"{match[1]}/{mask(match[2])}", path)
    return "/".join(
        part if READABLE_SEGMENT.fullmatch(part) else mask(part)
        for part in mask_text(path).split("/")
    )


def claim_types(text: str) -> dict[str, str]:
    """The names and types of the claims of the first JWT in a text; empty if there is none."""
    match = JWT_IN_TEXT.search(text)
    claims = None if match is None else decode_payload(match[1])
    return {key: type(value).__name__ for key, value in (claims or {}).items()}
