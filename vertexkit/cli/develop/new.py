"""`vertexkit new`: create a project with a block, tests and a Dockerfile."""

import builtins
import keyword
import re
from importlib import metadata
from importlib.resources import files
from pathlib import Path
from string import Template

from vertexkit.blocks.registry import NAME
from vertexkit.cli import output
from vertexkit.errors import SettingsError
from vertexkit.text import Language

TARGETS = {
    "block.py": "block.py",
    "test_block.py": "tests/test_block.py",
    "README.md": "README.md",
    "pyproject.toml": "pyproject.toml",
    "Dockerfile": "Dockerfile",
    "env.example": ".env.example",
    "gitignore": ".gitignore",
}
"""Files of the template, each with its path in the project."""
EXAMPLE_NAMES: dict[Language, str] = {"en": "Anna", "ru": "Аня"}
"""The name that the example command passes to the block."""
TEMPLATE_NAMES = {"app", "request"}
"""Names that the template uses; a handler of such a name would replace what it names."""
COMMAND_COLUMNS = 42
"""Width of a command in the list of next steps."""


def create_project(path: str, language: Language) -> Path:
    """Write a new project and print the next steps.

    Args:
        path: The project's folder, whose name becomes the block's name. It is created if it does
            not exist, and must be empty if it does.
        language: The language of the block's messages and of the README.

    Returns:
        The folder.

    Raises:
        SettingsError: The name is not a valid block name, or the folder is not empty.
    """
    folder = Path(path)
    name = folder.resolve().name.lower().replace(" ", "-")
    if not NAME.fullmatch(name):
        raise SettingsError(
            f"{folder.name!r} is not a valid block name. Use at most 64 of a-z, 0-9, - and _; for "
            "example: vertexkit new hello"
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SettingsError(f"folder {folder} already exists and is not empty. Choose another name")
    words = {
        "name": name,
        "title": name.replace("-", " ").replace("_", " ").capitalize(),
        "function": function_name(name),
        "project": project_name(name),
    }
    templates = files("vertexkit.cli") / "template"
    for file, target in TARGETS.items():
        own = templates / language / f"{file}.txt"
        source = own if own.is_file() else templates / "both" / f"{file}.txt"
        destination = folder / target
        destination.parent.mkdir(parents=True, exist_ok=True)
        text = Template(source.read_text(encoding="utf-8")).substitute(words)
        destination.write_text(text, encoding="utf-8")
        output.echo(f"  created  {destination}")
    output.echo(f"\n  next     cd {folder}")
    for command, purpose in (
        ("vertexkit dev", "run the block in a browser"),
        (f"vertexkit trigger block:app -i name={EXAMPLE_NAMES[language]}", "or in the terminal"),
        ("pytest", "run the tests"),
    ):
        output.echo(f"           {command:<{COMMAND_COLUMNS}}  {purpose}")
    return folder


def function_name(name: str) -> str:
    """Return the name of the handler of a block.

    Args:
        name: The block's name. If it is a word of Python or of the template, `_block` is added.
    """
    function = re.sub(r"\W|^(?=\d)", "_", name)
    words = (*keyword.kwlist, *keyword.softkwlist, *dir(builtins), *TEMPLATE_NAMES)
    return f"{function}_block" if function in words else function


def project_name(name: str) -> str:
    """Return the name of the project of a block, which pip can install beside vertexkit.

    Args:
        name: The block's name. If it is the name of vertexkit or of a package that vertexkit
            needs, `-block` is added.
    """
    project = name.strip("-_") or "block"
    requirements = metadata.requires("vertexkit") or ()
    needed = {re.split(r"[^\w.-]", line, maxsplit=1)[0].lower() for line in requirements}
    comparable = re.sub(r"[-_]+", "-", project)
    return f"{project}-block" if comparable in needed | {"vertexkit"} else project
