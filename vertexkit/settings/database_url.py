"""The URL of a database: which parts of it are secret, and how it is shown."""

import re
from dataclasses import dataclass, field
from urllib.parse import unquote

MASK = "***"
SECRET_PARAMETERS = frozenset(
    {"password", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key"}
)
"""Parameters of libpq that are secret."""
SHOWN_PARAMETERS = frozenset(
    {
        *("application_name", "connect_timeout", "dbname", "host", "hostaddr", "port", "service"),
        *("ssl", "sslmode", "sslrootcert", "target_session_attrs", "user"),
    }
)
"""Parameters whose values are shown. An unknown one may be a part of a password."""
SCHEME = re.compile(r"[A-Za-z][\w+.-]*")
HOST = re.compile(r"(\[[^\[\]]+\]|[^\[\]:]*)(:[0-9]*)?")
SECRET_IN_LOGIN = re.compile(rf"[?&](?:{'|'.join(sorted(SECRET_PARAMETERS))})=")
AMBIGUOUS = (
    "a user name, a password or another value contains one of the characters @ / ? & = that must be "
    "written as %40, %2F, %3F, %26 or %3D"
)


@dataclass(frozen=True, slots=True)
class DatabaseUrl:
    """A URL of a database that is split as libpq splits it."""

    shown: str
    """The URL with `MASK` in place of each secret."""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """The secrets, as they are written and decoded."""


def parse_database_url(url: str) -> DatabaseUrl:
    """Split a URL as libpq does.

    libpq takes everything up to the first `@` as the login, unless there is a `/` before it. A URL with
    an `@` elsewhere is refused: a part of a password might be taken for a host or a database.

    Args:
        url: SCHEME://LOGIN@HOST/DATABASE?PARAMETERS.

    Raises:
        ValueError: the URL is not valid, or ambiguous. The text quotes nothing of it.
    """
    scheme, slashes, rest = url.partition("://")
    if not slashes or SCHEME.fullmatch(scheme) is None:
        raise ValueError("'//' must follow 'postgresql:'")
    has_login = "@" in rest.partition("/")[0]
    login, at, place = rest.partition("@") if has_login else ("", "", rest)
    user, colon, password = login.partition(":")
    place, mark, query = place.partition("?")
    if "@" in place or "?" in user or SECRET_IN_LOGIN.search(login):
        raise ValueError(AMBIGUOUS)
    hosts = place.partition("/")[0].split(",")
    if not all(map(HOST.fullmatch, hosts)):
        raise ValueError(f"a host or a port is not valid, or {AMBIGUOUS}")
    parameters, secrets = _read_parameters(query)
    shown_login = f"{user}{colon}{MASK if password else ''}{at}"
    secrets = [secret for secret in (password, *secrets) if secret]
    secrets += [secret.strip(" ") for secret in secrets]  # as libpq reads it
    return DatabaseUrl(
        f"{scheme}://{shown_login}{place}{mark}{'&'.join(parameters)}",
        (*secrets, *map(unquote, secrets)),
    )


def _read_parameters(query: str) -> tuple[list[str], list[str]]:
    """Return the parameters as they are shown, and the values of secret ones.

    Raises:
        ValueError: as `parse_database_url`.
    """
    shown, secrets = list[str](), list[str]()
    for parameter in query.removesuffix("&").split("&") if query else ():
        name, _, value = parameter.partition("=")
        is_secret = unquote(name) in SECRET_PARAMETERS
        if parameter.count("=") != 1 or ("@" in parameter and not is_secret):
            raise ValueError(AMBIGUOUS)
        if is_secret:
            secrets.append(value)
            shown.append(f"{name}={MASK}")
        else:
            shown.append(parameter if unquote(name) in SHOWN_PARAMETERS else MASK)
    return shown, secrets


def mask_database_url(url: str) -> DatabaseUrl:
    """Split a URL; of one that is not valid, show the scheme alone, and treat the rest as secret."""
    try:
        return parse_database_url(url)
    except ValueError:
        scheme, colon, rest = url.partition(":")
        if not colon or SCHEME.fullmatch(scheme) is None:
            return DatabaseUrl(MASK, (url,))
        return DatabaseUrl(f"{scheme}:{MASK}", (rest, unquote(rest)))
