"""`vertexkit health`: ask a running service how it is."""

import json
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from vertexkit.errors import SettingsError

PATIENCE = 3.0
"""Seconds until an answer."""


def ask(url: str | None, page: str) -> tuple[str, bool]:
    """Ask for a page of health.

    Args:
        url: of the service; None: from the settings.
        page: `healthz` or `readyz`.

    Returns:
        A sentence, and whether it is well.

    Raises:
        SettingsError: the URL is none.
    """
    url = (url or _own_url()).rstrip("/")
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise SettingsError(f"--url is no URL: {url!r}; for example http://127.0.0.1:8000")
    connect = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = connect(parts.hostname, parts.port, timeout=PATIENCE)
    try:
        connection.request("GET", f"{parts.path}/{page}")
        answer = connection.getresponse()
        status, body = answer.status, answer.read(65_536)
    except (OSError, HTTPException) as error:
        return f"{url} does not answer: {str(error) or type(error).__name__}", False
    finally:
        connection.close()
    word = "ready" if page == "readyz" else "alive"
    if status == 200:
        return f"{url} is {word}", True
    return f"{url} is not {word}: {_reasons(body) or f'it answered {status}'}", False


def _own_url() -> str:
    from vertexkit.settings import Settings

    settings = Settings.load()
    everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - not listened on
    host = everywhere.get(settings.server.host, settings.server.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.server.ops_port or settings.server.port}"


def _reasons(body: bytes) -> str:
    try:
        return ", ".join(json.loads(body)["reasons"])
    except (ValueError, KeyError, TypeError):
        return ""
