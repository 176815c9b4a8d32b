"""`vertexkit new`: create a project with a block, tests, a Dockerfile and a CI file."""

import builtins
import importlib.util
import keyword
import re
import sys
from importlib import metadata
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template

from vertexkit.blocks.registry import NAME
from vertexkit.cli import output
from vertexkit.cli.develop.own_wheel import wheel_name, write_wheel
from vertexkit.cli.translation import translate
from vertexkit.errors import SettingsError
from vertexkit.text import Language

TARGETS = {
    "block.py": "block.py",
    "test_block.py": "tests/test_block.py",
    "README.md": "README.md",
    "pyproject.toml": "pyproject.toml",
    "requirements.txt": "requirements.txt",
    "requirements-dev.txt": "requirements-dev.txt",
    "Dockerfile": "Dockerfile",
    "compose.yaml": "compose.yaml",
    "tests.yml": ".github/workflows/tests.yml",
    "env.example": ".env.example",
    "gitignore": ".gitignore",
    "dockerignore": ".dockerignore",
}
"""Files of the template, each with its path in the project."""
EXAMPLES: dict[tuple[str, Language], str] = {
    ("plain", "en"): "-i name=Anna",
    ("plain", "ru"): "-i name=Аня",
    ("lookup", "en"): "-i code=USD",
    ("lookup", "ru"): "-i code=USD",
    ("waiting", "en"): '--fast -i text="A discount of 10 %"',
    ("waiting", "ru"): '--fast -i text="Скидка 10 %"',
    ("model", "en"): '-i question="What do you sell?"',
    ("model", "ru"): '-i question="Что у вас есть?"',
}
"""The options of the example command, by template and language."""
EXTRAS = {"model": ("llm",)}
"""The extras of vertexkit that a template needs."""
TEMPLATE_NAMES = {
    *("app", "request", "lifespan", "on_failure", "notify", "fetch_rate"),
    *("http_client", "read_variable"),
}
"""Names that the templates use; a handler of such a name would replace what it names."""
DEVELOPMENT_PACKAGES = {"pytest", "respx", "ruff"}
"""What `requirements-dev.txt` installs beside vertexkit."""
PROJECT_NAMES = {"app", "block", "tests", "wheels"}
"""Names of files and folders of a project."""


