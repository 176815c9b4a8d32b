"""Every setting, and every default, in one place."""

from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from vertexkit.errors import SettingsError

PREFIX = "VERTEXKIT_"
SECRETS_DIR = "/run/secrets"
INSTANCE = "{instance}"
Network = IPv4Network | IPv6Network


def _split(value: Any) -> Any:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


class Settings(BaseSettings):
    """The settings of one process.

    Read from the environment (`VERTEXKIT_PORT=9000`), from `.env` in the working folder and from
    files of the same names in `/run/secrets`; the environment wins. Seconds where nothing else
    is said.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,
    )

    # The platform
    platform_url: str = ""
    """`https://demo.bot.one/api`, or `https://{instance}.bot.one/api` with `instances` set."""
    instances: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)] = ()
    """The instances that may be filled into `platform_url`, separated by commas."""
    login: str = ""
    """Of the platform's user for `ctx.dialog` and `vertexkit dialogs`: an email."""
    password: SecretStr = SecretStr("")
    """That user's."""
    connections: int = Field(100, ge=1, le=10_000)
    """Requests to the platform under way at once."""
    send_timeout: float = Field(15.0, gt=0)
    """For one request to the platform, from connecting to the last byte of the answer."""
    complete_patience: float = Field(3600.0, ge=0)
    """For how long a completion that does not get through is tried before it is parked."""

    # Who may call
    url_secrets: Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_split)] = ()
    """Secrets of the block URLs (`?key=`), separated by commas; any one of them opens."""
    allow_anonymous: bool = False
    """Serve an address that others can reach although no URL secret is set."""
    allow_from: Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_split)] = ()
    """Networks (`10.0.0.0/8`) from which blocks may be called, separated by commas; none: all."""
    trusted_proxies: Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_split)] = ()
    """Networks of the proxies in front, whose `X-Forwarded-For` is believed."""
    token_keys: Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_split)] = ()
    """Keys with one of which a call's token has to be signed (HS256), for who has the platform's;
    none: tokens are not checked."""
    body_limit: int = Field(256 * 1024, ge=1)
    """Bytes of a call's body."""
    body_timeout: float = Field(15.0, gt=0)
    """For that body to come."""
    head_limit: int = Field(16 * 1024, ge=1024)
    """Bytes of a request's line and headers."""
    head_timeout: float = Field(10.0, gt=0)
    """For those to come."""
    clients: int = Field(4096, ge=16)
    """Connections of callers open at once; where there are more, idle ones are closed."""
    ack_status: int = Field(200, ge=200, le=299)
    """The status that answers an accepted call."""
    tokens: Literal["reused", "unique"] = "reused"
    """`unique`: the platform gives each execution its own token, so the same one is a duplicate
    for 24 hours."""

    # Work
    journal: str = "sqlite:.vertexkit/journal.db"
    """Where executions are kept: `sqlite:PATH`, or `memory:`, which survives no crash."""
    retention: float = Field(86_400.0, ge=0)
    """For how long an ended execution can be looked up; the newest 100,000 at most."""
    parked_retention: float = Field(2_592_000.0, ge=0)
    """For how long a parked one is kept for an operator."""
    concurrency: int = Field(1000, ge=1)
    """Handlers running at once."""
    threads: int = Field(40, ge=1)
    """`def` handlers running at once."""
    queue: int = Field(10_000, ge=1)
    """Executions that wait for a handler or for the platform; more are refused."""
    on_full: Literal["refuse", "fail"] = "refuse"
    """A full queue answers 503, or (`fail`) 200 and completes the block as `overloaded`."""
    timeout: float = Field(300.0, gt=0)
    """For one run of a handler, unless its block says otherwise."""
    attempts: int = Field(5, ge=1)
    """Runs of one execution, the first included."""
    cleanup: float = Field(5.0, ge=0)
    """For a cancelled handler to clean up, and for an `on_failure` hook."""
    result_limit: int = Field(256 * 1024, ge=64)
    """Bytes of a result's JSON."""
    lease: float = Field(30.0, gt=0)
    """For how long a worker that says nothing keeps its executions."""
    grace: float = Field(25.0, ge=0)
    """For running handlers to end after SIGTERM."""

    # The process
    app: str = ""
    """What `vertexkit run` serves when it is given nothing: `MODULE:APP`."""
    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65_535)
    ops_port: int = Field(0, ge=0, le=65_535)
    """Where health, metrics and the catalogue are, instead of on `port`; 0: there."""
    workers: int = Field(1, ge=1)
    log_format: Literal["auto", "json", "console"] = "auto"
    """`auto`: readable in a terminal, JSON elsewhere."""
    record: Path | None = None
    """A folder for recorded runs, with all that is said in them; none are written if not set."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    stall: float = Field(0.5, ge=0)
    """For how long a handler may hold the event loop up before a warning names it; 0: no watch."""

    @field_validator("log_level", "log_format", mode="before")
    @classmethod
    def _lower(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    @field_validator("platform_url")
    @classmethod
    def _check_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in {"http", "https"} or not parts.hostname):
            raise ValueError("it begins with https:// (or http://), as in https://demo.bot.one/api")
        try:
            parts.port  # noqa: B018 - reading it checks it
        except ValueError:
            raise ValueError("its port is a number up to 65535") from None
        if "@" in parts.netloc or parts.query or parts.fragment:
            raise ValueError("it has no login, no `?` and no `#`, as in https://demo.bot.one/api")
        return value.rstrip("/")

    @classmethod
    def load(cls, **values: Any) -> Self:
        """Read the settings; `values` win over everything read.

        Raises:
            SettingsError: names each setting that does not fit, and never its value.
        """
        with _speaking():
            secrets_dir = SECRETS_DIR if Path(SECRETS_DIR).is_dir() else None
            return cls(_secrets_dir=secrets_dir, **values)

    @classmethod
    def of(cls, **values: Any) -> "Settings":
        """Settings of these values and the defaults alone: nothing is read.

        Raises:
            SettingsError: as `load`.
        """
        with _speaking():
            return _Given(**values)

    @property
    def reachable_by_others(self) -> bool:
        """Does `host` let in calls from outside this machine?"""
        try:
            return not ip_address(self.host).is_loopback
        except ValueError:
            return self.host != "localhost"

    def check_platform(self) -> None:
        """Refuse a missing or unusable address of the platform.

        Raises:
            SettingsError: names the setting and the mend.
        """
        if not self.platform_url:
            raise SettingsError(
                "VERTEXKIT_PLATFORM_URL is not set. Set it to your platform's API, for example "
                "https://demo.bot.one/api; to try without a platform: vertexkit trigger"
            )
        if (INSTANCE in self.platform_url) != bool(self.instances):
            raise SettingsError(
                "VERTEXKIT_PLATFORM_URL with {instance} needs VERTEXKIT_INSTANCES (the instances "
                "that may be filled in, separated by commas), and one without the other is useless"
            )

    def check_exposure(self) -> None:
        """Refuse to serve others without a secret.

        Raises:
            SettingsError: names the settings and the mend.
        """
        if self.reachable_by_others and not self.url_secrets and not self.allow_anonymous:
            raise SettingsError(
                f"{self.host} can be reached by others and no secret protects the blocks. Set "
                "VERTEXKIT_URL_SECRETS (python3 -c 'import secrets; print(secrets.token_urlsafe"
                "(32))') and end the block's URL with ?key=SECRET; or set "
                "VERTEXKIT_ALLOW_ANONYMOUS=1 if something in front of this service checks callers"
            )


class _Given(Settings):
    """Settings that come from nowhere else."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - pydantic-settings names it
        init_settings: PydanticBaseSettingsSource,
        *_: PydanticBaseSettingsSource,
        **__: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


@contextmanager
def _speaking() -> Iterator[None]:
    """Name the settings that do not fit as people know them."""
    try:
        yield
    except ValidationError as error:
        lines = []
        for each in error.errors(include_input=False, include_url=False):
            name = ".".join(map(str, each["loc"])).upper()
            lines.append(f"{PREFIX}{name}: {each['msg'].removeprefix('Value error, ')}")
        raise SettingsError("; ".join(lines)) from None
