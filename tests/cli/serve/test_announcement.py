"""Where a started service says that it can be reached."""

import pytest

from vertexkit import App, Context
from vertexkit.cli.serve.announcement import announce
from vertexkit.settings import Settings


def test_the_url_for_the_platform_is_the_public_one(capsys: pytest.CaptureFixture[str]) -> None:
    """With a public URL, the URL of each block is printed as Bot.one needs it; its secret is masked."""
    app: App = App()

    @app.block("hello", title="Greeting")
    async def hello(ctx: Context) -> None: ...

    secret = "a-secret-of-a-test"
    settings = Settings.of(
        public_url="https://blocks.example.com", url_secrets=secret, log_format="console"
    )
    announce(app.blocks, settings, "http://127.0.0.1:8000", "serving")
    printed = capsys.readouterr().out
    assert "http://127.0.0.1:8000/blocks/hello?key=" in printed
    assert "    https://blocks.example.com/blocks/hello?key=" in printed
    assert secret not in printed
