"""Which calls are accepted: by their network, their secret and the signature of their token."""

import time
from ipaddress import ip_network
from typing import Any

import jwt
import pytest
from pydantic import SecretStr

from tests.tokens import encoded, signed_token
from vertexkit import App, Context
from vertexkit.errors import SettingsError
from vertexkit.ingress.access import LEEWAY_SECONDS, AccessControl, TokenVerifier
from vertexkit.settings import AccessSettings, Settings
from vertexkit.testing import FakeDialog, FakePlatform
from vertexkit.testing.platform.tokens import SIGNING_KEY
from vertexkit.token import Token

PLATFORM, PROXY = "203.0.113.7", "10.0.0.5"
NETWORKS = (ip_network("203.0.113.0/24"),)
ACCESS = AccessControl(
    Settings.of(allow_from="203.0.113.0/24, 2001:db8::/32", trusted_proxies="10.0.0.0/8").access
)
OLD, NEW = "the-old-key", "the-new-key"
VERIFIER = TokenVerifier(AccessSettings(token_keys=(SecretStr(OLD), SecretStr(NEW))))
CLAIMS = {"instance": "demo", "dialog_id": 314, "vertex_id": "v", "session_id": 7}


def call(peer: str | None, *forwarded: str) -> dict[str, Any]:
    """A request from this address, with these `X-Forwarded-For` fields."""
    client = None if peer is None else (peer, 50_000)
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    return {"type": "http", "client": client, "headers": headers, "query_string": b""}


@pytest.mark.parametrize(
    "peer, forwarded",
    [
        (PLATFORM, []),
        ("2001:db8::1", []),
        (f"::ffff:{PLATFORM}", []),
        (PROXY, [PLATFORM]),
        (PROXY, [f"198.51.100.1, {PLATFORM}"]),
        (PROXY, ["198.51.100.1", PLATFORM]),
        (PROXY, [f"{PLATFORM}, 10.9.9.9"]),
        (PROXY, [f"{PLATFORM}:443"]),
        (PROXY, ["[2001:db8::1]:443"]),
    ],
)
def test_calls_from_allowed_networks_are_accepted(peer: str, forwarded: list[str]) -> None:
    """The client's address is the connection's, or the last one that is not a trusted proxy's."""
    assert ACCESS.allows(call(peer, *forwarded))


@pytest.mark.parametrize(
    "peer, forwarded",
    [
        (None, []),
        (None, [PLATFORM]),
        ("198.51.100.1", []),
        ("198.51.100.1", [PLATFORM]),
        (PLATFORM.replace("113", "114"), [PLATFORM]),
        (PROXY, []),
        (PROXY, ["10.9.9.9"]),
        (PROXY, [f"{PLATFORM}, 198.51.100.1"]),
        (PROXY, [PLATFORM, "198.51.100.1"]),
        (PROXY, [f"{PLATFORM}, unknown"]),
        (PROXY, [f"{PLATFORM},"]),
        (PROXY, ["\x00"]),
        ("testclient", [PLATFORM]),
    ],
)
def test_calls_from_other_networks_are_rejected(peer: str | None, forwarded: list[str]) -> None:
    """Addresses that the client puts into the header are ignored: only trusted proxies' count."""
    assert not ACCESS.allows(call(peer, *forwarded))


def test_without_trusted_proxies_the_header_is_ignored() -> None:
    """The address of the connection is the client's."""
    access = AccessControl(AccessSettings(allow_from=NETWORKS))
    assert access.allows(call(PLATFORM, "198.51.100.1"))
    assert not access.allows(call(PROXY, PLATFORM))


def test_the_secret_is_required_as_well() -> None:
    """If networks and secrets are set, a call needs both."""
    access = AccessControl(AccessSettings(url_secrets=(SecretStr("s3cret"),), allow_from=NETWORKS))
    near, far = call(PLATFORM), call("198.51.100.1")
    assert not access.allows(near)
    assert access.allows(near | {"query_string": b"key=s3cret"})
    assert not access.allows(far | {"query_string": b"key=s3cret"})


@pytest.mark.parametrize("networks", ["10.0.0.1/8", "platform.example", "300.0.0.0/8"])
def test_an_invalid_network_is_an_error_at_the_start(networks: str) -> None:
    """A typing error must neither accept every call nor reject all of them."""
    with pytest.raises(SettingsError, match="VERTEXKIT_ALLOW_FROM"):
        Settings.of(allow_from=networks)


