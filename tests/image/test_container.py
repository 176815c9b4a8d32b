"""The image: the result of its Dockerfile's instructions, carried out in a scratch folder."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.reserved_port import reserved_port
from tests.surroundings import PROXIES

if TYPE_CHECKING:
    from tests.image.dockerfile import Stage

ROOT = Path(__file__).resolve().parents[2]
BUILD_SECONDS = 1800
pytestmark = [pytest.mark.release, pytest.mark.index, pytest.mark.timeout(5400)]


@dataclass(frozen=True, slots=True)
class Scratch:
    """A folder that stands for the root of the image's file system."""

    root: Path

    def at(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    @property
    def bin(self) -> Path:
        return self.at("/opt/vertexkit/bin")

    def carry_out(self, stage: "Stage") -> None:
        """Carry out the stage's WORKDIR, COPY (from the project only) and RUN, in their order.

        ENV is not applied: in the builder it only configures pip.
        """
        folder = self.root
        for step in stage.steps:
            if step.keyword == "WORKDIR":
                folder = self.at(step.arguments)
                folder.mkdir(parents=True, exist_ok=True)
            elif step.keyword == "COPY" and not step.arguments.startswith("--from"):
                *sources, target = step.arguments.split()
                for source in sources:
                    self._copy(source, folder, target)
            elif step.keyword == "RUN":
                self._run(step.arguments, folder)

    def _copy(self, source: str, folder: Path, target: str) -> None:
        place = folder / target
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, place, ignore=shutil.ignore_patterns("__pycache__"))
            return
        if target.endswith("/"):
            place = place / Path(source).name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / source, place)

    def _run(self, command: str, folder: Path) -> None:
        here = command.replace("/opt/", f"{shlex.quote(str(self.at('/opt')))}/")
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            ["sh", "-ec", here],
            cwd=folder,
            env=os.environ | PROXIES | {"PATH": path, "PIP_NO_COMPILE": "1"},
            capture_output=True,
            text=True,
            timeout=BUILD_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"RUN {command}\n{done.stdout}\n{done.stderr}"


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The package index, from which pip installs what the image contains."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--retries=0"]
    done = subprocess.run(
        [*command, "--timeout=10", "--dest", tmp_path_factory.mktemp("index"), "typing-extensions"],
        env=os.environ | PROXIES,
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        pytest.skip("pip cannot reach the package index, from which the image is installed")


@pytest.fixture(scope="module")
def image(
    index: None, tmp_path_factory: pytest.TempPathFactory, builder: "Stage", final: "Stage"
) -> Scratch:
    scratch = Scratch(tmp_path_factory.mktemp("image"))
    scratch.carry_out(builder)
    scratch.carry_out(replace(final, steps=tuple(s for s in final.steps if s.keyword != "RUN")))
    return scratch


@pytest.fixture
def settings(image: Scratch, final: "Stage") -> Iterator[dict[str, str]]:
    """The container's environment, as an operator would set it, with a free port."""
    kept = {name: os.environ[name] for name in ("LANG", "HOME", "TMPDIR") if name in os.environ}
    with reserved_port() as port:
        yield {
            **kept,
            **final.environment,
            "PATH": f"{image.bin}{os.pathsep}{os.environ['PATH']}",
            "VERTEXKIT_PORT": str(port),
            "VERTEXKIT_ALLOW_ANONYMOUS": "1",
            "VERTEXKIT_PLATFORM_URL": "http://127.0.0.1:9/api",
        }


@pytest.fixture
def container(
    image: Scratch, final: "Stage", settings: dict[str, str], tmp_path: Path
) -> Iterator[subprocess.Popen[bytes]]:
    command = final.find("CMD")[-1].exec_form
    with (
        (tmp_path / "output").open("wb") as output,
        subprocess.Popen(
            [image.bin / command[0], *command[1:]],
            cwd=image.at("/app"),
            env=settings,
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        yield process
        process.kill()


def pinned(lock: str) -> set[str]:
    text = (ROOT / "locks" / lock).read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z0-9._-]+)==", text, re.MULTILINE))


def test_the_image_contains_the_run_lock_and_no_development_tool(
    image: Scratch,
) -> None:
    """The environment of the image holds vertexkit and the run lock, and no test tool."""
    listed = subprocess.run(
        [image.bin / "python", "-m", "pip", "list", "--format=json"],
        capture_output=True,
        check=True,
        timeout=100,
    )
    names = {
        re.sub(r"[-_.]+", "-", package["name"]).lower() for package in json.loads(listed.stdout)
    }
    own = {"vertexkit", "pip", "setuptools"}
    assert names - own <= pinned("image.txt")
    assert "vertexkit" in names
    assert not names & {"pytest", "mypy", "ruff", "coverage", "hatchling"}
    bill = json.loads(image.at("/opt/vertexkit/sbom.json").read_text(encoding="utf-8"))
    assert bill["bomFormat"] == "CycloneDX"
    components = {re.sub(r"[-_.]+", "-", part["name"]).lower() for part in bill["components"]}
    assert components == names


def test_the_container_becomes_healthy_and_stops_on_sigterm(
    container: subprocess.Popen[bytes],
    image: Scratch,
    final: "Stage",
    settings: dict[str, str],
    tmp_path: Path,
) -> None:
    """The image's command serves the app it names, its health check agrees, SIGTERM ends it."""
    health = final.find("HEALTHCHECK")[-1].exec_form

    def healthy() -> bool:
        checked = subprocess.run(
            [image.bin / health[0], *health[1:]],
            cwd=image.at("/app"),
            env=settings,
            capture_output=True,
            check=False,
        )
        return checked.returncode == 0

    while not healthy():
        output = (tmp_path / "output").read_text(encoding="utf-8")
        assert container.poll() is None, f"the container stopped by itself:\n{output}"
    container.send_signal(signal.SIGTERM)
    assert container.wait() in {0, -signal.SIGTERM}
    assert not healthy()
