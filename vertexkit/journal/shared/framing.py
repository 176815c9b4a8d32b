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

    def not_encodable(self, message: list[Any], error: Exception) -> None:
        """Handle a message of the frame that was not sent, because JSON cannot hold it."""

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
        self._unsent: list[Any] = []
        """Messages of the next frame. They are encoded together, which costs a quarter."""
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
        self._transport = transport  # pyrefly: ignore[bad-assignment]

    def send(self, message: list[Any] | int) -> None:
        """Add a message to the frame of this turn of the event loop.

        Args:
            message: a number, or a list that the caller does not change any more.
        """
        if not self._unsent:
            self._loop.call_soon(self.flush)
        self._unsent.append(message)

    def flush(self) -> None:
        """Send the frame with the messages so far."""
        if self._unsent and self._transport is not None:
            self._handler.before_flush()
            messages, self._unsent = self._unsent, []
            try:
                frame = _encode(messages)
            except Exception:  # noqa: BLE001 - also an error of an author's type, which `str` raises
                frame = self._encode_each(messages)
            self._transport.write(len(frame).to_bytes(LENGTH_BYTES, "big") + frame)

    def _encode_each(self, messages: list[Any]) -> bytes:
        """Encode a frame without those of its messages that JSON cannot hold."""
        encoded = []
        for message in messages:
            try:
                encoded.append(_encode(message))
            except Exception as error:  # noqa: BLE001 - see flush
                self._handler.not_encodable(message, error)
        return b"[%b]" % b",".join(encoded)

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


def _encode(value: object) -> bytes:
    return to_json(value, inf_nan_mode="constants", fallback=str)
