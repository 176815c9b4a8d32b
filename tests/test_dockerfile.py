"""The image: what its Dockerfile says, and what comes of doing it in a scratch environment."""

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BUILD_SECONDS = 300
START_SECONDS = 30
STOP_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction: its word in capitals, and all that follows on one line."""

    word: str
    rest: str

    @property
    def exec_form(self) -> list[str]:
        """The JSON list that ends the instruction; raises ValueError for a shell form."""
        begins = self.rest.find("[")
        form = json.loads(self.rest[begins:]) if begins >= 0 else None
        if not isinstance(form, list) or not all(isinstance(part, str) for part in form):
            raise ValueError(f"not the exec form: {self.word} {self.rest}")
        return form


@dataclass(frozen=True, slots=True)
class Stage:
    """One FROM and the instructions up to the next."""

    base: str
    name: str
    steps: tuple[Step, ...]

    def of(self, word: str) -> list[Step]:
        return [step for step in self.steps if step.word == word]

    @property
    def environment(self) -> dict[str, str]:
        pairs = (part for step in self.of("ENV") for part in shlex.split(step.rest))
        return dict(pair.split("=", 1) for pair in pairs)


def read_steps(text: str) -> list[Step]:
    code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    joined = re.sub(r"\\\n\s*", "", code)
    lines = (line.strip() for line in joined.splitlines() if line.strip())
    return [Step(word.upper(), rest.strip()) for word, _, rest in (x.partition(" ") for x in lines)]


def read_stages(steps: list[Step]) -> list[Stage]:
    begins = [at for at, step in enumerate(steps) if step.word == "FROM"]
    stages = []
    for at, end in zip(begins, [*begins[1:], len(steps)], strict=True):
        base, _, name = steps[at].rest.partition(" AS ")
        stages.append(Stage(base, name, tuple(steps[at + 1 : end])))
    return stages


STEPS = read_steps((ROOT / "Dockerfile").read_text(encoding="utf-8"))
STAGES = read_stages(STEPS)
BUILDER, FINAL = STAGES


@dataclass(frozen=True, slots=True)
class Scratch:
    """A folder that plays the root of the image's file system."""

    root: Path

    def at(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    @property
    def bin(self) -> Path:
        return self.at("/opt/vertexkit/bin")

    def follow(self, stage: Stage) -> None:
        """Do the stage's WORKDIR, COPY (from the project only) and RUN, in their order.

        ENV is left out: the stage's only keeps pip's cache out of the image's layers.
        """
        folder = self.root
        for step in stage.steps:
            if step.word == "WORKDIR":
                folder = self.at(step.rest)
                folder.mkdir(parents=True, exist_ok=True)
            elif step.word == "COPY" and not step.rest.startswith("--from"):
                *sources, target = step.rest.split()
                for source in sources:
                    self._copy(source, folder, target)
            elif step.word == "RUN":
                self._run(step.rest, folder)

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
            env=os.environ | {"PATH": path},
            capture_output=True,
            text=True,
            timeout=BUILD_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"RUN {command}\n{done.stdout}\n{done.stderr}"


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Scratch:
    scratch = Scratch(tmp_path_factory.mktemp("image"))
    scratch.follow(BUILDER)
    files = Stage(FINAL.base, FINAL.name, tuple(s for s in FINAL.steps if s.word != "RUN"))
    scratch.follow(files)
    return scratch


@pytest.fixture
def settings(image: Scratch) -> dict[str, str]:
    """The container's environment, as its operator would set it, on a port that is free."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    kept = {name: os.environ[name] for name in ("LANG", "HOME", "TMPDIR") if name in os.environ}
    return {
        **kept,
        **FINAL.environment,
        "PATH": f"{image.bin}{os.pathsep}{os.environ['PATH']}",
        "VERTEXKIT_PORT": str(port),
        "VERTEXKIT_ALLOW_ANONYMOUS": "1",
        "VERTEXKIT_PLATFORM_URL": "http://127.0.0.1:9/api",
    }


@pytest.fixture
def container(
    image: Scratch, settings: dict[str, str], tmp_path: Path
) -> Iterator[subprocess.Popen[bytes]]:
    command = FINAL.of("CMD")[-1].exec_form
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


def ignored(path: str) -> bool:
    """Is this path kept out of the build by .dockerignore (its last line that fits decides)?"""
    verdict = False
    ancestors = [path, *(str(parent) for parent in Path(path).parents)]
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            pattern = line.removeprefix("!")
            if any(fnmatch(each, pattern) for each in ancestors):
                verdict = not line.startswith("!")
    return verdict


def test_the_image_has_two_stages_on_one_base_that_can_be_chosen() -> None:
    """Both stages stand on BASE_IMAGE, which is python:3.13-slim unless told otherwise."""
    assert STEPS[0] == Step("ARG", "BASE_IMAGE=python:3.13-slim")
    assert [stage.base for stage in STAGES] == ["${BASE_IMAGE}", "${BASE_IMAGE}"]
    assert BUILDER.name == "builder"


def test_the_container_does_not_run_as_root() -> None:
    """The last user is a fixed number other than 0, and everything after it is his."""
    users = FINAL.of("USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1].rest)
    after = FINAL.steps[FINAL.steps.index(users[-1]) :]
    assert {step.word for step in after} <= {"USER", "STOPSIGNAL", "HEALTHCHECK", "CMD"}


def test_the_journal_has_a_folder_that_the_user_may_write() -> None:
    """The working folder's .vertexkit is made and given to the user that the container runs as."""
    user, group = FINAL.of("USER")[-1].rest.split(":")
    made = " ".join(step.rest for step in FINAL.of("RUN"))
    journal = f"{FINAL.of('WORKDIR')[-1].rest}/.vertexkit"
    assert f"install --directory --owner={user} --group={group} {journal}" in made


def test_the_command_and_the_health_check_are_executed_without_a_shell() -> None:
    """A shell in between would swallow SIGTERM, so both have the exec form."""
    assert FINAL.of("CMD")[-1].exec_form == ["vertexkit", "run"]
    assert not FINAL.of("ENTRYPOINT")
    health = FINAL.of("HEALTHCHECK")[-1]
    assert health.exec_form == ["vertexkit", "health"]
    assert "CMD" in health.rest.split()
    assert FINAL.of("STOPSIGNAL") == [Step("STOPSIGNAL", "SIGTERM")]


def test_the_environment_names_the_app_and_where_it_listens() -> None:
    """What the image serves is MODULE:APP of VERTEXKIT_APP, on all addresses, in UTF-8."""
    said = FINAL.environment
    assert said["VERTEXKIT_HOST"] == "0.0.0.0"
    assert said["VERTEXKIT_PORT"] == FINAL.of("EXPOSE")[-1].rest
    assert said["PYTHONUTF8"] == said["PYTHONUNBUFFERED"] == "1"
    assert said["PATH"].startswith("/opt/vertexkit/bin:")
    module, _, attribute = said["VERTEXKIT_APP"].partition(":")
    assert attribute == "app"
    assert (ROOT / module.replace(".", "/")).with_suffix(".py").is_file()


def test_no_secret_and_no_open_door_is_built_in() -> None:
    """Serving without a secret is the operator's decision, and no image carries a secret."""
    for stage in STAGES:
        names = set(stage.environment) | {step.rest.split("=")[0] for step in stage.of("ARG")}
        assert not [name for name in names if re.search("SECRET|PASSWORD|TOKEN|ANONYMOUS", name)]


def test_every_package_comes_from_a_lock_with_hashes() -> None:
    """No RUN installs a package by name: only locked ones, or the wheel built here."""
    commands = [part for step in BUILDER.of("RUN") for part in step.rest.split("&&")]
    installs = [command for command in commands if "pip install" in command]
    for command in installs:
        _, _, asked = command.strip().partition(" install ")
        locked = re.fullmatch(r"--require-hashes -r locks/\w+\.txt", asked)
        assert locked or asked == "--no-deps --no-index /opt/wheels/*.whl", command
    assert "-r locks/run.txt" in installs[0]
    assert "--no-build-isolation" in next(part for part in commands if "pip wheel" in part)
    assert not [step for step in FINAL.of("RUN") if "pip" in step.rest]


def test_what_the_build_copies_is_let_into_the_build() -> None:
    """Each COPY source exists and passes .dockerignore, which keeps secrets and journals out."""
    for stage in STAGES:
        for step in stage.of("COPY"):
            if not step.rest.startswith("--from"):
                for source in step.rest.split()[:-1]:
                    assert (ROOT / source).exists(), source
                    assert not ignored(source), source
    for private in (".env", ".git", ".venv/bin/python", ".vertexkit/journal.db", "locks/dev.txt"):
        assert ignored(private), private


@pytest.mark.timeout(BUILD_SECONDS)
def test_the_install_steps_give_what_is_locked_and_nothing_of_ours_for_development(
    image: Scratch,
) -> None:
    """The environment of the image holds vertexkit and the run lock, and no test tool."""
    listed = subprocess.run(
        [image.bin / "python", "-m", "pip", "list", "--format=json"],
        capture_output=True,
        check=True,
        timeout=60,
    )
    names = {re.sub(r"[-_.]+", "-", each["name"]).lower() for each in json.loads(listed.stdout)}
    own = {"vertexkit", "pip", "setuptools"}
    assert names - own <= pinned("run.txt")
    assert "vertexkit" in names
    assert not names & {"pytest", "mypy", "ruff", "coverage", "hatchling"}


@pytest.mark.timeout(BUILD_SECONDS)
def test_the_container_comes_up_healthy_and_stops_on_sigterm(
    container: subprocess.Popen[bytes],
    image: Scratch,
    settings: dict[str, str],
    tmp_path: Path,
) -> None:
    """The image's command serves the app it names, its health check agrees, SIGTERM ends it."""
    health = FINAL.of("HEALTHCHECK")[-1].exec_form

    def healthy() -> bool:
        checked = subprocess.run(
            [image.bin / health[0], *health[1:]],
            cwd=image.at("/app"),
            env=settings,
            capture_output=True,
            timeout=START_SECONDS,
            check=False,
        )
        return checked.returncode == 0

    deadline = time.monotonic() + START_SECONDS
    while not healthy():
        said = (tmp_path / "output").read_text(encoding="utf-8")
        assert container.poll() is None, f"it ended by itself:\n{said}"
        assert time.monotonic() < deadline, f"it never became healthy:\n{said}"
    container.send_signal(signal.SIGTERM)
    assert container.wait(STOP_SECONDS) in {0, -signal.SIGTERM}
    assert not healthy()
