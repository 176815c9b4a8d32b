"""The services that are compared."""

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from load import Call, block_call, slack_call

from tests.postgres_server import PostgresServer

HERE = Path(__file__).parent
ASGI = "-m uvicorn %s:app --port {port} --log-level warning --no-access-log"
BLOCK = "-m vertexkit run hello:app --port {port}"
SQLITE = "sqlite:{folder}/journal.db"
POSTGRES = "{postgres}"
SERVICE_CORE = 0
"""The core that a service has to itself."""
SHARED_BUFFERS = "256MB"
"""Memory of the PostgreSQL server for pages; other settings are its defaults."""


@dataclass(frozen=True)
class Service:
    """How a service is started and called."""

    command: str
    """Arguments of Python, with `{port}`."""
    journal: str = ""
    """Value of VERTEXKIT_JOURNAL, with `{folder}` or `{postgres}`."""
    settings: dict[str, str] = field(default_factory=dict)
    """More of the environment."""
    call: Call = block_call
    package: str = "uvicorn"
    """The service is left out where this module is not installed."""
    most: int = sys.maxsize
    """Executions of one measurement at most."""

    @property
    def needs_postgres(self) -> bool:
        return self.journal == POSTGRES

    @property
    def is_installed(self) -> bool:
        return importlib.util.find_spec(self.package) is not None


BASE = "floor_gc"
"""The service that others are compared with."""
SERVICES = {
    BASE: Service(ASGI % "floor_gc"),
    "floor": Service(ASGI % "floor"),
    "floor_rust": Service(ASGI % "floor_rust", package="pyreqwest"),
    # It accepts calls faster than it completes blocks, and httpx looks at each connection of its pool
    # for each request: 10 ms of processor time with 100. Of thousands of executions, most are lost by
    # the timeout of the pool.
    "handwritten": Service(ASGI % "handwritten", most=100),
    "fastapi": Service(ASGI % "fastapi_aiohttp", package="fastapi"),
    "bolt": Service(ASGI % "bolt", call=slack_call, package="slack_bolt"),
    "memory": Service(BLOCK, "memory:"),
    "sqlite": Service(BLOCK, SQLITE),
    "sqlite-aiohttp": Service(BLOCK, SQLITE, {"VERTEXKIT_WIRE": "aiohttp"}),
    "sqlite-2-workers": Service(f"{BLOCK} --workers 2", SQLITE),
    "postgres": Service(BLOCK, POSTGRES),
    "postgres-2-workers": Service(f"{BLOCK} --workers 2", POSTGRES),
}


def new_database(server: PostgresServer) -> str:
    """Create an empty database; return its URL."""
    server.sql("DROP DATABASE IF EXISTS bench WITH (FORCE)", "CREATE DATABASE bench", "CHECKPOINT")
    return server.url("bench")


@contextmanager
def running(
    service: Service,
    port: int,
    platform_port: int,
    postgres_url: str = "",
    prefix: Sequence[str] = (),
) -> Iterator[int]:
    """Run a service on the first core, by a program with these first arguments; yield its pid."""
    folder = TemporaryDirectory()
    environment = {
        "VERTEXKIT_PLATFORM_URL": f"http://127.0.0.1:{platform_port}/api",
        "VERTEXKIT_LOG_FORMAT": "json",
        "VERTEXKIT_JOURNAL": service.journal.format(folder=folder.name, postgres=postgres_url),
    }
    process = subprocess.Popen(
        [*prefix, sys.executable, *service.command.format(port=port).split()],
        cwd=HERE,
        env=os.environ | environment | service.settings,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL if prefix else None,
        preexec_fn=lambda: os.sched_setaffinity(0, {SERVICE_CORE}),  # noqa: PLW1509 - no threads yet
    )
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if process.poll() is not None:
                    raise SystemExit(f"this did not start: {service.command}") from None
                time.sleep(0.05)
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(40)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        folder.cleanup()
