"""A fake platform on a virtual clock, and HTTP clients of it."""

from collections.abc import AsyncIterator

import pytest

from tests.testing.dialog_reader import DialogReader
from tests.testing.vertex_client import VertexClient
from vertexkit.testing.clock import VirtualClock
from vertexkit.testing.platform.app import FakePlatform


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def platform(clock: VirtualClock) -> FakePlatform:
    return FakePlatform(clock=clock)


@pytest.fixture
async def client(platform: FakePlatform) -> AsyncIterator[VertexClient]:
    client = VertexClient(platform)
    async with client.http:
        yield client


@pytest.fixture
async def reader() -> AsyncIterator[DialogReader]:
    reader = DialogReader(FakePlatform(seed=1, clock=VirtualClock()))
    async with reader.http:
        yield reader
    reader.platform.check()
