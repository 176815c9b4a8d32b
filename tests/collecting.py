"""The collection of the tests, with less processor time: each process of pytest collects all of them."""

import gc
import importlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path

import pytest

from tests import measuring, vertexkit_modules

ROOT = Path(__file__).parent.parent


@contextmanager
def cheaply(config: pytest.Config) -> Iterator[None]:
    """Collect without measuring, and without examining again and again what stays until the end."""
    if not measuring.is_stopped() and _process(config)[0] == 0:
        vertexkit_modules.load(rare=True)  # what runs when modules are imported is measured once
    gc.disable()
    with measuring.paused():
        _import_own_part(config)
        yield
    gc.enable()
    gc.freeze()


def _process(config: pytest.Config) -> tuple[int, int]:
    """Return the number of this process, counted from 0, and how many there are."""
    worker = getattr(config, "workerinput", {"workerid": "gw0", "workercount": 1})
    return int(worker["workerid"].removeprefix("gw")), worker["workercount"]


def _import_own_part(config: pytest.Config) -> None:
    """Import a part of the test files first, each process another one.

    In a new clone a process also compiles what it imports, with the packages that it needs; the
    others find the result on the disk. A file that cannot be imported is reported when it is
    collected.
    """
    number, count = _process(config)
    if count == 1:
        return
    ignored = tuple(config.getoption("ignore") or ())
    found = chain.from_iterable(sorted(Path(name).rglob("test_*.py")) for name in config.args)
    names = [path.resolve().relative_to(ROOT).as_posix() for path in found]
    files = [name for name in names if not name.startswith(ignored)]
    for name in files[len(files) * number // count : len(files) * (number + 1) // count]:
        with suppress(Exception, pytest.skip.Exception):
            importlib.import_module(name.removesuffix(".py").replace("/", "."))
