"""Finding the author's app, and saying where it is not."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from vertexkit.app import App
from vertexkit.errors import DefinitionError, SettingsError
from vertexkit.loading import find_app, find_block

BLOCK = """
@app.block("{0}")
async def {0}(ctx) -> None: ...
"""
APP = "from vertexkit import App\napp = App()\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An author's folder; what is imported from it is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.delenv("VERTEXKIT_APP", raising=False)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.mark.parametrize(
    "target, name",
    [
        ("bot_a:app", "bot_a:app"),
        ("bot_a", "bot_a:app"),
        ("bot_a.py", "bot_a:app"),
        ("bot_a.py:app", "bot_a:app"),
        ("inner/bot_b.py", "inner.bot_b:app"),
        ("inner.bot_b:holder.app", "inner.bot_b:holder.app"),
    ],
)
def test_an_app_is_found_by_module_or_by_file(folder: Path, target: str, name: str) -> None:
    """MODULE:APP, a module with one app, a file: whatever an author types first works."""
    (folder / "bot_a.py").write_text(APP)
    (folder / "inner").mkdir()
    (folder / "inner" / "bot_b.py").write_text(APP + "class holder:\n    app = app\n")
    found, app = find_app(target)
    assert found == name
    assert isinstance(app, App)


def test_a_file_of_another_folder_is_served_too(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """An absolute path outside the working folder is imported from where it lies."""
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "bot_c.py"
    elsewhere.write_text(APP)
    assert find_app(str(elsewhere))[0] == "bot_c:app"


def test_the_settings_name_the_app_if_the_command_does_not(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """VERTEXKIT_APP is what a container serves."""
    (folder / "bot_d.py").write_text(APP)
    monkeypatch.setenv("VERTEXKIT_APP", "bot_d:app")
    assert find_app(None)[0] == "bot_d:app"


@pytest.mark.parametrize(
    "target, text, said",
    [
        (None, "", "MODULE:APP on the command line or as VERTEXKIT_APP"),
        (":app", "", "MODULE is missing"),
        ("nowhere:app", "", "there is no module 'nowhere'"),
        ("nowhere.at.all:app", "", "there is no module 'nowhere'"),
        ("nowhere.py", "", "there is no file nowhere.py"),
        ("own:ap", APP, "own has no 'ap'. There is own:app"),
        ("own:other", APP + "other = 5", "own:other is no vertexkit.App but of type int"),
        ("own", "x = 1", "own has no apps: write app = App()"),
        ("own", APP + "second = App()", "own has 2 apps: say which, own:app"),
        ("own", "import os\nimport nonsense", "own.py:2: ModuleNotFoundError: No module named"),
        ("own", "def broken(:\n  pass", "own.py:1: SyntaxError: invalid syntax"),
        ("own", "import json\n\njson.loads('x')", "own.py:3: JSONDecodeError"),
    ],
)
def test_an_app_that_cannot_be_found_is_told_with_the_mend(
    folder: Path, target: str | None, text: str, said: str
) -> None:
    """Each way to miss an app has its own sentence; a fault in the file is told by its line."""
    (folder / "own.py").write_text(text)
    with pytest.raises(SettingsError) as caught:
        find_app(target)
    assert said in str(caught.value)


def test_a_block_declared_wrongly_is_told_by_its_own_error(folder: Path) -> None:
    """A DefinitionError is not wrapped into something vaguer."""
    (folder / "twice.py").write_text(APP + BLOCK.format("one") * 2)
    with pytest.raises(DefinitionError, match=r"twice\.py:\d+.*is taken"):
        find_app("twice:app")


def test_a_block_is_chosen_by_name_or_by_being_alone(folder: Path) -> None:
    """The only block needs no name; a misspelt one is guessed."""
    (folder / "one.py").write_text(APP + BLOCK.format("loan"))
    (folder / "two.py").write_text(APP + BLOCK.format("loan") + BLOCK.format("story"))
    assert find_block(find_app("one:app")[1], None).name == "loan"
    app = find_app("two:app")[1]
    assert find_block(app, "story").name == "story"
    with pytest.raises(SettingsError, match=r"say which block. The app has: loan, story"):
        find_block(app, None)
    with pytest.raises(SettingsError, match=r"no block 'lona'. Did you mean loan?"):
        find_block(app, "lona")
    with pytest.raises(SettingsError, match=r"no block 'x'. The app has: loan, story"):
        find_block(app, "x")
    with pytest.raises(SettingsError, match=r"@app.block"):
        find_block(App(), None)
