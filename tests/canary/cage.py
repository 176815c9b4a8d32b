"""A service whose whole output is collected and searched for marked secrets."""

import asyncio
import base64
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from tests import forked
from tests.forked_programs import ForkedPrograms
from vertexkit.testing import FakePlatform

APP = Path(__file__).with_name("caged.py")
PATIENCE = 60.0
URL_SECRET = "canary/url+\"sécret'\\0123"
PASSWORD = "canary-password=:7/x"
KEY = quote(URL_SECRET, safe="")


def forms(secret: str) -> Iterator[str]:
    """Forms in which a secret may be written."""
    yield secret
    yield quote(secret, safe="")
    yield quote(secret)
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield json.dumps(json.dumps(secret))[3:-3]
    yield repr(secret)[1:-1]
    yield repr(secret.encode())[2:-1]
    yield base64.b64encode(secret.encode()).decode().rstrip("=")


class Cage:
    """A service in a separate process, and all of its output."""

    def __init__(self, folder: Path, platform: FakePlatform, platform_port: int) -> None:
        self.folder, self.platform = folder, platform
        self.outputs: dict[str, bytes] = {}
        """By place."""
        self.http: httpx.AsyncClient
        self._programs = ForkedPrograms()
        self._python = self._programs.python()
        self._process: asyncio.subprocess.Process | None = None
        self._rest: list[asyncio.Task[bytes]] = []
        shutil.copy(APP, folder)
        kept = {k: v for k, v in os.environ.items() if not k.startswith("VERTEXKIT_")}
        self._environment = kept | {
            "VERTEXKIT_PLATFORM_URL": f"http://127.0.0.1:{platform_port}/api",
            "VERTEXKIT_URL_SECRETS": URL_SECRET,
            "VERTEXKIT_PASSWORD": PASSWORD,
            "VERTEXKIT_LOGIN": "operator",
            "VERTEXKIT_LOG_LEVEL": "debug",
            "VERTEXKIT_LOG_FORMAT": "json",
            "VERTEXKIT_STALL": "0.1",
            "VERTEXKIT_GRACE": "0",
            "VERTEXKIT_BODY_LIMIT": "20000",
            "PYTHONASYNCIODEBUG": "1",
            "PYTHONUNBUFFERED": "1",
        }

    async def run(self, *arguments: str, **environment: str) -> str:
        """Run a command; returns its output."""
        done = await asyncio.to_thread(
            forked.run,
            "vertexkit",
            arguments,
            folder=self.folder,
            environment=self._environment | environment,
        )
        self.outputs[f"{arguments} out"] = done.stdout.encode()
        self.outputs[f"{arguments} err"] = done.stderr.encode()
        return done.stdout + done.stderr

    async def _start(self, *arguments: str, **environment: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            self._python,
            *("-m", "vertexkit", *arguments),
            cwd=self.folder,
            env=self._environment | environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def serve(self) -> None:
        """Start the service, and collect its output."""
        process = self._process = await self._start("run", "caged:app", "--port", "0")
        assert process.stdout is not None
        assert process.stderr is not None
        out = b""
        while b'"started"' not in out.rpartition(b"\n")[0]:
            line = await asyncio.wait_for(process.stdout.readline(), PATIENCE)
            assert line, out
            out += line
        self.outputs["service out"] = out
        found = re.search(rb"http://127\.0\.0\.1:(\d+)", out)
        assert found is not None
        reading = (process.stdout.read(), process.stderr.read())
        self._rest = [asyncio.create_task(reader) for reader in reading]
        self.http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{int(found[1])}")

    async def end(self) -> None:
        """Send SIGTERM, and collect the rest of the output."""
        if self._process is not None and self._process.returncode is None:
            await self.http.aclose()
            self._process.terminate()
            out, err = await asyncio.wait_for(asyncio.gather(*self._rest), PATIENCE)
            self.outputs["service out"] += out
            self.outputs["service err"] = err
            await self._process.wait()
        self._programs.close()

    async def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send one request; its response is collected, head and body."""
        answer = await self.http.request(method, path, **options)
        head = json.dumps(dict(answer.headers), ensure_ascii=False).encode()
        place = f"answer {len(self.outputs)} {answer.status_code} to {method} {path[:20]}"
        self.outputs[place] = head + answer.content
        return answer

    async def call(self, block: str, token: str, **inputs: Any) -> httpx.Response:
        """Call a block with the URL's secret."""
        body = {"token": token, "copy": token} | inputs
        return await self.ask("POST", f"/blocks/{block}?key={KEY}", json=body)

    async def settled(self, number: int) -> None:
        """Wait until this number of executions has ended."""
        async with asyncio.timeout(PATIENCE):
            while await self._count_settled() < number:  # noqa: ASYNC110 - of another process
                await asyncio.sleep(0.02)

    async def _count_settled(self) -> int:
        ended = re.compile(r"^vertexkit_executions_settled_total\{.*\} (\d+)", re.MULTILINE)
        answer = await self.http.get(f"/metrics?key={KEY}")
        return sum(map(int, ended.findall(answer.text)))

    def leaks(self, marks: dict[str, str]) -> list[str]:
        """All marks found, each with its place."""
        files = {
            str(path.relative_to(self.folder)): path.read_bytes()
            for path in self.folder.rglob("*")
            if path.is_file()
            and path.name != APP.name
            and not path.name.startswith("journal.db")
            and "__pycache__" not in path.parts  # holds the constants of the app itself
        }
        return [
            f"{name} at {place}: {output[max(0, at - 200) : at + 100]!r}"
            for place, output in (self.outputs | files).items()
            for name, mark in marks.items()
            for form in set(forms(mark))
            if (at := output.find(form.encode())) >= 0
        ]

    def journal(self) -> bytes:
        """The journal's files."""
        return b"".join(p.read_bytes() for p in (self.folder / ".vertexkit").glob("journal.db*"))
