"""`vertexkit new`: a project with a block, its tests and its image, to start from."""

import re
from importlib.resources import files
from pathlib import Path
from string import Template

import typer

from vertexkit.blocks.registry import NAME
from vertexkit.errors import SettingsError

PLACES = {
    "block.py": "block.py",
    "test_block.py": "tests/test_block.py",
    "README.md": "README.md",
    "pyproject.toml": "pyproject.toml",
    "Dockerfile": "Dockerfile",
    "env.example": ".env.example",
    "gitignore": ".gitignore",
}
"""Each file of the template, and where it goes."""
WIDE = 42
"""Columns of a command."""


def create(place: str, language: str) -> Path:
    """Write a new project, and say what to do next.

    Args:
        place: the folder; its name is the block's. It is made, and has to be empty if it is there.
        language: of what the block says and of its README.

    Raises:
        SettingsError: the name is none for a block, or something is there already.
    """
    folder = Path(place)
    name = folder.resolve().name.lower().replace(" ", "-")
    if not NAME.fullmatch(name):
        raise SettingsError(
            f"{name!r} is no name for a block: a-z, 0-9, - and _, at most 64; for example: "
            "vertexkit new hello"
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SettingsError(f"{folder} is there already and is not empty: choose another name")
    words = {
        "name": name,
        "title": name.replace("-", " ").replace("_", " ").capitalize(),
        "function": re.sub(r"\W|^(?=\d)", "_", name),
    }
    templates = files("vertexkit.cli") / "template"
    for file, target in PLACES.items():
        own = templates / language / f"{file}.txt"
        source = own if own.is_file() else templates / "both" / f"{file}.txt"
        path = folder / target
        path.parent.mkdir(parents=True, exist_ok=True)
        text = Template(source.read_text(encoding="utf-8")).substitute(words)
        path.write_text(text, encoding="utf-8")
        typer.echo(f"  created  {path}")
    typer.echo(f"\n  next     cd {folder}")
    for command, purpose in (
        ("vertexkit dev", "talk to it in a browser"),
        (f"vertexkit trigger block:app -i name={_greeted(language)}", "or here"),
        ("pytest", "test it"),
    ):
        typer.echo(f"           {command:<{WIDE}}  {purpose}")
    return folder


def _greeted(language: str) -> str:
    return {"en": "Anna", "ru": "Аня"}[language]
