"""The one place where a response or a client library's exception becomes an error of vertexkit.

Each function returns the error; the caller raises it. When a request is retried is in `retries`.
"""

import aiohttp
from pydantic import ValidationError

from vertexkit.botone.connecting import describe_failure
from vertexkit.botone.http_client import NOT_SENT_ERRORS, HttpError
from vertexkit.botone.response import Response
from vertexkit.botone.retries import parse_retry_after
from vertexkit.errors import (
    BadRequest,
    DialogGone,
    Forbidden,
    NotFound,
    PlatformError,
    PlatformUnreachable,
    RateLimited,
    SendOutcomeUnknown,
    ServerError,
    Unauthorized,
    UnexpectedResponse,
)
from vertexkit.telemetry.redaction import mask_secrets

VERTEX_PATH = "/vertex/"
MAX_ERROR_BODY_BYTES = 64 * 1024
"""Bytes of a response's body that are decoded for an error."""

NO_CONNECTION = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ClientHttpProxyError,
)
"""The exceptions of aiohttp after which the platform has certainly not received the request."""
ERRORS: dict[int, type[PlatformError]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    408: RateLimited,
    429: RateLimited,
}
"""The error of a status, where it is not the error of the whole class of statuses."""


def from_response(method: str, path: str, response: Response, *secrets: str) -> PlatformError:
    """Return the error for a response whose status is not 2xx.

    Args:
        method: the request's HTTP method.
        path: the request's path, without host and query.
        response: what the platform responded.
        *secrets: texts that are masked in the error if the platform repeats them.
    """
    kind = _error_class(response.status)
    if kind is Forbidden and VERTEX_PATH in path:
        kind = DialogGone
    body = mask_secrets(response.body.decode(errors="replace"), secrets)
    return kind(
        method,
        path,
        status=response.status,
        body=body,
        retry_after=parse_retry_after(response.retry_after),
    )


def from_wire_exception(path: str, error: Exception) -> PlatformError:
    """Return the error for an exception of aiohttp during a POST.

    The exception must not become the error's cause: it holds the request, and so the token.

    Args:
        path: the request's path, without host and query.
        error: what aiohttp raised.
    """
    if isinstance(error, NO_CONNECTION):
        return PlatformUnreachable("POST", path, reason=f"no connection: {describe_failure(error)}")
    if isinstance(error, TimeoutError):
        return SendOutcomeUnknown("POST", path, reason="no response in time")
    return SendOutcomeUnknown("POST", path, reason="the connection was lost")


def from_http_error(method: str, path: str, error: HttpError) -> PlatformError:
    """Return the error for an exception of httpx before a response arrived.

    Args:
        method: the request's HTTP method.
        path: the request's path, without host and query.
        error: what httpx raised while it sent the request.
    """
    if isinstance(error, NOT_SENT_ERRORS):
        return PlatformUnreachable(method, path, reason=f"no connection: {_describe(error)}")
    return SendOutcomeUnknown(method, path, reason=f"no response: {_describe(error)}")


def from_incomplete_response(method: str, path: str, error: HttpError) -> SendOutcomeUnknown:
    """Return the error for an exception of httpx while a response's body was read.

    Args:
        method: the request's HTTP method.
        path: the request's path, without host and query.
        error: what httpx raised. Whatever its class, the request was sent.
    """
    return SendOutcomeUnknown(
        method, path, reason=f"the response is incomplete: {_describe(error)}"
    )


def from_invalid_body(
    method: str, path: str, response: Response, error: Exception
) -> UnexpectedResponse:
    """Return the error for a successful response whose body is not what the platform documents.

    Args:
        method: the request's HTTP method.
        path: the request's path, without host and query.
        response: what the platform responded.
        error: what the parser raised.
    """
    reason = str(error)
    if isinstance(error, ValidationError):
        first = error.errors(include_input=False, include_url=False)[0]
        field = ".".join(map(str, first["loc"]))
        reason = f"{field}: {first['msg']}" if field else first["msg"]
    return UnexpectedResponse(
        method,
        path,
        status=response.status,
        body=response.body[:MAX_ERROR_BODY_BYTES].decode(errors="replace"),
        reason=f"unexpected body in the response with status {response.status}: {reason}",
    )


def _error_class(status: int) -> type[PlatformError]:
    if status in ERRORS:
        return ERRORS[status]
    if 400 <= status < 500:
        return BadRequest
    if 500 <= status < 600:
        return ServerError
    return UnexpectedResponse


def _describe(error: Exception) -> str:
    return str(error) or type(error).__name__
