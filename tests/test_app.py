"""An app as an ASGI application: its routes, its lifespan, its start and its end."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from tests.http_server import served
from tests.worker.running import at_log_line
from vertexkit import App, Blocks, Context, RawCall, Settings
from vertexkit.app import asgi_app
from vertexkit.botone.http_client import asgi_client
from vertexkit.errors import CallError, DefinitionError, SettingsError
from vertexkit.ingress.request import Call
from vertexkit.service import Service, running_service
from vertexkit.testing import FakeDialog, FakePlatform
from vertexkit.testing.asgi_wire import AsgiWire

QUIET = Settings.of(platform_url="http://127.0.0.1:9/api", log_level="error", journal="memory:")


@asynccontextmanager
async def client_of(asgi: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an ASGI app that uvicorn serves."""
    async with (
        served(asgi, lifespan="on") as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", verify=False) as client,
    ):
        yield client


def make_app(**options: Any) -> App:
    """An app with one block, `echo`."""
    app = App(**options)

    @app.block("echo")
    async def echo(ctx: Context) -> dict[str, Any]:
        return {"inputs": ctx.inputs, "state": ctx.state}

    return app


async def test_an_app_is_an_asgi_application() -> None:
    """`uvicorn module:app` serves an app; its lifespan surrounds the service."""
    events: list[str] = []

    @asynccontextmanager
    async def lifespan(app: App) -> AsyncIterator[str]:
        events.append(f"up {app!r}")
        yield "shared"
        events.append("down")

    platform = FakePlatform(tokens="any")
    done = asyncio.Event()
    platform.subscribe(lambda _: done.set())
    async with client_of(with_health_page(platform)) as outside:
        url = f"{outside.base_url}/api"
        app = make_app(
            lifespan=lifespan,
            settings=Settings.of(platform_url=url, log_level="error", journal="memory:"),
        )
        async with client_of(app) as client:
            answer = await client.post("/blocks/echo", json={"token": "t", "a": 1})
            assert answer.status_code == 200
            await done.wait()
    assert asgi_app(app).service is None
    assert events == ["up App(echo)", "down"]
    assert [entry.method for entry in platform.ledger] == ["complete"]
    assert platform.dialog("t").activations[0].completions[0].data == {
        "inputs": {"a": 1},
        "state": "shared",
    }


def with_health_page(platform: FakePlatform) -> Any:
    """The fake platform with a health page, which `served` requests."""

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


@pytest.mark.parametrize("path", ["/healthz", "/blocks/echo", "/nothing", "/"])
async def test_an_app_whose_lifespan_does_not_run_says_so(path: str) -> None:
    """Served with `--lifespan off`, or mounted without its lifespan, it answers 503 with the fix."""
    app = make_app(settings=QUIET)
    outer = Starlette(routes=[Mount("/bot", app)])
    for asgi, url in ((app, path), (outer, f"/bot{path}")):
        async with asgi_client(asgi) as client:
            answer = await client.post(f"http://app{url}", json={"token": "t"})
        assert (answer.status_code, answer.json()["code"]) == (503, "not_started")
        assert "app.serving()" in answer.json()["detail"]
        assert "--lifespan off" in answer.json()["detail"]
        assert answer.headers["retry-after"]


@pytest.mark.parametrize("root", ["", "/behind/a/proxy"])
async def test_an_app_may_be_mounted(root: str) -> None:
    """In another ASGI application it serves its paths below the mount, and drains at the end."""
    platform = FakePlatform(tokens="any")
    async with client_of(with_health_page(platform)) as outside:
        url = f"{outside.base_url}/api"
        # A process that is frozen for a moment stays ready.
        settings = Settings.of(platform_url=url, log_level="error", journal="memory:", stall=0)
        app = make_app(settings=settings)

        @asynccontextmanager
        async def lifespan(outer: Starlette) -> AsyncIterator[None]:
            async with app.serving():
                yield

        outer = Starlette(routes=[Mount("/v/bot", app)], lifespan=lifespan)
        async with outer.router.lifespan_context(outer):
            transport = httpx.ASGITransport(outer, root_path=root)
            async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
                base = f"{root}/v/bot"
                for path in ("/blocks/echo", "/blocks//echo/", "/"):
                    answer = await client.post(base + path, json={"token": "t" + path[-2:]})
                    assert answer.status_code == 200
                for path in ("/healthz", "/readyz/", "//metrics", "/blocks"):
                    assert (await client.get(base + path)).status_code == 200
        async with asgi_client(outer) as client:
            answer = await client.get("http://app/v/bot/healthz")
            assert answer.status_code == 503
    assert [entry.method for entry in platform.ledger] == ["complete"] * 3


