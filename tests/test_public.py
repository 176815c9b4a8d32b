"""The public surface: the names of the root package, their docstrings, the cost of an import."""

import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import vertexkit
import vertexkit.errors
import vertexkit.models
import vertexkit.testing

PUBLIC = [
    "AlreadyCompleted",
    "Answer",
    "App",
    "BadRequest",
    "BlockFailed",
    "Blocks",
    "BotOne",
    "Call",
    "CallError",
    "CallInfo",
    "Claims",
    "Context",
    "Conversation",
    "ConversationDetails",
    "DeadlineExceeded",
    "DefinitionError",
    "DialogGone",
    "DialogUnknown",
    "ExecutionEnded",
    "Failure",
    "FileTooLarge",
    "Forbidden",
    "IncompleteListWarning",
    "MemoryFull",
    "Message",
    "Middleware",
    "Next",
    "NonDeterministic",
    "NotFound",
    "PlatformError",
    "PlatformUnreachable",
    "RateLimited",
    "RawCall",
    "Retry",
    "SendOutcomeUnknown",
    "ServerError",
    "Settings",
    "SettingsError",
    "ShuttingDown",
    "Started",
    "SyncContext",
    "Unauthorized",
    "UnexpectedResponse",
    "VertexkitError",
    "WaitTimeout",
    "http_client",
    "read_call",
]
INTERNAL_ERRORS = {
    "OperationNotAllowed": "of operators' commands",
    "Fenced": "ends a run that another worker has taken over",
    "JournalError": "of the journal",
    "JournalUnusable": "of the journal",
    "JournalUnavailable": "of the journal",
    "QueueFull": "becomes a response with status 503",
}
"""Errors that authors neither raise nor catch, each with its use."""


def test_the_root_package_is_the_public_surface() -> None:
    """Authors import these names from `vertexkit`: a change of the list is deliberate."""
    assert vertexkit.__all__ == PUBLIC == sorted(PUBLIC)
    assert all(hasattr(vertexkit, name) for name in PUBLIC)


def test_importing_vertexkit_is_light() -> None:
    """A service loads neither the testing kit nor the playground nor the command line."""
    heavy = [
        "vertexkit.models",
        "openai",
        "pydantic_ai",
        "vertexkit.testing",
        "vertexkit.playground",
        "vertexkit.cli",
        "pytest",
        "typer",
    ]
    # structlog imports rich if it is installed; vertexkit itself must not need it.
    code = (
        "import sys; sys.modules['rich'] = None; import vertexkit;"
        f"print(*[name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()) == (0, []), done.stderr


def surface() -> Iterator[tuple[str, Any]]:
    """The names of the root package, of the models and of the testing kit, and every error."""
    for package in (vertexkit, vertexkit.models, vertexkit.testing):
        yield from ((name, getattr(package, name)) for name in package.__all__)
    yield from errors().items()


def errors() -> dict[str, type[Exception]]:
    """The classes of the tree of errors."""
    return {
        name: value
        for name, value in vars(vertexkit.errors).items()
        if inspect.isclass(value) and issubclass(value, vertexkit.VertexkitError)
    }


def test_authors_can_import_every_error() -> None:
    """Each error that reaches an author's code is a name of the root package."""
    assert errors().keys() - set(vertexkit.__all__) == set(INTERNAL_ERRORS)


@pytest.mark.parametrize("name, thing", dict(surface()).items())
def test_every_name_that_authors_see_is_documented(name: str, thing: Any) -> None:
    """Each public class and function, and each public method, has a docstring."""
    assert inspect.getdoc(thing)
    if inspect.isclass(thing):
        methods = {n: m for n, m in vars(thing).items() if not n.startswith("_")}
        undocumented = [
            n
            for n, m in methods.items()
            if isinstance(m, (property, classmethod, staticmethod)) or inspect.isfunction(m)
            if not inspect.getdoc(getattr(thing, n))
        ]
        assert not undocumented


def test_no_module_hides_a_public_name() -> None:
    """A module with the name of a public object would replace it when it is imported."""
    modules = {path.stem for path in Path(vertexkit.__file__).parent.iterdir()}
    assert not modules & set(vertexkit.__all__)
