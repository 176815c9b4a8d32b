"""Tokens whose signature is checked, where the platform's key is known."""

import base64
import hmac
import json
import time
from typing import Any

import pytest

from vertexkit import App, Context
from vertexkit.ingress.token_keys import TokenKeys
from vertexkit.testing import FakeDialog, FakePlatform
from vertexkit.testing.platform.tokens import SIGNING_KEY as FAKE_KEY
from vertexkit.token import Token

OLD, NEW = "the-old-key", "the-new-key"
CLAIMS = {"instance": "demo", "dialog_id": 314, "vertex_id": "v", "session_id": 7}


def encoded(part: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def token(key: str = NEW, algorithm: Any = "HS256", claims: Any = CLAIMS) -> str:
    signed = f"{encoded({'alg': algorithm, 'typ': 'JWT'})}.{encoded(claims)}"
    digest = hmac.digest(key.encode(), signed.encode(), "sha256")
    return f"{signed}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def fits(secret: str) -> bool:
    return TokenKeys([OLD, NEW]).fit(Token(secret))


def test_each_key_fits() -> None:
    """So one can be changed while tokens of the other are still about."""
    assert fits(token(OLD))
    assert fits(token(NEW))
    now = time.time()
    assert fits(token(claims=CLAIMS | {"exp": now + 60, "nbf": now - 60}))


@pytest.mark.parametrize(
    "secret",
    [
        token("another-key"),
        token(NEW)[:-1],
        token(NEW) + "A",
        token(NEW)[:-1] + "=",
        token(NEW).replace(encoded(CLAIMS), encoded(CLAIMS | {"dialog_id": 315})),
        token(algorithm="none"),
        token(algorithm="HS512"),
        token(algorithm=["HS256"]),
        token(algorithm="none").rpartition(".")[0] + ".",
        token(claims=CLAIMS | {"exp": 1}),
        token(claims=CLAIMS | {"exp": "never"}),
        token(claims=CLAIMS | {"nbf": time.time() + 3600}),
        "an-opaque-token",
        "a.b.c",
        "..",
        "YQ.YQ.YQ",
    ],
)
def test_nothing_else_fits(secret: str) -> None:
    """No other key, algorithm, claim or time, and nothing that is no JWT."""
    assert not fits(secret)


def test_without_keys_every_token_is_taken() -> None:
    """Most installations have no key of the platform's."""
    assert TokenKeys([]).fit(Token("an-opaque-token"))


async def test_a_forged_call_starts_nothing() -> None:
    """It is refused, nothing runs, and the platform hears nothing; a true one goes through."""
    app = App()

    @app.block("talk")
    async def talk(ctx: Context) -> str:
        return "done"

    platform = FakePlatform(tokens="any")
    async with FakeDialog(app, platform, token_keys=[FAKE_KEY.decode()]) as dialog:
        status, said = await dialog.post("/blocks/talk", {"token": token("mine")})
        assert status == 403
        assert said["code"] == "wrong_signature"
        assert (await dialog.run("talk")).ok
    assert [entry.method for entry in platform.ledger] == ["complete"]
