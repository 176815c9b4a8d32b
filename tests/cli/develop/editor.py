"""An editor and a keyboard for commands that let a user edit inputs."""

import io
import sys
from pathlib import Path

import pytest

SCRIPT = """
number=$(ls shown-* 2>/dev/null | wc -l)
cp "$1" shown-$number
if [ -e saved-$number ]; then cp saved-$number "$1"; fi
"""
"""An editor: keeps what it shows, and saves what the test has prepared for this time."""


class Keyboard(io.StringIO):
    """Standard input of a terminal, on which a text was typed."""

    def isatty(self) -> bool:
        return True


class Editor:
    """The user's editor in a folder, and a terminal."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self._monkeypatch = monkeypatch
        (folder / "edit.sh").write_text(SCRIPT)
        monkeypatch.chdir(folder)
        monkeypatch.delenv("VISUAL", raising=False)
        monkeypatch.setenv("EDITOR", "sh edit.sh")
        monkeypatch.setenv("TTY_COMPATIBLE", "0")  # rich prints no colours

    def save(self, *texts: str | bytes, typed: str = "") -> None:
        """Let the editor save these texts, one each time; what is typed in between answers questions."""
        for number, text in enumerate(texts):
            content = text if isinstance(text, bytes) else text.encode()
            (self.folder / f"saved-{number}").write_bytes(content)
        self._monkeypatch.setattr(sys, "stdin", Keyboard(typed))
        self._monkeypatch.setattr(sys.stdout, "isatty", lambda: True)

    def shown(self, number: int) -> str:
        """Return the text that the editor has shown this time."""
        return (self.folder / f"shown-{number}").read_text(encoding="utf-8")
