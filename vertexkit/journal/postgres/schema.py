"""The journal's schema in the database: its tables, and their versions."""

from collections.abc import Sequence

import psycopg
from psycopg.rows import TupleRow

from vertexkit.errors import JournalUnusable
from vertexkit.journal.postgres.address import Address, connect_in_time

OPEN_TIMEOUT_SECONDS = 15.0
"""How long the server may take for the first connection, or for the schema."""
LOCK = 0x76786B6A
"""Number of the advisory lock that is held while the schema is changed: `vxkj`."""
OLDEST_SERVER = 140000
"""PostgreSQL 14, as the server reports its version."""

CREATE = """
CREATE TABLE vertexkit.journal (
    version integer NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE vertexkit.executions (
    id text COLLATE "C" PRIMARY KEY,
    number bigint GENERATED ALWAYS AS IDENTITY,
    block text NOT NULL,
    queue text COLLATE "C" NOT NULL,
    key bytea NOT NULL,
    dialog bigint,
    accepted_at double precision NOT NULL,
    follows text,
    phase text NOT NULL DEFAULT 'waiting',
    epoch bigint NOT NULL DEFAULT 0,
    attempts bigint NOT NULL DEFAULT 0,
    worker text NOT NULL DEFAULT '',
    due_at double precision NOT NULL,
    claimed_at double precision,
    code text,
    result_recorded_at double precision,
    completion_tried boolean NOT NULL DEFAULT false,
    completion_tries bigint NOT NULL DEFAULT 0,
    completion_tried_at double precision,
    superseded boolean NOT NULL DEFAULT false,
    ran double precision NOT NULL DEFAULT 0,
    woken boolean NOT NULL DEFAULT false,
    ending text,
    confirmed_by text,
    reason text,
    ended_at double precision,
    history jsonb,
    trace text NOT NULL DEFAULT '',
    limit_key text,
    token bytea,
    result bytea,
    inputs bytea,
    raw bytea
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX executions_due ON vertexkit.executions (queue, due_at) WHERE phase <> 'settled';
CREATE UNIQUE INDEX executions_accepting_duplicates ON vertexkit.executions (key)
    WHERE phase <> 'settled' AND NOT completion_tried;
CREATE INDEX executions_by_key ON vertexkit.executions (key)
    WHERE phase <> 'settled' AND completion_tried;
CREATE INDEX executions_ended ON vertexkit.executions (ended_at)
    WHERE phase = 'settled' AND ending <> 'parked';
CREATE INDEX executions_parked ON vertexkit.executions (ended_at)
    WHERE phase = 'settled' AND ending = 'parked';
CREATE TABLE vertexkit.effects (
    execution text COLLATE "C" NOT NULL,
    position bigint NOT NULL,
    kind text NOT NULL,
    digest text NOT NULL,
    state text NOT NULL,
    value bytea,
    began double precision NOT NULL,
    ended double precision NOT NULL,
    PRIMARY KEY (execution, position)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
CREATE TABLE vertexkit.tokens (
    key bytea PRIMARY KEY,
    execution text NOT NULL,
    ended_at double precision
);
CREATE INDEX tokens_ended ON vertexkit.tokens (ended_at) WHERE ended_at IS NOT NULL;
CREATE TABLE vertexkit.memories (
    dialog bigint NOT NULL,
    instance text NOT NULL,
    version bigint NOT NULL,
    changed_at double precision NOT NULL,
    value bytea NOT NULL,
    PRIMARY KEY (dialog, instance)
);
CREATE INDEX memories_changed ON vertexkit.memories (changed_at);
CREATE TABLE vertexkit.limits (
    name text PRIMARY KEY,
    holder bigint NOT NULL DEFAULT 0,
    starts bigint NOT NULL DEFAULT 0,
    running bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 30);
CREATE TABLE vertexkit.starts (
    queue text COLLATE "C" NOT NULL,
    until double precision NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX starts_by_queue ON vertexkit.starts (queue, until);
CREATE TABLE vertexkit.encryption (
    id boolean PRIMARY KEY DEFAULT true CHECK (id),
    header bytea NOT NULL
);
CREATE TABLE vertexkit.workers (
    worker text PRIMARY KEY,
    host text NOT NULL,
    pid bigint NOT NULL,
    version text NOT NULL,
    blocks text[] NOT NULL,
    started_at double precision NOT NULL,
    seen_at double precision NOT NULL,
    stopped_at double precision
);
"""
"""`due_at` is when an execution may be claimed: of one that is held, the end of its lease. `queue`
is its block, `block#limit_key` if it has a limit, or empty once it has a result and needs no
handler. `woken`: an event came after the last claim, so that a suspension has to be over at once.
`tokens` has the calls of ended executions, if tokens are unique. `encryption` has a row if the
journal is encrypted; see `encryption.Cipher`. `limits` has the limits of each block, and of the app
under an empty name; `holder` is the transaction that locked them last. `starts` has the runs that
count against a rate until a time. All times are Unix seconds of the server's clock, except
`accepted_at`, which is the receiving machine's.

`fillfactor` is measured: with 3,000 ended executions kept, one execution with its deletion writes
5.7 KB of the write-ahead log at 100, 5.1 KB at 85, 4.4 KB at 70 and 3.9 KB at 50, where the tables
are 1.7 times as large as at 70. Every change of an execution changes an index (`due_at`, `phase`),
so none of them is HOT; of the changes of effects, 20, 50, 80 and 90 % are. With 3,000 rows the
settings of autovacuum make no difference; they keep 100,000 rows from collecting 20,000 dead ones."""
SEPARATE_CODES = "ALTER TABLE vertexkit.executions ADD COLUMN ending_code text"
"""`code` is the code of the result, `ending_code` that of the outcome. Of an execution that ended
under version 1, `code` is that of the outcome."""
NARROW_INDEX = """
DROP INDEX vertexkit.executions_due;
CREATE INDEX executions_due ON vertexkit.executions (queue, due_at)
    WHERE phase <> 'settled' AND due_at >= 0
"""
"""Only statements that need this index can use it; see `statements.is_unfinished`. Processes of
version 1 find what is due by another index until they end."""
MIGRATIONS: Sequence[str] = (CREATE, f"{SEPARATE_CODES}; {NARROW_INDEX}")
"""What leads from each version to the next; version 0 is an empty database.

Processes of the earlier version may still run, and continue: a migration leaves alone the tables that
their statements use and rewrites none. The table is locked while an index of it is built, about a
second for each million of executions."""
VERSION = len(MIGRATIONS)

