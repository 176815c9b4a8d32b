"""The wheel and the sdist, installed in fresh environments and used as a newcomer does."""

import contextlib
import json
import re
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest

from tests.docs.reader import FILE_NAME, fences, normalised
from tests.packaging.environment import ROOT, Environment, interpreter

pytestmark = [pytest.mark.release, pytest.mark.timeout(1200)]
COMMANDS = re.compile(r"```sh\n(.*?)```", re.DOTALL)
LOAD = "set -a; . ./.env; set +a"
"""The line of the README that passes the settings to the commands."""
START_SECONDS = 60


@pytest.mark.parametrize(
    "version, page",
    [
        ("3.11", "README.md"),
        ("3.12", "README.ru.md"),
        ("3.13", "README.md"),
        ("3.11", "docs/tutorial.ru.md"),
        ("3.13", "docs/tutorial.md"),
    ],
)
def test_a_page_works_from_an_empty_folder(
    built: Path, version: str, page: str, tmp_path: Path
) -> None:
    """The installation, the files, and the commands that end work as the page shows them."""
    python = interpreter(version)
    if python is None:
        pytest.skip(f"Python {version} is not installed")
    folder = tmp_path / "my-bot"
    environment = Environment(folder / ".venv")
    shown: list[str] = []
    install = next(fence.text for fence in fences(ROOT / page) if fence.language == "sh")
    install = install.replace("/path/to/vertexkit", str(next(built.glob("*.whl"))))
    environment.run(install.replace("python3", str(python)), tmp_path)
    for fence in fences(ROOT / page):
        name = FILE_NAME.match(fence.text)
        if name is not None:
            (folder / name[1]).write_text(fence.text, encoding="utf-8")
        for command, lines in fence.commands:
            if command.startswith(("vertexkit trigger", "pytest")):
                shown.append(command)
                printed = environment.run(f"{command} || true", folder).splitlines()
                assert [normalised(line.rstrip()) for line in printed] == [
                    normalised(line) for line in lines
                ]
    assert len(shown) >= 2


@pytest.mark.parametrize(
    "version, template",
    [("3.11", "plain"), ("3.12", "lookup"), ("3.13", "waiting"), ("3.13", "model")],
)
def test_a_new_project_works_as_its_readme_says(
    built: Path, environment: Environment, tmp_path: Path, template: str
) -> None:
    """In an environment of its own, the project is installed, tested, checked, served and called.

    It is created with a vertexkit without extras, whose `dev` says which extra it needs.
    """
    wheel = next(built.glob("*.whl"))
    environment.run(["pip", "install", "-q", wheel], tmp_path)
    environment.run(["vertexkit", "new", "my-bot", "--template", template], tmp_path)
    folder = tmp_path / "my-bot"
    refused = environment.run("vertexkit dev --no-open; test $? = 2", folder)
    assert "pip install 'vertexkit[dev]'" in refused
    readme = (folder / "README.md").read_text(encoding="utf-8")
    install, try_it, serve = COMMANDS.findall(readme)
    python = environment.folder / "bin" / "python"
    environment.run(install.replace("python3", str(python)), folder)
    own = Environment(folder / ".venv")
    trigger = try_it.splitlines()[0]
    if template not in {"lookup", "model"}:  # their services are not on this machine
        assert '  done  {"' in own.run(trigger, folder)
    assert "3 passed" in own.run(["pytest", "-q"], folder)
    assert "All checks passed" in own.run(["ruff", "check"], folder)
    example = (folder / ".env.example").read_text(encoding="utf-8")
    settings = example.replace("SECRETS=", "SECRETS=a-long-secret-of-a-test")
    settings = settings.replace("API_KEY=", "API_KEY=a-key-of-a-test")
    (folder / ".env").write_text(settings, encoding="utf-8")
    assert "vertexkit check" in serve
    assert f"\n{LOAD}\n" in serve
    own.run(f"{LOAD} && vertexkit check --offline", folder)
    assert _called(own, folder, template) == 200


def _called(environment: Environment, folder: Path, template: str) -> int:
    """Serve the project's block, call it, and return the status of the response."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    inputs = {
        "plain": {"name": "A"},
        "lookup": {"code": "USD"},
        "waiting": {"text": "A"},
        "model": {"question": "A"},
    }[template]
    with subprocess.Popen(
        f"{LOAD} && exec vertexkit run --port {port}",
        shell=True,
        cwd=folder,
        env=environment.variables(),
    ) as service:
        try:
            deadline = time.monotonic() + START_SECONDS
            while time.monotonic() < deadline:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                    break
            request = urllib.request.Request(
                f"http://127.0.0.1:{port}/blocks/my-bot?key=a-long-secret-of-a-test",
                json.dumps({"token": "a-token", **inputs}).encode(),
                {"content-type": "application/json"},
            )
            with urllib.request.urlopen(request) as response:
                return int(response.status)
        finally:
            service.kill()


@pytest.mark.parametrize("version", ["3.13"])
def test_the_sdist_s_own_tests_run_from_it(
    built: Path, environment: Environment, tmp_path: Path
) -> None:
    """In a fresh environment, the unpacked sdist is installed with its test group and tested."""
    (unpacked,) = built.glob("vertexkit-*/")
    environment.run(["pip", "install", "-q", "-r", "locks/dev.txt"], unpacked)
    environment.run(["pip", "install", "-q", "--no-deps", "."], unpacked)
    tests = ["tests/context", "tests/blocks", "tests/docs/test_pages.py", "tests/test_public.py"]
    output = environment.run(["python", "-m", "pytest", "-q", "-n", "2", *tests], unpacked)
    assert " passed" in output
    assert " failed" not in output
