"""`vertexkit new`: create a project with a block, tests and a Dockerfile."""

import re
from importlib.resources import files
from pathlib import Path
from string import Template

import typer

from vertexkit.blocks.registry import NAME
from vertexkit.cli.options import Language
from vertexkit.errors import SettingsError

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
        "function": re.sub(r"\W|^(?=\d)", "_", name),
    }
    templates = files("vertexkit.cli") / "template"
    for file, target in TARGETS.items():
        own = templates / language / f"{file}.txt"
        source = own if own.is_file() else templates / "both" / f"{file}.txt"
        output = folder / target
        output.parent.mkdir(parents=True, exist_ok=True)
        text = Template(source.read_text(encoding="utf-8")).substitute(words)
        output.write_text(text, encoding="utf-8")
        typer.echo(f"  created  {output}")
    typer.echo(f"\n  next     cd {folder}")
    for command, purpose in (
        ("vertexkit dev", "run the block in a browser"),
        (f"vertexkit trigger block:app -i name={EXAMPLE_NAMES[language]}", "or in the terminal"),
        ("pytest", "run the tests"),
    ):
        typer.echo(f"           {command:<{COMMAND_COLUMNS}}  {purpose}")
    return folder
