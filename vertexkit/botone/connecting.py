"""Why a connection could not be made, in words that name the cause: one home for all clients."""

import os
import socket
import ssl

import aiohttp

WRONG_VERSION = "WRONG_VERSION_NUMBER"
"""OpenSSL's reason if the other end answers the handshake with something else than TLS."""


def describe_failure(error: BaseException) -> str:
    """Return a sentence, without its end, about a request for which no connection was made.

    Args:
        error: what aiohttp raised.

    Returns:
        The cause: name resolution, refusal, network, time, TLS, certificate or proxy. An error of
        another kind is described by its text, or by its class if it has none.
    """
    match error:
        case aiohttp.ClientHttpProxyError():
            return f"the proxy rejected the connection with status {error.status}"
        case aiohttp.ClientProxyConnectionError():
            return f"the proxy {_address(error)} cannot be reached: {_os_reason(error.os_error)}"
        case aiohttp.ClientConnectorCertificateError():
            return describe_connection_error(error.host, error.port, error.certificate_error)
        case aiohttp.ClientConnectorError():
            return describe_connection_error(error.host, error.port, error.os_error)
        case aiohttp.ConnectionTimeoutError():
            return "connecting took too long"
        case _:
            return str(error) or type(error).__name__


def describe_connection_error(host: str, port: int | None, error: BaseException) -> str:
    """Return a sentence, without its end, about a connection to a server that was not made.

    Args:
        host: of the server.
        port: of the server.
        error: what the system or the TLS library raised.
    """
    match error:
        case ssl.CertificateError():
            reason = getattr(error, "verify_message", "") or str(error)
            return f"the TLS certificate of {host}:{port} is not valid: {reason}"
        case ssl.SSLError():
            return f"the TLS handshake with {host}:{port} failed: {_tls_reason(error)}"
        case socket.gaierror() | UnicodeError():
            reason = getattr(error, "strerror", "") or str(error)
            return f"the host name {host} cannot be resolved: {reason}"
        case OSError():
            return f"{host}:{port} cannot be reached: {_os_reason(error)}"
        case _:
            return f"{host}:{port} cannot be reached: {error}"


def _address(error: aiohttp.ClientConnectorError) -> str:
    return f"{error.host}:{error.port}"


def _os_reason(error: OSError) -> str:
    """Return the system's own words: asyncio replaces them if an address does not answer."""
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return error.strerror or str(error)


def _tls_reason(error: ssl.SSLError) -> str:
    reason = error.reason or str(error)
    if reason == WRONG_VERSION:
        return "the server does not use TLS on this port"
    return reason.replace("_", " ").lower()
