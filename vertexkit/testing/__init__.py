"""The testing kit: a fake dialog, a fake platform with faults on request, and a virtual clock."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vertexkit.testing.clock import VirtualClock
    from vertexkit.testing.dialog import FakeDialog
    from vertexkit.testing.fake_model import FakeModel
    from vertexkit.testing.platform.app import FakePlatform
    from vertexkit.testing.run import Run, SentMessage

__all__ = ["FakeDialog", "FakeModel", "FakePlatform", "Run", "SentMessage", "VirtualClock"]

_MODULES = {
    "FakeDialog": "dialog",
    "FakeModel": "fake_model",
    "FakePlatform": "platform.app",
    "Run": "run",
    "SentMessage": "run",
    "VirtualClock": "clock",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: every pytest run loads the plugin."""
    if name not in _MODULES:
        raise AttributeError(f"module 'vertexkit.testing' has no attribute {name!r}")
    module = import_module(f"vertexkit.testing.{_MODULES[name]}")
    value = globals()[name] = getattr(module, name)
    return value
