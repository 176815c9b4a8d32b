"""`vertexkit run`: serve the blocks of an app until SIGTERM."""

import os
import socket
from collections.abc import Mapping
from typing import Any

import structlog
from structlog.typing import FilteringBoundLogger
from uvicorn.supervisors import ChangeReload

from vertexkit.app import App
from vertexkit.cli.serve.announcement import announce
from vertexkit.cli.serve.journal_host import JournalHost
from vertexkit.cli.serve.process import ADDRESS, JOURNAL_SOCKET, METRICS_SOCKET, MODE, load_app
from vertexkit.cli.serve.server import SHUTDOWN_TIMEOUT_SECONDS, Server, Workers, ignore_signals
from vertexkit.clock import Clock
from vertexkit.errors import SettingsError, VertexkitError
from vertexkit.journal import make_journal
from vertexkit.loading import find_app
from vertexkit.server.config import ServerConfig
from vertexkit.server.limits import max_connections
from vertexkit.server.listen import base_url, bind
from vertexkit.settings import PREFIX, Settings, new_warnings
from vertexkit.telemetry import logs, redaction

APP_NOT_STARTED = "the app did not start; the reason is logged above"

log: FilteringBoundLogger = structlog.get_logger("vertexkit")


class ServiceFailed(VertexkitError):
    """The service could not start, or stopped because of an error."""

    reference = "VK-001"


def serve(target: str | None, options: Mapping[str, Any], reload: bool) -> None:
    """Serve an app until a signal.

    Args:
        target: the app, as `find_app` takes it.
        options: settings from the command line; they override the environment.
        reload: restart when a file in the working folder changes.

    Raises:
        SettingsError: a setting is wrong; says how to fix it.
        DefinitionError: the app cannot be loaded.
        ServiceFailed: the app or a worker could not start, or the journal became unusable.
    """
    name, app = find_app(target)
    for setting, value in options.items():  # each process of this service reads them
        os.environ[f"{PREFIX}{setting.upper()}"] = str(value)
    os.environ[f"{PREFIX}APP"] = name
    for variable in (JOURNAL_SOCKET, METRICS_SOCKET, ADDRESS, MODE):
        os.environ.pop(variable, None)
    if reload:  # an author who has saved a file does not want to wait for old executions
        os.environ.setdefault(f"{PREFIX}GRACE", "1")
    settings = Settings.load()
    if not structlog.is_configured():
        logs.configure(settings.logging.format, settings.logging.level)
    for warning in new_warnings():  # before the checks, which may fail for the same reason
        log.warning("setting_ignored", reason=warning, reference=SettingsError.reference)
    settings.check_platform()
    settings.check_exposure()
    if not app.blocks:
        raise SettingsError(f'{name} has no block: decorate a handler with @app.block("name")')
    if reload and settings.server.workers > 1:
        raise SettingsError("--reload needs a single worker. Leave out --reload or --workers")
    make_journal((app.settings or settings).journal, Clock())  # an unknown kind is an error now
    redaction.register_secrets(settings.secrets())
    with bind(settings.server.host, settings.server.port) as listener:
        _run(app, settings, listener, reload)


def _run(app: App, settings: Settings, listener: socket.socket, reload: bool) -> None:
    config = ServerConfig(
        load_app,
        settings.server,
        max_connections(settings),
        lifespan="on",
        workers=settings.server.workers,
        reload=reload,
        timeout_graceful_shutdown=SHUTDOWN_TIMEOUT_SECONDS,
    )
    address, mode = base_url(listener, settings.server.host), "reloading" if reload else "serving"
    if settings.server.workers == 1:  # the process that serves announces it
        os.environ |= {ADDRESS: address, MODE: mode}
    if reload:
        ChangeReload(config, target=Server(config).run, sockets=[listener]).run()
    elif settings.server.workers > 1:
        workers = Workers(config, sockets=[listener])
        with JournalHost(app.settings or settings, workers.should_exit.set) as host:
            if host.journal_socket is not None:
                os.environ[JOURNAL_SOCKET] = str(host.journal_socket)
            os.environ[METRICS_SOCKET] = str(host.metrics_socket)
            announce(app.blocks, settings, address, mode)
            workers.run()
        ignore_signals()
        _raise_failure(host, workers)
    else:
        _run_server(Server(config), listener)


def _raise_failure(host: JournalHost, workers: Workers) -> None:
    if host.failure:
        raise ServiceFailed(host.failure)
    if workers.failed_to_start:
        raise ServiceFailed("a worker could not start; the reason is logged above")


def _run_server(server: Server, listener: socket.socket) -> None:
    try:
        server.run(sockets=[listener])
    except SystemExit:
        if not server.started:
            raise ServiceFailed(server.startup_error or APP_NOT_STARTED) from None
    if server.failure:
        raise ServiceFailed(server.failure)