def create_project(
    path: str,
    language: Language,
    template: str = "plain",
    *,
    bundled: bool = True,
    as_json: bool = False,
) -> Path:
    """Write a new project and print the next steps.

    Args:
        path: The project's folder, whose name becomes the block's name. It is created if it does
            not exist, and must be empty if it does.
        language: The language of the block's messages and of the README.
        template: The kind of block: a folder of `vertexkit/cli/template`.
        bundled: Put a wheel of vertexkit into the project, which is then installed from there.
        as_json: Print the names of the files as JSON instead of text.

    Returns:
        The folder.

    Raises:
        SettingsError: The name is not a valid block name, or the folder is not empty.
    """
    folder = Path(path)
    name = _block_name(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SettingsError(f"folder {folder} already exists and is not empty. Choose another name")
    folder.mkdir(parents=True, exist_ok=True)
    templates = files("vertexkit.cli") / "template"
    words = _words(name, EXTRAS.get(template, ()), bundled=bundled)
    words["try_command"] = f"vertexkit trigger {EXAMPLES[template, language]}"
    for key, file in (("wheel_note", "wheel_note"), ("try_note", f"{template}_note")):
        note = templates / language / f"{file}.txt"
        shown = note.is_file() and (bundled or key != "wheel_note")
        words[key] = note.read_text(encoding="utf-8") if shown else ""
    created: list[Path] = []
    for file, target in TARGETS.items():
        text = Template(_read(templates, template, language, file)).substitute(words)
        if file == "env.example":
            text += (templates / template / "env.txt").read_text(encoding="utf-8")
        destination = folder / target
        destination.parent.mkdir(parents=True, exist_ok=True)
        destination.write_text(text, encoding="utf-8")
        created.append(destination)
    if bundled:
        wheel = folder / "wheels" / wheel_name()
        wheel.parent.mkdir()
        write_wheel(wheel)
        created.append(wheel)
    if as_json:
        output.print_json({"folder": str(folder), "block": name, "files": [*map(str, created)]})
        return folder
    for path_of_file in created:
        output.echo(f"  {translate('created'):<9}{path_of_file}")
    _print_next_steps(folder, words["try_command"])
    return folder


def _block_name(folder: Path) -> str:
    """Return the name of the block, for a folder."""
    name = folder.resolve().name.lower().replace(" ", "-")
    if not NAME.fullmatch(name):
        raise SettingsError(
            f"{folder.name!r} is not a valid block name. Use at most 64 of a-z, 0-9, - and _; for "
            "example: vertexkit new hello"
        )
    if meaning := reserved_meaning(name):
        raise SettingsError(
            f"{name!r} is {meaning}. Choose another name, for example: vertexkit new {name}-block"
        )
    return name


def reserved_meaning(name: str) -> str:
    """Return what a name already means, and so why no project gets it; empty if it can be used.

    Args:
        name: A valid name of a block.
    """
    words = {word.lower() for word in (*keyword.kwlist, *keyword.softkwlist)}
    if name in words:
        return "a keyword of Python"
    if name in PROJECT_NAMES:
        return "the name of a file or folder of the project"
    needed = {
        re.split(r"[^\w.-]", line, maxsplit=1)[0].lower()
        for line in metadata.requires("vertexkit") or ()
    }
    if name.replace("_", "-") in needed | DEVELOPMENT_PACKAGES | {"vertexkit"}:
        return "the name of a package that the project needs"
    if name in sys.stdlib_module_names or (name.isidentifier() and _can_be_imported(name)):
        return "the name of a module of Python or of an installed package"
    return ""


def _can_be_imported(name: str) -> bool:
    """Whether a module has this name; a folder without `__init__.py` does not count."""
    spec = importlib.util.find_spec(name)
    return spec is not None and spec.origin is not None


def _words(name: str, extras: tuple[str, ...], *, bundled: bool) -> dict[str, str]:
    """Return what replaces the placeholders of every template."""
    version = metadata.version("vertexkit")
    major, minor = version.split(".")[:2]
    at_wheel = f"./wheels/{wheel_name()}"
    versions = f">={version},<{major}.{int(minor) + 1}"
    extra = f"[{','.join(extras)}]" if extras else ""
    dev_extras = ",".join(("dev", *extras))
    return {
        "name": name,
        "title": name.replace("-", " ").replace("_", " ").strip().capitalize(),
        "function": function_name(name),
        "requirement": f"{at_wheel}{extra}" if bundled else f"vertexkit{extra}{versions}",
        "dev_requirement": f"{at_wheel if bundled else 'vertexkit'}[{dev_extras}]",
        "copy_wheels": "COPY wheels wheels\n" if bundled else "",
    }


def _read(templates: Traversable, template: str, language: str, file: str) -> str:
    """Read a file of a template from the most specific folder that has it."""
    places = [templates / template / language, templates / language, templates / "common"]
    found = next(place / f"{file}.txt" for place in places if (place / f"{file}.txt").is_file())
    return found.read_text(encoding="utf-8")


def _print_next_steps(folder: Path, try_command: str) -> None:
    steps = (
        f"cd {folder}",
        "python3 -m venv .venv && . .venv/bin/activate",
        "pip install -r requirements-dev.txt",
        try_command,
        "pytest",
    )
    for heading, step in zip(("next", "", "", "", ""), steps, strict=True):
        output.echo(f"{'':2}{translate(heading):<9}{step}")


def function_name(name: str) -> str:
    """Return the name of the handler of a block.

    Args:
        name: The block's name. If it is a word of Python or of the template, `_block` is added.
    """
    function = re.sub(r"\W|^(?=\d)", "_", name)
    words = (*keyword.kwlist, *keyword.softkwlist, *dir(builtins), *TEMPLATE_NAMES)
    return f"{function}_block" if function in words else function