HAS_SCHEMA = "SELECT 1 FROM pg_namespace WHERE nspname = 'vertexkit'"
READ_VERSION = "SELECT version FROM vertexkit.journal"
MAY_CREATE = "SELECT has_database_privilege(current_database(), 'CREATE')"


async def migrate(address: Address) -> tuple[int, int]:
    """Create the schema, or bring it to this version.

    Returns:
        The version before and after.

    Raises:
        JournalUnusable: the database cannot be reached, its schema is of a newer vertexkit, or the
            role may not change it.
    """
    try:
        connection = await connect_in_time(address, OPEN_TIMEOUT_SECONDS)
    except (psycopg.Error, TimeoutError) as error:
        raise unreachable(address, error) from error
    async with connection:
        return await migrate_over(connection, address)


async def migrate_over(
    connection: psycopg.AsyncConnection[TupleRow], address: Address
) -> tuple[int, int]:
    """As `migrate`, over a connection that is open."""
    before = await read_version(connection, address)
    if before == VERSION:
        return before, before
    try:
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
            before = await read_version(connection, address)
            if not await _has_schema(connection):
                await connection.execute("CREATE SCHEMA vertexkit")
            for number in range(before, VERSION):
                await connection.execute(MIGRATIONS[number].encode())
                await connection.execute("DELETE FROM vertexkit.journal")
                await connection.execute(
                    "INSERT INTO vertexkit.journal (version) VALUES (%s)", (number + 1,)
                )
    except psycopg.errors.InsufficientPrivilege as error:
        raise JournalUnusable(
            f"the journal's schema in {address.name} has version {before} and must have "
            f"{VERSION}, and this role may not change it: {address.explain(error)}. Run "
            "`vertexkit journal migrate` with a role that owns the schema"
        ) from error
    except psycopg.Error as error:
        raise JournalUnusable(
            f"the journal's schema in {address.name} cannot be changed: {address.explain(error)}"
        ) from error
    return before, VERSION


async def _has_schema(connection: psycopg.AsyncConnection[TupleRow]) -> bool:
    return await (await connection.execute(HAS_SCHEMA)).fetchone() is not None


async def read_version(connection: psycopg.AsyncConnection[TupleRow], address: Address) -> int:
    """Read the version of the schema; 0 if there is none.

    Raises:
        JournalUnusable: it is of a newer vertexkit, or the server is too old or read-only.
    """
    try:
        cursor = await connection.execute(HAS_SCHEMA)
        row = await cursor.fetchone()
        if row is not None:
            cursor = await connection.execute(READ_VERSION)
            row = await cursor.fetchone()
    except psycopg.errors.UndefinedTable:  # an empty schema was prepared for a role
        row = None
    except psycopg.Error as error:
        raise JournalUnusable(
            f"the journal's schema in {address.name} cannot be read: {address.explain(error)}"
        ) from error
    version = 0 if row is None else int(row[0])
    check_version(version, connection.info.server_version, address)
    return version


def read_version_now(connection: psycopg.Connection[TupleRow], address: Address) -> int:
    """As `read_version`, without an event loop."""
    row = connection.execute(HAS_SCHEMA).fetchone()
    if row is not None:
        try:
            row = connection.execute(READ_VERSION).fetchone()
        except psycopg.errors.UndefinedTable:
            connection.rollback()
            row = None
    version = 0 if row is None else int(row[0])
    check_version(version, connection.info.server_version, address)
    return version


def check_version(version: int, server: int, address: Address) -> None:
    """Check the versions of the schema and of the server.

    Raises:
        JournalUnusable: one of them cannot be used.
    """
    if server < OLDEST_SERVER:
        raise JournalUnusable(
            f"the server of {address.name} is PostgreSQL {server // 10000}, and the journal needs "
            f"{OLDEST_SERVER // 10000} or newer"
        )
    if version > VERSION:
        raise JournalUnusable(
            f"the journal's schema in {address.name} has version {version}, and this vertexkit "
            f"knows versions up to {VERSION}: install the vertexkit that has changed it"
        )


def unreachable(address: Address, error: BaseException) -> JournalUnusable:
    """Return the error for a database that cannot be connected to."""
    return JournalUnusable(
        f"the database {address.name} cannot be reached: {address.explain(error)}. Check "
        "VERTEXKIT_JOURNAL, and that the server runs and lets this role in"
    )
