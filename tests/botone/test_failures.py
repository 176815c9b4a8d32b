"""Responses and client exceptions become errors of vertexkit."""

import errno
import socket
import ssl
from collections.abc import Iterator
from typing import Any

import aiohttp
import httpx
import pytest
from aiohttp.client_exceptions import UnixClientConnectorError
from aiohttp.client_reqrep import ConnectionKey
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from vertexkit import errors
from vertexkit.botone.failures import (
    from_http_error,
    from_incomplete_response,
    from_response,
    from_wire_exception,
)
from vertexkit.botone.response import Response
from vertexkit.botone.retries import MAX_BACKOFF_SECONDS
from vertexkit.errors import ERROR_BODY_CHARACTERS, Fate, PlatformError

V1, VERTEX = "/v1/conversations", "/vertex/v1/complete"
NAMED = {
    401: errors.Unauthorized,
    403: errors.Forbidden,
    404: errors.NotFound,
    408: errors.RateLimited,
    429: errors.RateLimited,
}
FATES = {
    errors.BadRequest: Fate.REJECTED,
    errors.Unauthorized: Fate.REJECTED,
    errors.Forbidden: Fate.FORBIDDEN,
    errors.NotFound: Fate.REJECTED,
    errors.RateLimited: Fate.RETRYABLE,
    errors.ServerError: Fate.UNKNOWN,
}
TOKEN = 'a/b"c\\d.very-secret-token'


def error_of(status: int, body: bytes = b"", retry_after: str | None = None) -> PlatformError:
    return from_response("POST", VERTEX, Response(status, body, retry_after), TOKEN)


@pytest.mark.unmeasured
@pytest.mark.parametrize("status", range(400, 600))
def test_every_error_status_has_its_error(status: int) -> None:
    """Each status from 400 to 599 has one error class, with its fate and its fields."""
    error = from_response("GET", V1, Response(status, b"text"))
    kind = NAMED.get(status, errors.BadRequest if status < 500 else errors.ServerError)
    assert type(error) is kind
    assert error.fate is FATES[kind]
    assert (error.method, error.path, error.status, error.body) == ("GET", V1, status, "text")
    assert error.retry_after is None
    assert str(error) == f"GET {V1}: answered {status}"


@pytest.mark.parametrize("status", [300, 301, 302, 304, 307, 308, 399, 600, 999])
def test_other_statuses_are_unexpected(status: int) -> None:
    """A redirect and a status outside of the range are unexpected responses."""
    error = error_of(status)
    assert type(error) is errors.UnexpectedResponse
    assert error.fate is Fate.REJECTED


@pytest.mark.parametrize(
    "path, kind",
    [
        ("/vertex/v1/complete", errors.DialogGone),
        ("/vertex/v1/dialog/send_message", errors.DialogGone),
        ("/v2/conversation/1", errors.Forbidden),
    ],
)
def test_403_of_a_vertex_method_is_dialog_gone(path: str, kind: type[PlatformError]) -> None:
    """403 is DialogGone for the Vertex methods, and Forbidden for others."""
    error = from_response("POST", path, Response(403))
    assert type(error) is kind
    assert error.fate is Fate.FORBIDDEN


@pytest.mark.parametrize(
    "status, retry_after, fate",
    [
        (503, "1", Fate.RETRYABLE),
        (503, "0", Fate.RETRYABLE),
        (503, "Wed, 21 Oct 2015 07:28:00 GMT", Fate.RETRYABLE),
        (503, None, Fate.UNKNOWN),
        (503, "soon", Fate.UNKNOWN),
        (500, "1", Fate.UNKNOWN),
        (502, "1", Fate.UNKNOWN),
        (504, "1", Fate.UNKNOWN),
        (429, None, Fate.RETRYABLE),
        (408, None, Fate.RETRYABLE),
        (400, "1", Fate.REJECTED),
        (403, "1", Fate.FORBIDDEN),
    ],
)
def test_the_fate_of_a_status(status: int, retry_after: str | None, fate: Fate) -> None:
    """Of the 5xx only a 503 with a valid Retry-After was certainly not processed."""
    assert error_of(status, retry_after=retry_after).fate is fate


def test_the_error_has_retry_after() -> None:
    """The error has the limited seconds of Retry-After."""
    assert error_of(429, retry_after="3600").retry_after == MAX_BACKOFF_SECONDS
    assert error_of(503, retry_after="3").retry_after == 3.0


@pytest.mark.parametrize(
    "spelled",
    [TOKEN, r"a/b\"c\\d.very-secret-token", r"a\/b\"c\\d.very-secret-token"],
    ids=["plain", "json", "json with slashes escaped"],
)
@pytest.mark.parametrize(
    "before", [0, ERROR_BODY_CHARACTERS - 5, ERROR_BODY_CHARACTERS + 1, 8192 - 9]
)
def test_the_token_is_in_no_error(spelled: str, before: int) -> None:
    """A token that the platform repeats, in any form, is masked in the error."""
    echo = spelled.encode() * 400 + b"x" * before + spelled.encode() * 400
    error = error_of(400, echo)
    for shown in (error.body, str(error), repr(error), str(vars(error))):
        assert "very-secret" not in shown
    assert error.body.startswith("[secret]")


def test_the_error_has_the_beginning_of_the_body() -> None:
    """The error has the body's first characters, also if it is not valid UTF-8."""
    error = error_of(500, b"\xff" + "Ошибка".encode() + b"x" * 10_000)
    assert len(error.body) == ERROR_BODY_CHARACTERS
    assert error.body.startswith("\ufffdОшибка")


