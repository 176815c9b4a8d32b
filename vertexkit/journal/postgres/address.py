"""The address of a database, and connecting to it."""

import asyncio
import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import DictRow, TupleRow, dict_row

from vertexkit.errors import SettingsError
from vertexkit.journal.postgres.session import first_line

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
MASK = "***"


@dataclass(frozen=True, slots=True)
class Address:
    """Where the database is, with the parameters of libpq. Printed without the password."""

    conninfo: str = field(repr=False)
    name: str
    """Host, port and database, for people: `db.example:5432/bots`."""
    password: str = field(repr=False, default="")

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
        """Return an error's text in one line, without the password."""
        lines = str(error).strip().splitlines()
        text = "; ".join(line.strip() for line in lines if line.strip().startswith("- "))
        text = text or first_line(str(error)) or type(error).__name__
        return text.replace(self.password, MASK) if self.password else text


def parse_address(rest: str) -> Address:
    """Read what follows `postgresql:` in VERTEXKIT_JOURNAL.

    Raises:
        SettingsError: it is not a URL that libpq understands.
    """
    url = f"postgresql:{rest}"
    try:
        if not rest.startswith("//"):
            raise psycopg.ProgrammingError("'//' must follow 'postgresql:'")
        given = conninfo_to_dict(url)
    except psycopg.Error as error:
        raise SettingsError(
            f"VERTEXKIT_JOURNAL is not a valid URL of a database: {_masked(first_line(str(error)), url)}. "
            "Example: postgresql://user@db.example/bots"
        ) from None
    password = str(given.get("password") or "")
    host = str(given.get("host") or "local socket")
    ports = str(given.get("port") or "")
    name = f"{host}{f':{ports}' if ports else ''}/{given.get('dbname') or given.get('user') or ''}"
    return Address(make_conninfo("", **(DEFAULTS | given)), name, password)


def _masked(text: str, url: str) -> str:
    """Return a message of libpq, which may quote the URL, without its password."""
    secrets = {urlsplit(url).netloc.rpartition("@")[0].partition(":")[2]} if "@" in url else set()
    secrets |= {value for name, value in parse_qsl(urlsplit(url).query) if name == "password"}
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, MASK)
    return re.sub(r"//[^@\s]*@", f"//{MASK}@", text)


async def connect_in_time(address: Address, seconds: float) -> psycopg.AsyncConnection[TupleRow]:
    """Open a connection within a number of seconds.

    Raises:
        psycopg.Error: as `Address.connect`.
        TimeoutError: the server did not answer in time.
    """
    async with asyncio.timeout(seconds):
        return await address.connect()
