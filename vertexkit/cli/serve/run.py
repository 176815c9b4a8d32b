"""`vertexkit run`: serve the blocks of an app, until SIGTERM."""

import asyncio
import os
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from types import FrameType
from typing import Any

import structlog
import typer
import uvicorn
from uvicorn.supervisors import ChangeReload, Multiprocess

from vertexkit.app import App
from vertexkit.cli.serve.journal_host import Keeper
from vertexkit.cli.serve.process import OWNER
from vertexkit.errors import SettingsError, VertexkitError
from vertexkit.loading import find_app
from vertexkit.server.config import EdgeConfig
from vertexkit.server.limits import Limits
from vertexkit.settings import PREFIX, Settings
from vertexkit.telemetry import logs, redaction

LAST_ANSWERS = 5
"""Seconds for answers under way when the process is to end; running handlers get `grace`."""

log = structlog.get_logger("vertexkit")


class ServiceFailed(VertexkitError):
    """The service could not start, or ended by itself."""


class Server(uvicorn.Server):
    """One process that serves one app, and turns calls away from the moment of the signal on."""

    def __init__(self, config: uvicorn.Config, app: App) -> None:
        super().__init__(config)
        self._app = app
        self.lost = ""
        """Why it had to end: the journal cannot be used any more."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """As uvicorn does, but a drained service has ended well: it is not a signal's victim."""
        service = self._app.service
        if service is not None:
            self.lost = service.lost
            service.turn_away()
            if self.should_exit:  # asked a second time
                with suppress(RuntimeError):
                    asyncio.get_running_loop().call_soon_threadsafe(service.hurry)
        super().handle_exit(sig, frame)
        self.force_exit = False  # it would skip the drain
        self._captured_signals.clear()


def serve(target: str | None, given: Mapping[str, Any], reload: bool) -> None:
    """Serve until a signal.

    Args:
        target: the app, as `find_app` takes it.
        given: settings of the command line; they win.
        reload: start again when a file in the working folder changes.

    Raises:
        SettingsError, DefinitionError: it cannot be served like this; says the mend.
        ServiceFailed: it could not be started, or a worker could not.
    """
    name, app = find_app(target)
    for setting, value in given.items():  # so that each process of this service sees them
        os.environ[f"{PREFIX}{setting.upper()}"] = str(value)
    os.environ[f"{PREFIX}APP"] = name
    os.environ.pop(OWNER, None)
    if reload:  # who has just saved a file does not want to wait for what it replaces
        os.environ.setdefault(f"{PREFIX}GRACE", "1")
    settings = Settings.load()
    settings.check_platform()
    settings.check_exposure()
    if not app.blocks:
        raise SettingsError(f'{name} has no block: decorate a handler with @app.block("name")')
    if reload and settings.server.workers > 1:
        raise SettingsError("--reload works with one worker: leave out one of the two")
    if not structlog.is_configured():
        logs.configure(settings.logging.format, settings.logging.level)
    redaction.keep_secret(settings.secrets())
    with bind(settings.server.host, settings.server.port) as listener:
        _announce(app, settings, listener, "reloading" if reload else "serving")
        _run(app, settings, listener, reload)


def bind(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        SettingsError: the address is taken, is not of this machine or is not allowed.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio switches Nagle's algorithm off only for sockets that say that they are TCP's; with it
    # on, an answer in two parts takes 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if sys.platform != "win32":  # there it would let two services share the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        # Listening from now on makes a second service on this port fail at once, and lets calls
        # wait in the system's queue until the app has started.
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise SettingsError(
            f"cannot listen on {host}:{port}: {error.strerror or error}. "
            "Choose another port with --port (0 takes a free one)"
        ) from error
    listener.set_inheritable(True)
    return listener


def for_this_machine(app: Any, last_answers: int) -> uvicorn.Config:
    """How an app is served that nobody but this machine's owner asks.

    Args:
        app: ASGI; it is not told of start and end.
        last_answers: seconds for answers under way when it is to end.
    """
    return uvicorn.Config(
        app,
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=last_answers,
    )


def address(listener: socket.socket, host: str) -> str:
    """`http://host:port` of a listening socket, as a person would type it."""
    port = listener.getsockname()[1]
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104 - shown, not listened on
    return f"http://{shown}:{port}"


def _announce(app: App, settings: Settings, listener: socket.socket, mode: str) -> None:
    """Say where the blocks are; the URL's secret is masked."""
    base = address(listener, settings.server.host)
    key = "?key=***" if settings.access.url_secrets else ""
    urls = {name: f"{base}/blocks/{name}{key}" for name in app.blocks}
    ops = (
        f"{base.rpartition(':')[0]}:{settings.server.ops_port}"
        if settings.server.ops_port
        else base
    )
    if logs.readable(settings.logging.format):
        wide = max(map(len, urls.values()))
        for name, url in urls.items():
            typer.echo(f"  {url:<{wide}}  {app.blocks[name].title}")
        if settings.server.ops_port:
            typer.echo(f"  {ops:<{wide}}  health, metrics and the catalogue")
        typer.echo("  Ctrl+C ends it when handlers under way have finished; twice: now.")
    else:
        log.info(
            "address_bound",
            blocks=list(urls.values()),
            ops=ops,
            workers=settings.server.workers,
            mode=mode,
        )


def _run(app: App, settings: Settings, listener: socket.socket, reload: bool) -> None:
    config = EdgeConfig(
        "vertexkit.cli.serve.process:make",
        Limits.of(settings),
        factory=True,
        lifespan="on",
        workers=settings.server.workers,
        reload=reload,
        timeout_graceful_shutdown=LAST_ANSWERS,
    )
    failed, lost = False, ""
    if reload:
        ChangeReload(config, target=uvicorn.Server(config).run, sockets=[listener]).run()
    elif settings.server.workers > 1:
        supervisor = Multiprocess(config, sockets=[listener])
        with Keeper(app.load_settings(), supervisor.should_exit.set) as keeper:
            os.environ[OWNER] = str(keeper.socket)
            supervisor.run()
        lost = keeper.lost
        failed = any(
            each.exitcode == uvicorn.config.STARTUP_FAILURE for each in supervisor.processes
        )
    else:
        server = Server(config, app)
        try:
            server.run(sockets=[listener])
        except SystemExit:
            failed = True
        lost = server.lost
    if lost:
        raise ServiceFailed(
            f"the journal cannot be written any more ({lost}). What was accepted is kept: mend the "
            "cause, then start again"
        )
    if failed:
        raise ServiceFailed("the app did not start; the reason is above")
