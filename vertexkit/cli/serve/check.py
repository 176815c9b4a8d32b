"""`vertexkit check`: check the app and its configuration; report each problem and how to fix it."""

import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import to_json

from vertexkit.app import App
from vertexkit.blocks.registry import Block
from vertexkit.blocks.signature import FIELD_PREFIX
from vertexkit.botone.hints import API_PATH
from vertexkit.cli.serve.connection_checks import check_journal, check_platform
from vertexkit.cli.serve.findings import Finding, Level
from vertexkit.errors import DefinitionError, SettingsError, VertexkitError
from vertexkit.loading import find_app
from vertexkit.settings import (
    AccessSettings,
    Settings,
    environment_warnings,
)
from vertexkit.telemetry import otel_setup
from vertexkit.telemetry.redaction import MIN_MASKED_CHARACTERS

MIN_SECRET_CHARACTERS = 20
"""Length of the shortest URL secret that cannot be guessed."""


def check(target: str | None, *, offline: bool) -> list[Finding]:
    """Check everything that can be checked without serving.

    Args:
        target: the app, as `find_app` takes it.
        offline: send nothing to the platform.

    Returns:
        The findings, good ones included.
    """
    findings: list[Finding] = []
    try:
        name, app = find_app(target)
    except VertexkitError as error:
        findings.append(Finding.failed("app", error))
    else:
        findings += _check_app(name, app)
    try:
        settings = Settings.load()
    except VertexkitError as error:
        return [*findings, Finding.failed("settings", error)]
    findings += [Finding(Level.WARN, "settings", warning) for warning in environment_warnings()]
    findings += _check_settings(settings)
    findings += _check_secrets(settings)
    findings += _check_networks(settings.access)
    findings += check_journal(settings.journal)
    findings += _check_tracing()
    if not offline and settings.platform.url:
        findings += check_platform(settings.platform)
    return findings


def _check_app(name: str, app: App) -> Iterator[Finding]:
    if not app.blocks:
        error = DefinitionError(f"{name} has no block")
        yield Finding.failed("app", error, 'Decorate a handler with @app.block("name").')
        return
    yield Finding(Level.OK, "app", f"{name}: {', '.join(app.blocks)}")
    for block in app.blocks.values():
        invalid = list(_check_examples(block))
        yield from invalid
        if not invalid:
            fields = len(block.signature.model.model_fields)
            inputs = f"{fields} input{'' if fields == 1 else 's'}"
            limits = _describe_limits(block)
            message = f"{inputs}, schemas and examples are valid{limits}"
            yield Finding(Level.OK, block.name, message)
        if not block.title or block.title == block.name:
            yield Finding(
                Level.WARN,
                block.name,
                "the block has no title: the catalogue shows its name",
                f'Give it one: @app.block("{block.name}", title="…").',
            )


def _describe_limits(block: Block) -> str:
    """Return the limits of a block over all processes: `; rate 2/minute for each key`."""
    options = block.options
    limits = [
        f"{name} {value}"
        for name, value in (
            ("rate", options["rate"]),
            ("fleet_concurrency", options["fleet_concurrency"]),
        )
        if value is not None
    ]
    if not limits:
        return ""
    return f"; {' and '.join(limits)}{' for each key' if options['key'] is not None else ''}"


def _check_examples(block: Block) -> Iterator[Finding]:
    """Report examples that the block itself would reject."""
    model: type[BaseModel] = block.signature.model
    for name, field in model.model_fields.items():
        for example in field.examples or ():
            try:
                adapter: TypeAdapter[Any] = TypeAdapter(field.rebuild_annotation())
                if block.signature.is_strict:
                    adapter.validate_json(to_json(example, fallback=str))
                else:
                    adapter.validate_python(example)
            except ValidationError as error:
                reason = error.errors(include_input=False, include_url=False)[0]["msg"]
                problem = DefinitionError(
                    f"the example {example!r} of {name.removeprefix(FIELD_PREFIX)} is invalid: "
                    f"{reason}"
                )
                fix = "Change the example or the field's type."
                yield Finding.failed(block.name, problem, fix)


