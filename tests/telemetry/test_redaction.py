"""Secrets are masked however they are written, and logging never raises."""

import contextvars
import io
import json
import logging
import threading
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import structlog

from vertexkit.execution import Execution
from vertexkit.recordings import RecordingsFolder
from vertexkit.telemetry import logs, redaction
from vertexkit.telemetry.events import Event
from vertexkit.testing.platform.app import DEFAULT_PASSWORD
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


@pytest.mark.unmeasured
def test_the_newest_tokens_are_masked_where_no_execution_is_known() -> None:
    """Under load the oldest tokens are forgotten, not those of the executions that run now."""
    stream = configured()
    task = contextvars.copy_context()
    tokens = [f"opaque-token-{number:04}" for number in range(redaction.MAX_RECENT_TOKENS + 5)]
    for token in tokens:
        task.run(redaction.register_token, Token(token))
    structlog.get_logger("any").warning("logged", tokens=tokens)
    text = stream.getvalue().decode()
    assert [token for token in tokens if token in text] == tokens[:5]


def test_a_whole_jwt_is_masked_where_no_execution_is_known() -> None:
    """An author's thread may log a JWT that was never registered: its signature goes too."""
    stream = configured()
    parts = ("eyJhbGciOiJIUzI1NiJ9", "eyJpbnN0YW5jZSI6ImRlbW8ifQ", "c2lnbmF0dXJlLW9mLTMyLWJ5dGVz")
    jwt = ".".join(parts)
    lines = [jwt, f"token={jwt}&x=1", f"Bearer {jwt}", repr({"token": jwt}), f"({jwt}.)"]
    for line in lines:
        thread = threading.Thread(target=structlog.get_logger("any").warning, args=(line,))
        thread.start()
        thread.join()
    text = stream.getvalue().decode()
    assert text.count(redaction.MASK) == len(lines)
    for part in parts:
        assert part not in text


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


HARD_SECRETS = [
    *(
        "b",
        "1",
        "ab",
        "event",
        "level",
        "info",
        "true",
        "null",
        "1234",
        '":"',
        '","',
        "{",
        "}",
        "\\",
    ),
    *('"', "any", "logged", "time", "2026", "e", ":", '"event"', "Z", "-"),
]
"""Texts that a line of JSON has outside of its values, or in most of them."""


@pytest.mark.parametrize("secret", HARD_SECRETS)
def test_lines_stay_json_whatever_is_secret(secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret like `true` or `","` masks texts and numbers, never the structure or the fields."""
    monkeypatch.setattr(redaction, "_secrets", set())
    stream = configured()
    redaction.register_secrets([secret])
    structlog.get_logger("any").warning(
        "logged", text=f"a {secret} z", flag=True, none=None, n=1234
    )
    logging.getLogger("any").warning("logged by %s", "another")
    first, second = [json.loads(line) for line in stream.getvalue().decode().splitlines()]
    assert {"event", "level", "time", "text", "flag", "none", "n"} == first.keys()
    assert (first["level"], first["flag"], first["none"]) == ("warning", True, None)
    assert first["text"].replace(redaction.MASK, "") != f"a {secret} z"
    assert first["n"] == (redaction.MASK if secret == "1234" else 1234)
    assert second.keys() == {"event", "level", "time", "logger"}


def test_the_password_of_the_fake_platform_hides_no_instance() -> None:
    """It is in the manual, and it is the name of the instance: logs and errors keep that readable."""
    redaction.register_secrets([DEFAULT_PASSWORD])
    line = b'{"instance": "demo", "url": "https://demo.bot.one/api"}'
    assert redaction.redact(line) == redaction.redact_json(line) == line
    assert redaction.mask_secrets("demo.bot.one", [DEFAULT_PASSWORD]) == "demo.bot.one"


@pytest.mark.parametrize("secret", ["b", "7", "ab", "abc"])
def test_a_short_secret_is_masked_as_a_whole_word(
    secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A password `b` does not mask each `b` of the log."""
    monkeypatch.setattr(redaction, "_secrets", set())
    redaction.register_secrets([secret])
    text = f"about {secret}ig x{secret}_ {secret} =77 ю{secret}ю"
    assert redaction.redact_text(text) == text.replace(f" {secret} ", f" {redaction.MASK} ")


@pytest.mark.parametrize("secret", ["event", "kind", "true", '","', "name", "text", "1234"])
def test_recorded_lines_stay_json_whatever_is_secret(
    secret: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A recording can be read again."""
    monkeypatch.setattr(redaction, "_secrets", set())
    redaction.register_secrets([secret])
    recorder = RecordingsFolder(tmp_path).start(
        "hello", 0.0, inputs={"a": f"x {secret} y", "b": 1234}
    )
    recorder.event(Event("sent", "01e", 1.0, {"text": "cut \ud83d"}))
    recorder.end(2.0, "completed", "ok")
    [recording] = RecordingsFolder(tmp_path)
    assert recording.header.inputs["a"] == f"x {redaction.MASK} y"
    assert recording.lines_of("event")[0]["fields"] == {"text": "cut \ufffd"}
    assert recording.code == "ok"


@pytest.mark.parametrize("form", ["json", "console"])
def test_texts_of_strangers_do_not_control_the_terminal(form: str) -> None:
    """ESC, C1, OSC and changes of direction, in an event, a field and an error."""
    stream = configured(form)
    hostile = "a\x1b[2J\x1b]0;t\x07\x9b31m\u202eb"
    error = ValueError(hostile)
    structlog.get_logger("any").warning(hostile, text=hostile, deep=[hostile], exc_info=error)
    text = stream.getvalue().decode()
    shown = text if form == "console" else text.replace("\x9b", "").replace("\u202e", "")
    assert not set(shown) & set("\x1b\x07\x9b\u202e")


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
