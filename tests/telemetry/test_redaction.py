"""Secrets are masked however they are written, and logging never raises."""

import contextvars
import io
import json
from typing import Any
from urllib.parse import quote

import pytest
import structlog

from vertexkit.execution import Execution
from vertexkit.telemetry import logs, redaction
from vertexkit.token import Token

SECRETS = [
    "plain-secret-0123",
    'with"quote',
    "back\\slash",
    "it's-a-secret",
    "ключ-секрет",
    "a+b/c=d",
    "%41 x",
]


def configured(form: Any = "json") -> io.BytesIO:
    """A stream to which logging is configured to write."""
    stream = io.BytesIO()
    logs.configure(form, "info", stream)
    return stream


def ways(secret: str) -> dict[str, str]:
    """Forms in which a secret may appear in a line."""
    nested = json.dumps({"deep": json.dumps({"key": secret})})
    return {
        "as it is": f"before {secret} after",
        "in JSON": json.dumps({"key": secret}),
        "in readable JSON": json.dumps({"key": secret}, ensure_ascii=False),
        "in JSON in JSON": nested,
        "in a repr": repr({"key": secret}),
        "in a URL": f"https://h/blocks/x?key={quote(secret, safe='')}",
        "in a URL in small letters": quote(secret, safe="").lower()
        if quote(secret, safe="") != secret
        else secret,
    }


@pytest.mark.parametrize("secret", SECRETS[:4])
def test_a_token_is_masked_where_no_execution_is_known(secret: str) -> None:
    """An author's thread or an unretrieved error may log a token; the newest ones are masked."""
    stream = configured()
    task = contextvars.copy_context()
    task.run(redaction.register_token, Token(secret))
    for number in range(redaction.MAX_RECENT_TOKENS - 1):
        task.run(redaction.register_token, Token(f"another-token-{number}"))
    for text in ways(secret).values():
        structlog.get_logger("any").warning("logged", text=text)
    assert secret not in stream.getvalue().decode()
    task.run(redaction.register_token, Token("one-too-many"))
    assert len(redaction._recent_tokens) == redaction.MAX_RECENT_TOKENS
    task.run(redaction.register_token, Token("eyJhbGciOi.eyJpbnN0Y.c2ln"))
    assert len(redaction._recent_tokens) == redaction.MAX_RECENT_TOKENS


def test_a_token_of_a_few_letters_masks_no_words() -> None:
    """A call with the token `t` does not make the log unreadable."""
    stream = configured()
    redaction.register_token(Token("t"))
    structlog.get_logger("any").warning("started")
    assert b'"event":"started"' in stream.getvalue()


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_is_masked_however_it_is_written(secret: str, form: str) -> None:
    """Quoted, escaped, escaped twice, as a part of a URL: the operator's secrets do not show."""
    stream = configured(form)
    redaction.register_secrets([secret])
    for way, text in ways(secret).items():
        stream.truncate(0)
        stream.seek(0)
        structlog.get_logger("any").warning("logged", text=text)
        output = stream.getvalue().decode()
        assert "secret]" in output, way
        for shown in (secret, quote(secret, safe="")):
            assert shown not in output, way


@pytest.mark.parametrize("token", ["opaque-token-0123", 'odd"token', "a-to\\ken", "it's-one"])
def test_an_opaque_token_is_masked_however_it_is_written(token: str) -> None:
    """A token that is not a JWT is masked in the lines of its execution."""
    stream = configured()
    logs.bind(Execution("01e", "loan", Token(token), {}, b"", 0.0))
    structlog.get_logger("any").warning("logged", a=token, b=repr([token]), c=json.dumps([token]))
    output = stream.getvalue().decode()
    assert output.count("[secret]") == 3
    assert token not in output


class Odd:
    """An author's object whose repr raises."""

    def __repr__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize("form", ["json", "console"])
def test_what_cannot_be_shown_is_logged_all_the_same(form: str) -> None:
    """Lone surrogates, circular references, a repr that raises: the line is written anyway."""
    stream = configured(form)
    circle: list[Any] = []
    circle.append(circle)
    for odd in ("cut \ud83d", circle, Odd(), {"deep": Odd()}):
        structlog.get_logger("any").warning("logged", odd=odd, plain="here")
    lines = stream.getvalue().decode().splitlines()
    assert len(lines) == 4
    assert all("logged" in line and "here" in line for line in lines)


def test_a_stream_that_is_closed_stops_nobody() -> None:
    """If the stream is closed, lines are dropped without an error."""
    stream = configured()
    stream.close()
    structlog.get_logger("any").warning("logged")
