"""Error responses: RFC 9457 problems with a stable code."""

from http import HTTPStatus
from typing import Any

from pydantic_core import ErrorDetails, to_json
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from vertexkit.telemetry.redaction import redact_text
from vertexkit.text import encodable

MEDIA_TYPE = "application/problem+json"
HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
CODES = {404: "not_found", 405: "method_not_allowed"}
MAX_LISTED_ERRORS = 20
"""Errors of one call's inputs that are listed."""
RETRY_AFTER_SECONDS = 5
"""`Retry-After` of a 503: how long the platform should wait before it calls again."""


class Problem(Response):
    """An error response."""

    code: str
    """Stable identifier of the error."""


def problem(
    status: int, code: str, detail: str, *, retry_after: int | None = None, **members: Any
) -> Problem:
    """Make an error response.

    Args:
        status: 400 to 599.
        code: stable identifier for programs.
        detail: sentence for people. It must not repeat anything that the client sent.
        retry_after: seconds after which the client should send the request again.
        **members: further members of the problem.

    Returns:
        The response.
    """
    body = {"title": HTTPStatus(status).phrase, "status": status, "code": code, "detail": detail}
    headers = dict(HEADERS)
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    response = Problem(to_json(encodable(body | members)), status, headers, MEDIA_TYPE)
    response.code = code
    return response


def not_found() -> Problem:
    """Make the response for a path that does not exist, or that the client may not see."""
    return problem(404, CODES[404], "Not found.")


def method_not_allowed(allowed: str) -> Problem:
    """Make the response for a method that a path does not accept.

    Args:
        allowed: methods that it accepts, separated by commas.
    """
    response = problem(405, CODES[405], f"This URL does not accept the method. Use {allowed}.")
    response.headers["Allow"] = allowed
    return response


def list_errors(errors: list[ErrorDetails]) -> list[dict[str, Any]]:
    """List validation errors of a call's inputs without the values.

    Args:
        errors: pydantic's.

    Returns:
        At most `MAX_LISTED_ERRORS`, each with its location and message.
    """
    return [
        {"loc": list(error["loc"]), "msg": redact_text(error["msg"])}
        for error in errors[:MAX_LISTED_ERRORS]
    ]


def request_failed() -> Problem:
    """Make the response to a request whose endpoint has raised an exception."""
    return problem(500, "failed", "The request failed.")


async def _handle_http_error(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == 404:
        return not_found()
    return problem(status, "failed", "The request failed.")


EXCEPTION_HANDLERS = {HTTPException: _handle_http_error}
"""Handlers of a Starlette application for paths that do not exist."""
