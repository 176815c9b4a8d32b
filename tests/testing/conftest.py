"""A fake platform on a virtual clock, and somebody who calls it."""

from collections.abc import AsyncIterator

import pytest

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