def token(key: str = NEW, algorithm: Any = "HS256", claims: Any = CLAIMS, **header: object) -> str:
    return signed_token(claims, key, alg=algorithm, **header)


def accepted(secret: str) -> bool:
    return VERIFIER.accepts(Token(secret))


def test_a_token_of_each_key_is_accepted() -> None:
    """A key can be replaced while tokens signed with the old one are still in use."""
    assert accepted(token(OLD))
    assert accepted(token(NEW))
    now = time.time()
    assert accepted(token(claims=CLAIMS | {"exp": now + 60, "nbf": now - 60}))


@pytest.mark.parametrize(
    "secret",
    [
        token("another-key"),
        token(NEW)[:-1],
        token(NEW) + "A",
        token(NEW) + "=",
        token(NEW)[:-1] + "=",
        token(NEW).replace(encoded(CLAIMS), encoded(CLAIMS | {"dialog_id": 315})),
        token(algorithm="none"),
        token(algorithm="HS512"),
        token(algorithm=["HS256"]),
        token(algorithm="none").rpartition(".")[0] + ".",
        token(claims=CLAIMS | {"exp": 1}),
        token(claims=CLAIMS | {"exp": "never"}),
        token(claims=CLAIMS | {"nbf": 2**40}),
        "an-opaque-token",
        "a.b.c",
        "..",
        "YQ.YQ.YQ",
    ],
)
def test_other_tokens_are_rejected(secret: str) -> None:
    """Another key, algorithm, claim or time, and texts that are not JWTs."""
    assert not accepted(secret)


@pytest.mark.parametrize("crit", [["exp"], ["b64"], [], "b64", ["x-vendor"]])
def test_critical_extensions_are_rejected(crit: object) -> None:
    """A token whose header has `crit` requires extensions that are not implemented."""
    assert not accepted(token(crit=crit, b64=True))


def test_clocks_may_differ() -> None:
    """`exp` and `nbf` are checked with a tolerance, in both directions."""
    now = time.time()
    for claims in ({"exp": now - LEEWAY_SECONDS / 2}, {"nbf": now + LEEWAY_SECONDS / 2}):
        assert accepted(token(claims=CLAIMS | claims))
    for claims in ({"exp": now - LEEWAY_SECONDS * 2}, {"nbf": now + LEEWAY_SECONDS * 2}):
        assert not accepted(token(claims=CLAIMS | claims))


@pytest.mark.parametrize(
    "claims", [{"aud": "platform"}, {"iss": 7}, {"sub": 314}, {"jti": 1}, {"iat": "today"}]
)
def test_claims_that_are_not_documented_are_not_checked(claims: dict[str, object]) -> None:
    """Issuer, audience and others may have any value."""
    assert accepted(token(claims=CLAIMS | claims))


def test_a_public_key_is_an_error_at_the_start() -> None:
    """With a public key in place of the secret anybody could sign tokens."""
    pem = (
        "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----"
    )
    with pytest.raises(SettingsError, match="VERTEXKIT_TOKEN_KEYS"):
        TokenVerifier(AccessSettings(token_keys=(SecretStr(pem),)))


def test_without_keys_every_token_is_accepted() -> None:
    """Most installations do not have the platform's key."""
    assert TokenVerifier(AccessSettings()).accepts(Token("an-opaque-token"))


def test_a_token_of_the_library_is_accepted() -> None:
    """What PyJWT signs is verified, whatever the length of its key."""
    key = "a key that is as long as the standard demands"
    verifier = TokenVerifier(AccessSettings(token_keys=(SecretStr(key),)))
    assert verifier.accepts(Token(jwt.encode(CLAIMS, key, "HS256")))


async def test_a_forged_call_starts_nothing() -> None:
    """It is rejected, nothing is sent to the platform; a call with a signed token is accepted."""
    app = App()

    @app.block("talk")
    async def talk(ctx: Context) -> str:
        return "done"

    platform = FakePlatform(tokens="any")
    async with FakeDialog(app, platform, token_keys=[SIGNING_KEY.decode()]) as dialog:
        status, answer = await dialog.post("/blocks/talk", {"token": token("mine")})
        assert status == 403
        assert answer["code"] == "wrong_signature"
        assert (await dialog.run("talk")).ok
    assert [entry.method for entry in platform.ledger] == ["complete"]
