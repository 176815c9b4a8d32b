"""Scenes for tests of real processes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.chaos.scene import Scene
from tests.http_server import served
from vertexkit.testing import FakePlatform


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Scene]:
    """Yield a scene with a served platform and no process yet."""
    platform = FakePlatform()
    timeout = aiohttp.ClientTimeout(total=30)
    async with served(platform) as port, aiohttp.ClientSession(timeout=timeout) as client:
        scene = Scene(folder, platform, port, client)
        try:
            yield scene
        finally:
            await scene.close()


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """A scene."""
    async with opened(tmp_path) as scene:
        yield scene
