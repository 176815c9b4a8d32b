"""The blocks of code of a guide, as modules."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.docs.reader import DOCS, fences


def code(page: str, word: str) -> str:
    """Return the only block of Python of a page that has this word."""
    (text,) = [f.text for f in fences(DOCS / page) if f.language == "python" and word in f.text]
    return text


def load(text: str, name: str) -> Any:
    """Run a block of code as a module of this name, and return the module."""
    module = ModuleType(name)
    sys.modules[name] = module  # the annotations of handlers are looked up in it
    exec(compile(text, f"{name}.py", "exec"), module.__dict__)
    return module


@contextmanager
def importable(folder: Path) -> Iterator[None]:
    """Let the modules of a folder be imported."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
