"""The wire: POSTs JSON to the platform for `send_message` and `complete`, the hot path.

A wire sends bytes once and reports what is known about their fate. It knows no tokens, no methods
and no retries: those are in `vertex`. The dialog API does not use it; see `http_client`.
"""

from typing import Protocol

from yarl import URL

from vertexkit.botone.response import Response
from vertexkit.errors import PlatformUnreachable

MAX_RESPONSE_BYTES = 1024 * 1024
"""Bytes of a response's body that are read; the rest is discarded."""
CONNECT_TIMEOUT_SECONDS = 5.0
KEEP_ALIVE_SECONDS = 4.0
"""How long an idle connection is kept: shorter than common servers keep theirs, so that a request
is rarely sent on a connection that the server is closing."""


class Wire(Protocol):
    """Posts JSON to the platform.

    An implementation sends each request at most once: it never retries or follows a redirect.
    """

    async def post(self, url: str, body: bytes, timeout: float, /) -> Response:
        """Post a body and read the response.

        If the status arrived, the result is a `Response`, even if its body is incomplete.

        Args:
            url: the whole URL.
            body: JSON.
            timeout: seconds for the whole request, from connecting to the response's last byte;
                above 0.

        Returns:
            The response, whatever its status.

        Raises:
            PlatformUnreachable: not a byte of the request was sent.
            SendOutcomeUnknown: no response arrived; the platform may have processed the request.
        """

    async def close(self) -> None:
        """Close the connections."""


def parse_url(url: str) -> URL:
    """Parse the URL of a request.

    Raises:
        PlatformUnreachable: no request can be sent to it.
    """
    try:
        target = URL(url)
        if target.scheme in {"http", "https"} and (target.host or "").encode("idna"):
            return target
    except ValueError:
        pass
    path = "/" + url.partition("://")[2].partition("/")[2].partition("?")[0]
    raise PlatformUnreachable("POST", path, reason="invalid URL")
