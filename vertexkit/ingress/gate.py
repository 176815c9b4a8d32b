"""Who may call: whoever knows one of the URL's secrets, from where the settings allow it."""

import hmac
from collections.abc import Sequence
from hashlib import sha256
from ipaddress import IPv4Address, IPv6Address, ip_address

from starlette.requests import Request
from starlette.types import Scope

from vertexkit.settings import Network, Settings

Address = IPv4Address | IPv6Address


class Gate:
    """Knows whether a request may come in.

    Args:
        secrets: any one of them opens; none at all: everybody has one.
        networks: from which calls may come; none: from everywhere.
        proxies: whose word is taken for where a call comes from.
    """

    def __init__(
        self,
        secrets: Sequence[str] = (),
        networks: Sequence[Network] = (),
        proxies: Sequence[Network] = (),
    ) -> None:
        self._wanted = [sha256(secret.encode()).digest() for secret in secrets]
        self._networks = networks
        self._proxies = proxies

    @classmethod
    def of(cls, settings: Settings) -> "Gate":
        """As the settings say."""
        secrets = [secret.get_secret_value() for secret in settings.access.url_secrets]
        return cls(secrets, settings.access.allow_from, settings.access.trusted_proxies)

    def opens(self, scope: Scope) -> bool:
        """May this request come in? Secrets are compared in constant time, all of them each time."""
        if self._networks and not self._is_near(scope):
            return False
        if not self._wanted:
            return True
        request = Request(scope)
        given = request.path_params.get("key") or request.query_params.get("key", "")
        digest = sha256(given.encode(errors="surrogateescape")).digest()
        fits = [hmac.compare_digest(digest, wanted) for wanted in self._wanted]
        return any(fits)

    def _is_near(self, scope: Scope) -> bool:
        caller = self._caller(scope)
        return caller is not None and _is_in(caller, self._networks)

    def _caller(self, scope: Scope) -> Address | None:
        """Who asks, as the nearest machine says that is believed: the last one that is no proxy."""
        said = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
        hops = b",".join(said).decode("latin-1").split(",") if said else []
        peer = scope.get("client")
        caller = _address(peer[0]) if peer else None
        while hops and caller is not None and _is_in(caller, self._proxies):
            caller = _address(hops.pop())
        return caller


def _is_in(address: Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)


def _address(text: str) -> Address | None:
    """An address as proxies write it: also with a port, or an IPv4 one inside of an IPv6 one."""
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
