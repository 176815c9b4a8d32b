"""All modules of vertexkit and of its examples: what a process imports once is measured once."""

import importlib
from collections.abc import Iterable
from pathlib import Path

import vertexkit

ROOT = Path(vertexkit.__file__).parent
COMMAND = "vertexkit.__main__"
"""Never imported: it starts the command."""
RARE = ("vertexkit.telemetry.otel_setup", "vertexkit.models", "example_blocks")
"""They need large libraries that few commands use, or are run by few."""


def load(*, rare: bool) -> None:
    """Import them; the rare ones only if they are asked for and their libraries are installed."""
    for name in _names(ROOT, ROOT.parent / "example_blocks"):
        if name.startswith(RARE):
            if rare:
                _import_if_possible(name)
        else:
            importlib.import_module(name)


def _names(*folders: Path) -> Iterable[str]:
    for folder in folders:
        for path in sorted(folder.rglob("*.py")):
            parts = path.relative_to(folder.parent).with_suffix("").parts
            name = ".".join(parts).removesuffix(".__init__")
            if name != COMMAND:
                yield name


def _import_if_possible(name: str) -> None:
    try:
        importlib.import_module(name)
    except ImportError as error:
        if (error.name or "").startswith(("vertexkit", "example_blocks")):
            raise
