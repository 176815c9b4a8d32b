"""The Dockerfile: what it says."""

import re
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.image.conftest import Stage, Step

ROOT = Path(__file__).resolve().parents[2]


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


def test_the_image_has_two_stages_on_one_base_that_can_be_chosen(
    steps: "list[Step]", stages: "list[Stage]"
) -> None:
    """Both stages stand on BASE_IMAGE, which is python:3.13-slim unless told otherwise."""
    assert (steps[0].word, steps[0].rest) == ("ARG", "BASE_IMAGE=python:3.13-slim")
    assert [stage.base for stage in stages] == ["${BASE_IMAGE}", "${BASE_IMAGE}"]
    assert [stage.name for stage in stages] == ["builder", ""]


def test_the_container_does_not_run_as_root(final: "Stage") -> None:
    """The last user is a fixed number other than 0, and everything after it is his."""
    users = final.of("USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1].rest)
    after = final.steps[final.steps.index(users[-1]) :]
    assert {step.word for step in after} <= {"USER", "STOPSIGNAL", "HEALTHCHECK", "CMD"}


def test_the_journal_has_a_folder_that_the_user_may_write(final: "Stage") -> None:
    """The working folder's .vertexkit is made and given to the user that the container runs as."""
    user, group = final.of("USER")[-1].rest.split(":")
    made = " ".join(step.rest for step in final.of("RUN"))
    journal = f"{final.of('WORKDIR')[-1].rest}/.vertexkit"
    assert f"install --directory --owner={user} --group={group} {journal}" in made


def test_the_command_and_the_health_check_are_executed_without_a_shell(final: "Stage") -> None:
    """A shell in between would swallow SIGTERM, so both have the exec form."""
    assert final.of("CMD")[-1].exec_form == ["vertexkit", "run"]
    assert not final.of("ENTRYPOINT")
    health = final.of("HEALTHCHECK")[-1]
    assert health.exec_form == ["vertexkit", "health"]
    assert "CMD" in health.rest.split()
    assert [step.rest for step in final.of("STOPSIGNAL")] == ["SIGTERM"]


def test_the_environment_names_the_app_and_where_it_listens(final: "Stage") -> None:
    """What the image serves is MODULE:APP of VERTEXKIT_APP, on all addresses, in UTF-8."""
    said = final.environment
    assert said["VERTEXKIT_HOST"] == "0.0.0.0"
    assert said["VERTEXKIT_PORT"] == final.of("EXPOSE")[-1].rest
    assert said["PYTHONUTF8"] == said["PYTHONUNBUFFERED"] == "1"
    assert said["PATH"].startswith("/opt/vertexkit/bin:")
    module, _, attribute = said["VERTEXKIT_APP"].partition(":")
    assert attribute == "app"
    assert (ROOT / module.replace(".", "/")).with_suffix(".py").is_file()


def test_no_secret_and_no_open_door_is_built_in(stages: "list[Stage]") -> None:
    """Serving without a secret is the operator's decision, and no image carries a secret."""
    for stage in stages:
        names = set(stage.environment) | {step.rest.split("=")[0] for step in stage.of("ARG")}
        assert not [name for name in names if re.search("SECRET|PASSWORD|TOKEN|ANONYMOUS", name)]


def test_every_package_comes_from_a_lock_with_hashes(builder: "Stage", final: "Stage") -> None:
    """No RUN installs a package by name: only locked ones, or the wheel built here."""
    commands = [part for step in builder.of("RUN") for part in step.rest.split("&&")]
    installs = [command for command in commands if "pip install" in command]
    for command in installs:
        _, _, asked = command.strip().partition(" install ")
        locked = re.fullmatch(r"--require-hashes -r locks/\w+\.txt", asked)
        assert locked or asked == "--no-deps --no-index /opt/wheels/*.whl", command
    assert "-r locks/run.txt" in installs[0]
    assert "--no-build-isolation" in next(part for part in commands if "pip wheel" in part)
    assert not [step for step in final.of("RUN") if "pip" in step.rest]


def test_what_the_build_copies_is_let_into_the_build(stages: "list[Stage]") -> None:
    """Each COPY source exists and passes .dockerignore, which keeps secrets and journals out."""
    for stage in stages:
        for step in stage.of("COPY"):
            if not step.rest.startswith("--from"):
                for source in step.rest.split()[:-1]:
                    assert (ROOT / source).exists(), source
                    assert not ignored(source), source
    for private in (".env", ".git", ".venv/bin/python", ".vertexkit/journal.db", "locks/dev.txt"):
        assert ignored(private), private
