"""One masking of secrets for everything that leaves: lines, answers, figures, the journal's texts."""

import contextvars
import json
import re
from collections import OrderedDict
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import quote

from vertexkit.text import replace_surrogates
from vertexkit.token import Token

JWT = re.compile(rb"eyJ[\w-]+\.[\w-]+(?:\.[\w-]*)?")
MASK = b"[secret]"
SHORTEST = 8
"""Characters of a token that is masked: a shorter one guards nothing, and masking each `t` would
let a caller make the log unreadable."""
RECENT = 1000
"""Tokens without the shape of a JWT that are masked also where no execution is known."""
ESCAPED = {'"': r'\\*"', "'": r"\\*'", "\\": r"\\+"}
"""Characters before which JSON and a repr put backslashes, however deep one is in the other."""


class _Held(NamedTuple):
    """A token that is to be masked."""

    plain: bytes
    escaped: re.Pattern[bytes] | None
    """Finds it where it is written with backslashes, if it can be."""


_secrets: set[re.Pattern[bytes]] = set()
_held: contextvars.ContextVar[_Held | None] = contextvars.ContextVar(
    "vertexkit_token", default=None
)
_recent: OrderedDict[str, _Held] = OrderedDict()
"""Tokens that no pattern would find, the newest last: an author's thread, or a task whose error
nobody looked at, may log one and belongs to no execution."""


def keep_secret(secrets: Iterable[str]) -> None:
    """Mask these texts from now on, wherever they turn up."""
    _secrets.update(_pattern(secret) for secret in secrets if secret)


def hold(token: Token) -> None:
    """Mask this token in all that this task, and what it starts, will say."""
    secret = token.reveal()
    if len(secret) < SHORTEST:
        _held.set(None)
        return
    held = _recent.get(secret)
    if held is None:
        escaped = '"' in secret or "'" in secret or "\\" in secret
        held = _Held(secret.encode(), _pattern(secret) if escaped else None)
        if not (secret.startswith("eyJ") and JWT.fullmatch(held.plain)):
            _recent[secret] = held
            if len(_recent) > RECENT:
                _recent.popitem(last=False)
    _held.set(held)


def redact(line: bytes) -> bytes:
    """Mask the known secrets, the current token and whatever looks like a JWT."""
    held = _held.get()
    for token in list(_recent.values()) if held is None else (held,):
        if token.escaped is not None:
            line = token.escaped.sub(MASK, line)
        elif token.plain in line:
            line = line.replace(token.plain, MASK)
    for secret in _secrets:
        line = secret.sub(MASK, line)
    return JWT.sub(MASK, line) if b"eyJ" in line else line


def redacted(text: str) -> str:
    """As `redact`, for a text that is kept or answered: lone surrogates become U+FFFD."""
    return redact(replace_surrogates(text).encode()).decode()


def _pattern(secret: str) -> re.Pattern[bytes]:
    """Finds a secret as it is, escaped (in JSON, in a repr, in one within the other), in a URL."""
    return re.compile("".join([_forms(char) for char in secret]).encode())


def _forms(char: str) -> str:
    """What one character of a secret may have become."""
    in_url = quote(char, safe="")
    if in_url == char:
        return re.escape(char)
    forms = [in_url, ESCAPED.get(char) or re.escape(char)]
    if not char.isascii():
        forms.append(json.dumps(char)[1:-1].replace("\\", r"\\+"))
    return f"(?i:{'|'.join(forms)})"
