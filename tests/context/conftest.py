"""A dialog with the blocks that a test declares."""

import pytest

from vertexkit import App
from vertexkit.testing import FakeDialog, FakePlatform, VirtualClock


@pytest.fixture
def app() -> App:
    """Without blocks yet."""
    return App()


@pytest.fixture
def clock(fake_platform: FakePlatform) -> VirtualClock:
    """The clock of the platform and the app."""
    assert isinstance(fake_platform.clock, VirtualClock)
    return fake_platform.clock


@pytest.fixture
def dialog(app: App, fake_platform: FakePlatform) -> FakeDialog:
    """Reaches the app's blocks. The platform is strict, and all its ordered faults are used."""
    return FakeDialog(app, fake_platform, timeout=30)
