"""The environment of the process: where the texts of settings come from.

The sources are, each overriding the next: environment variables, the file `.env` of the working
folder, and files in the folder of secrets that are named like the variables.
"""

import io
import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from dotenv import dotenv_values

from vertexkit.errors import SettingsError
from vertexkit.text import decode_file

PREFIX = "VERTEXKIT_"
ENV_FILE = ".env"
LINK_VALUE = re.compile(r"(tcp|udp|sctp)://\S+", re.IGNORECASE)
"""The value of the variable `NAME_PORT` that Kubernetes and Docker set for a service `name`."""
LINK_NAME = re.compile(
    r"(\w+_)?(service_host|service_port(_\w+)?|port_\d+_(tcp|udp|sctp)(_(proto|port|addr))?)"
)
"""The names of the other variables that they set for it."""


@dataclass(frozen=True, slots=True)
class Environment:
    """The settings found in the environment."""

    values: Mapping[str, str]
    """The text of each setting, by its name without the prefix, in lower case."""
    warnings: tuple[str, ...]
    """A sentence for each variable with the prefix that has no effect; without its value, which may
    be secret."""


def read_environment(
    names: Collection[str], ignored: Collection[str], secrets: Path
) -> Environment:
    """Read the settings. An empty value counts as not set.

    Args:
        names: the settings, without the prefix, in lower case.
        ignored: further names that may be set.
        secrets: the folder of secrets, which need not exist.

    Raises:
        SettingsError: a file cannot be read; says which one and how to fix it.
    """
    variables = _with_prefix(os.environ)
    links = {name for name, value in variables.items() if LINK_VALUE.fullmatch(value)}
    sources = {
        "the environment": {name: v for name, v in variables.items() if name not in links},
        ENV_FILE: _with_prefix(_read_env_file(Path(ENV_FILE))),
        str(secrets): _with_prefix(_read_secrets(secrets)),
    }
    warnings = [_link_warning(name) for name in sorted(links & set(names))]
    for source, texts in sources.items():
        warnings += [
            _unknown_warning(name, source, names)
            for name in sorted(texts.keys() - set(names) - set(ignored))
            if source != "the environment" or not LINK_NAME.fullmatch(name)
        ]
    values: dict[str, str] = {}
    for texts in reversed(sources.values()):
        values |= {name: text for name, text in texts.items() if text and name in names}
    return Environment(values, tuple(warnings))


def find_variable(name: str, secrets: Path) -> str:
    """Return a variable that is not a setting of vertexkit, from the same sources.

    Args:
        name: the whole name, for example `OPENAI_API_KEY`.
        secrets: the folder of secrets, which need not exist.

    Returns:
        The value; empty if it is not set.

    Raises:
        SettingsError: a file cannot be read.
    """
    if text := os.environ.get(name) or _read_env_file(Path(ENV_FILE)).get(name):
        return text
    files = [secrets / name, secrets / name.lower()]
    return next((_read_text(file).strip() for file in files if file.is_file()), "")


def _with_prefix(variables: Mapping[str, str | None]) -> dict[str, str]:
    """The variables with the prefix, by their names without it."""
    return {
        name.lower().removeprefix(PREFIX.lower()): value or ""
        for name, value in variables.items()
        if name.upper().startswith(PREFIX)
    }


def _read_env_file(path: Path) -> Mapping[str, str | None]:
    if not path.exists() or path.is_dir():
        return {}
    return dotenv_values(stream=io.StringIO(_read_text(path)))


def _read_secrets(folder: Path) -> Mapping[str, str]:
    if not folder.is_dir():
        return {}
    files = [file for file in folder.iterdir() if file.name.upper().startswith(PREFIX)]
    return {file.name: _read_text(file).strip() for file in files if file.is_file()}


def _read_text(path: Path) -> str:
    try:
        return decode_file(path.read_bytes())
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise SettingsError(
            f"{path} is not UTF-8: line {line} cannot be decoded. Save the file again with the "
            "encoding UTF-8"
        ) from None  # the error has the file's content, which may be secret


def _link_warning(name: str) -> str:
    service = f"{PREFIX}{name}".lower().removesuffix("_port").replace("_", "-")
    return (
        f"{PREFIX}{name.upper()} has the address of a Kubernetes Service named {service!r} and is "
        "ignored: it is not a setting. Rename the Service, or set enableServiceLinks: false in the "
        "pod's spec"
    )


def _unknown_warning(name: str, source: str, names: Collection[str]) -> str:
    close = get_close_matches(name, names, 1)
    suggestion = f". Did you mean {PREFIX}{close[0].upper()}?" if close else ""
    return f"{PREFIX}{name.upper()} in {source} is not a setting and has no effect{suggestion}"
