"""A dialog with the blocks that a test declares."""

from typing import Any

import pytest

from vertexkit import App, Context, Retry
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


@pytest.fixture
def twice(app: App, dialog: FakeDialog) -> Any:
    """Perform a step in a run and again in the next run; return what each one got."""

    async def run(fn: Any) -> list[Any]:
        got: list[Any] = []

        @app.block("step")
        async def step(ctx: Context) -> None:
            got.append(await ctx.step("it", fn))
            if ctx.attempt == 1:
                raise Retry

        assert (await dialog.run("step")).ok
        return got

    return run
