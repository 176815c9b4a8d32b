"""The catalogues of the command line: what they must contain, and how they are compiled.

    python -m tests.translations    compiles vertexkit/cli/locale/*/LC_MESSAGES/vertexkit.po

A new help text, sentence of a command, or error that a user of the command line can meet needs a
translation in each catalogue.
"""

import ast
import re
import struct
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import typer

from tests.syntax_trees import nodes_of, parse
from vertexkit.cli.main import cli
from vertexkit.cli.translation import FOLDER

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "vertexkit"
SENTENCE_FILES = (
    "cli/**/*.py",
    "settings/*.py",
    "loading.py",
    "service.py",
    "blocks/*.py",
    "journal/admin.py",
    "journal/encryption.py",
    "journal/state/operations.py",
    "journal/sqlite/file.py",
    "operators/executions.py",
    "operators/saved_tests.py",
    "botone/connecting.py",
    "botone/failures.py",
    "botone/hints.py",
    "botone/walk.py",
    "testing/chaos.py",
    "testing/platform/auth.py",
    "testing/platform/ledger.py",
    "testing/platform/methods.py",
    "testing/platform/query.py",
    "testing/platform/request_body.py",
    "testing/platform/vertex.py",
)
"""Files whose sentences reach users of the command line, as errors, findings or parts of them."""
NOT_SENTENCE_FILES = {"scripts.py"}
"""Programs of shells."""
ERRORS = {
    "DefinitionError",
    "DialogUnknown",
    "JournalUnusable",
    "OperationNotAllowed",
    "ServiceFailed",
    "SettingsError",
}
"""Errors that a command ends with; any file may raise them."""
AUTHOR_FOLDERS = {"context", "models", "testing", "playground"}
"""Their errors are read by authors in their code and in tests, or are shown by the page."""
CALL_ERROR = "CallError"
"""Its third argument is what the caller of a block gets."""
SENTENCE = re.compile(r"[a-z]{2,}[^ ]* [a-z{(`'-]")
NOT_SENTENCES = re.compile(
    r"bold |dim |Bearer|Basic realm|PRAGMA|BEGIN|assert |\s*vertexkit (executions|dev|console|\{0)|cd \{|pip install|python3 -"
    r"|COPY |Callable|\s*curl |body if|--fast |-i |# |yyyy|run\.|\{\"dialog|\{0\}=complete_fish"
    r"|\"\"\"|#compdef|effects \{|memory \{0\}$|\s*\{0\} (retry|drop) |TLS |default \{0\}$"
    r"|Execution \{0\} was|Masked texts: \{0\}\.$|Input should|must be$|Value error|, unable to"
    r"|The app, for example|Default: (VERTEXKIT_APP|the recorded)|Only dialogs created then"
    r"|A day, a month|  export|vertexkit trigger|vertexkit: \{0\}|at least $| with code|, without quotes$"
    r"|failed: |dialog gone$|call rejected: |complete: the block was already completed$"
)
"""Styles, code, SQL, commands, names of ends, and parts of help texts, which are translated as a whole."""
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


def printed_texts() -> Iterator[str]:
    """The texts that the commands pass to `translate`, `translate_count` and to a `Phrase`."""
    for file in sorted(PACKAGE.glob("cli/**/*.py")):
        for call in _calls(file):
            if _name_of(call) in {"translate", "translate_count", "phrase", "_phrase"}:
                yield from (
                    text.value
                    for text in call.args[:3]
                    if isinstance(text, ast.Constant) and isinstance(text.value, str)
                )


def sentences() -> Iterator[str]:
    """The sentences in `SENTENCE_FILES`, with {0}, {1} in the place of values."""
    for pattern in SENTENCE_FILES:
        for file in sorted(set(PACKAGE.glob(pattern))):
            if file.name in NOT_SENTENCE_FILES:
                continue
            for text in _texts(file):
                if SENTENCE.search(text) and not NOT_SENTENCES.match(text):
                    yield text


def error_templates() -> Iterator[str]:
    """The messages of `ERRORS`, wherever they are raised."""
    for file in sorted(PACKAGE.rglob("*.py")):
        if file.relative_to(PACKAGE).parts[0] not in AUTHOR_FOLDERS and _names_an_error(file):
            for call in _calls(file):
                if _name_of(call) in ERRORS and call.args:
                    yield from _template(call.args[0])
                elif _name_of(call) == CALL_ERROR and len(call.args) > 2:
                    yield from _template(call.args[2])


def _names_an_error(file: Path) -> bool:
    """Most files name none: they are not parsed."""
    text = file.read_text(encoding="utf-8")
    return any(f"{name}(" in text for name in (*ERRORS, CALL_ERROR))


def untranslated_sentences() -> Iterator[str]:
    """Sentences that a command passes to a function that prints, without `translate`."""
    for file in sorted(PACKAGE.glob("cli/**/*.py")):
        if file.name in NOT_SENTENCE_FILES:
            continue
        for call in _calls(file):
            if _name_of(call) in {"print", "echo", "append", "_line", "Text", "confirm", "prompt"}:
                for argument in call.args:
                    for text in _template(argument):
                        if SENTENCE.search(text) and not NOT_SENTENCES.match(text.strip()):
                            yield f"{file.relative_to(ROOT)}:{call.lineno}: {text}"


def _calls(file: Path) -> Iterator[ast.Call]:
    for node in _nodes(file):
        if isinstance(node, ast.Call):
            yield node


@cache
def _nodes(file: Path) -> list[ast.AST]:
    """The syntax tree of a file of the package, which several tests read."""
    return list(nodes_of(parse(file)))


def _name_of(call: ast.Call) -> str:
    function = call.func
    return getattr(function, "attr", "") or getattr(function, "id", "")


def _texts(file: Path) -> Iterator[str]:
    """The texts of a file that are not docstrings; a text in parts is one template."""
    skipped: set[ast.AST] = set()
    for node in _nodes(file):
        if isinstance(node, ast.Expr):  # a docstring
            skipped.add(node.value)
        elif isinstance(node, ast.JoinedStr):
            for part in node.values:
                skipped.add(
                    part.format_spec or part if isinstance(part, ast.FormattedValue) else part
                )
        if node not in skipped and isinstance(node, ast.expr):
            yield from _template(node)


def _template(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value.replace("{}", "{0}")
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
