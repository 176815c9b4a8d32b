"""Finding an author's app: `MODULE:APP`, a file, or VERTEXKIT_APP."""

import difflib
import importlib
import sys
from pathlib import Path
from types import ModuleType

from vertexkit.app import App
from vertexkit.blocks.registry import Block
from vertexkit.errors import SettingsError, VertexkitError
from vertexkit.faults import place
from vertexkit.settings import Settings

EXAMPLE = "for example: hello:app"


def find_app(target: str | None) -> tuple[str, App]:
    """Load an app by its name, or by VERTEXKIT_APP.

    Args:
        target: `package.module:app`, `package.module`, `file.py` or `folder/file.py:app`;
            None or empty: what the settings name.

    Returns:
        Its whole name, `package.module:app`, and the app.

    Raises:
        SettingsError: it is not there, or cannot be loaded; says where the fault is.
        DefinitionError: a block of it is declared wrongly.
    """
    target = target or Settings.load().app
    if not target:
        raise SettingsError(
            f"say which app: MODULE:APP on the command line or as VERTEXKIT_APP, {EXAMPLE}"
        )
    module_or_file, _, attribute = target.partition(":")
    name = _module_name(module_or_file)
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    module = _import(name)
    attribute = attribute or _only_app(module)
    app = module
    for part in attribute.split("."):
        if not hasattr(app, part):
            raise SettingsError(f"{name} has no {attribute!r}{_instead(module)}")
        app = getattr(app, part)
    if not isinstance(app, App):
        raise SettingsError(
            f"{name}:{attribute} is no vertexkit.App but of type {type(app).__name__}"
            f"{_instead(module)}"
        )
    return f"{name}:{attribute}", app


def find_block(app: App, name: str | None) -> Block:
    """A block of an app by its name; the only one if there is no name.

    Raises:
        SettingsError: there is no such block, or none was chosen of several.
    """
    if name is None and len(app.blocks) == 1:
        return next(iter(app.blocks.values()))
    served = ", ".join(app.blocks) or "none; decorate a handler with @app.block(...)"
    if name is None:
        raise SettingsError(f"say which block. The app has: {served}")
    if name not in app.blocks:
        close = difflib.get_close_matches(name, app.blocks, 1)
        guess = f" Did you mean {close[0]}?" if close else ""
        raise SettingsError(f"there is no block {name!r}.{guess} The app has: {served}")
    return app.blocks[name]


def _module_name(text: str) -> str:
    """From a path to the name that it is imported by."""
    if not text:
        raise SettingsError(f"MODULE is missing before the colon, {EXAMPLE}")
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
                f"there is no module {error.name!r} in {Path.cwd()} or in this environment. "
                f"Give MODULE:APP, {EXAMPLE}, from the folder where the file is"
            ) from error
        raise SettingsError(_fault(name, error)) from error
    except Exception as error:
        raise SettingsError(_fault(name, error)) from error


def _fault(name: str, error: BaseException) -> str:
    """Where in the author's code an import failed, and why."""
    where, _ = place(error)
    why = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{where or name}: {type(error).__name__}: {why}"


def _apps(module: ModuleType) -> list[str]:
    return [name for name, value in vars(module).items() if isinstance(value, App)]


def _only_app(module: ModuleType) -> str:
    found = _apps(module)
    if len(found) != 1:
        raise SettingsError(
            f"{module.__name__} has {len(found) or 'no'} apps"
            + (f": say which, {module.__name__}:{found[0]}" if found else ": write app = App()")
        )
    return found[0]


def _instead(module: ModuleType) -> str:
    found = _apps(module)
    return f". There is {', '.join(f'{module.__name__}:{name}' for name in found)}" if found else ""
