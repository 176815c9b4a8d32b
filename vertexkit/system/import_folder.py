"""The folder from which a module is imported."""

import sys
from collections.abc import Iterable
from pathlib import Path

PACKAGE_FOLDERS = ("site-packages", "dist-packages")
"""Folders in which installed packages are."""


def import_folder(module: str, folders: Iterable[Path] = ()) -> Path | None:
    """Find the folder from which a module is imported.

    Args:
        module: The module's full name.
        folders: Searched after the working folder and before `sys.path`.

    Returns:
        The folder of the module, or of its outermost package. None if the module is installed,
        so that it can be imported from anywhere, or if there is no such file.
    """
    parts = module.split(".")
    for folder in (Path.cwd(), *folders, *map(Path, sys.path)):
        path = folder.joinpath(*parts)
        if path.with_name(f"{path.name}.py").is_file() or (path / "__init__.py").is_file():
            installed = any(name in folder.parts for name in PACKAGE_FOLDERS)
            return None if installed else folder.resolve()
    return None
