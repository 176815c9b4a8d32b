"""The settings of each part of a service: every setting and every default."""

import base64
import re
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from vertexkit.settings.database_url import DatabaseUrl, mask_database_url

INSTANCE = "{instance}"
"""The placeholder in the platform's URL that is replaced with an instance's name."""
PLACEHOLDER = re.compile(r"\{[^{}]*\}|[{}]")
LOCAL_HOSTS = {"127.0.0.1", "localhost", "::1", "host.docker.internal"}
"""Hosts of this machine in a URL; the last one is that of a container's machine."""
URL_WITHOUT_SECRET = re.compile(r"(?:sqlite|memory):(?:///|(?!//)).*|\w+:[\w./~-]*", re.DOTALL)
"""URL of a journal that has no place for a password."""
Network = IPv4Network | IPv6Network
INSTANCE_NAME = re.compile(r"[\w.-]+")
"""What replaces `{instance}` in the platform's URL."""
ENDING_KINDS = (
    "completed",
    "interrupted",
    "in_process",
    "operator",
    "not_started",
    "other",
)
"""Kinds of statuses in reports about dialogs."""
KEY_BYTES = 32
"""Size of a key that encrypts the journal."""
KEY_COMMAND = "python3 -c 'import base64, os; print(base64.b64encode(os.urandom(32)).decode())'"
"""Generates such a key."""


def _split(value: Any) -> Any:
    """Split a comma-separated value into a list."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _check_url(url: str, example: str = "https://demo.bot.one/api") -> str:
    parts = urlsplit(url)
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError(f"must not contain a login, '?' or '#'; example: {example}")
    if url and (parts.scheme not in {"http", "https"} or not parts.hostname):
        shown = "" if "@" in url or "?" in url else f", got {url!r}"
        raise ValueError(f"must start with https:// or http:// and name a host{shown}")
    try:
        parts.port  # noqa: B018 - reading it checks it
    except ValueError:
        raise ValueError(f"must have a port between 0 and 65535, got {url!r}") from None
    return url.rstrip("/")


def _check_platform_url(url: str) -> str:
    wrong = next((found for found in PLACEHOLDER.findall(url) if found != INSTANCE), None)
    if wrong is not None:
        raise ValueError(
            f"must contain no braces but those of {INSTANCE}, got {wrong!r}. Did you mean "
            f"{PLACEHOLDER.sub(INSTANCE, url, count=1)!r}?"
        )
    return _check_url(url)


def _check_public_url(url: str) -> str:
    return _check_url(url, "https://blocks.example.com")


def _read_networks(value: Any) -> Any:
    try:
        return [ip_network(item) if isinstance(item, str) else item for item in _split(value)]
    except ValueError as error:
        raise ValueError(f"must list networks such as 10.0.0.0/8: {error}") from None


def _check_instances(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if INSTANCE_NAME.fullmatch(name) is None:
            raise ValueError(
                "must list names of instances, separated by commas, such as demo,kazan; a name has "
                f"letters, digits and the characters - _ . only, got {name!r}"
            )
    return names


def _check_endings(endings: tuple[str, ...]) -> tuple[str, ...]:
    for ending in endings:
        status, _, kind = ending.rpartition("=")
        if not status.strip() or kind.strip().replace("-", "_") not in ENDING_KINDS:
            raise ValueError(
                "must list pairs STATUS=KIND, separated by commas, such as archived=completed; KIND is "
                f"one of {', '.join(ENDING_KINDS)}, got {ending!r}"
            )
    return endings


def _decode_key(text: str) -> bytes:
    return base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)


def _check_keys(keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    try:
        sizes = {len(_decode_key(key.get_secret_value())) for key in keys}
    except ValueError:
        sizes = {0}
    if sizes - {KEY_BYTES}:
        raise ValueError(
            "must list keys of 32 bytes in base64, separated by commas. Generate one: "
            f"{KEY_COMMAND}"
        )
    return keys


WireName = Literal["sockets", "aiohttp"]
LogFormat = Literal["auto", "json", "console"]
ConsoleMode = Literal["off", "read", "write"]
LogLevel = Literal["debug", "info", "warning", "error"]
Strings = Annotated[tuple[str, ...], BeforeValidator(_split)]
Secrets = Annotated[tuple[SecretStr, ...], BeforeValidator(_split)]
Networks = Annotated[tuple[Network, ...], BeforeValidator(_read_networks)]


class Section(BaseModel):
    """Settings that one part of the service uses. Frozen; unknown names are errors.

    The environment variable of a field is `VERTEXKIT_` and the field's name in capitals, or its
    alias where it has one.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        hide_input_in_errors=True,
        validate_by_name=True,
        validate_by_alias=True,
    )


