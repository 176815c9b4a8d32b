"""For an author's tests: a dialog and a platform on this machine, and faults to order."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vertexkit.testing.clock import VirtualClock
    from vertexkit.testing.dialog import FakeDialog, Run, SentMessage
    from vertexkit.testing.platform.app import FakePlatform

__all__ = ["FakeDialog", "FakePlatform", "Run", "SentMessage", "VirtualClock"]

_HOME = {
    "FakeDialog": "dialog",
    "FakePlatform": "platform.app",
    "Run": "dialog",
    "SentMessage": "dialog",
    "VirtualClock": "clock",
}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used: the plugin is part of every pytest run."""
    if name not in _HOME:
        raise AttributeError(f"module 'vertexkit.testing' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"vertexkit.testing.{_HOME[name]}"), name)
    return value
