"""`vertexkit trigger --url`: a block of a running service is called with a token of a fake platform."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.develop.editor import Editor
from tests.http_server import served
from tests.reserved_port import reserved_port
from vertexkit import App, Context
from vertexkit.cli.develop.call_options import CallOptions
from vertexkit.cli.develop.remote import call_service, platform_port
from vertexkit.cli.develop.replay import replay_run
from vertexkit.cli.develop.replay_options import ReplayOptions
from vertexkit.errors import SettingsError, VertexkitError
from vertexkit.recordings import RecordingsFolder
from vertexkit.settings import Settings
from vertexkit.telemetry.events import Event

pytestmark = pytest.mark.anyio


def service(platform: str, **settings: Any) -> App[Any]:
    """An app whose platform has this URL."""
    app: App[Any] = App(
        settings=Settings.of(platform_url=platform, journal="memory:", **settings),
    )

    @app.block("hello", title="Greeting")
    async def hello(ctx: Context, name: str, times: int = 1) -> dict[str, str]:
        for _ in range(times):
            await ctx.send_message(f"Hello, {name}!")
        return {"greeted": name}

    @app.block("order", title="Order")
    async def order(ctx: Context) -> dict[str, Any]:
        paid = await ctx.wait_for("payment", dict, timeout=60)
        orders = await ctx.memory.get("orders", int, 0) + 1
        await ctx.memory.set("orders", orders)
        return {"paid": paid, "orders": orders}

    return app


@pytest.fixture
async def url() -> AsyncIterator[str]:
    """The URL of a service whose platform can be the fake one; its port is free, but reserved."""
    with reserved_port() as port:
        app = service(f"http://127.0.0.1:{port}/api")
        async with served(app, lifespan="on") as bound:
            yield f"http://127.0.0.1:{bound}"


async def call(url: str, block: str | None = None, **options: Any) -> int:
    """Run the command in a thread: the service runs in the loop of the test."""
    options.setdefault("fast", True)
    given = CallOptions(url=url, **options)
    return await asyncio.to_thread(call_service, given, block)


async def test_the_dialog_of_a_running_service_is_shown(
    url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Inputs have the types of the service's schema; the command ends with the completion."""
    assert await call(f"{url}/blocks/hello", inputs=["name=Anna", "times=2"]) == 0
    assert capfd.readouterr().out.split("\n")[:4] == [
        '  you   hello name="Anna" times=2',
        "  bot   Hello, Anna!",
        "  bot   Hello, Anna!",
        '  done  {"greeted": "Anna"}',
    ]
    assert await call(url, "hello", inputs=["name=1"], as_json=True) == 0
    report = json.loads(capfd.readouterr().out)
    assert report["messages"] == ["Hello, 1!"]
    assert report["data"] == {"greeted": "1"}
    assert report["violations"] == []