def subclasses(kind: type[Any]) -> Iterator[type[Any]]:
    """Return the class and all of its subclasses in the same package."""
    yield kind
    for subclass in kind.__subclasses__():
        if subclass.__module__.partition(".")[0] == kind.__module__.partition(".")[0]:
            yield from subclasses(subclass)


HTTPX_NOT_SENT = {
    "ConnectError",
    "ConnectTimeout",
    "PoolTimeout",
    "ProxyError",
    "UnsupportedProtocol",
}
AIOHTTP_NOT_SENT = {"ConnectionTimeoutError", "ClientHttpProxyError"} | {
    kind.__name__ for kind in subclasses(aiohttp.ClientConnectorError)
}


@pytest.mark.parametrize(
    "kind", list(dict.fromkeys(subclasses(httpx.HTTPError))), ids=lambda kind: kind.__name__
)
def test_every_httpx_exception_has_its_error(kind: type[httpx.HTTPError]) -> None:
    """Before a response, an exception says that nothing was sent or that the fate is unknown."""
    error = kind.__new__(kind)
    Exception.__init__(error, "detail")
    expected = (
        errors.PlatformUnreachable if kind.__name__ in HTTPX_NOT_SENT else errors.SendOutcomeUnknown
    )
    assert type(from_http_error("GET", V1, error)) is expected
    assert type(from_incomplete_response("GET", V1, error)) is errors.SendOutcomeUnknown
    assert str(from_http_error("GET", V1, error)).endswith(": detail")


def raised(kind: type[Exception], cause: OSError | None = None) -> Exception:
    """An exception as aiohttp raises it."""
    key = ConnectionKey("platform", 443, True, True, None, None, None)
    cause = cause or OSError(errno.ECONNREFUSED, "Connect call failed ('10.1.1.1', 443)")
    if kind is UnixClientConnectorError:
        return UnixClientConnectorError("/socket", key, cause)
    if issubclass(kind, aiohttp.ClientConnectorError):
        return kind(key, cause)
    if kind is aiohttp.ClientHttpProxyError:
        info = aiohttp.RequestInfo(URL("http://platform"), "POST", CIMultiDictProxy(CIMultiDict()))
        return aiohttp.ClientHttpProxyError(info, (), status=407, message="hush")
    return kind.__new__(kind)


@pytest.mark.parametrize(
    "kind",
    list(dict.fromkeys([*subclasses(aiohttp.ClientError), TimeoutError, OSError, ValueError])),
    ids=lambda kind: kind.__name__,
)
def test_every_aiohttp_exception_has_its_error(kind: type[Exception]) -> None:
    """An exception of the wire says that nothing was sent or that the fate is unknown."""
    error = from_wire_exception(VERTEX, raised(kind))
    expected = (
        errors.PlatformUnreachable
        if kind.__name__ in AIOHTTP_NOT_SENT
        else errors.SendOutcomeUnknown
    )
    assert type(error) is expected
    assert (error.method, error.path) == ("POST", VERTEX)


CERTIFICATE = ssl.SSLCertVerificationError(1, "certificate verify failed")
CERTIFICATE.verify_message = "certificate has expired"
HANDSHAKE = ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)")
HANDSHAKE.reason = "WRONG_VERSION_NUMBER"
ALERT = ssl.SSLError(1, "[SSL: TLSV1_ALERT_PROTOCOL_VERSION] alert")
ALERT.reason = "TLSV1_ALERT_PROTOCOL_VERSION"
CAUSES = [
    (
        aiohttp.ClientConnectorError,
        OSError(errno.ECONNREFUSED, "Connect call failed"),
        "platform:443 cannot be reached: Connection refused",
    ),
    (
        aiohttp.ClientConnectorError,
        OSError(errno.ENETUNREACH, "Connect call failed"),
        "platform:443 cannot be reached: Network is unreachable",
    ),
    (
        aiohttp.ClientConnectorError,
        OSError("Multiple exceptions: [Errno 111], [Errno 101]"),
        "platform:443 cannot be reached: Multiple exceptions",
    ),
    (
        aiohttp.ClientConnectorDNSError,
        socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
        "the host name platform cannot be resolved: Name or service not known",
    ),
    (
        aiohttp.ClientProxyConnectionError,
        OSError(errno.ECONNREFUSED, "Connect call failed"),
        "the proxy platform:443 cannot be reached: Connection refused",
    ),
    (
        aiohttp.ClientConnectorCertificateError,
        CERTIFICATE,
        "the TLS certificate of platform:443 is not valid: certificate has expired",
    ),
    (
        aiohttp.ClientConnectorSSLError,
        HANDSHAKE,
        "the TLS handshake with platform:443 failed: the server does not use TLS on this port",
    ),
    (
        aiohttp.ClientConnectorSSLError,
        ALERT,
        "the TLS handshake with platform:443 failed: tlsv1 alert protocol version",
    ),
    (aiohttp.ClientHttpProxyError, None, "the proxy rejected the connection with status 407"),
    (aiohttp.ConnectionTimeoutError, None, "connecting took too long"),
]


@pytest.mark.parametrize("kind, cause, text", CAUSES, ids=[case[2] for case in CAUSES])
def test_an_error_names_what_kept_a_connection_from_being_made(
    kind: type[Exception], cause: OSError | None, text: str
) -> None:
    """Refusal, network, DNS, TLS, certificate and proxy are told apart; nothing was sent."""
    error = from_wire_exception(VERTEX, raised(kind, cause))
    assert error.fate is Fate.NOT_SENT
    assert f"no connection: {text}" in str(error)
    assert "ssl:" not in str(error)
    assert "hush" not in str(error)
