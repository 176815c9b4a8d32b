"""What authors see: the public names, their words, and what importing them costs."""

import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import vertexkit
import vertexkit.errors
import vertexkit.testing

PUBLIC = [
    "Answer",
    "App",
    "BlockFailed",
    "Blocks",
    "BotOne",
    "Call",
    "CallError",
    "Context",
    "Conversation",
    "ConversationDetails",
    "DialogGone",
    "Failure",
    "Forbidden",
    "Message",
    "NotFound",
    "PlatformError",
    "RawCall",
    "Retry",
    "SendOutcomeUnknown",
    "Settings",
    "Started",
    "SyncContext",
    "VertexkitError",
    "http_client",
    "read_call",
]


def test_the_root_package_is_the_public_surface() -> None:
    """What authors import from `vertexkit` is this list, sorted; each change is on purpose."""
    assert vertexkit.__all__ == PUBLIC == sorted(PUBLIC)
    assert all(hasattr(vertexkit, name) for name in PUBLIC)


def test_importing_vertexkit_is_light() -> None:
    """Who serves blocks does not load the testing kit, the playground or the command line."""
    heavy = [
        "vertexkit.testing",
        "vertexkit.playground",
        "vertexkit.cli",
        "pytest",
        "typer",
    ]
    # structlog takes rich when it finds it; that vertexkit needs none shows where there is none.
    code = (
        "import sys; sys.modules['rich'] = None; import vertexkit;"
        f"print(*[name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == []


def surface() -> Iterator[tuple[str, Any]]:
    """What authors hold in their hands: the root's names, the testing kit's, the errors."""
    for home in (vertexkit, vertexkit.testing):
        yield from ((name, getattr(home, name)) for name in home.__all__)
    for name, value in vars(vertexkit.errors).items():
        if inspect.isclass(value) and value.__module__ == vertexkit.errors.__name__:
            yield name, value


@pytest.mark.parametrize("name, thing", dict(surface()).items())
def test_every_name_that_authors_see_is_documented(name: str, thing: Any) -> None:
    """Each public class and function, and each public method of one, has words of its own."""
    assert inspect.getdoc(thing)
    if inspect.isclass(thing):
        methods = {n: m for n, m in vars(thing).items() if not n.startswith("_")}
        silent = [
            n
            for n, m in methods.items()
            if isinstance(m, property | classmethod | staticmethod) or inspect.isfunction(m)
            if not inspect.getdoc(getattr(thing, n))
        ]
        assert not silent


def test_no_module_hides_a_public_name() -> None:
    """A module called as a public name would take its place as soon as anybody imports it."""
    modules = {path.stem for path in Path(vertexkit.__file__).parent.iterdir()}
    assert not modules & set(vertexkit.__all__)
