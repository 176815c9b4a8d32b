"""An app: blocks behind one address, from the start of a process to its end."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import uvicorn

from vertexkit import App, Blocks, Context, RawCall, Settings
from vertexkit.errors import CallError, DefinitionError, SettingsError
from vertexkit.ingress.request import Call
from vertexkit.service import Service
from vertexkit.testing import FakeDialog, FakePlatform
from vertexkit.testing.asgi_wire import AsgiWire

QUIET = Settings.of(platform_url="http://127.0.0.1:9/api", log_level="error", journal="memory:")


@asynccontextmanager
async def served(asgi: Any) -> AsyncIterator[httpx.AsyncClient]:
    """An ASGI app behind a real uvicorn on a free port."""
    config = uvicorn.Config(asgi, lifespan="on", log_config=None, ws="none")
    server = uvicorn.Server(config)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()  # a request waits here until the app has started
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            async with httpx.AsyncClient(base_url=url) as client:
                assert (await client.get("/healthz")).status_code == 200
                yield client
        finally:
            server.should_exit = True
            await serving


def small(**options: Any) -> App:
    """An app with one block."""
    app = App(**options)

    @app.block("echo")
    async def echo(ctx: Context) -> dict[str, Any]:
        return {"inputs": ctx.inputs, "state": ctx.state}

    return app


async def test_an_app_is_an_asgi_application() -> None:
    """`uvicorn module:app` serves it: settings are checked and the lifespan runs around it all."""
    happened: list[str] = []

    @asynccontextmanager
    async def lifespan(app: App) -> AsyncIterator[str]:
        happened.append(f"up {app!r}")
        yield "shared"
        happened.append("down")

    platform = FakePlatform(tokens="any")
    done = asyncio.Event()
    platform.subscribe(lambda _: done.set())
    async with served(platform_behind(platform)) as outside:
        url = f"{outside.base_url}/api"
        app = small(
            lifespan=lifespan,
            settings=Settings.of(platform_url=url, log_level="error", journal="memory:"),
        )
        async with served(app) as client:
            answer = await client.post("/blocks/echo", json={"token": "t", "a": 1})
            assert answer.status_code == 200
            await done.wait()
    assert app.service is None
    assert happened == ["up App(echo)", "down"]
    assert [entry.method for entry in platform.ledger] == ["complete"]
    assert platform.dialog("t").activations[0].completions[0].data == {
        "inputs": {"a": 1},
        "state": "shared",
    }


def platform_behind(platform: FakePlatform) -> Any:
    """The fake platform with a page of health, as `served` waits for one."""

    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while (await receive())["type"] != "lifespan.shutdown":
                await send({"type": "lifespan.startup.complete"})
            await send({"type": "lifespan.shutdown.complete"})
        elif scope["path"] == "/healthz":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})
        else:
            await platform(scope, receive, send)

    return asgi


async def test_a_single_block_answers_at_the_root_too() -> None:
    """`POST /` reaches the only block; with two there is nothing at the root."""
    async with served(small(settings=QUIET)) as client:
        answer = await client.post("/", json={})
        assert (answer.status_code, answer.json()["code"]) == (400, "missing_token")
    two = small(settings=QUIET)

    @two.block("other")
    async def other(ctx: Context) -> None: ...

    async with served(two) as client:
        answer = await client.post("/", json={"token": "t"})
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_blocks_of_other_modules_are_included() -> None:
    """`app.include(blocks)` serves them beside its own; one name in both is an error."""
    more = Blocks()

    @more.block("more")
    async def handler(ctx: Context) -> str:
        return "more"

    app = small()
    app.include(more)
    assert list(app.blocks) == ["echo", "more"]
    assert (await FakeDialog(app).run("more")).data == {"result": "more"}
    with pytest.raises(DefinitionError, match="the name 'more' is taken by the block at"):
        app.include(more)


async def test_the_reading_of_a_call_can_be_replaced() -> None:
    """`read_call` gives token and inputs of whatever a platform sends, or refuses it."""

    def read(raw: RawCall) -> Call:
        body = json.loads(raw.body)
        if "auth" not in body:
            raise CallError(401, "no_auth", "Say who you are.")
        return Call(body["auth"], {"text": body["payload"]})

    app = small(read_call=read)
    async with FakeDialog(app) as dialog:
        token = dialog.platform.issue("echo")
        done = asyncio.Event()
        dialog.platform.subscribe(lambda _: done.set())
        assert (await dialog.post("/blocks/echo", {"auth": token, "payload": "x"}))[0] == 200
        await done.wait()
        [completion] = dialog.platform.activation(token).completions
        assert completion.data is not None
        assert completion.data["inputs"] == {"text": "x"}
        status, problem = await dialog.post("/blocks/echo", {"token": token})
        assert (status, problem["code"]) == (401, "no_auth")


@pytest.mark.parametrize(
    "app, settings, error, said",
    [
        (App(), QUIET, DefinitionError, "the app has no block"),
        (small(), Settings.of(journal="paper:x"), SettingsError, "VERTEXKIT_JOURNAL"),
    ],
    ids=["no block", "no such journal"],
)
async def test_what_cannot_work_is_refused_at_start(
    app: App, settings: Settings, error: type[Exception], said: str
) -> None:
    """Before anything listens, with the mend."""
    with pytest.raises(error, match=said):
        async with app.started(settings):
            raise AssertionError("it has started")


async def test_a_lifespan_that_fails_leaves_nothing_open() -> None:
    """An author's start that raises is raised on; what was opened before is closed again."""

    @asynccontextmanager
    async def lifespan(app: App) -> AsyncIterator[None]:
        if app.blocks:
            raise OSError("no database")
        yield

    app = small(lifespan=lifespan)
    with pytest.raises(OSError, match="no database"):
        async with app.started(QUIET):
            raise AssertionError("it has started")
    assert app.service is None


