"""Importing the author's app, and locating errors in the author's code."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pydantic
import pytest

from vertexkit.app import App
from vertexkit.errors import DefinitionError, SettingsError
from vertexkit.loading import (
    APP_FILES,
    default_target,
    display_path,
    error_location,
    find_app,
    find_block,
)

BLOCK = """
@app.block("{0}")
async def {0}(ctx) -> None: ...
"""
APP = "from vertexkit import App\napp = App()\n"
THIS_FILE = Path(__file__)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An author's folder, which is the working folder; its modules are unloaded afterwards."""
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
    """MODULE:APP, a module with one app, and a file all name an app."""
    (folder / "bot_a.py").write_text(APP)
    (folder / "inner").mkdir()
    (folder / "inner" / "bot_b.py").write_text(APP + "class holder:\n    app = app\n")
    found, app = find_app(target)
    assert found == name
    assert isinstance(app, App)


def test_a_file_of_another_folder_can_be_imported(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """An absolute path outside the working folder is imported from its own folder."""
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "bot_c.py"
    elsewhere.write_text(APP)
    assert find_app(str(elsewhere))[0] == "bot_c:app"


def test_vertexkit_app_is_the_default(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a target, the app named by VERTEXKIT_APP is imported."""
    (folder / "bot_d.py").write_text(APP)
    monkeypatch.setenv("VERTEXKIT_APP", "bot_d:app")
    assert find_app(None)[0] == "bot_d:app"


@pytest.mark.parametrize("name", APP_FILES)
def test_the_app_file_of_the_folder_is_the_default(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Without a target and without VERTEXKIT_APP, the first of the usual files that exists is."""
    monkeypatch.delenv("VERTEXKIT_APP", raising=False)
    for file in APP_FILES[APP_FILES.index(name) :]:
        (folder / file).write_text(APP)
    assert default_target() == name
    monkeypatch.setenv("VERTEXKIT_APP", "bot_d:app")
    assert default_target() == "bot_d:app"


def test_the_app_of_pyproject_precedes_the_usual_files(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`app` of [tool.vertexkit] is the app, unless VERTEXKIT_APP names another one."""
    (folder / "block.py").write_text(APP)
    (folder / "pyproject.toml").write_text('[project]\nname = "x"\n')
    assert default_target() == "block.py"
    (folder / "pyproject.toml").write_text('[tool.vertexkit]\napp = "shop.bot:app"\n')
    assert default_target() == "shop.bot:app"
    monkeypatch.setenv("VERTEXKIT_APP", "bot_d:app")
    assert default_target() == "bot_d:app"


@pytest.mark.parametrize(
    "text, message",
    [
        ('[tool.vertexkit]\nap = "x"', "has no key 'ap'. Did you mean 'app'? It has: app"),
        ("[tool.vertexkit]\napp = 1", 'must be a text such as "hello:app", got 1'),
        ("[tool.vertexkit", "pyproject.toml cannot be read"),
        ("tool = 1", "pyproject.toml: tool.vertexkit must be a table"),
        ("[tool]\nvertexkit = 1", "pyproject.toml: tool.vertexkit must be a table"),
    ],
)
def test_a_wrong_project_table_is_an_error(folder: Path, text: str, message: str) -> None:
    """The message names the file and what is wrong in it."""
    (folder / "block.py").write_text(APP)
    (folder / "pyproject.toml").write_text(text)
    with pytest.raises(SettingsError) as caught:
        default_target()
    assert message in str(caught.value)


def test_the_error_names_everything_that_was_looked_for(folder: Path) -> None:
    """An author who has no app where it is expected reads each place."""
    with pytest.raises(SettingsError) as caught:
        default_target()
    for place in (str(folder), "VERTEXKIT_APP", "pyproject.toml", *APP_FILES, "MODULE:APP"):
        assert place in str(caught.value)


@pytest.mark.parametrize(
    "target, text, message",
    [
        (
            None,
            "",
            "no app given, and none found in",
        ),
        (":app", "", "the module is missing before the colon"),
        ("nowhere:app", "", "there is no module 'nowhere'"),
        ("nowhere.at.all:app", "", "there is no module 'nowhere'"),
        ("nowhere.py", "", "there is no file nowhere.py"),
        ("own:ap", APP, "own has no 'ap'. Did you mean own:app?"),
        (
            "own:other",
            APP + "other = 5",
            "own:other must be a vertexkit.App, got int. Did you mean own:app?",
        ),
        ("own", "x = 1", "own defines no app. Add app = App() to it"),
        ("own", APP + "second = App()", "own defines 2 apps. Choose one, for example own:app"),
        ("own", "import os\nimport nonsense", "own.py:2: ModuleNotFoundError: No module named"),
        ("own", "def broken(:\n  pass", "own.py:1: SyntaxError: invalid syntax"),
        ("own", "import json\n\njson.loads('x')", "own.py:3: JSONDecodeError"),
    ],
)
def test_an_app_that_cannot_be_imported_is_explained(
    folder: Path, target: str | None, text: str, message: str
) -> None:
    """Each cause has its own message; an error in the file is reported with its line."""
    (folder / "own.py").write_text(text)
    with pytest.raises(SettingsError) as caught:
        find_app(target)
    assert message in str(caught.value)


def test_a_definition_error_is_raised_unchanged(folder: Path) -> None:
    """A DefinitionError keeps its type and its message."""
    (folder / "twice.py").write_text(APP + BLOCK.format("one") * 2)
    with pytest.raises(DefinitionError, match=r"twice\.py:\d+.*is taken"):
        find_app("twice:app")


def test_a_block_is_chosen_by_name(folder: Path) -> None:
    """An app's only block needs no name; for a misspelled name the closest one is suggested."""
    (folder / "one.py").write_text(APP + BLOCK.format("loan"))
    (folder / "two.py").write_text(APP + BLOCK.format("loan") + BLOCK.format("story"))
    assert find_block(find_app("one:app")[1], None).name == "loan"
    app = find_app("two:app")[1]
    assert find_block(app, "story").name == "story"
    with pytest.raises(
        SettingsError, match=r"no block given, and the app has several. Choose one of: loan, story"
    ):
        find_block(app, None)
    with pytest.raises(SettingsError, match=r"no block 'lona'. Did you mean loan?"):
        find_block(app, "lona")
    with pytest.raises(SettingsError, match=r"no block 'x'. The app has: loan, story"):
        find_block(app, "x")
    with pytest.raises(SettingsError, match=r"@app.block"):
        find_block(App(), None)


def read_number(text: str) -> Any:
    return json.loads(text)


def validate_number() -> None:
    pydantic.TypeAdapter(int).validate_python("x")


@pytest.mark.parametrize(
    "fail, line",
    [
        (lambda: read_number("x"), "return json.loads(text)"),
        (validate_number, 'pydantic.TypeAdapter(int).validate_python("x")'),
        (lambda: 1 // 0, '(lambda: 1 // 0, "(lambda'),
    ],
)
def test_an_error_is_located_at_the_authors_deepest_line(
    fail: Callable[[], object], line: str
) -> None:
    """The location is neither the library's line that raised nor vertexkit's line that called."""
    with pytest.raises((ValueError, ZeroDivisionError)) as caught:
        fail()
    location, text = error_location(caught.value)
    assert location.rpartition(":")[0] == str(THIS_FILE)
    assert text.startswith(line[:15])


def test_a_syntax_error_is_located_in_its_own_file() -> None:
    """The location is the line that cannot be parsed, not the line that imports the file."""
    with pytest.raises(SyntaxError) as caught:
        compile("a = 1\nb = = 2\n", "own.py", "exec")
    assert error_location(caught.value) == ("own.py:2", "b = = 2")


def test_an_exception_that_was_never_raised_has_no_location() -> None:
    """Without a traceback, location and line are empty."""
    assert error_location(ValueError("x")) == ("", "")


def test_a_file_in_the_working_folder_is_shown_by_its_relative_path(folder: Path) -> None:
    """Other files are shown by their full path."""
    assert display_path(str(folder / "a" / "b.py")) == "a/b.py"
    assert display_path("/elsewhere/b.py") == "/elsewhere/b.py"
