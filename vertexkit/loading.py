"""Importing an author's app from `MODULE:APP`, and locating errors in the author's code."""

import difflib
import importlib
import os
import sys
import sysconfig
import tomllib
import traceback
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from vertexkit.app import App
from vertexkit.blocks.registry import Block
from vertexkit.errors import SettingsError, VertexkitError
from vertexkit.settings import Settings
from vertexkit.system.import_folder import PACKAGE_FOLDERS

EXAMPLE = "for example hello:app"
APP_FILES = ("block.py", "main.py", "app.py", "hello.py")
"""Files that may contain the app, if nothing else names it."""
PROJECT_FILE = "pyproject.toml"
PROJECT_KEYS = ("app",)
"""Keys of the table `[tool.vertexkit]` in `pyproject.toml`."""
LIBRARY_PATHS = (
    str(Path(__file__).parent),
    sysconfig.get_path("stdlib"),
    str(Path(importlib.__file__).parent),
    "<frozen",
)
"""Prefixes of files that are not the author's: vertexkit, the standard library, the importer."""


def find_app(target: str | None) -> tuple[str, App]:
    """Import an app by its name.

    Args:
        target: `package.module:app`, `package.module`, `file.py` or `folder/file.py:app`.
            None or empty means that of `default_target`.

    Returns:
        The app's full name, `package.module:app`, and the app.

    Raises:
        SettingsError: The app does not exist or cannot be imported. The message names the
            line that failed.
        DefinitionError: A block of the app is declared incorrectly.
    """
    target = target or default_target()
    module_or_file, _, attribute = target.partition(":")
    name = _module_name(module_or_file)
    if (folder := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, folder)
    module = _import(name)
    attribute = attribute or _only_app(module)
    app = module
    for part in attribute.split("."):
        if not hasattr(app, part):
            raise SettingsError(f"{name} has no {attribute!r}{_suggestion(module)}")
        app = getattr(app, part)
    if not isinstance(app, App):
        raise SettingsError(
            f"{name}:{attribute} must be a vertexkit.App, got {type(app).__name__}"
            f"{_suggestion(module)}"
        )
    return f"{name}:{attribute}", app


def default_target() -> str:
    """Return the app that a command uses if no argument names one.

    Returns:
        The setting VERTEXKIT_APP, `app` of `[tool.vertexkit]` in the working folder's
        `pyproject.toml`, or the first of `APP_FILES` in that folder.

    Raises:
        SettingsError: There is none of them, or `pyproject.toml` cannot be read.
    """
    if target := configured_target():
        return target
    for name in APP_FILES:
        if Path(name).is_file():
            return name
    raise SettingsError(
        f"no app given, and none found in {Path.cwd()}: VERTEXKIT_APP is not set, {PROJECT_FILE} "
        f"has no [tool.vertexkit] with app, and there is no {', '.join(APP_FILES[:-1])} or "
        f"{APP_FILES[-1]}. Pass MODULE:APP, {EXAMPLE}, or create a project with vertexkit new hello"
    )


def configured_target() -> str:
    """Return the app that VERTEXKIT_APP or `pyproject.toml` names, or an empty text.

    Raises:
        SettingsError: `pyproject.toml` cannot be read.
    """
    return Settings.load().server.app or _project_app()


def _project_app() -> str:
    """Return `app` of `[tool.vertexkit]` in the working folder's `pyproject.toml`, or an empty text."""
    file = Path(PROJECT_FILE)
    if not file.is_file():
        return ""
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"{PROJECT_FILE} cannot be read: {error}") from None
    tools = document.get("tool", {})
    table = tools.get("vertexkit", {}) if isinstance(tools, dict) else None
    if not isinstance(table, dict):
        raise SettingsError(f"{PROJECT_FILE}: tool.vertexkit must be a table: [tool.vertexkit]")
    if unknown := next((key for key in table if key not in PROJECT_KEYS), None):
        raise SettingsError(
            f"{PROJECT_FILE}: [tool.vertexkit] has no key {unknown!r}."
            f"{suggestion(unknown, PROJECT_KEYS)} It has: {', '.join(PROJECT_KEYS)}"
        )
    app = table.get("app", "")
    if not isinstance(app, str):
        raise SettingsError(
            f"{PROJECT_FILE}: app in [tool.vertexkit] must be a text such as "
            f'"hello:app", got {app!r}'
        )
    return app


