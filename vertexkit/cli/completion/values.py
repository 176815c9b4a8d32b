"""Values that a shell completes: apps, blocks and recorded runs.

A completion must not run the author's code, change anything or print an error: apps and blocks are
read from the text of the files, and files that cannot be read are skipped.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

Candidates = Iterator[tuple[str, str]]
"""Values, each with its description."""

APP_ASSIGNMENT = r"(?m)^(\w+)\s*(?::[^=\n]+)?=\s*(?:vertexkit\.)?App\("
BLOCK_DECORATOR = r"""\.block\(\s*(?:name\s*=\s*)?["']([^"'\n]+)["']"""
OTHER_FOLDERS = {"build", "dist", "node_modules", "site-packages", "tests", "venv"}
"""Folders whose files define no app of the author."""
MAX_DEPTH = 3
MAX_FILES = 300
MAX_FILE_BYTES = 500_000


def apps(incomplete: str) -> Candidates:
    """Complete MODULE:APP: the apps in files of the working folder."""
    for file in _python_files():
        module = ".".join(file.with_suffix("").parts)
        for found in re.finditer(APP_ASSIGNMENT, _text(file)):
            if (name := f"{module}:{found[1]}").startswith(incomplete):
                yield name, str(file)


def blocks(incomplete: str) -> Candidates:
    """Complete the name of a block that a file of the working folder declares."""
    names: dict[str, str] = {}
    for file in _python_files():
        for found in re.finditer(BLOCK_DECORATOR, _text(file)):
            names.setdefault(found[1], str(file))
    yield from ((name, file) for name, file in names.items() if name.startswith(incomplete))


def apps_and_blocks(incomplete: str) -> Candidates:
    """Complete an app, or a block of the app that the command finds by itself."""
    yield from blocks(incomplete)
    yield from apps(incomplete)


def recorded_runs(incomplete: str) -> Candidates:
    """Complete the id of a recorded run, newest first, or `last`."""
    from vertexkit.recordings import RecordingsFolder
    from vertexkit.recordings.folder import LATEST

    names = [file.stem for file in RecordingsFolder().files()]
    for name in [LATEST, *names] if names else []:
        if name.startswith(incomplete):
            yield name, ""


def _python_files() -> Iterator[Path]:
    """The author's files in the working folder: those nearest to it first."""
    count = 0
    folders = [Path()]
    for _ in range(MAX_DEPTH):
        inner: list[Path] = []
        for folder in folders:
            with suppress(OSError):
                for path in sorted(folder.iterdir()):
                    if path.is_dir() and path.name.isidentifier():
                        inner += [path] if path.name not in OTHER_FOLDERS else []
                    elif path.suffix == ".py" and count < MAX_FILES:
                        count += 1
                        yield path
        folders = inner


def _text(file: Path) -> str:
    try:
        if file.stat().st_size <= MAX_FILE_BYTES:
            return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        pass
    return ""
