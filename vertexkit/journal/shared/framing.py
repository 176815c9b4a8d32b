"""Frames of JSON on the socket between a journal's server and its clients."""

import asyncio
from typing import Any, Protocol

from pydantic_core import from_json, to_json

LENGTH_BYTES = 4
"""Size of the length before each frame, most significant byte first."""
MAX_UNSENT_BYTES = 65_536
"""Bytes that wait to be sent, above which a connection counts as backed up."""


class FrameHandler(Protocol):
    """What uses a connection."""

    def frame_received(self, frame: list[Any]) -> None:
        """Handle the messages of one frame, in order."""

    def before_flush(self) -> None:
        """Send further messages that belong into the frame that is about to be sent."""

    def disconnected(self) -> None:
        """Handle the end of the connection. Called once."""


class FrameConnection(asyncio.Protocol):
    """One end of a connection. Messages of one turn of the event loop share a frame.

    Args:
        handler: receives the other end's frames.
    """

    def __init__(self, handler: FrameHandler) -> None:
        self._handler = handler
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._unsent: list[bytes] = []
        self._received = bytearray()

    @property
    def is_open(self) -> bool:
        """Messages can be sent."""
        return self._transport is not None and not self._transport.is_closing()

    @property
    def is_backed_up(self) -> bool:
        """The other end does not read, for example because its process is stopped."""
        transport = self._transport
        return transport is not None and transport.get_write_buffer_size() > MAX_UNSENT_BYTES

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def send(self, message: Any) -> None:
        """Add a message to the frame of this turn of the event loop.

        Raises:
            ValueError: the message cannot be encoded as JSON; nothing is sent.
        """
        encoded = to_json(message, inf_nan_mode="constants", fallback=str)
        if not self._unsent:
            self._loop.call_soon(self.flush)
        self._unsent.append(encoded)

    def flush(self) -> None:
        """Send the frame with the messages so far."""
        if self._unsent and self._transport is not None:
            self._handler.before_flush()
            frame = b"[%b]" % b",".join(self._unsent)
            self._unsent.clear()
            self._transport.write(len(frame).to_bytes(LENGTH_BYTES, "big") + frame)

    def data_received(self, data: bytes) -> None:
        received = self._received
        received += data
        consumed = 0
        while len(received) - consumed >= LENGTH_BYTES:
            start = consumed + LENGTH_BYTES
            end = start + int.from_bytes(received[consumed:start], "big")
            if len(received) < end:
                break
            consumed = end
            self._handler.frame_received(from_json(bytes(received[start:end])))
        if consumed:
            del received[:consumed]

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 - the cause does not matter
        self._transport = None
        self._handler.disconnected()

    def close(self) -> None:
        """Send the messages so far, then close the connection."""
        self.flush()
        if self._transport is not None:
            self._transport.close()