async def test_events_end_the_waits_of_a_running_service(
    url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """They are sent over HTTP, to the URL that the handler would give to others."""
    assert await call(url, "order", events=['payment={"amount": 5}']) == 0
    assert 'done  {"paid": {"amount": 5}, "orders": 1}' in capfd.readouterr().out


async def test_a_rejected_call_has_its_reason(url: str, capfd: pytest.CaptureFixture[str]) -> None:
    """The exit code is 2, as without --url."""
    assert await call(url, "hello", inputs=["times=2"]) == 2
    assert "name: Field required" in capfd.readouterr().out


async def test_inputs_that_a_service_rejects_can_be_edited_again(
    url: str, editor: Editor, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The editor shows the rejected inputs; the next call has the corrected ones."""
    editor.save('{"name": "Anna", "times": "x"}', '{"name": "Anna", "times": 1}', typed="y\n")
    assert await call(url, "hello", inputs=["name=Bob"], edit=True) == 0
    assert json.loads(editor.shown(0)) == {"name": "Bob", "times": 1}
    assert json.loads(editor.shown(1)) == {"name": "Anna", "times": "x"}
    printed = capsys.readouterr().out
    assert "times: Input should be a valid integer" in printed
    assert "bot   Hello, Anna!" in printed


async def test_a_recorded_call_is_sent_to_a_running_service(
    url: str, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The service gets the recorded inputs and events, and a new token of the recorded dialog.

    It is a new call of the same dialog each time: the block finds what it has stored before.
    """
    recorder = RecordingsFolder(tmp_path).start("order", 0.0, target="gone:app", dialog_id=1234)
    for name, fields in (("waiting", {"seconds": 60.0}), ("waited", {"data": {"amount": 5}})):
        recorder.event(Event(name, "e", 0.0, {"event": "payment", "position": 0} | fields))
    recorder.end(1.0, "completed", "ok")
    options = ReplayOptions(url=url, as_json=True)
    file = str(tmp_path / f"{recorder.header.id}.jsonl")
    for number in (1, 2):
        assert await asyncio.to_thread(replay_run, file, None, options) == 0
        report = json.loads(capfd.readouterr().out)
        assert report["data"] == {"paid": {"amount": 5}, "orders": number}
        assert report["violations"] == []


async def test_the_block_and_the_service_must_be_right(url: str) -> None:
    """A misspelt block, and a URL at which there is no service, are named."""
    with pytest.raises(SettingsError, match=r"no block 'helo'\. Did you mean 'hello'"):
        await call(url, "helo")
    with pytest.raises(SettingsError, match="Choose one of: hello, order"):
        await call(url)
    with pytest.raises(SettingsError, match=r"must start with http:// or https://, got .localhost"):
        await call("localhost")
    with reserved_port() as port, pytest.raises(VertexkitError, match="does not respond"):
        await call(f"http://127.0.0.1:{port}")


async def test_a_service_with_a_secret_needs_it_in_the_url() -> None:
    """The secret is part of the URL, as on the platform."""
    with reserved_port() as port:
        secret = "a-secret-of-a-test"
        app = service(f"http://127.0.0.1:{port}/api", url_secrets=secret)
        async with served(app, lifespan="on") as bound:
            base = f"http://127.0.0.1:{bound}"
            with pytest.raises(SettingsError, match=r"append \?key=SECRET to --url"):
                await call(base, "hello")
            assert await call(f"{base}/?key={secret}", "hello", inputs=["name=Anna"]) == 0
            assert await call(f"{base}/blocks/hello/{secret}", inputs=["name=Anna"]) == 0


@pytest.mark.parametrize(
    "platform, port",
    [
        ("http://127.0.0.1:9000/api", 9000),
        ("http://localhost:9001/api", 9001),
        ("http://host.docker.internal:9000/api", 9000),
        ("https://demo.bot.one/api", None),
        ("http://127.0.0.1:9000", None),
        ("http://127.0.0.1.example.com/api", None),
        ("https://{instance}.bot.one/api", None),
        ("", None),
    ],
)
def test_a_service_of_another_platform_gets_no_token(platform: str, port: int | None) -> None:
    """The error names the setting with which the service must be started."""
    local = Settings.of(platform_url=platform).platform.local_url
    if port is not None:
        assert platform_port(local) == port
        return
    with pytest.raises(SettingsError) as caught:
        platform_port(local)
    assert "the platform of the service is " in str(caught.value)
    assert "VERTEXKIT_PLATFORM_URL=http://127.0.0.1:9000/api" in str(caught.value)


async def test_a_used_port_of_the_platform_is_an_error(url: str) -> None:
    """Another program that listens there would get the requests."""
    with reserved_port() as port:
        app = service(f"http://127.0.0.1:{port}/api")
        async with served(app, port=port, lifespan="on"):
            with pytest.raises(SettingsError, match=f"expects its platform on port {port}"):
                await call(f"http://127.0.0.1:{port}", "hello", inputs=["name=Anna"])
