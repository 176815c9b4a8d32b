"""`vertexkit health`: check a running service."""

import json
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import NamedTuple
from urllib.parse import urlsplit

from vertexkit.errors import SettingsError

TIMEOUT_SECONDS = 3.0
"""Time for the response."""
MAX_BODY_BYTES = 65_536
"""Bytes of a response that are read."""


class Health(NamedTuple):
    """The health of a service."""

    text: str
    """A sentence."""
    healthy: bool


def check_health(url: str | None, path: str) -> Health:
    """Request a health endpoint.

    Args:
        url: of the service; None: from the settings.
        path: `healthz` or `readyz`.

    Returns:
        What the service responded.

    Raises:
        SettingsError: the URL is not valid.
    """
    url = (url or _url_of_this_service()).rstrip("/")
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise SettingsError(
            f"--url must start with http:// or https://, got {url!r}; for example "
            "http://127.0.0.1:8000"
        )
    connect = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = connect(parts.hostname, parts.port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", f"{parts.path}/{path}")
        response = connection.getresponse()
        status, body = response.status, response.read(MAX_BODY_BYTES)
    except (OSError, HTTPException) as error:
        reason = str(error) or type(error).__name__
        return Health(f"{url} does not respond: {reason}", False)
    finally:
        connection.close()
    ready = path == "readyz"
    if status == 200:
        return Health(f"{url} is ready" if ready else f"{url} is alive", True)
    reasons = _reasons(body) or f"it responded with status {status}"
    state = f"{url} is not ready" if ready else f"{url} is not alive"
    return Health(f"{state}: {reasons}", False)


def _url_of_this_service() -> str:
    from vertexkit.settings import Settings

    server = Settings.load().server
    any_address = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - not listened on
    host = any_address.get(server.host, server.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{server.ops_port or server.port}"


def _reasons(body: bytes) -> str:
    try:
        return ", ".join(json.loads(body)["reasons"])
    except (ValueError, KeyError, TypeError):
        return ""
