"""Why a connection could not be made, in words that name the cause: one home for all clients."""

import os
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
            reason = _certificate_reason(error.certificate_error)
            return f"the TLS certificate of {error.host}:{error.port} is not valid: {reason}"
        case aiohttp.ClientConnectorSSLError():
            return f"the TLS handshake with {_address(error)} failed: {_tls_reason(error.os_error)}"
        case aiohttp.ClientConnectorDNSError():
            return f"the host name {error.host} cannot be resolved: {_os_reason(error.os_error)}"
        case aiohttp.ClientConnectorError():
            return f"{_address(error)} cannot be reached: {_os_reason(error.os_error)}"
        case aiohttp.ConnectionTimeoutError():
            return "connecting took too long"
        case _:
            return str(error) or type(error).__name__


def _address(error: aiohttp.ClientConnectorError) -> str:
    return f"{error.host}:{error.port}"


def _os_reason(error: OSError) -> str:
    """Return the system's own words: asyncio replaces them if an address does not answer."""
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return error.strerror or str(error)


def _tls_reason(error: OSError) -> str:
    reason = getattr(error, "reason", None) or str(error)
    if reason == WRONG_VERSION:
        return "the server does not use TLS on this port"
    return str(reason).replace("_", " ").lower() if isinstance(error, ssl.SSLError) else str(reason)


def _certificate_reason(error: Exception) -> str:
    return getattr(error, "verify_message", "") or str(error)
