"""The wheel and the sdist, installed in fresh environments and used as a newcomer does."""

import json
import re
import subprocess
import urllib.request
from pathlib import Path

import pytest

from tests.docs.reader import fences
from tests.packaging.environment import ROOT, Environment, InstalledReader
from tests.pythons import interpreter

pytestmark = [pytest.mark.release, pytest.mark.timeout(3000)]
COMMANDS = re.compile(r"```sh\n(.*?)```", re.DOTALL)
PAGES = [
    ("3.11", "README.md"),
    ("3.12", "README.md"),
    ("3.13", "README.md"),
    ("3.13", "README.ru.md"),
    ("3.11", "docs/tutorial.md"),
    ("3.13", "docs/tutorial.md"),
    ("3.11", "docs/tutorial.ru.md"),
]
"""The code of a page is the same in both languages, so the translations are not tried with each
version."""
LOAD = "set -a; . ./.env; set +a"
"""The line of the README that passes the settings to the commands."""


@pytest.mark.parametrize("version, page", PAGES)
def test_a_page_works_from_an_empty_folder(
    built: Path, version: str, page: str, tmp_path: Path, free_ports: dict[str, str]
) -> None:
    """The installation, the files and the commands work, and print what the page shows.

    The commands see no variable of this machine but those with which pip reaches the index. pip
    itself installs what README.md names, once with each version.
    """
    python = interpreter(version)
    if python is None:
        pytest.skip(f"Python {version} is not installed")
    folder = tmp_path / "my-bot"
    environment = Environment(folder / ".venv")
    install = next(fence.text for fence in fences(ROOT / page) if fence.language == "sh")
    install = install.replace("/path/to/vertexkit", str(next(built.glob("*.whl"))))
    environment.install(
        install.replace("python3", str(python)), tmp_path, with_pip=page == "README.md"
    )
    reader = InstalledReader(folder, free_ports, environment.variables())
    try:
        reader.follow(ROOT / page)
    finally:
        for server in reader.servers:
            server.close()


@pytest.mark.parametrize(
    "version, template",
    [
        ("3.11", "plain"),
        ("3.12", "lookup"),
        ("3.13", "waiting"),
        ("3.11", "model"),
        ("3.13", "model"),
    ],
)
def test_a_new_project_works_as_its_readme_says(
    built: Path, environment: Environment, tmp_path: Path, template: str
) -> None:
    """In an environment of its own, the project is installed, tested, checked, served and called.

    It is created with a vertexkit without extras, whose `dev` says which extra it needs.
    """
    wheel = next(built.glob("*.whl"))
    environment.install(f"pip install -q {wheel}", tmp_path)
    environment.run(["vertexkit", "new", "my-bot", "--template", template], tmp_path)
    folder = tmp_path / "my-bot"
    refused = environment.run("vertexkit dev --no-open; test $? = 2", folder)
    assert "pip install 'vertexkit[dev]'" in refused
    readme = (folder / "README.md").read_text(encoding="utf-8")
    install, try_it, serve = COMMANDS.findall(readme)
    python = environment.folder / "bin" / "python"
    install = install.replace("python3", str(python))
    environment.install(install, folder, with_pip=template == "lookup")
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
    inputs = {
        "plain": {"name": "A"},
        "lookup": {"code": "USD"},
        "waiting": {"text": "A"},
        "model": {"question": "A"},
    }[template]
    with subprocess.Popen(
        f"{LOAD} && exec vertexkit run --port 0",
        shell=True,
        cwd=folder,
        env=environment.variables() | {"VERTEXKIT_LOG_FORMAT": "json"},
        stdout=subprocess.PIPE,
        encoding="utf-8",
    ) as service:
        try:
            url = _url_of_block(service)
            request = urllib.request.Request(
                f"{url}?key=a-long-secret-of-a-test",
                json.dumps({"token": "a-token", **inputs}).encode(),
                {"content-type": "application/json"},
            )
            with urllib.request.urlopen(request) as response:
                return int(response.status)
        finally:
            service.kill()


def _url_of_block(service: "subprocess.Popen[str]") -> str:
    """Wait until the service takes calls, and return the URL of its only block."""
    assert service.stdout is not None
    url = ""
    for line in service.stdout:
        event = json.loads(line)
        if event["event"] == "address_bound":
            (shown,) = event["blocks"]
            url = shown.partition("?")[0]  # its secret is masked
        if event["event"] == "started":
            return url
    raise AssertionError("the service has ended before it took calls")


@pytest.mark.parametrize("version", ["3.11", "3.13"])
def test_the_sdist_s_own_tests_run_from_it(
    built: Path, environment: Environment, tmp_path: Path
) -> None:
    """In a fresh environment, the unpacked sdist is installed with its test group and tested."""
    (unpacked,) = built.glob("vertexkit-*/")
    environment.install("pip install -q --require-hashes -r locks/dev.txt", unpacked)
    environment.install("pip install -q --no-deps .", unpacked)
    tests = ["tests/context", "tests/blocks", "tests/docs/test_pages.py", "tests/test_public.py"]
    output = environment.run(["python", "-m", "pytest", "-q", "-n", "2", *tests], unpacked)
    assert " passed" in output
    assert " failed" not in output
