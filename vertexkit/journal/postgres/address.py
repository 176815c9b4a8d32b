"""The address of a database, and connecting to it."""

import asyncio
from dataclasses import dataclass, field

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import DictRow, TupleRow, dict_row

from vertexkit.errors import SettingsError
from vertexkit.journal.postgres.session import first_line
from vertexkit.settings.database_url import parse_database_url
from vertexkit.telemetry.redaction import mask_secrets

CONNECT_TIMEOUT_SECONDS = 5
"""How long each host is tried."""
DEFAULTS: dict[str, str | int] = {
    "application_name": "vertexkit",
    "connect_timeout": CONNECT_TIMEOUT_SECONDS,
    "target_session_attrs": "read-write",
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
"""Parameters of the connection that the URL may set to other values. Of several hosts, the one that
accepts writes is used; a host that has vanished is noticed after 15 seconds."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where the database is, with the parameters of libpq. Printed without the password."""

    conninfo: str = field(repr=False)
    name: str
    """Host, port and database, for people: `db.example:5432/bots`."""
    secrets: tuple[str, ...] = field(repr=False, default=())

    async def connect(self) -> psycopg.AsyncConnection[TupleRow]:
        """Open a connection.

        Raises:
            psycopg.Error: the server cannot be reached, or refuses the connection.
        """
        return await psycopg.AsyncConnection.connect(
            self.conninfo, autocommit=True, prepare_threshold=None
        )

    async def connect_for_reading(self) -> psycopg.AsyncConnection[DictRow]:
        """Open a connection whose rows are read by the names of their columns.

        Raises:
            psycopg.Error: as `connect`.
        """
        connect = psycopg.AsyncConnection[DictRow].connect
        return await connect(
            self.conninfo, autocommit=True, prepare_threshold=None, row_factory=dict_row
        )

    def explain(self, error: BaseException) -> str:
        """Return an error's text in one line, without the secrets."""
        lines = str(error).strip().splitlines()
        text = "; ".join(line.strip() for line in lines if line.strip().startswith("- "))
        text = text or first_line(str(error)) or type(error).__name__
        return mask_secrets(text, self.secrets)


def parse_address(rest: str) -> Address:
    """Read what follows `postgresql:` in VERTEXKIT_JOURNAL.

    Raises:
        SettingsError: it is not a URL that libpq understands. The text quotes nothing of it: any
            part may be one of a password.
    """
    url = f"postgresql:{rest}"
    try:
        secrets = parse_database_url(url).secrets
        given = conninfo_to_dict(url)
    except ValueError as error:
        raise _invalid(str(error)) from None
    except psycopg.Error:  # its text quotes the URL
        raise _invalid(
            "libpq does not accept it: it does not know a parameter, or a value contains a space or a "
            "% that is not followed by two hexadecimal digits"
        ) from None
    host = str(given.get("host") or "local socket")
    ports = str(given.get("port") or "")
    name = f"{host}{f':{ports}' if ports else ''}/{given.get('dbname') or given.get('user') or ''}"
    return Address(make_conninfo("", **(DEFAULTS | given)), name, secrets)


def _invalid(reason: str) -> SettingsError:
    return SettingsError(
        f"VERTEXKIT_JOURNAL is not a valid URL of a database: {reason}. Example: "
        "postgresql://user@db.example/bots"
    )


async def connect_in_time(address: Address, seconds: float) -> psycopg.AsyncConnection[TupleRow]:
    """Open a connection within a number of seconds.

    Raises:
        psycopg.Error: as `Address.connect`.
        TimeoutError: the server did not answer in time.
    """
    async with asyncio.timeout(seconds):
        return await address.connect()