def find_block(app: App, name: str | None) -> Block:
    """Find a block of an app.

    Args:
        app: The app.
        name: The block's name. None means the app's only block.

    Raises:
        SettingsError: There is no block with this name, or the app has several and no name
            is given.
    """
    if not app.blocks:
        raise SettingsError("the app has no blocks. Decorate a handler with @app.block(...)")
    if name is None and len(app.blocks) == 1:
        return next(iter(app.blocks.values()))
    names = ", ".join(app.blocks)
    if name is None:
        raise SettingsError(f"no block given, and the app has several. Choose one of: {names}")
    if name not in app.blocks:
        close = difflib.get_close_matches(name, app.blocks, 1)
        suggestion = f" Did you mean {close[0]}?" if close else ""
        raise SettingsError(f"there is no block {name!r}.{suggestion} The app has: {names}")
    return app.blocks[name]


def error_location(error: BaseException) -> tuple[str, str]:
    """Find where in the author's code an exception was raised.

    Args:
        error: The exception, with its traceback.

    Returns:
        The location as `file.py:12`, and that line of code: the deepest line of the author's
        own code, or of an installed package if there is none. Both are empty if the location
        is unknown.
    """
    if isinstance(error, SyntaxError) and error.filename:
        return f"{display_path(error.filename)}:{error.lineno}", (error.text or "").strip()
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if not any(folder in f.filename for folder in PACKAGE_FOLDERS)]
    for frame in reversed(own or frames):
        if not frame.filename.startswith(LIBRARY_PATHS):
            return f"{display_path(frame.filename)}:{frame.lineno}", frame.line or ""
    return "", ""


def is_library(filename: str) -> bool:
    """Whether a file belongs to vertexkit, the standard library or an installed package."""
    return filename.startswith(LIBRARY_PATHS) or any(part in filename for part in PACKAGE_FOLDERS)


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return ` Did you mean 'x'?` for the known name that is most similar, or an empty text."""
    close = difflib.get_close_matches(name, [*known], 1)
    return f" Did you mean {close[0]!r}?" if close else ""


def display_path(filename: str) -> str:
    """A file's path relative to the working folder if the file is in it, else unchanged."""
    relative = os.path.relpath(filename)
    return filename if relative.startswith("..") else relative


def _module_name(text: str) -> str:
    """Convert a path into the name by which the file is imported."""
    if not text:
        raise SettingsError(f"the module is missing before the colon. Pass MODULE:APP, {EXAMPLE}")
    if not text.endswith(".py"):
        return text
    path = Path(text)
    if not path.is_file():
        raise SettingsError(f"there is no file {text} in {Path.cwd()}")
    try:
        inside = path.resolve().relative_to(Path.cwd())
    except ValueError:
        sys.path.insert(0, str(path.resolve().parent))
        return path.stem
    return ".".join(inside.with_suffix("").parts)


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except VertexkitError:
        raise
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise SettingsError(
                f"there is no module {error.name!r} in {Path.cwd()} or in this Python environment. "
                f"Pass MODULE:APP, {EXAMPLE}, and run the command in the folder of the file"
            ) from error
        raise SettingsError(_import_failure(name, error)) from error
    except Exception as error:
        raise SettingsError(_import_failure(name, error)) from error


def _import_failure(name: str, error: BaseException) -> str:
    """The line of the author's code at which an import failed, and the error."""
    location, _ = error_location(error)
    message = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{location or name}: {type(error).__name__}: {message}"


def _app_names(module: ModuleType) -> list[str]:
    return [f"{module.__name__}:{name}" for name, v in vars(module).items() if isinstance(v, App)]


def _only_app(module: ModuleType) -> str:
    names = _app_names(module)
    if not names:
        raise SettingsError(f"{module.__name__} defines no app. Add app = App() to it")
    if len(names) > 1:
        raise SettingsError(
            f"{module.__name__} defines {len(names)} apps. Choose one, for example {names[0]}"
        )
    return names[0].partition(":")[2]


def _suggestion(module: ModuleType) -> str:
    names = _app_names(module)
    return f". Did you mean {' or '.join(names)}?" if names else ""
