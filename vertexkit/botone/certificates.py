"""The authorities whose TLS certificates are accepted: one rule for all clients of vertexkit."""

import os
import ssl
from functools import cache
from pathlib import Path

import certifi

VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
"""Environment variables of OpenSSL that name other authorities than the system's."""


def tls_context() -> ssl.SSLContext:
    """Return a context that verifies certificates and host names.

    The authorities are those of the operating system or, if `SSL_CERT_FILE` or `SSL_CERT_DIR` is
    set, those. Where there are none (minimal images, Python from python.org on macOS), those of
    certifi, which are Mozilla's. The clients of a process share one context, because reading the
    authorities takes some ten milliseconds.
    """
    return context_for(*map(os.environ.get, VARIABLES))


@cache
def context_for(*named: str | None) -> ssl.SSLContext:
    """Return the context for values of `VARIABLES`; the authorities are read the first time."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    context.options |= ssl.OP_NO_RENEGOTIATION
    if not any(named) and not _system_has_authorities(context):
        context.load_verify_locations(certifi.where())
    return context


def _system_has_authorities(context: ssl.SSLContext) -> bool:
    if context.get_ca_certs():
        return True
    folder: str | None = ssl.get_default_verify_paths().capath
    return folder is not None and any(
        Path(folder).iterdir()
    )  # these files are read when they are needed
