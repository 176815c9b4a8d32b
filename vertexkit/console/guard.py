"""Access to the console: clients of this machine and trusted proxies, from its own page."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope

from vertexkit.ingress.access import is_in, parse_address
from vertexkit.server.problems import Problem, problem
from vertexkit.settings import Network
from vertexkit.text import sanitize

USER_HEADER = "x-forwarded-user"
"""Names the user that a trusted proxy has authenticated."""
PAGE_HEADER = "x-vertexkit-console"
"""Set by the console's page in requests that change something: a page of another site cannot set
it."""
PROXY_HEADERS = ("x-forwarded-for", "forwarded", "x-real-ip", "x-forwarded-host", "via")
"""A request with one of these comes through a proxy, also if the proxy runs on this machine."""
OWN_SITE = {"same-origin", "none"}
"""Values of `Sec-Fetch-Site` of requests that the console's page makes, or the operator."""
MAX_USER_CHARACTERS = 100
NOT_OPEN = (
    "The console is open to clients on this machine (ssh -L and kubectl port-forward included) and "
    "to the proxies that VERTEXKIT_TRUSTED_PROXIES lists. This request comes from neither."
)
WRONG_HOST = (
    "The Host header must be localhost or an IP address. Behind a proxy, add the proxy's network to "
    "VERTEXKIT_TRUSTED_PROXIES and let the proxy set X-Forwarded-For."
)
OTHER_SITE = "Requests from other sites are not allowed."
USER_UNKNOWN = (
    "The proxy has not set X-Forwarded-User. An action needs a user: let the proxy authenticate "
    "operators and set this header."
)


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator as the log names them."""

    user: str
    """The user that the proxy or the command line names; empty for a direct connection."""
    client: str
    """Address of the connection's other end."""


class ConsoleGuard:
    """Decides which requests the console answers.

    It lets in direct connections from this machine, and connections from trusted proxies. A page of
    another site is rejected, also if its host name changes its address (DNS rebinding).

    Args:
        proxies: networks of the reverse proxies that authenticate operators.
        local_user: the user of direct connections.
    """

    def __init__(self, proxies: Sequence[Network] = (), local_user: str = "") -> None:
        self._proxies = proxies
        self._local_user = local_user

    def rejection(self, scope: Scope) -> Problem | None:
        """Return the response to a request that is not let in; None: it is let in.

        Args:
            scope: ASGI's, of the request.
        """
        headers = Headers(scope=scope)
        is_proxied = self._is_proxied(scope, headers)
        if is_proxied is None:
            return problem(403, "console_not_open", NOT_OPEN)
        host = headers.get("host", "")
        if not is_proxied and not _is_local_name(_split(f"//{host}").hostname):
            return problem(400, "invalid_host", WRONG_HOST)
        if _is_from_other_site(headers, scope["method"]):
            return problem(403, "other_site", OTHER_SITE)
        origin = headers.get("origin")
        hosts = {host, headers.get("x-forwarded-host", host)} if is_proxied else {host}
        if origin is not None and _split(origin).netloc not in hosts:
            return problem(403, "other_site", OTHER_SITE)
        if scope["method"] not in ("GET", "HEAD") and headers.get(PAGE_HEADER) != "1":
            return problem(403, "other_site", f"{OTHER_SITE} {PAGE_HEADER} must be 1.")
        return None

    def operator(self, scope: Scope) -> Operator | None:
        """Return who makes a request that was let in; None: the proxy does not name the user.

        Args:
            scope: ASGI's, of the request.
        """
        headers = Headers(scope=scope)
        client = str(scope["client"][0]) if scope.get("client") else ""
        if not self._is_proxied(scope, headers):
            return Operator(self._local_user, client)
        user = sanitize(headers.get(USER_HEADER, "").strip(), MAX_USER_CHARACTERS)
        return Operator(user, client) if user else None

    def _is_proxied(self, scope: Scope, headers: Headers) -> bool | None:
        """Whether a request comes through a trusted proxy; None: it must not come in."""
        peer = parse_address(scope["client"][0]) if scope.get("client") else None
        if peer is None:
            return None
        forwarded = any(name in headers for name in PROXY_HEADERS)
        if is_in(peer, self._proxies) and (forwarded or not peer.is_loopback):
            return True
        return False if peer.is_loopback and not forwarded else None


def _is_local_name(host: str | None) -> bool:
    return host == "localhost" or (host is not None and parse_address(f"[{host}]") is not None)


def _is_from_other_site(headers: Headers, method: str) -> bool:
    """Whether a browser says that another site's page makes a request; links to the page are let in."""
    site = headers.get("sec-fetch-site")
    if site is None or site in OWN_SITE:
        return False
    is_link = headers.get("sec-fetch-mode") == "navigate" and method == "GET"
    return not is_link


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:  # a bracket without its pair
        return urlsplit("")
