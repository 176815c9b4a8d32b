"""For an author's tests: a dialog and a platform on this machine, and faults to order."""

from vertexkit.testing.clock import VirtualClock
from vertexkit.testing.dialog import FakeDialog, Run, Said
from vertexkit.testing.platform import FakePlatform

__all__ = ["FakeDialog", "FakePlatform", "Run", "Said", "VirtualClock"]
