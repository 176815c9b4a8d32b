"""The files of a web page, and the headers that protect it."""

from importlib.resources import files
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
SECURITY_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}
SHARED = "vertexkit.page"
"""The package whose files every page has."""


class Assets:
    """The files of a page and those that all pages share, under one name each.

    Args:
        package: has the page's own files in its folder `static`.
    """

    def __init__(self, package: str) -> None:
        self._folders = [files(name) / "static" for name in (package, SHARED)]

    def response(self, name: str) -> Response:
        """Return the response that has a file.

        Args:
            name: of the file, without a folder.

        Raises:
            HTTPException: 404, there is no such file.
        """
        media_type = MEDIA_TYPES.get(Path(name).suffix)
        for folder in self._folders:
            asset = folder / Path(name).name
            if media_type is not None and asset.is_file():
                return Response(asset.read_bytes(), media_type=media_type)
        raise HTTPException(404)


class SecurityHeaders:
    """Adds `SECURITY_HEADERS` to every response of a page.

    Args:
        app: serves the page.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                security = [
                    (name.encode(), value.encode()) for name, value in SECURITY_HEADERS.items()
                ]
                message = {**message, "headers": [*message["headers"], *security]}
            await send(message)

        await self._app(scope, receive, send_with_headers)
