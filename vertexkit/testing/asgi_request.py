"""A POST request to an ASGI app in the same process, as the platform sends it."""

import json
from typing import Any

from pydantic_core import from_json, to_jsonable_python
from starlette.types import ASGIApp


async def post(app: ASGIApp, path: str, body: Any) -> tuple[int, dict[str, Any]]:
    """Send a request.

    Args:
        app: that responds.
        path: of the request.
        body: sent as JSON.

    Returns:
        Status and JSON of the response.
    """
    response: dict[str, Any] = {"body": b""}
    messages = [{"type": "http.request", "body": _encode(body), "more_body": False}]

    async def receive() -> dict[str, Any]:
        return messages.pop() if messages else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        response["status"] = message.get("status", response.get("status"))
        response["body"] += message.get("body", b"")

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "headers": [(b"content-type", b"application/json"), (b"host", b"block.test")],
    }
    await app(scope, receive, send)
    return response["status"], from_json(response["body"] or b"{}")


def _encode(body: Any) -> bytes:
    """Return a body as JSON; half of an emoji, which UTF-8 cannot encode, becomes an escape."""
    plain = to_jsonable_python(body)
    try:
        return json.dumps(plain, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        return json.dumps(plain).encode()