async def test_a_single_block_is_also_served_at_the_root() -> None:
    """`POST /` calls the only block; an app with two blocks answers 404."""
    async with client_of(make_app(settings=QUIET)) as client:
        answer = await client.post("/", json={})
        assert (answer.status_code, answer.json()["code"]) == (400, "missing_token")
    two = make_app(settings=QUIET)

    @two.block("other")
    async def other(ctx: Context) -> None: ...

    async with client_of(two) as client:
        answer = await client.post("/", json={"token": "t"})
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_blocks_of_another_module_are_included() -> None:
    """`app.include(blocks)` adds them; a name that is taken is an error."""
    more = Blocks()

    @more.block("more")
    async def handler(ctx: Context) -> str:
        return "more"

    app = make_app()
    app.include(more)
    assert list(app.blocks) == ["echo", "more"]
    assert (await FakeDialog(app).run("more")).data == {"result": "more"}
    with pytest.raises(DefinitionError, match="the name 'more' is taken by the block at"):
        app.include(more)


async def test_read_call_can_be_replaced() -> None:
    """`read_call` returns token and inputs of a call of any format, or rejects the call."""

    def read(raw: RawCall) -> Call:
        body = json.loads(raw.body)
        if "auth" not in body:
            raise CallError(401, "no_auth", "Say who you are.")
        return Call(body["auth"], {"text": body["payload"]})

    app = make_app(read_call=read)
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
    "app, settings, error, message",
    [
        (App(), QUIET, DefinitionError, "the app has no block"),
        (make_app(), Settings.of(journal="paper:x"), SettingsError, "VERTEXKIT_JOURNAL"),
    ],
    ids=["no block", "no such journal"],
)
async def test_an_app_that_cannot_run_does_not_start(
    app: App, settings: Settings, error: type[Exception], message: str
) -> None:
    """An app without blocks, or with an unknown journal, raises before the service starts."""
    with pytest.raises(error, match=message):
        async with running_service(app, settings):
            raise AssertionError("it has started")


async def test_a_lifespan_that_raises_stops_the_start() -> None:
    """The exception of the lifespan is raised, and the wire is closed."""

    @asynccontextmanager
    async def lifespan(app: App) -> AsyncIterator[None]:
        if app.blocks:
            raise OSError("no database")
        yield

    class Closed(AsgiWire):
        closed = False

        async def close(self) -> None:
            self.closed = True

    wire = Closed(FakePlatform())
    with pytest.raises(OSError, match="no database"):
        async with running_service(make_app(lifespan=lifespan), QUIET, wire=wire):
            raise AssertionError("it has started")
    assert wire.closed


async def test_the_lifespan_is_left_after_the_last_handler() -> None:
    """At shutdown the handlers finish first; then the lifespan is left."""
    events: list[str] = []
    started, resume = asyncio.Event(), asyncio.Event()

    @asynccontextmanager
    async def lifespan(app: App) -> AsyncIterator[list[str]]:
        yield events
        events.append("closed")

    app = App(lifespan=lifespan)

    @app.block("work")
    async def work(ctx: Context) -> None:
        started.set()
        await resume.wait()
        ctx.state.append("handled")

    async with FakeDialog(app, grace=30) as dialog:
        await dialog.post("/blocks/work", {"token": dialog.platform.issue("work")})
        await started.wait()
        resumed = at_log_line("drain_started", resume.set)
    await resumed
    assert events == ["handled", "closed"]


async def test_an_app_can_be_started_again() -> None:
    """Each start creates a new service, which is stopped if the context is left by an exception."""
    app = make_app()
    services: list[Service] = []

    async def work() -> None:
        async with running_service(app, QUIET, wire=AsgiWire(FakePlatform())) as service:
            services.append(service)
            raise RuntimeError("stop")

    for _ in range(2):
        with pytest.raises(RuntimeError, match="stop"):
            await work()
    first, second = services
    assert first is not second
    assert first.dispatcher.worker != second.dispatcher.worker
    assert first.readiness() == (503, {"ready": False, "reasons": ["stopping"]})


async def test_a_server_exits_if_the_app_cannot_start() -> None:
    """The lifespan reports the failure to uvicorn, which exits without listening."""
    for app in (
        make_app(settings=Settings.of(log_level="error", journal="memory:")),
        App(settings=QUIET),
    ):
        server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="on", log_config=None))
        with pytest.raises(SystemExit):
            await server.serve()
        assert not server.started


async def test_the_repr_of_an_app() -> None:
    """The repr of an app lists its blocks."""
    assert repr(make_app()) == "App(echo)"
    assert repr(App()) == "App(no blocks)"


async def test_unknown_paths_and_methods() -> None:
    """An unknown path, an unknown block and a wrong method are answered with a problem."""
    async with FakeDialog(make_app()) as dialog:
        for path, status, code in (
            ("/nowhere", 404, "not_found"),
            ("/blocks/echo/", 400, "missing_token"),
            ("/healthz", 405, "method_not_allowed"),
        ):
            got, problem = await dialog.post(path, {})
            assert (got, problem["code"]) == (status, code)
