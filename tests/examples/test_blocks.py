"""What holds for every example block, because users copy them."""

from importlib import import_module
from pathlib import Path

import pytest

from vertexkit import App, Settings
from vertexkit.service import running_service

ROOT = Path(__file__).resolve().parents[2]
PROBE = {"probe": 100, "findings": 100, "report": 100}
"""The files of the probe, each with its maximum number of lines."""
NAMES = sorted(
    path.stem
    for path in (ROOT / "example_blocks").glob("*.py")
    if path.stem not in {"__init__", "findings", "report"}
)


@pytest.mark.parametrize("name", NAMES)
async def test_it_can_be_deployed_by_itself(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file is an app with one titled block, which starts with an address and secrets alone."""
    monkeypatch.setenv("VERTEXKIT_PLATFORM_URL", "http://127.0.0.1:9/api")
    for secret in ("VERTEXKIT_LOGIN", "VERTEXKIT_PASSWORD", "OPENAI_API_KEY"):
        monkeypatch.setenv(secret, "demo")
    app = import_module(f"example_blocks.{name}").app
    assert isinstance(app, App)
    assert [block.title for block in app.blocks.values()] != [""]
    async with running_service(
        app, Settings.of(platform_url="http://127.0.0.1:9/api", journal="memory:")
    ) as service:
        assert service.readiness() == (200, {"ready": True})
        assert len(app.blocks) == 1


@pytest.mark.parametrize("name", NAMES)
def test_it_has_a_test_to_copy(name: str) -> None:
    """For each example block there is an example test, and the block fits on a page."""
    assert (ROOT / "tests" / "examples" / f"test_{name}.py").is_file()
    assert lines(name) <= PROBE.get(name, 70)


@pytest.mark.parametrize("name", PROBE)
def test_the_probe_is_small(name: str) -> None:
    """Each file of the probe is short, including those without an app."""
    assert lines(name) <= PROBE[name]


def lines(name: str) -> int:
    return len((ROOT / "example_blocks" / f"{name}.py").read_text("utf-8").splitlines())
