"""Which calls are accepted: the secret in the URL, the client's network, the token's signature."""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from hashlib import sha256
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

import jwt
from jwt.algorithms import HMACAlgorithm
from jwt.types import Options
from starlette.requests import Request
from starlette.types import Scope

from vertexkit.errors import SettingsError
from vertexkit.settings import AccessSettings, Network
from vertexkit.token import JWT, Token

ALGORITHM = "HS256"
LEEWAY_SECONDS = 30
"""By how much the platform's clock may differ from this machine's, for `exp` and `nbf`."""
OPTIONS: Options = {
    "verify_aud": False,
    "verify_iss": False,
    "verify_iat": False,
    "verify_sub": False,
    "verify_jti": False,
}
"""Claims that are not checked: the platform documents none of them."""

Address = IPv4Address | IPv6Address


class AccessControl:
    """Decides which requests are accepted, by the URL's secret and the client's address.

    Args:
        settings: without `url_secrets` no secret is needed; without `allow_from` requests are
            accepted from every network.
    """

    def __init__(self, settings: AccessSettings) -> None:
        secrets = [secret.get_secret_value() for secret in settings.url_secrets]
        self._secret_digests = [sha256(secret.encode()).digest() for secret in secrets]
        self._networks = settings.allow_from
        self._proxies = settings.trusted_proxies

    def allows(self, scope: Scope) -> bool:
        """Check a request.

        Args:
            scope: ASGI's, of the request.

        Returns:
            Whether it is accepted. Each secret is compared, in constant time, for every request.
        """
        if self._networks and not self._is_from_allowed_network(scope):
            return False
        if not self._secret_digests:
            return True
        request = Request(scope)
        given = request.path_params.get("key") or request.query_params.get("key", "")
        digest = sha256(given.encode(errors="surrogateescape")).digest()
        matches = [hmac.compare_digest(digest, secret) for secret in self._secret_digests]
        return any(matches)

    def _is_from_allowed_network(self, scope: Scope) -> bool:
        client = self._client_address(scope)
        return client is not None and is_in(client, self._networks)

    def _client_address(self, scope: Scope) -> Address | None:
        """The last address in `X-Forwarded-For` that is not a trusted proxy's."""
        fields = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
        hops = b",".join(fields).decode("latin-1").split(",") if fields else []
        peer = scope.get("client")
        client = parse_address(peer[0]) if peer else None
        while hops and client is not None and is_in(client, self._proxies):
            client = parse_address(hops.pop())
        return client


class TokenVerifier:
    """Verifies that the platform has signed a token (HS256).

    Args:
        settings: without `token_keys` every token is accepted.

    Raises:
        SettingsError: a key is a public key or a certificate, with which nothing can be signed.
    """

    def __init__(self, settings: AccessSettings) -> None:
        self._keys = [_signing_key(key.get_secret_value()) for key in settings.token_keys]

    def accepts(self, token: Token) -> bool:
        """Check a token.

        Args:
            token: of a call.

        Returns:
            Whether it is signed with one of the keys and valid now, by its claims `exp` and `nbf`
            if it has them. A token with critical header extensions (`crit`) is not accepted. Each
            key is tried, and signatures are compared in constant time.
        """
        if not self._keys:
            return True
        secret = token.reveal()
        if JWT.fullmatch(secret) is None:
            return False
        results = [_is_signed(secret, key) for key in self._keys]
        return any(results)


class _HmacAlgorithm(HMACAlgorithm):
    """HMAC with keys of any length: the platform chooses the key, not the operator."""

    def prepare_key(self, key: str | bytes) -> bytes:
        return key if isinstance(key, bytes) else key.encode()  # checked by `_signing_key`

    def check_key_length(self, key: Any) -> str | None:  # noqa: ARG002 - the library's signature
        return None


def _signing_key(secret: str) -> jwt.PyJWK:
    encoded = urlsafe_b64encode(secret.encode()).decode()
    try:
        HMACAlgorithm(HMACAlgorithm.SHA256).prepare_key(secret)
        key = jwt.PyJWK.from_dict({"kty": "oct", "alg": ALGORITHM, "k": encoded})
    except jwt.PyJWTError as error:
        raise SettingsError(
            f"VERTEXKIT_TOKEN_KEYS must list keys for {ALGORITHM}: {error}"
        ) from None
    key.Algorithm = _HmacAlgorithm(HMACAlgorithm.SHA256)
    return key


def _is_signed(secret: str, key: jwt.PyJWK) -> bool:
    try:
        decoded = jwt.decode_complete(
            secret, key, algorithms=[ALGORITHM], leeway=LEEWAY_SECONDS, options=OPTIONS
        )
    except jwt.PyJWTError:
        return False
    return "crit" not in decoded["header"]


def is_in(address: Address, networks: Sequence[Network]) -> bool:
    """Return whether an address belongs to one of these networks."""
    return any(address in network for network in networks)


def parse_address(text: str) -> Address | None:
    """Parse an address as proxies write it: perhaps with a port, or IPv4 mapped to IPv6.

    Returns:
        The address; None if the text is not one.
    """
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
