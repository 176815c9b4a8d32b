"""The catalogues of the command line: what they must contain, and how they are compiled.

    python -m tests.translations    compiles vertexkit/cli/locale/*/LC_MESSAGES/vertexkit.po

A new help text, or an error in one of `ERROR_FILES`, needs a translation in each catalogue.
"""

import ast
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from vertexkit.cli.main import cli
from vertexkit.cli.translation import FOLDER

ROOT = Path(__file__).parents[1]
ERROR_FILES = (
    "vertexkit/loading.py",
    "vertexkit/settings/settings.py",
    "vertexkit/server/listen.py",
    "vertexkit/recordings/folder.py",
    "vertexkit/cli/dialogs/login.py",
    "vertexkit/cli/dialogs/manage.py",
    *(
        f"vertexkit/cli/develop/{name}.py"
        for name in (
            "capture",
            "commands",
            "inputs",
            "new",
            "platform",
            "remote",
            "replay",
            "waits",
        )
    ),
)
"""Files whose errors are translated."""
NAMES = {"127.0.0.1", "8000", "1", "VERTEXKIT_ENDINGS"}
"""Defaults in help texts that are the same in every language."""


def help_texts(command: Any = None) -> Iterator[str]:
    """The help texts of a command, of its options and of the commands in it."""
    command = command or typer.main.get_command(cli)
    texts = [command.help, *(getattr(parameter, "help", None) for parameter in command.params)]
    texts += [getattr(parameter, "show_default", None) for parameter in command.params]
    yield from (text for text in texts if text and isinstance(text, str) and text not in NAMES)
    for inner in getattr(command, "commands", {}).values():
        yield from help_texts(inner)


def texts_of_typer() -> Iterator[str]:
    """The texts that typer passes to gettext."""
    for file in sorted(Path(typer.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                argument = node.args[0] if node.func.id == "_" and node.args else None
                if isinstance(argument, ast.Constant):
                    yield str(argument.value)


def error_templates() -> Iterator[str]:
    """The messages of errors that `ERROR_FILES` raise, with {0}, {1} in the place of values."""
    for file in ERROR_FILES:
        for node in ast.walk(ast.parse((ROOT / file).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args:
                yield from _template(node.exc.args[0])


def _template(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        parts: list[str] = []
        number = 0
        for value in node.values:
            if isinstance(value, ast.Constant):
                parts.append(str(value.value))
            else:
                parts.append(f"{{{number}}}")
                number += 1
        yield "".join(parts)


def read_catalogue(file: Path) -> dict[str, str]:
    """Read a .po file: the translations by their source texts."""
    catalogue: dict[str, str] = {}
    texts: dict[str, str] = {}
    field = ""
    for line in [*file.read_text(encoding="utf-8").splitlines(), ""]:
        if line.startswith(("msgid ", "msgstr ")):
            field, _, quoted = line.partition(" ")
            texts[field] = ast.literal_eval(quoted)
        elif line.startswith('"'):
            texts[field] += ast.literal_eval(line)
        elif not line and "msgid" in texts:
            catalogue[texts["msgid"]] = texts["msgstr"]
            texts = {}
    return catalogue


def compile_catalogue(catalogue: dict[str, str]) -> bytes:
    """Return the content of a .mo file: the format is described in the manual of GNU gettext."""
    entries = sorted(catalogue.items())
    keys = [source.encode() for source, _ in entries]
    values = [translation.encode() for _, translation in entries]
    start = 28 + 16 * len(entries)
    tables, data = b"", b""
    for text in (*keys, *values):
        tables += struct.pack("<II", len(text), start + len(data))
        data += text + b"\0"
    header = struct.pack("<7I", 0x950412DE, 0, len(entries), 28, 28 + 8 * len(entries), 0, start)
    return header + tables + data


def catalogues() -> list[Path]:
    """The .po files."""
    return sorted(FOLDER.glob("*/LC_MESSAGES/*.po"))


if __name__ == "__main__":
    for po in catalogues():
        po.with_suffix(".mo").write_bytes(compile_catalogue(read_catalogue(po)))