def _check_settings(settings: Settings) -> Iterator[Finding]:
    url = settings.platform.url
    try:
        settings.check_platform()
    except VertexkitError as error:
        yield Finding.failed("settings", error)
    else:
        yield Finding(Level.OK, "settings", f"the platform is {url}")
    if url.startswith("http://") and not _is_local(url):
        yield Finding(
            Level.WARN,
            "settings",
            "requests to the platform are not encrypted: tokens can be intercepted",
            "Use https:// in VERTEXKIT_PLATFORM_URL.",
        )
    if url and not urlsplit(url).path.endswith(API_PATH):
        yield Finding(
            Level.WARN,
            "settings",
            f"the platform's URL usually ends with {API_PATH}, got {url!r}",
            f"If requests are answered with 404, set VERTEXKIT_PLATFORM_URL={url}{API_PATH}.",
        )
    if settings.logging.level == "debug":
        yield Finding(
            Level.WARN,
            "settings",
            "log lines at level debug cost time and disk space",
            "Set VERTEXKIT_LOG_LEVEL=info.",
        )


def _is_local(url: str) -> bool:
    host = url.removeprefix("http://").partition("/")[0].rpartition(":")[0] or url
    return host in {"127.0.0.1", "localhost", "[::1]"}


def _check_secrets(settings: Settings) -> Iterator[Finding]:
    for variable in settings.short_secrets(MIN_MASKED_CHARACTERS):
        yield Finding(
            Level.WARN,
            "secrets",
            f"a secret in {variable} has fewer than {MIN_MASKED_CHARACTERS} characters: the log "
            "masks it only where it is a whole word",
            "Replace it with a longer one.",
        )
    secrets, host = settings.access.url_secrets, settings.server.host
    try:
        settings.check_exposure()
    except VertexkitError as error:
        yield Finding.failed("secrets", error)
        return
    if not secrets and settings.server.is_exposed:
        yield Finding(
            Level.WARN,
            "secrets",
            f"every client that can reach {host} may call the blocks "
            "(VERTEXKIT_ALLOW_ANONYMOUS is set)",
            "Make sure that a proxy checks callers, or set VERTEXKIT_URL_SECRETS.",
        )
    elif not secrets:
        yield Finding(Level.OK, "secrets", f"none are set; only this machine can reach {host}")
    short = [s for s in secrets if len(s.get_secret_value()) < MIN_SECRET_CHARACTERS]
    if short:
        yield Finding(
            Level.WARN,
            "secrets",
            f"{len(short)} of {len(secrets)} URL secrets can be guessed: they have fewer than "
            f"{MIN_SECRET_CHARACTERS} characters",
            "Generate one: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'",
        )
    elif secrets:
        number = len(secrets)
        yield Finding(
            Level.OK,
            "secrets",
            f"{number} URL secret{'' if number == 1 else 's'}; to replace one, add the new one, "
            "change the URL on the platform, remove the old one",
        )


def _check_networks(access: AccessSettings) -> Iterator[Finding]:
    """Check the networks that may call blocks, and those of trusted proxies."""
    if any(network.prefixlen == 0 for network in access.trusted_proxies):
        yield Finding.failed(
            "networks",
            SettingsError(
                "VERTEXKIT_TRUSTED_PROXIES contains every address: a client can forge its own"
            ),
            "List only the networks of the proxies in front of this service.",
        )
    elif access.allow_from:
        allowed = ", ".join(map(str, access.allow_from))
        proxies = ", ".join(map(str, access.trusted_proxies))
        route = f"through proxies in {proxies}" if proxies else "without a trusted proxy"
        yield Finding(Level.OK, "networks", f"calls are accepted from {allowed}, {route}")
    elif access.trusted_proxies:
        yield Finding(
            Level.WARN,
            "networks",
            "VERTEXKIT_TRUSTED_PROXIES has no effect without VERTEXKIT_ALLOW_FROM",
            "Set VERTEXKIT_ALLOW_FROM to the platform's networks, or unset both.",
        )


def _check_tracing() -> Iterator[Finding]:
    """Check the exporters that OpenTelemetry's environment variables name."""
    if otel_setup.SDK in sys.modules:  # the author sets it up
        return
    plan = otel_setup.read_environment()
    if plan.problem:
        yield Finding(Level.WARN, "tracing", f"traces are not exported: {plan.problem}")
    elif plan.exporters:
        yield Finding(Level.OK, "tracing", f"traces are exported by {', '.join(plan.exporters)}")
