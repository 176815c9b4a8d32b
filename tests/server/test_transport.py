"""What a connection writes in one turn of the event loop is sent together."""

import asyncio
from collections.abc import Callable

import pytest

from tests.server.site import Open, get, post
from vertexkit.server.connection import Connection
from vertexkit.server.transport import MAX_BATCHED_BYTES, BatchedTransport, WriteBatch


class RecordingTransport(asyncio.Transport):
    """Records what it is asked to do, in a list that several can share."""

    def __init__(self, done: list[bytes | str]) -> None:
        super().__init__()
        self._done = done
        self._is_closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._done.append(bytes(data))

    def write_eof(self) -> None:
        self._done.append("eof")

    def close(self) -> None:
        self._done.append("close")
        self._is_closing = True

    def abort(self) -> None:
        self._done.append("abort")
        self._is_closing = True

    def is_closing(self) -> bool:
        return self._is_closing


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What the connections of a served site have handed to the system, each in one piece."""
    pieces: list[bytes] = []
    flush = BatchedTransport.flush

    def record(self: BatchedTransport) -> None:
        if self._unwritten:
            pieces.append(bytes(self._unwritten))
        flush(self)

    monkeypatch.setattr(BatchedTransport, "flush", record)
    return pieces


async def test_a_response_is_written_in_one_piece(site: Open, written: list[bytes]) -> None:
    """The head and the body of a response are one write."""
    async with site() as here:
        response = await here.ask(post(2) + b"ab")
    assert response.status == 200
    (piece,) = written
    assert piece.startswith(b"HTTP/1.1 200")
    assert piece.endswith(b"\r\n\r\n2")


async def test_responses_of_a_turn_are_written_together() -> None:
    """Nothing is written before the end of the turn; then each transport writes once, in order."""
    done: list[bytes | str] = []
    batch = WriteBatch()
    first, second = (BatchedTransport(RecordingTransport(done), batch) for _ in range(2))
    for transport, piece in ((first, b"1 "), (second, b"2 "), (first, b"one"), (second, b"two")):
        transport.write(piece)
    assert done == []
    await asyncio.sleep(0)
    assert done == [b"1 one", b"2 two"]
    first.write(b"more")
    await asyncio.sleep(0)
    assert done == [b"1 one", b"2 two", b"more"]


async def test_much_is_written_at_once() -> None:
    """A large piece does not wait, so that the transport can pause the app, and keeps its place."""
    done: list[bytes | str] = []
    transport = BatchedTransport(RecordingTransport(done), WriteBatch())
    large = b"x" * MAX_BATCHED_BYTES
    transport.write(b"head")
    transport.write(large)
    transport.write(b"tail")
    assert done == [b"head" + large]
    await asyncio.sleep(0)
    assert done == [b"head" + large, b"tail"]


@pytest.mark.parametrize(
    "end, name",
    [
        (BatchedTransport.close, "close"),
        (BatchedTransport.abort, "abort"),
        (BatchedTransport.write_eof, "eof"),
    ],
)
async def test_what_was_written_comes_before_the_end(
    end: Callable[[BatchedTransport], None], name: str
) -> None:
    """Bytes of this turn are written before the connection ends."""
    done: list[bytes | str] = []
    transport = BatchedTransport(RecordingTransport(done), WriteBatch())
    transport.write(b"last")
    end(transport)
    assert done == [b"last", name]
    await asyncio.sleep(0)
    assert done == [b"last", name]


async def test_nothing_is_written_to_a_lost_connection() -> None:
    """A connection that has ended meanwhile is not written to."""
    done: list[bytes | str] = []
    lost = RecordingTransport(done)
    transport = BatchedTransport(lost, WriteBatch())
    transport.write(b"late")
    lost.close()
    assert transport.is_closing()
    await asyncio.sleep(0)
    assert done == ["close"]


async def test_a_response_precedes_the_close_after_the_client_has_sent_its_end(
    site: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that ends its side in the turn in which it is answered gets the response."""
    complete = Connection.on_response_complete

    def end(self: Connection) -> None:
        complete(self)
        self.eof_received()  # as the event loop does when it reads the end, and then it closes
        self._transport._transport.close()

    monkeypatch.setattr(Connection, "on_response_complete", end)
    async with site() as here:
        assert (await here.ask(get())).body == b"0"


async def test_a_text_is_an_error_of_the_app() -> None:
    """What is not bytes is refused where it is written, not at the end of the turn."""
    transport = BatchedTransport(RecordingTransport([]), WriteBatch())
    with pytest.raises(TypeError):
        transport.write("text")  # pyrefly: ignore[bad-argument-type]
