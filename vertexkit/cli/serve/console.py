"""`vertexkit console`: the operators' console over the journal of the settings."""

import asyncio
import getpass
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import structlog
import uvicorn
from rich.text import Text
from starlette.responses import RedirectResponse

from vertexkit.cli import output
from vertexkit.cli.browser import open_in_browser
from vertexkit.cli.translation import translate
from vertexkit.clock import Clock
from vertexkit.console.mount import ConsoleMount
from vertexkit.console.source import ConsoleSource
from vertexkit.journal.admin import open_admin
from vertexkit.journal.protocol import JournalAdmin
from vertexkit.server.listen import base_url, bind, local_config
from vertexkit.settings import JournalSettings, Settings
from vertexkit.telemetry import logs, redaction

HOST = "127.0.0.1"
"""Only clients of this machine are let in."""


@dataclass(frozen=True, slots=True)
class ConsoleOptions:
    """The options of `vertexkit console`."""

    port: int
    writable: bool
    """Whether the journal may be changed."""
    open_browser: bool


def serve_console(options: ConsoleOptions) -> None:
    """Serve the console until Ctrl+C.

    Raises:
        JournalUnusable: the journal cannot be opened; the message names the cause and the fix.
        SettingsError: a setting is wrong, or the port cannot be listened on.
    """
    settings = Settings.load()
    redaction.register_secrets(settings.secrets())
    if not structlog.is_configured():
        logs.configure(settings.logging.format, settings.logging.level)
    with suppress(KeyboardInterrupt), bind(HOST, options.port) as listener:
        asyncio.run(_serve(options, settings.journal, listener))


def make_console(settings: JournalSettings, *, writable: bool) -> ConsoleMount:
    """Make the ASGI app of the console over a journal.

    The journal is opened for each request and closed after it: a service that uses it can be started
    and stopped at any time.

    Args:
        settings: of the journal.
        writable: whether the journal may be changed.
    """
    one_at_a_time = asyncio.Lock()

    @asynccontextmanager
    async def open_journal() -> AsyncIterator[JournalAdmin]:
        async with one_at_a_time, open_admin(settings, Clock()) as journal:
            yield journal

    source = ConsoleSource(open_journal, settings.shown_url, None, writable)
    return ConsoleMount(RedirectResponse("/console/"), source, local_user=_user())


async def _serve(
    options: ConsoleOptions, settings: JournalSettings, listener: socket.socket
) -> None:
    async with open_admin(settings, Clock()):  # an error is reported before the page is opened
        pass
    url = f"{base_url(listener, HOST)}/console/"
    app = make_console(settings, writable=options.writable)
    console = output.console()
    mode = (
        translate("Actions change the journal.")
        if options.writable
        else translate("Read-only; see --write.")
    )
    console.print(
        Text("vertexkit console", "bold").append(
            f"  {translate('{0} Press Ctrl+C to stop.', mode)}", "dim"
        )
    )
    console.print(Text(f"  {url}", "bold cyan"), soft_wrap=True)
    if options.open_browser:
        open_in_browser(url)
    await uvicorn.Server(local_config(app, 1)).serve(sockets=[listener])


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return ""
