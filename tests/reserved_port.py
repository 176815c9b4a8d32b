"""Ports of tests whose server needs to know its port before it starts."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def reserved_port() -> Iterator[int]:
    """A port of the loopback address that Linux gives to no other process inside this context.

    The port is bound, but nothing listens on it. A server that names it and sets SO_REUSEADDR, as
    those of asyncio and of vertexkit do, may still listen there.
    """
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]