async def test_what_a_lifespan_opened_serves_to_the_last_handler() -> None:
    """At the end handlers are drained first, and the author's lifespan is left after them."""
    happened: list[str] = []
    begun, go_on = asyncio.Event(), asyncio.Event()

    @asynccontextmanager
    async def lifespan(app: App) -> AsyncIterator[list[str]]:
        yield happened
        happened.append("closed")

    app = App(lifespan=lifespan)

    @app.block("work")
    async def work(ctx: Context) -> None:
        begun.set()
        await go_on.wait()
        ctx.state.append("handled")

    async with FakeDialog(app, grace=30) as dialog:
        await dialog.post("/blocks/work", {"token": dialog.platform.issue("work")})
        await begun.wait()
        asyncio.get_running_loop().call_later(0.01, go_on.set)
    assert happened == ["handled", "closed"]


async def test_an_app_may_be_started_again() -> None:
    """Each start is a new service; whatever ends one ends it well."""
    app = small()
    services: list[Service] = []

    async def work() -> None:
        async with app.started(QUIET, wire=AsgiWire(FakePlatform())) as service:
            assert app.service is service
            services.append(service)
            raise RuntimeError("stop")

    for _ in range(2):
        with pytest.raises(RuntimeError, match="stop"):
            await work()
        assert app.service is None
    first, second = services
    assert first is not second
    assert first.dispatcher.worker != second.dispatcher.worker
    assert first.readiness() == (503, {"ready": False, "reasons": ["stopping"]})


async def test_a_server_does_not_start_what_cannot_work() -> None:
    """uvicorn is told at the start of the lifespan: it exits instead of listening."""
    for app in (
        small(settings=Settings.of(log_level="error", journal="memory:")),
        App(settings=QUIET),
    ):
        server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="on", log_config=None))
        with pytest.raises(SystemExit):
            await server.serve()
        assert not server.started


async def test_an_app_shows_its_blocks() -> None:
    """In a debugger an app says what it serves."""
    assert repr(small()) == "App(echo)"
    assert repr(App()) == "App(no blocks)"


async def test_where_there_is_nothing_it_is_told() -> None:
    """An unknown path and a wrong method are problems with a code, a trailing slash too."""
    async with FakeDialog(small()) as dialog:
        for path, status, code in (
            ("/nowhere", 404, "not_found"),
            ("/blocks/echo/", 404, "not_found"),
            ("/healthz", 405, "method_not_allowed"),
        ):
            got, problem = await dialog.post(path, {})
            assert (got, problem["code"]) == (status, code)
