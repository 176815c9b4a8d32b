"""Scenes for tests of real processes, one at a time or many at once."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.chaos.scene import Scene
from tests.http_server import served
from vertexkit.testing import FakePlatform

AT_ONCE = 6
"""Scenes that run at the same time: each spends most of its time waiting."""
Play = Callable[[Scene], Awaitable[None]]
PlayAll = Callable[[Mapping[str, Play]], Awaitable[None]]


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


@pytest.fixture
def play_all(tmp_path: Path) -> PlayAll:
    """Run each in a scene of its own; failures carry their names."""
    places = asyncio.Semaphore(AT_ONCE)

    async def play(name: str, act: Play) -> Exception | None:
        async with places:
            folder = tmp_path / name.replace("/", "-")
            folder.mkdir()
            async with opened(folder) as scene:
                try:
                    await act(scene)
                except Exception as error:  # noqa: BLE001 - reported below, with its name
                    error.add_note(f"this was {name}")
                    return error
        return None

    async def play_all(acts: Mapping[str, Play]) -> None:
        errors = await asyncio.gather(*(play(name, act) for name, act in acts.items()))
        if wrong := [error for error in errors if error is not None]:
            raise ExceptionGroup("scenes that went wrong", wrong)

    return play_all
