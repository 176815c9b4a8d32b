"""docs/migration: the services written by hand do what the blocks do that replace them."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from tests import waiting
from tests.guides.guide_code import code, load
from tests.testing.platform_server import served_in_thread
from vertexkit.testing import FakeDialog, FakePlatform

pytestmark = pytest.mark.release
API = "https://demo.bot.one/api/vertex/v1"


def post(app: Any, call: dict[str, str]) -> int:
    """Call a service of Starlette, FastAPI or Flask, and return the status of its response."""
    if hasattr(app, "test_client"):
        return int(app.test_client().post("/hello", json=call).status_code)
    with TestClient(app) as client:
        return client.post("/hello", json=call).status_code


@pytest.mark.parametrize("framework", ["starlette.applications", "fastapi", "flask"])
def test_the_code_before_greets_and_completes(framework: str) -> None:
    """It answers the call, sends the message and completes the block, as the new code does."""
    platform = FakePlatform()
    token = platform.issue("hello")
    with served_in_thread(platform) as url:
        text = code("migration.md", f"from {framework} import")
        assert API in text
        app = load(text.replace(API, f"{url}/api/vertex/v1"), "written_by_hand").app
        assert post(app, {"token": token, "name": "Anna"}) == 200
        activation = platform.activation(token)
        waiting.until_outside(lambda: bool(activation.completions), "the block is completed")
    after = load(code("migration.md", "# greeting.py"), "greeting").app
    run = FakeDialog(after).run_sync("hello", name="Anna")
    assert [message.text for message in activation.messages] == run.messages == ["Hello, Anna!"]
    assert activation.completions[0].data == run.data == {"greeted": "Anna"}
    assert platform.violations == []
