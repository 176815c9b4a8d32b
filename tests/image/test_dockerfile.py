"""The Dockerfile: its stages, its user, its command, what it installs and copies."""

import re
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.image.dockerfile import Stage, Step

ROOT = Path(__file__).resolve().parents[2]


def ignored(path: str) -> bool:
    """Whether .dockerignore excludes this path; the last line that matches decides."""
    is_ignored = False
    ancestors = [path, *(str(parent) for parent in Path(path).parents)]
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            pattern = line.removeprefix("!")
            if any(fnmatch(ancestor, pattern) for ancestor in ancestors):
                is_ignored = not line.startswith("!")
    return is_ignored


def test_both_stages_use_one_base_image_that_can_be_replaced(
    steps: "list[Step]", stages: "list[Stage]"
) -> None:
    """Both stages are based on BASE_IMAGE, by default python:3.13-slim."""
    assert (steps[0].keyword, steps[0].arguments) == ("ARG", "BASE_IMAGE=python:3.13-slim")
    assert [stage.base for stage in stages] == ["${BASE_IMAGE}", "${BASE_IMAGE}"]
    assert [stage.name for stage in stages] == ["builder", ""]


def test_the_container_does_not_run_as_root(final: "Stage") -> None:
    """The last USER is a number other than 0, and only metadata follow it."""
    users = final.find("USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1].arguments)
    after = final.steps[final.steps.index(users[-1]) :]
    assert {step.keyword for step in after} <= {"USER", "STOPSIGNAL", "HEALTHCHECK", "CMD"}


def test_the_journal_has_a_folder_that_the_user_may_write(final: "Stage") -> None:
    """The working folder has a .vertexkit that belongs to the user of the container."""
    user, group = final.find("USER")[-1].arguments.split(":")
    made = " ".join(step.arguments for step in final.find("RUN"))
    journal = f"{final.find('WORKDIR')[-1].arguments}/.vertexkit"
    assert f"install --directory --owner={user} --group={group} {journal}" in made


def test_the_command_and_the_health_check_are_executed_without_a_shell(final: "Stage") -> None:
    """A shell would not pass SIGTERM on, so both have the exec form."""
    assert final.find("CMD")[-1].exec_form == ["vertexkit", "run"]
    assert not final.find("ENTRYPOINT")
    health = final.find("HEALTHCHECK")[-1]
    assert health.exec_form == ["vertexkit", "health"]
    assert "CMD" in health.arguments.split()
    assert [step.arguments for step in final.find("STOPSIGNAL")] == ["SIGTERM"]


def test_the_environment_names_the_app_and_where_it_listens(final: "Stage") -> None:
    """The image serves the MODULE:APP of VERTEXKIT_APP on all addresses, and uses UTF-8."""
    environment = final.environment
    assert environment["VERTEXKIT_HOST"] == "0.0.0.0"
    assert environment["VERTEXKIT_PORT"] == final.find("EXPOSE")[-1].arguments
    assert environment["PYTHONUTF8"] == environment["PYTHONUNBUFFERED"] == "1"
    assert environment["PATH"].startswith("/opt/vertexkit/bin:")
    module, _, attribute = environment["VERTEXKIT_APP"].partition(":")
    assert attribute == "app"
    assert (ROOT / module.replace(".", "/")).with_suffix(".py").is_file()


def test_the_image_contains_no_secret_and_no_permission_to_do_without(
    stages: "list[Stage]",
) -> None:
    """Serving without a secret is the operator's decision, and an image contains no secret."""
    for stage in stages:
        names = set(stage.environment) | {
            step.arguments.split("=")[0] for step in stage.find("ARG")
        }
        assert not [name for name in names if re.search("SECRET|PASSWORD|TOKEN|ANONYMOUS", name)]


def test_every_package_comes_from_a_lock_with_hashes(builder: "Stage", final: "Stage") -> None:
    """A RUN installs only locked packages, or the wheel that this build makes."""
    commands = [part for step in builder.find("RUN") for part in step.arguments.split("&&")]
    installs = [command for command in commands if "pip install" in command]
    for command in installs:
        _, _, arguments = command.strip().partition(" install ")
        locked = re.fullmatch(r"--require-hashes -r locks/\w+\.txt", arguments)
        assert locked or arguments == "--no-deps --no-index /opt/wheels/*.whl", command
    assert "-r locks/image.txt" in installs[0]
    assert "--no-build-isolation" in next(part for part in commands if "pip wheel" in part)
    assert not [step for step in final.find("RUN") if "pip" in step.arguments]


def test_dockerignore_allows_what_the_build_copies(stages: "list[Stage]") -> None:
    """Each source of a COPY exists and is not ignored; secrets and journals are."""
    for stage in stages:
        for step in stage.find("COPY"):
            if not step.arguments.startswith("--from"):
                for source in step.arguments.split()[:-1]:
                    assert (ROOT / source).exists(), source
                    assert not ignored(source), source
    for private in (".env", ".git", ".venv/bin/python", ".vertexkit/journal.db", "locks/dev.txt"):
        assert ignored(private), private