class PlatformSettings(Section):
    """The Bot.one platform, and how it is called."""

    url: Annotated[
        str, AfterValidator(_check_platform_url), Field(validation_alias="platform_url")
    ] = ""
    """Base URL of the API, `https://demo.bot.one/api`; or a template,
    `https://{instance}.bot.one/api`, with `instances` set."""
    instances: Annotated[Strings, AfterValidator(_check_instances)] = ()
    """Instances that may replace `{instance}` in `url`."""
    login: str = ""
    """Email of the platform's user for `ctx.dialog` and `vertexkit dialogs`."""
    password: SecretStr = SecretStr("")
    """Password of that user."""
    endings: Annotated[Strings, AfterValidator(_check_endings)] = ()
    """Kinds of further statuses for reports about dialogs: `archived=completed`."""
    connections: Annotated[int, Field(ge=1, le=10_000)] = 100
    """Maximum number of concurrent requests to the platform."""
    send_timeout: Annotated[float, Field(gt=0)] = 15.0
    """Seconds for one request to the platform, waiting for a free connection included."""
    wire: Annotated[WireName, BeforeValidator(_lower)] = "sockets"
    """HTTP client for `send_message` and `complete`: `sockets`, vertexkit's own, or `aiohttp`.
    Through a proxy it is always aiohttp."""
    complete_patience: Annotated[float, Field(ge=0)] = 3600.0
    """Seconds for which a completion that fails is retried before the execution is parked."""

    @property
    def local_url(self) -> str:
        """`url` if the platform is a program on the same machine; empty if it is not."""
        parts = urlsplit(self.url)
        return self.url if parts.scheme == "http" and parts.hostname in LOCAL_HOSTS else ""


class AccessSettings(Section):
    """Which callers are let in."""

    url_secrets: Secrets = ()
    """Secrets of the block URLs (`?key=`); a call must carry one of them."""
    allow_anonymous: bool = False
    """Serve an address that other machines can reach although no URL secret is set."""
    allow_from: Networks = ()
    """Networks that may call blocks (`10.0.0.0/8`); empty: all."""
    trusted_proxies: Networks = ()
    """Networks of the reverse proxies whose `X-Forwarded-For` header is trusted, and whose
    `X-Forwarded-User` names the operators of the console."""
    token_keys: Secrets = ()
    """Keys that the platform signs tokens with (HS256); empty: signatures are not checked."""


