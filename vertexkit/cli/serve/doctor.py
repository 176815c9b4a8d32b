"""`vertexkit doctor`: check the machine that a service runs on, and say how to fix each problem."""

import errno
import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path

from vertexkit.cli import output
from vertexkit.cli.serve.connection_checks import check_journal, check_platform
from vertexkit.cli.serve.findings import Finding, Level
from vertexkit.cli.serve.health import check_health
from vertexkit.errors import SettingsError, VertexkitError
from vertexkit.server.listen import bind
from vertexkit.settings import Settings, environment_warnings

MIN_PYTHON = (3, 11)
"""The oldest Python that vertexkit supports: `requires-python` in pyproject.toml."""
MAX_PORT = 65_535
UNICODE_MARKS = {Level.OK: "✓", Level.WARN: "!", Level.FAIL: "✗"}
ASCII_MARKS = {Level.OK: "ok", Level.WARN: "!", Level.FAIL: "x"}
MARKS = UNICODE_MARKS if output.is_unicode(sys.stdout) else ASCII_MARKS


def examine(*, offline: bool) -> list[Finding]:
    """Check this machine and what a service on it is connected to.

    Args:
        offline: send nothing to the platform.

    Returns:
        The findings, good ones included.
    """
    findings = [*_check_python(), *_check_encoding()]
    try:
        settings = Settings.load()
    except VertexkitError as error:
        return [*findings, Finding.failed("settings", error)]
    findings += [Finding(Level.WARN, "settings", warning) for warning in environment_warnings()]
    server = settings.server
    ports = {"VERTEXKIT_PORT": server.port, "VERTEXKIT_OPS_PORT": server.ops_port}
    for variable, port in ports.items():
        if port:
            findings += check_port(server.host, port, variable)
    findings += check_journal(settings.journal)
    if settings.logging.record is not None:
        findings += check_folder("recordings", settings.logging.record)
    try:
        settings.check_platform()
    except VertexkitError as error:
        fix = "export VERTEXKIT_PLATFORM_URL=https://NAME.bot.one/api"
        return [*findings, Finding(Level.WARN, "platform", str(error), fix)]
    if not offline:
        findings += check_platform(settings.platform)
    return findings


def _check_python() -> Iterator[Finding]:
    version = platform.python_version()
    if sys.version_info < MIN_PYTHON:
        oldest = ".".join(map(str, MIN_PYTHON))
        yield Finding.failed(
            "python",
            SettingsError(f"this is Python {version}, but vertexkit needs {oldest} or newer"),
            f"python{oldest} -m venv .venv && .venv/bin/pip install vertexkit",
        )
    else:
        yield Finding(Level.OK, "python", f"Python {version} at {sys.executable}")


def _check_encoding() -> Iterator[Finding]:
    """Check that texts of every language can be printed."""
    if not output.is_unicode(sys.stdout):
        yield Finding(
            Level.WARN,
            "terminal",
            f"the output's encoding {sys.stdout.encoding} does not have every character",
            "export PYTHONUTF8=1",
        )


def check_port(host: str, port: int, variable: str) -> Iterator[Finding]:
    """Check that a service can listen on a port, or that it listens there now.

    Args:
        host: address of this machine.
        port: its number.
        variable: the setting that has the port.
    """
    try:
        bind(host, port).close()
    except SettingsError as error:
        if check_health(None, "healthz").healthy:
            yield Finding(Level.OK, "port", f"port {port} is used by the service that runs here")
            return
        yield Finding.failed("port", error, _fix_port(host, port, variable, error))
    else:
        yield Finding(Level.OK, "port", f"port {port} of {host} is free")


def _fix_port(host: str, port: int, variable: str, error: SettingsError) -> str:
    cause = getattr(error.__cause__, "errno", None)
    if cause == errno.EADDRNOTAVAIL:
        return "export VERTEXKIT_HOST=127.0.0.1"
    other = f"export {variable}={_find_free_port(host, max(port + 1, 8000))}"
    if cause != errno.EADDRINUSE:
        return other
    if sys.platform == "win32":
        return f"netstat -ano | findstr :{port} shows the program. Another port: {other}"
    return f"lsof -i :{port} -s TCP:LISTEN shows the program. Another port: {other}"


def _find_free_port(host: str, first: int) -> int:
    for port in range(first, MAX_PORT):
        try:
            bind(host, port).close()
        except SettingsError:
            continue
        return port
    return 0


def check_folder(subject: str, folder: Path) -> Iterator[Finding]:
    """Check that files can be created in a folder, or that it can be created.

    Args:
        subject: what the folder is for.
        folder: its path.
    """
    existing = next(
        path for path in (folder.absolute(), *folder.absolute().parents) if path.exists()
    )
    if existing.is_dir() and os.access(existing, os.W_OK | os.X_OK):
        yield Finding(Level.OK, subject, f"files can be written to {folder}")
        return
    error = SettingsError(
        f"no file can be written to {folder}: {existing} is not a writable folder"
    )
    yield Finding.failed(
        subject, error, f"sudo chown $USER {existing}" if existing.is_dir() else ""
    )
