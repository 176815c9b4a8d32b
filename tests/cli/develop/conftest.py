"""Fixtures for the commands for writing blocks."""

from pathlib import Path

import pytest

from tests.cli.develop.editor import Editor


@pytest.fixture
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Editor:
    """An editor and a terminal; the working folder is empty."""
    return Editor(tmp_path, monkeypatch)
