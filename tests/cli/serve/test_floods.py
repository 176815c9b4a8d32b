"""A real process under floods: it stays small, and valid calls are answered."""

import asyncio
import json
import os
import re
import signal
import zlib
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from tests.http_connection import HttpConnection, HttpResponse
from tests.reserved_port import reserved_port
from tests.waiting import until_outside

pytestmark = [
    pytest.mark.unmeasured,
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="there is no /proc"),
]

MEGABYTE = 1_000_000
MAX_GROWTH_BYTES = 24 * MEGABYTE
"""Far less than what is sent: above the noise of an allocator, below any buffering of it."""
SECRET = "the-secret-of-the-url"
CONNECTIONS = 4
"""Attackers at the same time."""


class Target:
    """A service in a process of its own."""

    def __init__(self, process: Any, port: int) -> None:
        self.process = process
        self.port = port

    def memory(self) -> int:
        """Bytes of its memory that are in use."""
        status = Path(f"/proc/{self.process.forked.pid}/status").read_text(encoding="ascii")
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) * 1024

    async def connect(self) -> HttpConnection:
        return HttpConnection(*await asyncio.open_connection("127.0.0.1", self.port))

    async def ask(self, request: bytes) -> HttpResponse:
        line = await self.connect()
        try:
            await line.send(request)
            return await line.answer()
        finally:
            await line.hang_up()

    async def call(self, number: int, key: str = SECRET) -> HttpResponse:
        """A valid call, unless the key is another one."""
        body = json.dumps({"token": f"token-{number}", "name": "x"}).encode()
        head = f"POST /blocks/hello?key={key} HTTP/1.1\r\nHost: a\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        return await self.ask(head.encode() + body)


Attack = Callable[[HttpConnection], Awaitable[None]]


QUIET = """
from vertexkit import App, Context

app = App()


@app.block("hello")
async def hello(ctx: Context, name: str) -> None: ...
"""


def is_ready(process: Any, port: int) -> bool:
    assert process.forked.returncode is None, "the service has ended"
    with suppress(OSError), urlopen(f"http://127.0.0.1:{port}/readyz", timeout=60):
        return True
    return False


@pytest.fixture
def target(shell: Any) -> Iterator[Target]:
    """A service whose platform is not there. It logs nothing: no process reads its output."""
    (shell.folder / "quiet.py").write_text(QUIET, encoding="utf-8")
    with reserved_port() as port:
        process = shell.start(
            "run",
            "quiet:app",
            f"--port={port}",
            platform_url="http://127.0.0.1:9/api",
            url_secrets=SECRET,
            grace="0",
            cleanup="0",
            complete_patience="0",
            log_level="error",
        )
        until_outside(lambda: is_ready(process, port), "the service is ready")
        yield Target(process, port)


def head(*fields: str) -> bytes:
    first = f"POST /blocks/hello?key={SECRET} HTTP/1.1"
    lines = [first, "Host: a", "Content-Type: application/json", *fields, "", ""]
    return "\r\n".join(lines).encode()


async def a_large_body(line: HttpConnection) -> None:
    await line.send(head("Content-Length: 80000000"))
    for _ in range(80):
        await line.send(b"x" * MEGABYTE)


async def an_endless_body(line: HttpConnection) -> None:
    await line.send(head("Transfer-Encoding: chunked"))
    chunk = b"%x\r\n%b\r\n" % (MEGABYTE, b"x" * MEGABYTE)
    for _ in range(80):
        await line.send(chunk)


async def a_body_in_small_chunks(line: HttpConnection) -> None:
    await line.send(head("Transfer-Encoding: chunked"))
    for _ in range(60):
        await line.send(b"1\r\nx\r\n" * 40_000)


async def one_endless_header(line: HttpConnection) -> None:
    await line.send(b"GET / HTTP/1.1\r\nHost: a\r\nX: ")
    for _ in range(50):
        await line.send(b"x" * MEGABYTE)


async def endless_headers(line: HttpConnection) -> None:
    await line.send(b"GET / HTTP/1.1\r\nHost: a\r\n")
    for _ in range(50):
        await line.send(b"X: y\r\n" * (MEGABYTE // 6))


async def a_compressed_bomb(line: HttpConnection) -> None:
    bomb = zlib.compress(b"x" * (50 * MEGABYTE), 9)
    for _ in range(10):
        await line.send(head("Content-Encoding: deflate", f"Content-Length: {len(bomb)}") + bomb)
        await line.answer()


async def attack(target: Target, flood: Attack) -> None:
    line = await target.connect()
    try:
        await flood(line)
    except (ConnectionError, asyncio.IncompleteReadError):
        pass  # the service has closed the connection
    finally:
        await line.hang_up()


FLOODS = [
    a_large_body,
    an_endless_body,
    a_body_in_small_chunks,
    one_endless_header,
    endless_headers,
    a_compressed_bomb,
]


async def test_memory_stays_flat_under_floods(target: Target) -> None:
    """Much more is sent than it may grow by; the process grows by some megabytes, and answers valid calls meanwhile."""
    number = 0
    while number < 20:
        assert (await target.call(number)).status == 200
        number += 1
    before = target.memory()
    for flood in FLOODS:
        attacks = asyncio.gather(*(attack(target, flood) for _ in range(CONNECTIONS)))
        asked = 0
        while not attacks.done() or not asked:
            assert (await target.call(number)).status == 200
            asked, number = asked + 1, number + 1
            growth = target.memory() - before
            assert growth < MAX_GROWTH_BYTES, (flood.__name__, growth)
        await attacks


async def test_thousands_of_silent_connections_keep_no_call_waiting(target: Target) -> None:
    """Their memory is bounded, and a call among them is answered."""
    before = target.memory()
    async with AsyncExitStack() as stack:
        for number in range(2000):
            line = await target.connect()
            stack.push_async_callback(line.hang_up)
            if number % 2:
                await line.send(b"POST /blocks/hel")
        for number in range(20):
            assert (await target.call(number)).status == 200
        assert target.memory() - before < 2000 * 20_000


async def test_guesses_of_the_secret_open_nothing_and_keep_no_call_waiting(target: Target) -> None:
    """Thousands of guesses: all answered 404; valid calls in between are accepted."""
    stop = asyncio.Event()
    guesses = 0

    async def guess(attacker: int) -> None:
        nonlocal guesses
        while not stop.is_set():
            key = f"{SECRET[: guesses % len(SECRET)]}{os.urandom(4).hex()}"
            answer = await target.call(attacker, key)
            assert answer.rejection == (404, "not_found")
            guesses += 1

    attackers = [asyncio.ensure_future(guess(number)) for number in range(CONNECTIONS)]
    number = 0
    while number < 100 or guesses <= 200:
        assert (await target.call(1000 + number)).status == 200
        number += 1
    stop.set()
    await asyncio.gather(*attackers)
    code = target.process.end(signal.SIGTERM)
    assert code == 0, target.process.lines
