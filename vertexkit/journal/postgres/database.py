"""The database of a journal: connections to it, its schema, and warnings about its settings."""

import asyncio
import re
from collections.abc import Awaitable, Callable

import psycopg
import structlog
from psycopg.rows import TupleRow
from structlog.typing import FilteringBoundLogger

from vertexkit.errors import JournalUnusable
from vertexkit.journal.encryption import PLAIN, Cipher, JournalKeys, journal_keys
from vertexkit.journal.postgres import header, schema
from vertexkit.journal.postgres.acceptance_statements import ACCEPTANCE_STATEMENTS
from vertexkit.journal.postgres.address import Address, connect_in_time
from vertexkit.journal.postgres.background import NO_ANSWER
from vertexkit.journal.postgres.dialog_memory import MEMORY_STATEMENTS
from vertexkit.journal.postgres.limits import PREPARED_LIMITS
from vertexkit.journal.postgres.session import ConnectionLost, Session
from vertexkit.journal.postgres.statements import PREPARED
from vertexkit.settings import JournalSettings

OPEN_TIMEOUT_SECONDS = 15.0
"""How long the first connection may take."""
WAIT_SECONDS = 5.0
"""How long the start of a process waits for a server that is being restarted."""
WAIT_PAUSE_SECONDS = 0.2
PERMANENT = re.compile(
    r"authentication|does not exist|pg_hba|translate host|not permitted|read-only"
)
"""In the error of a server that will not let this process in later either."""
CHECK_TIMEOUT_SECONDS = 5
"""How long a check waits for the server."""
READ_SETTINGS = """
SELECT current_setting('synchronous_commit'), current_setting('fsync'),
    current_setting('synchronous_standby_names'), (SELECT count(*) FROM pg_stat_replication)
"""
REMEMBER_ENDED_CALLS = """
INSERT INTO vertexkit.tokens (key, execution, ended_at)
SELECT DISTINCT ON (key) key, id, ended_at FROM vertexkit.executions ORDER BY key, number DESC
ON CONFLICT DO NOTHING
"""

log: FilteringBoundLogger = structlog.get_logger("vertexkit")


class Database:
    """Where a journal is.

    Args:
        address: of the database.
        settings: of the journal.
    """

    def __init__(self, address: Address, settings: JournalSettings) -> None:
        self.address: Address = address
        self.cipher: Cipher = PLAIN
        """Seals and opens the values, once `prepare` or `check` has read the header."""
        self.keys: JournalKeys | None = journal_keys(settings)
        self._prepares = settings.prepare
        self._durable_commit = "on"

    @property
    def name(self) -> str:
        """Host, port and database, for people."""
        return self.address.name

    def check(self) -> str:
        """Check that the journal could be opened; see `JournalBackend.check`."""
        try:
            with psycopg.connect(
                self.address.conninfo, connect_timeout=CHECK_TIMEOUT_SECONDS
            ) as connection:
                version = schema.read_version_now(connection, self.address)
                server = connection.info.server_version
                may_create = connection.execute(schema.MAY_CREATE).fetchone()
                if version == schema.VERSION:
                    self.cipher = header.check(connection, self.name, self.keys)
        except psycopg.Error as error:
            raise schema.unreachable(self.address, error) from error
        state = f"PostgreSQL {server // 10000} at {self.name}"
        if version == schema.VERSION:
            return f"{state} has the schema, version {version}"
        if version or may_create == (True,):
            return f"{state}: the schema will be created or changed to version {schema.VERSION}"
        raise JournalUnusable(
            f"the database {self.name} has no schema for the journal, and this role may not create "
            "it. Run `vertexkit journal migrate` with a role that may"
        )

    async def migrate(self) -> str:
        """Create or migrate the schema; see `JournalBackend.migrate`."""
        before, after = await schema.migrate(self.address)
        if before == after:
            return f"the journal's schema in {self.name} has version {after}: nothing to do"
        return f"the journal's schema in {self.name} was changed from version {before} to {after}"

    async def prepare(self, *, unique: bool) -> None:
        """Create or migrate the schema, and warn about settings that endanger executions.

        Args:
            unique: a token belongs to one execution.

        Raises:
            JournalUnusable: the journal cannot be opened.
        """
        try:
            connection = await self._connect_patiently()
            async with connection:
                await schema.migrate_over(connection, self.address)
                self.cipher = await header.use_keys(connection, self.name, self.keys)
                row = await (await connection.execute(READ_SETTINGS)).fetchone()
                if unique:
                    await connection.execute(REMEMBER_ENDED_CALLS)
        except psycopg.errors.InsufficientPrivilege as error:
            raise JournalUnusable(
                f"the role lacks privileges on the journal's schema in {self.name}: "
                f"{self.address.explain(error)}. See docs/postgresql.md "
                "for the statements that grant them"
            ) from error
        except (psycopg.Error, TimeoutError) as error:
            raise schema.unreachable(self.address, error) from error
        if row is not None:
            self._read_settings(*row)

    async def _connect_patiently(self) -> psycopg.AsyncConnection[TupleRow]:
        """Connect; wait for some seconds for a server that is being restarted."""
        loop = asyncio.get_running_loop()
        until = loop.time() + WAIT_SECONDS
        while True:
            try:
                return await connect_in_time(self.address, OPEN_TIMEOUT_SECONDS)
            except psycopg.OperationalError as error:
                if loop.time() > until or PERMANENT.search(str(error)):
                    raise
                await asyncio.sleep(WAIT_PAUSE_SECONDS)

    def _read_settings(self, commit: str, fsync: str, standbys: str, replicas: int) -> None:
        """Choose how durable writes are committed; warn where they are not as durable as promised."""
        self._durable_commit = "on" if commit == "off" else commit
        if fsync == "off":
            log.warning(
                "journal_not_durable",
                database=self.name,
                reason="the server runs with fsync = off: a loss of power loses executions",
            )
        if replicas and not standbys.strip():
            log.warning(
                "journal_replicated_asynchronously",
                database=self.name,
                replicas=replicas,
                reason="synchronous_standby_names is empty: a failover loses the executions that "
                "the standby has not received",
            )

    async def first(self, opening: Awaitable[None]) -> None:
        """Open the first connection.

        Raises:
            JournalUnusable: that is not possible.
        """
        try:
            async with asyncio.timeout(OPEN_TIMEOUT_SECONDS):
                await opening
        except NO_ANSWER as error:
            raise schema.unreachable(self.address, error) from error

    async def connect_writer(self, on_lost: Callable[[str], object]) -> Session:
        """Open the connection for writes."""
        session = await self._connect(on_lost=on_lost)
        session.durable_commit = self._durable_commit
        try:
            await session.prepare(
                (*PREPARED, *ACCEPTANCE_STATEMENTS, *MEMORY_STATEMENTS, *PREPARED_LIMITS)
            )
        except BaseException:
            await session.close()
            raise
        return session

    async def connect_listener(self, on_notify: Callable[[], object]) -> Session:
        """Open the connection that listens to other processes."""
        return await self._connect(on_notify=on_notify)

    async def _connect(
        self,
        on_notify: Callable[[], object] = lambda: None,
        on_lost: Callable[[str], object] = lambda _: None,
    ) -> Session:
        try:
            connection = await self.address.connect()
        except psycopg.Error as error:
            raise ConnectionLost(self.address.explain(error)) from None
        return Session(connection, prepares=self._prepares, on_notify=on_notify, on_lost=on_lost)
