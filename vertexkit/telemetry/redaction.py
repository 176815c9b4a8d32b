"""Masking of secrets in everything that leaves the process: logs, responses, metrics, the journal."""

import contextvars
import json
import re
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator
from typing import Any, NamedTuple
from urllib.parse import quote

from pydantic_core import from_json, to_json

from vertexkit.text import replace_surrogates
from vertexkit.token import JWT_IN_BYTES, Token

MASK = "[secret]"
"""What replaces a secret."""
_MASK_BYTES = MASK.encode()
MIN_TOKEN_CHARACTERS = 8
"""Length of the shortest token that is masked. A shorter one protects nothing, and masking each `t`
would let a caller make the log unreadable."""
MIN_MASKED_CHARACTERS = 4
"""Length of the shortest secret that is masked wherever it occurs. A shorter one is masked only where
it is a whole word: a password `b` must not mask each `b` of the log."""
PUBLIC_PASSWORDS = frozenset({"demo"})
"""The password of the fake platform, which its manual prints. Masked, it would hide the instance `demo`
in each line of those who try the manual's examples."""
WORD_EDGES = r"(?<![0-9A-Za-z_\x80-\xff]){}(?![0-9A-Za-z_\x80-\xff])"
"""Around a pattern: no letter and no digit stands before or after it."""
LOG_FIELDS = frozenset({"level", "time"})
"""Fields of a log line whose values only vertexkit writes."""
FIELD_NAME = re.compile(r"[a-z_]{1,20}")
"""A name within a field that is not masked: readers of the line look for such names."""
MAX_RECENT_TOKENS = 1000
"""Tokens without the shape of a JWT that are masked even outside of their execution."""
ESCAPED = {'"': r'\\*"', "'": r"\\*'", "\\": r"\\+", "/": r"\\*/"}
"""Characters that JSON and `repr` may escape with backslashes, at any depth of nesting."""


class _MaskedToken(NamedTuple):
    """A token to mask."""

    plain: bytes
    escaped: re.Pattern[bytes] | None
    """Matches the token written with backslashes; None if it contains nothing to escape."""
    is_jwt: bool
    """It is masked wherever it occurs, because `JWT_IN_BYTES` matches it."""


_secrets: set[re.Pattern[bytes]] = set()
_current_token: contextvars.ContextVar[_MaskedToken | None] = contextvars.ContextVar(
    "vertexkit_token", default=None
)
_recent_tokens: OrderedDict[str, _MaskedToken] = OrderedDict()
"""Tokens that `JWT_IN_BYTES` does not match, the newest last. An author's thread, or a task whose
error was never retrieved, may log one outside of its execution."""


def register_secrets(secrets: Iterable[str]) -> None:
    """Mask these texts from now on, in every line.

    Args:
        secrets: empty ones and `PUBLIC_PASSWORDS` are ignored, and those of fewer than
            `MIN_MASKED_CHARACTERS` are masked only where they are whole words.
    """
    _secrets.update(map(_pattern, _without_public(secrets)))


def register_token(token: Token) -> None:
    """Mask this token in everything that the current task, and tasks that it starts, log.

    Args:
        token: of the task's execution.
    """
    masked = token.mask
    if not isinstance(masked, _MaskedToken):
        masked = token.mask = _make_mask(token.reveal())
    _current_token.set(masked)
    if masked is None or masked.is_jwt or token.reveal() in _recent_tokens:
        return
    _recent_tokens[token.reveal()] = masked
    if len(_recent_tokens) > MAX_RECENT_TOKENS:
        _recent_tokens.popitem(last=False)


def _make_mask(secret: str) -> _MaskedToken | None:
    """Return what masks a token; None if it is too short to be masked."""
    if len(secret) < MIN_TOKEN_CHARACTERS:
        return None
    plain = secret.encode()
    escaped = '"' in secret or "'" in secret or "\\" in secret
    is_jwt = secret.startswith("eyJ") and JWT_IN_BYTES.fullmatch(plain) is not None
    return _MaskedToken(plain, _pattern(secret) if escaped else None, is_jwt)


