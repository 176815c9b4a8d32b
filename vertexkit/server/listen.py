"""Listening sockets, and servers for the local machine."""

import socket
import sys

import uvicorn
from starlette.types import ASGIApp

from vertexkit.errors import SettingsError

BACKLOG = 2048
"""Connections that wait in the system's queue until the app has started."""


def bind(host: str, port: int) -> socket.socket:
    """Open a listening socket.

    Args:
        host: address of this machine.
        port: 0: any free port.

    Returns:
        The socket; child processes inherit it.

    Raises:
        SettingsError: the address is in use, does not belong to this machine or is not permitted.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio disables Nagle's algorithm only for sockets whose protocol is given as TCP; with the
    # algorithm a response in two parts takes 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if sys.platform != "win32":  # there it would let two services share the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        # Listening from now on makes a second service on this port fail at once, and lets calls
        # wait in the system's queue until the app has started.
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise SettingsError(
            f"cannot listen on {host}:{port}: {error.strerror or error}. "
            "Choose another port with --port (0 for any free port)"
        ) from error
    listener.set_inheritable(True)
    return listener


def local_config(app: ASGIApp, shutdown_timeout: int) -> uvicorn.Config:
    """Configure uvicorn for an app that only this machine's user can reach.

    Args:
        app: receives no lifespan events.
        shutdown_timeout: seconds for responses in progress when the server stops.

    Returns:
        The configuration.
    """
    return uvicorn.Config(
        app,
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=shutdown_timeout,
    )


def base_url(listener: socket.socket, host: str) -> str:
    """The URL at which a person can reach a listening socket.

    Args:
        listener: from `bind`.
        host: that was given to `bind`.

    Returns:
        `http://host:port`; an address that means all interfaces is replaced by the loopback one.
    """
    port = listener.getsockname()[1]
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104 - shown, not listened on
    return f"http://{shown}:{port}"