class ServerSettings(Section):
    """The HTTP server: where it listens, how much it takes from a caller."""

    app: str = ""
    """App that `vertexkit run` serves if the command line names none: `MODULE:APP`."""
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: Annotated[int, Field(ge=0, le=65_535)] = 8000
    """Port to listen on; 0: a free one."""
    public_url: Annotated[str, AfterValidator(_check_public_url)] = ""
    """Address at which callers from outside reach this service, for the URLs of events; empty: the
    address that it listens on."""
    ops_port: Annotated[int, Field(ge=0, le=65_535)] = 0
    """Separate port for health, metrics and the catalogue; 0: they are served on `port`."""
    console: Annotated[ConsoleMode, BeforeValidator(_lower)] = "read"
    """What operators can do in the console on `ops_port`: `read` shows executions; `write` also
    retries them, drops them and sends events; `off`: there is no console."""
    workers: Annotated[int, Field(ge=1)] = 1
    """Number of worker processes."""
    clients: Annotated[int, Field(ge=16)] = 4096
    """Maximum number of open connections from callers; beyond it idle ones are closed."""
    head_limit: Annotated[int, Field(ge=1024)] = 16 * 1024
    """Maximum size of a request line with its headers, in bytes."""
    head_timeout: Annotated[float, Field(gt=0)] = 10.0
    """Seconds for the request line and the headers to arrive."""
    body_limit: Annotated[int, Field(ge=1)] = 256 * 1024
    """Maximum size of a request body, in bytes."""
    body_timeout: Annotated[float, Field(gt=0)] = 15.0
    """Seconds for the body to arrive, and for the caller to read the response."""
    ack_status: Annotated[int, Field(ge=200, le=299)] = 200
    """HTTP status of the response to an accepted call."""

    @property
    def events_url(self) -> str:
        """Start of the URLs of events, without a slash at the end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.public_url or f"http://{host}:{self.port}"

    @property
    def is_exposed(self) -> bool:
        """Whether other machines can reach `host`."""
        try:
            return not ip_address(self.host).is_loopback
        except ValueError:
            return self.host != "localhost"


class JournalSettings(Section):
    """Where executions are kept, how many, and for how long."""

    url: Annotated[str, Field(validation_alias="journal", repr=False)] = (
        "sqlite:.vertexkit/journal.db"
    )
    """`sqlite:PATH`; `postgresql://USER@HOST/DATABASE`, which processes on several machines share; or
    `memory:`, which loses everything when the process ends."""
    keys: Annotated[
        Secrets, AfterValidator(_check_keys), Field(validation_alias="journal_keys")
    ] = ()
    """Keys that encrypt what the journal and recordings keep, 32 bytes each in base64. The first one
    encrypts, all of them decrypt. Needs the extra `encryption`; empty: nothing is encrypted."""
    prepare: Annotated[bool, Field(validation_alias="journal_prepare")] = True
    """Use prepared statements in PostgreSQL; off for a pooler of connections that does not support
    them, such as PgBouncer before 1.21 in transaction mode."""
    app_version: str = ""
    """Version of the app, for `vertexkit executions workers`."""
    queue: Annotated[int, Field(ge=1)] = 10_000
    """Maximum number of executions that wait for a handler or for the platform."""
    on_full: Literal["refuse", "fail"] = "refuse"
    """Response when the queue is full: `refuse` answers 503; `fail` answers as if the call was
    accepted and completes the block as failed with code `overloaded`."""
    tokens: Literal["reused", "unique"] = "reused"
    """`unique`: the platform issues a new token for each execution, so a call with a known token
    is a duplicate for 24 hours."""
    lease: Annotated[float, Field(gt=0)] = 30.0
    """Seconds after which the executions of a worker that stopped renewing its leases are taken
    over by another worker."""
    retention: Annotated[float, Field(ge=0)] = 86_400.0
    """Seconds for which an ended execution can be looked up; the newest 100,000 at most. Time
    during which no service runs counts for an hour at most."""
    parked_retention: Annotated[float, Field(ge=0)] = 2_592_000.0
    """Seconds for which a parked execution is kept for an operator, counted in the same way."""
    memory_retention: Annotated[float, Field(ge=0)] = 2_592_000.0
    """Seconds for which the memory of a dialog is kept after its last change, counted in the same
    way."""

    @property
    def decoded_keys(self) -> tuple[bytes, ...]:
        """The bytes of `keys`."""
        return tuple(_decode_key(key.get_secret_value()) for key in self.keys)

    @property
    def shown_url(self) -> str:
        """`url` without its password, for logs and errors."""
        return self._masked_url.shown

    @property
    def url_passwords(self) -> tuple[str, ...]:
        """The passwords in `url`, as they are written and decoded."""
        return self._masked_url.secrets

    @property
    def _masked_url(self) -> DatabaseUrl:
        if URL_WITHOUT_SECRET.fullmatch(self.url):
            return DatabaseUrl(self.url)
        return mask_database_url(self.url)


class HandlerSettings(Section):
    """Limits of handlers; a block may set its own timeout, attempts and concurrency."""

    concurrency: Annotated[int, Field(ge=1)] = 1000
    """Maximum number of handlers that run at once in one process."""
    fleet_concurrency: Annotated[int, Field(ge=1)] | None = None
    """Maximum number of handlers that run at once in all processes that share the journal; None:
    no limit."""
    threads: Annotated[int, Field(ge=1)] = 40
    """Maximum number of `def` handlers that run at once, each in a thread."""
    timeout: Annotated[float, Field(gt=0)] = 300.0
    """Seconds for one run of a handler."""
    attempts: Annotated[int, Field(ge=1)] = 5
    """Maximum number of runs of one execution, the first included."""
    cleanup: Annotated[float, Field(ge=0)] = 5.0
    """Seconds for a cancelled handler to clean up, and for the `on_failure` hook."""
    result_limit: Annotated[int, Field(ge=64)] = 256 * 1024
    """Maximum size of a result as JSON, in bytes."""
    grace: Annotated[float, Field(ge=0)] = 25.0
    """Seconds for running handlers to finish after SIGTERM."""
    stall: Annotated[float, Field(ge=0)] = 0.5
    """Seconds for which a handler may block the event loop before a warning names it; 0: no
    warning."""


class LoggingSettings(Section):
    """Logs and recordings."""

    format: Annotated[LogFormat, BeforeValidator(_lower), Field(validation_alias="log_format")] = (
        "auto"
    )
    """`auto`: readable in a terminal, JSON elsewhere."""
    level: Annotated[LogLevel, BeforeValidator(_lower), Field(validation_alias="log_level")] = (
        "info"
    )
    """Lowest level that is logged."""
    record: Path | None = None
    """Folder for recorded runs, which contain all messages; None: nothing is recorded."""
