"""The attacks; `attack.py` runs each of them in a process of its own.

    python benchmarks/attacks.py NAME PORT SECRET SECONDS

runs one attack and prints what it did as JSON. An attack can only target this machine.
"""

import asyncio
import json
import resource
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

import uvloop

MEGABYTE = b"x" * 1_000_000
HOST = "127.0.0.1"


@dataclass
class AttackCounts:
    """What an attack did, and the responses it got."""

    connections: int = 0
    requests: int = 0
    sent: int = 0
    """Bytes that the service, or the operating system for it, has accepted."""
    answers: Counter[str] = field(default_factory=Counter)
    """Responses by status; `closed` for a connection that was closed without a response."""


class Attacker:
    """What the attacks share: connections, and the counts."""

    def __init__(self, port: int, secret: str) -> None:
        self.done = AttackCounts()
        self.secret = secret
        self._port = port

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        self.done.connections += 1
        return await asyncio.open_connection(HOST, self._port)

    async def send(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        writer.write(data)
        await writer.drain()
        self.done.sent += len(data)

    async def answer(self, reader: asyncio.StreamReader) -> str:
        """Read a whole response; return its status, empty if the connection is closed."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            self.done.answers["closed"] += 1
            return ""
        status = head[9:12].decode()
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        await reader.readexactly(int(length or 0))
        self.done.answers[status] += 1
        return status

    def head(self, *fields: str, path: str = "/blocks/hello", key: str = "") -> bytes:
        lines = [f"POST {path}?key={key or self.secret} HTTP/1.1", "Host: a", *fields, "", ""]
        return "\r\n".join(lines).encode()


Attack = Callable[[Attacker], Awaitable[None]]
JSON = "Content-Type: application/json"


async def silent(a: Attacker) -> None:
    """Connect and send nothing."""
    reader, writer = await a.connect()
    await reader.read()
    a.done.answers["closed"] += 1
    writer.close()


async def slow_heads(a: Attacker) -> None:
    """Send a header slowly, byte by byte."""
    reader, writer = await a.connect()
    answer = asyncio.create_task(a.answer(reader))
    await a.send(writer, b"POST /blocks/hello HTTP/1.1\r\nX-Slow: ")
    while not answer.done():
        await a.send(writer, b"x")
        await asyncio.wait([answer], timeout=0.5)
    writer.close()


async def slow_bodies(a: Attacker) -> None:
    """Send a body slowly, byte by byte, with the URL secret."""
    reader, writer = await a.connect()
    answer = asyncio.create_task(a.answer(reader))
    await a.send(writer, a.head(JSON, "Content-Length: 200000"))
    a.done.requests += 1
    while not answer.done():
        await a.send(writer, b" ")
        await asyncio.wait([answer], timeout=0.5)
    writer.close()


async def pour(a: Attacker, head: bytes, piece: bytes, pieces: int) -> None:
    reader, writer = await a.connect()
    answer = asyncio.create_task(a.answer(reader))
    try:
        await a.send(writer, head)
        a.done.requests += 1
        for _ in range(pieces):
            await a.send(writer, piece)
    except ConnectionError:
        pass
    await answer
    writer.close()


async def large_bodies(a: Attacker) -> None:
    """Send 200 MB in one body, with the URL secret."""
    await pour(a, a.head(JSON, "Content-Length: 200000000"), MEGABYTE, 200)


async def endless_chunks(a: Attacker) -> None:
    """Send an endless chunked body, with the URL secret."""
    head = a.head(JSON, "Transfer-Encoding: chunked")
    await pour(a, head, b"f4240\r\n" + MEGABYTE + b"\r\n", 1000)


async def tiny_chunks(a: Attacker) -> None:
    """Send an endless body in chunks of one byte, with the URL secret."""
    head = a.head(JSON, "Transfer-Encoding: chunked")
    await pour(a, head, b"1\r\n \r\n" * 10_000, 1000)


async def large_heads(a: Attacker) -> None:
    """Send 100 MB in one header."""
    await pour(a, b"POST /blocks/hello HTTP/1.1\r\nX: ", MEGABYTE, 100)


async def flood(a: Attacker, request: bytes, at_once: int = 1) -> None:
    """Repeat the same requests on one connection."""
    reader, writer = await a.connect()
    with suppress(ConnectionError):
        while True:
            await a.send(writer, request * at_once)
            a.done.requests += at_once
            for _ in range(at_once):
                if not await a.answer(reader):
                    return
    writer.close()


def with_body(a: Attacker, body: bytes, kind: str = JSON) -> bytes:
    return a.head(kind, f"Content-Length: {len(body)}") + body


async def wrong_secrets(a: Attacker) -> None:
    """Guess the URL secret."""
    body = b'{"token": "t"}'
    head = a.head(JSON, f"Content-Length: {len(body)}", key="guess-guess-guess-guess-guess")
    await flood(a, head + body)


async def pipelined(a: Attacker) -> None:
    """Pipeline 200 requests to unknown addresses."""
    await flood(a, a.head("Content-Length: 0", path="/nothing"), 200)


async def deep_json(a: Attacker) -> None:
    """Send 250 kB of brackets, with the URL secret."""
    await flood(a, with_body(a, b'{"token":"t","x":' + b"[" * 250_000))


async def wide_json(a: Attacker) -> None:
    """Send 80,000 empty lists in 250 kB, with the URL secret."""
    await flood(a, with_body(a, b'{"token":"t","x":[' + b"[]," * 80_000 + b"[]]}"))


async def wide_forms(a: Attacker) -> None:
    """Send 100,000 form fields, with the URL secret."""
    kind = "Content-Type: application/x-www-form-urlencoded"
    await flood(a, with_body(a, b"token=t" + b"&a" * 100_000, kind))


async def come_and_go(a: Attacker) -> None:
    """Connect and disconnect at once."""
    _, writer = await a.connect()
    writer.close()


async def garbage(a: Attacker) -> None:
    """Send bytes of another protocol."""
    reader, writer = await a.connect()
    await a.send(writer, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 10)
    await a.answer(reader)
    writer.close()


async def unread(a: Attacker) -> None:
    """Request the catalogue 1,000 times and read nothing."""
    reader, writer = await a.connect()
    page = f"GET /openapi.json?key={a.secret} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
    writer.transport.pause_reading()  # pyrefly: ignore[missing-attribute]
    with suppress(ConnectionError, TimeoutError):
        async with asyncio.timeout(30):
            await a.send(writer, page * 1000)
            a.done.requests += 1000
            await reader.read()
    writer.transport.abort()


ATTACKS: dict[str, tuple[Attack, int]] = {
    "silent": (silent, 5000),
    "come_and_go": (come_and_go, 50),
    "slow_heads": (slow_heads, 1000),
    "slow_bodies": (slow_bodies, 1000),
    "large_heads": (large_heads, 8),
    "large_bodies": (large_bodies, 8),
    "endless_chunks": (endless_chunks, 8),
    "tiny_chunks": (tiny_chunks, 8),
    "deep_json": (deep_json, 16),
    "wide_json": (wide_json, 16),
    "wide_forms": (wide_forms, 16),
    "wrong_secrets": (wrong_secrets, 64),
    "pipelined": (pipelined, 16),
    "garbage": (garbage, 16),
    "unread": (unread, 100),
}
"""Each attack, and how many run at once; one that has ended starts again."""


async def run(name: str, port: int, secret: str, seconds: float) -> AttackCounts:
    """Run an attack for a number of seconds."""
    attack, at_once = ATTACKS[name]
    attacker = Attacker(port, secret)

    async def repeat() -> None:
        while True:
            try:
                await attack(attacker)
            except (OSError, asyncio.IncompleteReadError):
                attacker.done.answers["closed"] += 1
                await asyncio.sleep(0.01)

    with suppress(TimeoutError):
        async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(repeat())
    return attacker.done


def main() -> None:
    """Run the attack that the command line names."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, hard), hard))
    _, name, port, secret, seconds = sys.argv
    done = uvloop.run(run(name, int(port), secret, float(seconds)))
    print(json.dumps({**vars(done), "answers": dict(done.answers)}))


if __name__ == "__main__":
    main()
