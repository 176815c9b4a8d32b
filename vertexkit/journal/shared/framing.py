"""What goes over the socket between the owner of a journal and its workers: frames of JSON."""

import asyncio
from collections.abc import Callable
from typing import Any

from pydantic_core import from_json, to_json

LENGTH = 4
"""Bytes before each frame: its length, the most significant first."""
CLOGGED = 65_536
"""Bytes that wait for the other end, beyond which it gets no news."""


class Frames(asyncio.Protocol):
    """One end of a connection; all that is said in one turn of the loop goes in one frame.

    Args:
        heard: called with each frame that comes, as the list of what was said.
        ended: called once, when nothing more can come or go.
        last: called before a frame goes, to say more in it.
    """

    def __init__(
        self,
        heard: Callable[[list[Any]], None],
        ended: Callable[[], None],
        last: Callable[[], None] = lambda: None,
    ) -> None:
        self._heard = heard
        self._ended = ended
        self._last = last
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._parts: list[bytes] = []
        self._came = bytearray()

    @property
    def open(self) -> bool:
        """May more be said?"""
        return self._transport is not None and not self._transport.is_closing()

    @property
    def clogged(self) -> bool:
        """Does the other end not listen, as one that is stopped?"""
        return self._transport is not None and self._transport.get_write_buffer_size() > CLOGGED

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def say(self, what: Any) -> None:
        """Put one thing into this turn's frame.

        Raises:
            ValueError: it is nothing that JSON can hold; nothing is said.
        """
        part = to_json(what, inf_nan_mode="constants", fallback=str)
        if not self._parts:
            self._loop.call_soon(self.flush)
        self._parts.append(part)

    def flush(self) -> None:
        """Send what was said by now."""
        if self._parts and self._transport is not None:
            self._last()
            frame = b"[%b]" % b",".join(self._parts)
            self._parts.clear()
            self._transport.write(len(frame).to_bytes(LENGTH, "big") + frame)

    def data_received(self, data: bytes) -> None:
        came = self._came
        came += data
        at = 0
        while len(came) - at >= LENGTH:
            start = at + LENGTH
            end = start + int.from_bytes(came[at:start], "big")
            if len(came) < end:
                break
            at = end
            self._heard(from_json(bytes(came[start:end])))
        if at:
            del came[:at]

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 - why is no matter
        self._transport = None
        self._ended()

    def close(self) -> None:
        """Say what was said by now, and nothing more."""
        self.flush()
        if self._transport is not None:
            self._transport.close()
