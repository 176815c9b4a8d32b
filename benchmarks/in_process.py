"""Measures vertexkit's own share of an execution: without sockets, in one process.

    python benchmarks/in_process.py --batches 20

Calls enter through ASGI, and the platform answers at the loop's next turn. Prints for each journal
the processor time of one execution in µs, the least and the median of all batches. The least is the
figure to compare: everything that disturbs a run makes it slower. With `--profile` it prints the
functions that take the most time.
"""

import argparse
import asyncio
import cProfile
import gc
import io
import json
import os
import pstats
import statistics
import time
from collections.abc import Iterator
from tempfile import TemporaryDirectory
from typing import Any

import uvloop
from hello import app

from vertexkit.asgi import http_app
from vertexkit.botone.response import Response
from vertexkit.service import Service, running_service
from vertexkit.settings import Settings
from vertexkit.telemetry import logs

CALLERS = 32
EXECUTIONS = 320
"""In each batch."""
WARM_UP_BATCHES = 4
CLAIMS = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJpbnN0YW5jZSI6ImRlbW8iLCJkaWFsb2dfaWQiOjMxNH0"
SENT = Response(200, b'{"message_id":123,"created_at":1669947527}')
COMPLETED = Response(204)


class InstantWire:
    """A platform that answers at the loop's next turn."""

    def __init__(self) -> None:
        self.completions = 0

    async def post(self, url: str, _: bytes, __: float) -> Response:
        await asyncio.sleep(0)
        if not url.endswith("complete"):
            return SENT
        self.completions += 1
        return COMPLETED

    async def close(self) -> None:
        """There is nothing to close."""


def scope() -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "server": ("127.0.0.1", 1),
        "client": ("127.0.0.1", 2),
        "scheme": "http",
        "method": "POST",
        "root_path": "",
        "path": "/blocks/hello",
        "raw_path": b"/blocks/hello",
        "query_string": b"",
        "headers": [(b"host", b"a"), (b"content-type", b"application/json")],
        "state": {},
    }


async def call(served: Any, body: bytes) -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        if message.get("status", 200) != 200:
            raise SystemExit(f"the response to a call was {message['status']}")

    await served(scope(), receive, send)


async def batch(served: Any, service: Service, bodies: Iterator[bytes]) -> float:
    """Run a batch; return the µs of processor time of one execution."""

    async def caller() -> None:
        for _ in range(EXECUTIONS // CALLERS):
            await call(served, next(bodies))

    started = time.process_time()
    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    while service.dispatcher.held or service.journal.backlog():  # noqa: ASYNC110 - no event of its own
        await asyncio.sleep(0)
    return (time.process_time() - started) / EXECUTIONS * 1e6


def calls() -> Iterator[bytes]:
    number = 0
    while True:
        number += 1
        yield json.dumps({"token": f"{CLAIMS}.{number}", "name": "Dasha"}).encode()


async def measure(journal: str, batches: int, profile: bool) -> list[float]:
    """Measure with one journal."""
    os.environ["VERTEXKIT_JOURNAL"] = journal
    os.environ["VERTEXKIT_PLATFORM_URL"] = "http://127.0.0.1:1/api"
    logs.configure("json", "info", io.BytesIO())
    wire, bodies = InstantWire(), calls()
    async with running_service(app, Settings.load(), wire=wire) as service:
        served = http_app(service)
        for _ in range(WARM_UP_BATCHES):
            await batch(served, service, bodies)
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 20, 50)
        if profile:
            profiler = cProfile.Profile()
            profiler.enable()
            await batch(served, service, bodies)
            profiler.disable()
            pstats.Stats(profiler).sort_stats("tottime").print_stats(60)
        return [await batch(served, service, bodies) for _ in range(batches)]


def main() -> None:
    """Measure with each journal and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--batches", type=int, default=20)
    parser.add_argument("--journal", choices=["memory", "sqlite"])
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    print("journal    least µs   median µs")
    with TemporaryDirectory() as folder:
        for name, url in {"memory": "memory:", "sqlite": f"sqlite:{folder}/journal.db"}.items():
            if options.journal in (None, name):
                done = uvloop.run(measure(url, options.batches, options.profile))
                print(f"{name:<8}{min(done):>11.0f}{statistics.median(done):>12.0f}")


if __name__ == "__main__":
    main()
