"""A scene for each test of a real process."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.chaos.scene import Scene
from tests.chaos.soak import served
from vertexkit.testing import FakePlatform


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """A platform that is served, and nothing else yet."""
    platform = FakePlatform()
    timeout = aiohttp.ClientTimeout(total=30)
    async with served(platform) as port, aiohttp.ClientSession(timeout=timeout) as client:
        scene = Scene(tmp_path, platform, port, client)
        try:
            yield scene
        finally:
            await scene.close()