def redact(line: bytes) -> bytes:
    """Mask the registered secrets, the current token and everything that looks like a JWT.

    Args:
        line: UTF-8, of any length.

    Returns:
        The line with `MASK` in place of each secret.
    """
    current = _current_token.get()
    for token in list(_recent_tokens.values()) if current is None else (current,):
        if token.escaped is not None:
            line = token.escaped.sub(_MASK_BYTES, line)
        elif token.plain in line:
            line = line.replace(token.plain, _MASK_BYTES)
    for secret in _secrets:
        line = secret.sub(_MASK_BYTES, line)
    return JWT_IN_BYTES.sub(_MASK_BYTES, line) if b"eyJ" in line else line


def redact_json(line: bytes, unmasked: Collection[str] = LOG_FIELDS) -> bytes:
    """Mask secrets as `redact` does, in a line that is a JSON object and stays one.

    A secret may be `true`, `1234` or `","`: masked in the line, it would break the JSON. Only texts
    and numbers are masked, and texts that are names of fields within a field.

    Args:
        line: the object, in UTF-8.
        unmasked: names of fields whose values are chosen by vertexkit.

    Returns:
        The line, or the object with `MASK` in place of each secret.
    """
    if redact(line) == line:
        return line
    try:
        content = from_json(line)
    except ValueError:
        return redact(line)
    if not isinstance(content, dict):
        return to_json(_redact_value(content))
    return to_json(
        {
            name: value if name in unmasked else _redact_value(value)
            for name, value in content.items()
        },
        inf_nan_mode="strings",
    )


def _redact_value(value: Any) -> Any:
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, dict):
        return {
            name if FIELD_NAME.fullmatch(name) else redact_text(name): _redact_value(item)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [_redact_value(item) for item in value]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        number = str(value)
        short = len(number) < MIN_MASKED_CHARACTERS
        return value if short or redact_text(number) == number else MASK
    return value


def redact_text(text: str) -> str:
    """Mask secrets as `redact` does, in a text that is kept or sent.

    Args:
        text: lone surrogates in it become U+FFFD.

    Returns:
        The text with `MASK` in place of each secret.
    """
    return redact(replace_surrogates(text).encode()).decode()


def mask_secrets(text: str, secrets: Iterable[str]) -> str:
    """Mask secrets that are not registered.

    Args:
        text: may contain them plain, escaped or URL-encoded; lone surrogates become U+FFFD.
        secrets: empty ones and `PUBLIC_PASSWORDS` are ignored.

    Returns:
        The text with `MASK` in place of each secret.
    """
    line = replace_surrogates(text).encode()
    for secret in _without_public(secrets):
        line = _pattern(secret).sub(_MASK_BYTES, line)
    return line.decode()


def _without_public(secrets: Iterable[str]) -> Iterator[str]:
    return (secret for secret in secrets if secret and secret not in PUBLIC_PASSWORDS)


def _pattern(secret: str) -> re.Pattern[bytes]:
    """Match a secret plain, escaped (in JSON, in `repr`, nested in each other) or URL-encoded."""
    pattern = "".join([_character_forms(char) for char in secret])
    if len(secret) < MIN_MASKED_CHARACTERS:
        pattern = WORD_EDGES.format(pattern)
    return re.compile(pattern.encode())


def _character_forms(char: str) -> str:
    """A pattern for all forms of one character of a secret."""
    in_url = quote(char, safe="")
    if in_url == char:
        return re.escape(char)
    forms = [in_url, ESCAPED.get(char) or re.escape(char)]
    if not char.isascii():
        forms.append(json.dumps(char)[1:-1].replace("\\", r"\\+"))
    return f"(?i:{'|'.join(forms)})"
