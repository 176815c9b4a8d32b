"""Answers that say no: RFC 9457 problems with a stable code."""

from http import HTTPStatus
from typing import Any

from pydantic_core import ErrorDetails, to_json
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from vertexkit.telemetry.redaction import redacted

MEDIA_TYPE = "application/problem+json"
BODIES_DIFFER = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
CODES = {404: "not_found", 405: "method_not_allowed"}
SHOWN = 20
"""Errors of one input that are listed."""


class Problem(Response):
    """An answer that says no."""

    code: str


def problem(
    status: int, code: str, detail: str, *, retry_after: int | None = None, **more: Any
) -> Problem:
    """An answer that says what was wrong, and what would be right.

    Args:
        status: 400 to 599.
        code: a stable word for machines.
        detail: a sentence for people; it repeats nothing that the caller sent.
        retry_after: seconds.
        more: further members of the problem.
    """
    body = {"title": HTTPStatus(status).phrase, "status": status, "code": code, "detail": detail}
    headers = dict(BODIES_DIFFER)
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    answer = Problem(to_json(body | more), status, headers, MEDIA_TYPE)
    answer.code = code
    return answer


def shown(errors: list[ErrorDetails]) -> list[dict[str, Any]]:
    """What was wrong with the inputs: places and reasons, never values."""
    return [{"loc": list(each["loc"]), "msg": redacted(each["msg"])} for each in errors[:SHOWN]]


def nothing_here() -> Problem:
    """What is said where nothing is, and to whoever may not know that something is."""
    return problem(404, CODES[404], "There is nothing here.")


async def _http_error(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == 404:
        return nothing_here()
    detail = "The request failed."
    if status == 405:
        detail = "This address takes another method; blocks are called with POST."
    response = problem(status, CODES.get(status, "failed"), detail)
    allow = (error.headers or {}).get("Allow") if isinstance(error, HTTPException) else None
    if allow:
        response.headers["Allow"] = allow
    return response


HANDLERS = {HTTPException: _http_error}
"""What a Starlette application says when a path or a method is not there."""
