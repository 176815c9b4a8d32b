"""The HTTP headers of requests to the platform: the one place to add or to change one.

`COMMON_HEADERS` go out with every request, those of all fifteen methods.
"""

from collections.abc import Mapping

COMMON_HEADERS: Mapping[str, str] = {"User-Agent": "vertexkit"}
"""Sent with every request to the platform."""
VERTEX_HEADERS: Mapping[str, str] = {
    **COMMON_HEADERS,
    "Content-Type": "application/json",
    "Accept": "application/json",
    "Accept-Encoding": "identity",  # responses are short and are not decompressed here
}
"""Sent with `send_message` and `complete` (methods 14 and 15)."""


def dialog_headers(credentials: str, *, compressed: bool = True) -> dict[str, str]:
    """Build the headers of a request to the dialog API (methods 1 to 13).

    Args:
        credentials: login and password, encoded for HTTP Basic authentication.
        compressed: whether the response may be compressed. A file is downloaded uncompressed, so
            that its size is known from `Content-Length`.

    Returns:
        The headers, without those that the HTTP client adds itself.
    """
    headers = {**COMMON_HEADERS, "Authorization": f"Basic {credentials}"}
    if not compressed:
        headers["Accept-Encoding"] = "identity"
    return headers
