"""The settings of one process: its sections, read from the environment."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo

from vertexkit.errors import SettingsError
from vertexkit.settings.environment import PREFIX, find_variable, read_environment
from vertexkit.settings.sections import (
    INSTANCE,
    AccessSettings,
    HandlerSettings,
    JournalSettings,
    LoggingSettings,
    PlatformSettings,
    Section,
    ServerSettings,
)

SECRETS_DIR = "/run/secrets"
QUOTES = ("'", '"')
INTERNAL_NAMES = ("debug", "journal_socket", "metrics_socket", "address", "mode", "lang")
"""Variables that vertexkit sets for its own processes, and the language of the command line."""


class Settings(BaseModel):
    """The settings of one process, in sections.

    `load` reads them from the environment (`VERTEXKIT_PORT=9000`), from `.env` in the working
    folder and from files of the same names in `/run/secrets`; `of` takes values alone. Both know
    a setting by its flat name, which is that of its environment variable: `port`, `log_level`.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid")

    platform: PlatformSettings = PlatformSettings()
    access: AccessSettings = AccessSettings()
    server: ServerSettings = ServerSettings()
    journal: JournalSettings = JournalSettings()
    handlers: HandlerSettings = HandlerSettings()
    logging: LoggingSettings = LoggingSettings()

    @classmethod
    def load(cls, **values: Any) -> "Settings":
        """Read the settings from the environment, `.env` and `/run/secrets`, in this order.

        Args:
            **values: settings by their flat names; they override what is read.

        Raises:
            SettingsError: a value is not valid or a name in `values` is unknown; names each.
        """
        read = read_environment(FIELDS, INTERNAL_NAMES, Path(SECRETS_DIR))
        return cls.of(**(dict(read.values) | values))

    @classmethod
    def of(cls, **values: Any) -> "Settings":
        """Make settings of these values and the defaults; nothing is read.

        Args:
            **values: settings by their flat names, for example `platform_url=..., lease=5`.

        Raises:
            SettingsError: a value is not valid or a name is unknown; names each.
        """
        if unknown := values.keys() - FIELDS.keys():
            raise SettingsError("; ".join(map(_unknown, sorted(unknown))))
        sections, problems = {}, []
        for name, section in _SECTIONS.items():
            own = {flat: values[flat] for flat in _flat_fields(section) if flat in values}
            try:
                sections[name] = section.model_validate(own)
            except ValidationError as error:
                problems += _sentences(error)
        if problems:
            raise SettingsError("; ".join(problems))
        return cls(**sections)

    def flat(self, *names: str) -> dict[str, Any]:
        """Return the settings of these flat names, as `of` takes them.

        Args:
            *names: by default all.
        """
        return {
            flat: getattr(getattr(self, name), field)
            for name, section in _SECTIONS.items()
            for flat, field in zip(_flat_fields(section), section.model_fields, strict=True)
            if not names or flat in names
        }

    def short_secrets(self, characters: int) -> list[str]:
        """Return the variables of the secrets that have fewer characters than this."""
        secrets = {
            "URL_SECRETS": self.access.url_secrets,
            "TOKEN_KEYS": self.access.token_keys,
            "PASSWORD": (self.platform.password,),
        }
        return [
            f"{PREFIX}{name}"
            for name, values in secrets.items()
            if any(0 < len(value.get_secret_value()) < characters for value in values)
        ]

    def secrets(self) -> Iterator[str]:
        """Yield each secret value, for the redaction of logs."""
        access, keys = self.access, self.journal.keys
        values = (*access.url_secrets, *access.token_keys, *keys, self.platform.password)
        return chain((value.get_secret_value() for value in values), self.journal.url_passwords)

    def check_platform(self) -> None:
        """Check that the platform's address is set and complete.

        Raises:
            SettingsError: names the setting and how to fix it.
        """
        if not self.platform.url:
            raise SettingsError(
                "VERTEXKIT_PLATFORM_URL is not set. Set it to the API of your platform, for "
                "example https://demo.bot.one/api; to run a block without a platform: vertexkit "
                "trigger"
            )
        if INSTANCE in self.platform.url and not self.platform.instances:
            raise SettingsError(
                "VERTEXKIT_PLATFORM_URL contains {instance}, but VERTEXKIT_INSTANCES is not set. "
                "Set it to the instances that may replace {instance}, separated by commas"
            )
        if self.platform.instances and INSTANCE not in self.platform.url:
            raise SettingsError(
                "VERTEXKIT_INSTANCES is set, but VERTEXKIT_PLATFORM_URL does not contain "
                "{instance}. Write it as https://{instance}.bot.one/api, or unset "
                "VERTEXKIT_INSTANCES"
            )

    def check_exposure(self) -> None:
        """Check that an address that other machines can reach is protected by a secret.

        Raises:
            SettingsError: names the settings and how to fix them.
        """
        access = self.access
        if self.server.is_exposed and not access.url_secrets and not access.allow_anonymous:
            raise SettingsError(
                f"Other machines can reach {self.server.host}, and no secret protects the blocks. "
                "Set VERTEXKIT_URL_SECRETS (python3 -c 'import secrets; print(secrets."
                "token_urlsafe(32))') and append ?key=SECRET to the block's URL; or set "
                "VERTEXKIT_ALLOW_ANONYMOUS=1 if a proxy in front of this service checks callers"
            )


def _flat_fields(section: type[Section]) -> dict[str, FieldInfo]:
    """The fields of a section by their flat names."""
    return {
        str(field.validation_alias or name): field for name, field in section.model_fields.items()
    }


_SECTIONS: dict[str, type[Section]] = {
    name: type(field.default) for name, field in Settings.model_fields.items()
}
FIELDS: Mapping[str, FieldInfo] = MappingProxyType(
    {flat: field for section in _SECTIONS.values() for flat, field in _flat_fields(section).items()}
)
"""Every setting by its flat name, in the order of the sections."""


_given_warnings: set[str] = set()


def environment_warnings() -> tuple[str, ...]:
    """Return a sentence for each variable with vertexkit's prefix that has no effect.

    Raises:
        SettingsError: `.env` or a file of secrets cannot be read.
    """
    return read_environment(FIELDS, INTERNAL_NAMES, Path(SECRETS_DIR)).warnings


def new_warnings() -> list[str]:
    """Return those of `environment_warnings` that it did not return before in this process.

    Raises:
        SettingsError: as `environment_warnings`.
    """
    sentences = [text for text in environment_warnings() if text not in _given_warnings]
    _given_warnings.update(sentences)
    return sentences


def _unknown(name: str) -> str:
    close = get_close_matches(name, FIELDS, 1)
    return f"there is no setting {name!r}" + (f". Did you mean {close[0]!r}?" if close else "")


def _sentences(error: ValidationError) -> list[str]:
    """One sentence for each setting that is not valid; without its value, which may be secret."""
    sentences: dict[str, str] = {}
    for detail in error.errors(include_url=False):
        name = f"{PREFIX}{detail['loc'][0]}".upper()
        text = detail["msg"].removeprefix("Value error, ").partition(", unable to parse")[0]
        if str(detail["input"])[:1] in QUOTES:  # `docker run --env-file` leaves them there
            text += ", without quotes"
        sentences.setdefault(name, text.replace("Input should be", "must be", 1))
    return [f"{name} {text}" for name, text in sentences.items()]


def read_variable(name: str) -> str:
    """Return a variable of another package from the sources of the settings; empty if not set.

    Args:
        name: for example `OPENAI_API_KEY`.

    Raises:
        SettingsError: a file cannot be read.
    """
    return find_variable(name, Path(SECRETS_DIR))
