"""docs/integrations and docs/operations: other servers, and an app inside another one."""

import json
import os
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.docs.reader import DOCS, ROOT, fences
from tests.guides.guide_code import code, load
from tests.testing.platform_server import served_in_thread
from vertexkit.testing import FakePlatform

pytestmark = pytest.mark.release
SOCKET_OPTIONS = {
    "uvicorn": "--fd {}",
    "gunicorn": "--bind fd://{}",
    "hypercorn": "--bind fd://{}",
}
"""How each server takes a socket that listens already: a call waits in it until the app is served."""


def commands() -> dict[str, str]:
    """The commands of the guide by the server that they start."""
    (text,) = [f.text for f in fences(DOCS / "integrations.md") if "gunicorn" in f.text]
    return {line.split()[0]: line for line in text.splitlines()}


def call(url: str, token: str) -> int:
    """Call the block as the platform does, and return the status of the response."""
    body = json.dumps({"token": token, "name": "Anna"}).encode()
    headers = {"content-type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(url, body, headers)) as response:
        return int(response.status)


@pytest.mark.parametrize("server", list(SOCKET_OPTIONS))
def test_another_server_serves_the_app(server: str, tmp_path: Path) -> None:
    """Started as the guide says, it runs the app's lifespan, and the block is completed."""
    readme = next(f.text for f in fences(ROOT / "README.md") if "# hello.py" in f.text)
    (tmp_path / "hello.py").write_text(readme, encoding="utf-8")
    platform = FakePlatform()
    token = platform.issue("hello")
    command = commands()[server].replace("--port 8000", "").split()
    with served_in_thread(platform) as url, socket.create_server(("127.0.0.1", 0)) as listener:
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join([str(tmp_path), *filter(None, sys.path)]),
            "PYTHONUNBUFFERED": "1",
            "VERTEXKIT_PLATFORM_URL": f"{url}/api",
        }
        options = SOCKET_OPTIONS[server].format(listener.fileno()).split()
        with subprocess.Popen(
            [sys.executable, "-m", server, *command[1:], *options],
            cwd=tmp_path,
            env=environment,
            pass_fds=[listener.fileno()],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        ) as process:
            try:
                assert process.stdout is not None
                port = listener.getsockname()[1]
                assert call(f"http://127.0.0.1:{port}/blocks/hello", token) == 200
                settled = next(line for line in process.stdout if "settled" in line)
            finally:
                process.terminate()
                process.communicate()
    assert "completed" in settled
    assert platform.activation(token).completions[0].data == {"greeted": "Anna"}


@pytest.mark.parametrize("framework", ["starlette", "fastapi"])
def test_an_app_is_mounted_in_another_one(
    framework: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guide's outer application serves the block under its path, also one of FastAPI."""
    text = code("operations.md", "# website.py")
    if framework == "fastapi":
        text = text.replace(
            'website = Starlette(routes=[Mount("/bot", app)], lifespan=lifespan)',
            'from fastapi import FastAPI\nwebsite = FastAPI(lifespan=lifespan)\nwebsite.mount("/bot", app)',
        )
        assert "FastAPI(" in text
    platform = FakePlatform()
    token = platform.issue("hello")
    with served_in_thread(platform) as url:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("VERTEXKIT_PLATFORM_URL", f"{url}/api")
        with TestClient(load(text, "website").website) as client:
            response = client.post("/bot/blocks/hello", json={"token": token, "name": "Anna"})
            assert response.status_code == 200
            assert client.get("/bot/healthz").status_code == 200
    assert [message.text for message in platform.activation(token).messages] == ["Hello, Anna!"]
    assert len(platform.activation(token).completions) == 1
