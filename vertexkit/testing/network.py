"""The guard of a test's outgoing requests: what nothing mocks is refused."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from fnmatch import fnmatchcase
from ipaddress import ip_address

from vertexkit.botone.http_client import HttpRequest, mockable_requests

LOCAL_NAMES = ("localhost", "*.localhost")


class UnmockedRequest(AssertionError):
    """A block has made a request to another host, and the test does not mock it."""


class NetworkGuard:
    """Refuses the requests of `http_client` that nothing mocks, except to this machine.

    Args:
        allowed: patterns of host names, such as `*.example`; `*` allows all.
        explain: makes the error's text from the names of hosts.
    """

    def __init__(self, allowed: Iterable[str], explain: Callable[[str], str] | None = None) -> None:
        self._explain = explain or _explanation
        self._allowed = (*LOCAL_NAMES, *(pattern.lower() for pattern in allowed))
        self._refused: dict[str, None] = {}

    def active(self) -> AbstractContextManager[None]:
        """Return a context in which the guard refuses requests."""
        return mockable_requests(self._check_request)

    def check(self) -> None:
        """Fail if requests were refused: a block may have handled the error.

        Raises:
            AssertionError: names the hosts.
        """
        __tracebackhide__ = True
        if self._refused:
            raise AssertionError(self._explain(", ".join(self._refused)))

    def _check_request(self, request: HttpRequest) -> None:
        host = request.url.host
        if not self._is_allowed(host):
            self._refused[host] = None
            raise UnmockedRequest(self._explain(host))

    def _is_allowed(self, host: str) -> bool:
        if any(fnmatchcase(host.lower(), pattern) for pattern in self._allowed):
            return True
        try:
            return ip_address(host).is_loopback
        except ValueError:
            return False


def _explanation(host: str) -> str:
    return (
        f"the block made a request to {host}, which the test does not mock. Mock it with respx or "
        f"pytest-httpx, or allow it: @pytest.mark.vertexkit_allow_hosts({host.split(', ', maxsplit=1)[0]!r}), "
        "or vertexkit_allow_hosts in pytest's configuration"
    )
