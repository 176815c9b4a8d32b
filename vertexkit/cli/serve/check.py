"""`vertexkit check`: would this app serve well here? Line by line, each with its mend."""

import json
import os
import sqlite3
import stat
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError
from rich.console import Console
from rich.text import Text

from vertexkit.app import App
from vertexkit.blocks.registry import Block
from vertexkit.blocks.signature import FIELD_PREFIX
from vertexkit.botone.client import BotOne
from vertexkit.cli.serve.probe import Reach, reach
from vertexkit.errors import VertexkitError
from vertexkit.journal.sqlite.file import OLDEST_SQLITE
from vertexkit.loading import find_app
from vertexkit.settings import INSTANCE, Settings

SHORT = 20
"""Characters under which a secret of the URL can be guessed."""
SKEW = 30.0
"""Seconds by which this machine's clock may differ from the platform's."""
STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the check."""

    level: Level
    about: str
    """What was looked at: `app`, `settings`, `platform`, `secrets`, `networks`, `journal`, a block."""
    found: str
    mend: str = ""


def check(target: str | None, *, offline: bool) -> list[Finding]:
    """Look at everything that can be looked at without serving.

    Args:
        target: the app, as `find_app` takes it.
        offline: leave the platform alone.
    """
    findings: list[Finding] = []
    try:
        name, app = find_app(target)
    except VertexkitError as error:
        findings.append(Finding(Level.FAIL, "app", str(error)))
    else:
        findings += _app(name, app)
    try:
        settings = Settings.load()
    except VertexkitError as error:
        return [*findings, Finding(Level.FAIL, "settings", str(error))]
    findings += _settings(settings)
    findings += _secrets(settings)
    findings += _networks(settings)
    findings += _journal(settings)
    if not offline and settings.platform.url:
        findings += _platform(settings)
    return findings


def show(findings: list[Finding], *, as_json: bool) -> None:
    """Print them."""
    if as_json:
        for finding in findings:
            print(json.dumps(asdict(finding), ensure_ascii=False))
        return
    console = Console(highlight=False, markup=False, emoji=False)
    wide = max((len(finding.about) for finding in findings), default=0)
    for finding in findings:
        line = Text(f"  {finding.level.value:<5}", STYLES[finding.level])
        line.append(f" {finding.about:<{wide}}  {finding.found}", "default")
        console.print(line, soft_wrap=True)
        if finding.mend:
            console.print(Text(f"{'':{wide + 10}}{finding.mend}", "dim"), soft_wrap=True)


def _app(name: str, app: App) -> Iterator[Finding]:
    if not app.blocks:
        yield Finding(
            Level.FAIL, "app", f"{name} has no block", 'decorate a handler with @app.block("name")'
        )
        return
    yield Finding(Level.OK, "app", f"{name}: {', '.join(app.blocks)}")
    for block in app.blocks.values():
        wrong = list(_examples(block))
        yield from wrong
        if not wrong:
            fields = len(block.signature.model.model_fields)
            inputs = f"{fields} input{'' if fields == 1 else 's'}"
            yield Finding(Level.OK, block.name, f"{inputs}, schemas and examples fit")
        if not block.title or block.title == block.name:
            yield Finding(
                Level.WARN,
                block.name,
                "it has no title: people see its name in the catalogue",
                f'@app.block("{block.name}", title="…")',
            )


def _examples(block: Block) -> Iterator[Finding]:
    """Examples that the block itself would refuse."""
    model: type[BaseModel] = block.signature.model
    for name, field in model.model_fields.items():
        shown = name.removeprefix(FIELD_PREFIX)
        for example in field.examples or ():
            try:
                shape: TypeAdapter[Any] = TypeAdapter(field.rebuild_annotation())
                shape.validate_python(example)
            except ValidationError as error:
                why = error.errors(include_input=False, include_url=False)[0]["msg"]
                yield Finding(
                    Level.FAIL,
                    block.name,
                    f"its own example of {shown} does not fit: {example!r}: {why}",
                    "change the example, or what the field takes",
                )


def _settings(settings: Settings) -> Iterator[Finding]:
    try:
        settings.check_platform()
    except VertexkitError as error:
        yield Finding(Level.FAIL, "settings", str(error))
    else:
        yield Finding(Level.OK, "settings", f"the platform is {settings.platform.url}")
    if settings.platform.url.startswith("http://") and not _is_here(settings.platform.url):
        yield Finding(
            Level.WARN,
            "settings",
            "the platform is called without TLS: tokens can be read on the way",
            "begin VERTEXKIT_PLATFORM_URL with https://",
        )
    if settings.logging.level == "debug":
        yield Finding(
            Level.WARN, "settings", "debug lines cost time and disk", "VERTEXKIT_LOG_LEVEL=info"
        )


def _is_here(url: str) -> bool:
    host = url.removeprefix("http://").partition("/")[0].rpartition(":")[0] or url
    return host in {"127.0.0.1", "localhost", "[::1]"}


def _secrets(settings: Settings) -> Iterator[Finding]:
    try:
        settings.check_exposure()
    except VertexkitError as error:
        yield Finding(Level.FAIL, "secrets", str(error))
        return
    if not settings.access.url_secrets and settings.server.is_exposed:
        yield Finding(
            Level.WARN,
            "secrets",
            f"everybody who reaches {settings.server.host} may call the blocks "
            "(VERTEXKIT_ALLOW_ANONYMOUS is set)",
            "let something in front of this service check callers, or set VERTEXKIT_URL_SECRETS",
        )
    elif not settings.access.url_secrets:
        yield Finding(
            Level.OK, "secrets", f"none; only this machine reaches {settings.server.host}"
        )
    short = [s for s in settings.access.url_secrets if len(s.get_secret_value()) < SHORT]
    if short:
        yield Finding(
            Level.WARN,
            "secrets",
            f"{len(short)} of {len(settings.access.url_secrets)} secrets of the URL can be guessed",
            "python3 -c 'import secrets; print(secrets.token_urlsafe(32))'",
        )
    elif settings.access.url_secrets:
        number = len(settings.access.url_secrets)
        yield Finding(
            Level.OK,
            "secrets",
            f"{number} secret{'' if number == 1 else 's'} of the URL; to change one: add the new "
            "one, change the URL on the platform, take the old one away",
        )


def _networks(settings: Settings) -> Iterator[Finding]:
    """From where blocks may be called, and whose word is taken for that."""
    if any(network.prefixlen == 0 for network in settings.access.trusted_proxies):
        yield Finding(
            Level.FAIL,
            "networks",
            "VERTEXKIT_TRUSTED_PROXIES holds every address: any caller may say where it comes from",
            "name the networks of the proxies in front of this service, and no others",
        )
    elif settings.access.allow_from:
        allowed = ", ".join(map(str, settings.access.allow_from))
        proxies = ", ".join(map(str, settings.access.trusted_proxies))
        through = f", through the proxies of {proxies}" if proxies else ", with no proxy between"
        yield Finding(Level.OK, "networks", f"calls only from {allowed}{through}")
    elif settings.access.trusted_proxies:
        yield Finding(
            Level.WARN,
            "networks",
            "VERTEXKIT_TRUSTED_PROXIES does nothing without VERTEXKIT_ALLOW_FROM",
            "set that to the networks from which the platform calls, or take both away",
        )


def _journal(settings: Settings) -> Iterator[Finding]:
    scheme, _, place = settings.journal.url.partition(":")
    if scheme == "memory":
        yield Finding(
            Level.WARN,
            "journal",
            "memory: what is unfinished when the process is killed is lost",
            "VERTEXKIT_JOURNAL=sqlite:.vertexkit/journal.db",
        )
        return
    if scheme != "sqlite":
        return
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        needed = ".".join(map(str, OLDEST_SQLITE))
        yield Finding(
            Level.FAIL, "journal", f"SQLite is {sqlite3.sqlite_version}, {needed} is needed"
        )
    path = Path(place.removeprefix("//"))
    there = path if path.exists() else _nearest(path.parent)
    if not os.access(there, os.W_OK) or (there != path and not there.is_dir()):
        yield Finding(
            Level.FAIL,
            "journal",
            f"no file can be written at {path}: look at {there}",
            "set VERTEXKIT_JOURNAL to sqlite: and a path where it may write",
        )
    elif path.exists() and os.name == "posix" and path.stat().st_mode & stat.S_IROTH:
        yield Finding(Level.FAIL, "journal", f"everybody may read {path}", f"chmod o-rwx {path}")
    else:
        how = "is there" if path.exists() else "will be made"
        yield Finding(Level.OK, "journal", f"{path} {how}")


def _nearest(folder: Path) -> Path:
    """The folder, or the one above it that is there."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def _platform(settings: Settings) -> Iterator[Finding]:
    """Each of its addresses answers, and has about the same time."""
    names = settings.platform.instances if INSTANCE in settings.platform.url else ("",)
    for name in names:
        url = settings.platform.url.replace(INSTANCE, name)
        answer: Reach = reach(url)
        if answer.trouble:
            yield Finding(
                Level.FAIL,
                "platform",
                f"{url} cannot be reached: {answer.trouble}",
                "look at VERTEXKIT_PLATFORM_URL, and at the way out of this machine",
            )
            continue
        yield Finding(Level.OK, "platform", f"{url} answers in {answer.seconds:.2f} s")
        if answer.skew is not None and abs(answer.skew) > SKEW:
            yield Finding(
                Level.WARN,
                "platform",
                f"this machine's clock is {answer.skew:+.0f} s beside the platform's",
                "set the clock by NTP; deadlines do not depend on it, times in logs do",
            )
        yield from _login(settings, url)


def _login(settings: Settings, url: str) -> Iterator[Finding]:
    """Of the user by whom `ctx.dialog` and `vertexkit dialogs` ask, if there is one."""
    if not settings.platform.login and not settings.platform.password.get_secret_value():
        return
    mend = "set VERTEXKIT_LOGIN and VERTEXKIT_PASSWORD to those of a user of the platform"
    try:
        with BotOne.sync(url, settings.platform.login, settings.platform.password) as bot:
            total = bot.v2.conversations(page_size=1).page().pagination.total
    except VertexkitError as error:
        yield Finding(Level.FAIL, "login", str(error), mend)
    else:
        yield Finding(Level.OK, "login", f"{settings.platform.login} sees {total} dialogs")
