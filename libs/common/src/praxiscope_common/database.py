"""PostgreSQL: a pool of connections, and migrations that only go forward."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from typing import Any

import psycopg
from psycopg import sql
from psycopg.abc import PQGen
from psycopg.conninfo import make_conninfo
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from praxiscope_common.config import EnvironmentReader, Secret
from praxiscope_common.errors import DomainError, InternalError, InvalidInputError, UnavailableError

logger = logging.getLogger(__name__)
Connection = psycopg.AsyncConnection[DictRow]
_WAKE_UP_S = 5.0
# A pool doubles its pause after every vain attempt, to minutes. It gives up instead, and whoever asks next makes it try anew.
_RECONNECT_TIMEOUT_S = 3.0
_MIGRATION_LOCK = 0x50726178  # one number for all chains: migrations run one after another


class QuietConnection(psycopg.AsyncConnection[Any]):
    """A connection that sleeps until the database says something.

    psycopg wakes a waiting connection ten times a second to look for Ctrl-C, which asyncio brings by itself; for every
    process that listens all day this is most of what it does.
    """

    async def wait(self, gen: PQGen[Any], interval: float = _WAKE_UP_S, timeout: float | None = None) -> Any:  # noqa: ANN401  psycopg's signature
        """Waits as psycopg does, with a longer interval where the caller has no wish."""
        return await super().wait(gen, interval=interval, timeout=timeout)


class DatabaseUnavailableError(UnavailableError):
    """The database does not answer at the moment; try again."""

    reason = "DATABASE_UNAVAILABLE"


class UnstorableValueError(InvalidInputError):
    """A value holds what cannot be stored, as text with a NUL character."""

    reason = "INVALID_REQUEST"


class MigrationChangedError(InternalError):
    """A migration that was applied has been changed since; add a new one instead."""

    reason = "MIGRATION_CHANGED"


@dataclass(frozen=True, kw_only=True)
class DatabaseConfig:
    """Where the database is and who we are there.

    Attributes:
        host: Host name or address.
        port: Port.
        name: The database.
        role: Our role.
        password: Its password.
        search_path: Schemas in which unqualified names are looked up.
        max_connections: How many connections we open at most.
    """

    host: str
    port: int
    name: str
    role: str
    password: Secret
    search_path: str
    max_connections: int = 10

    def conninfo(self) -> str:
        """Returns libpq's form of it; it holds the password, so never log it."""
        return make_conninfo(
            host=self.host,
            port=self.port,
            dbname=self.name,
            user=self.role,
            password=self.password.reveal(),
            options=f"-c search_path={self.search_path} -c timezone=UTC",
            connect_timeout=5,
            application_name=self.role,
        )


def read_database_config(
    reader: EnvironmentReader, *, role: str, search_path: str, default_name: str = "praxiscope"
) -> DatabaseConfig:
    """Reads `…DB_HOST`, `…DB_PORT`, `…DB_NAME`, `…DB_ROLE`, `…DB_PASSWORD_FILE` and `…DB_MAX_CONNECTIONS`."""
    return DatabaseConfig(
        host=reader.text("DB_HOST"),
        port=reader.integer("DB_PORT", 5432),
        name=reader.text("DB_NAME", default_name),
        role=reader.text("DB_ROLE", role),
        password=reader.secret_file("DB_PASSWORD_FILE"),
        search_path=search_path,
        max_connections=reader.integer("DB_MAX_CONNECTIONS", 10),
    )


class Database:
    """A pool of connections. Open it at the start of the process, close it at its end."""

    def __init__(self, config: DatabaseConfig) -> None:
        """Prepares the pool; nothing is opened yet."""
        self.config = config
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool[Connection](
            config.conninfo(),
            min_size=1,
            max_size=config.max_connections,
            open=False,
            connection_class=QuietConnection,
            kwargs={"row_factory": dict_row},
            timeout=5,
            reconnect_timeout=_RECONNECT_TIMEOUT_S,
            check=AsyncConnectionPool.check_connection,  # type: ignore[arg-type]  it looks at no row
            name=config.role,
        )

    async def open(self) -> None:
        """Opens the pool; a database that is not there yet is waited for by `probe`, not here."""
        await self._pool.open(wait=False)

    async def close(self) -> None:
        """Closes every connection."""
        await self._pool.close()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Gives a connection in a transaction: committed at the end of the block, rolled back where it raises.

        Raises:
            DatabaseUnavailableError: If the database is away, has no connection left, or goes away in the middle.
            UnstorableValueError: If a value is none that the database can hold.
        """
        try:
            async with self._pool.connection() as connection, connection.transaction():
                yield connection
        except DomainError:
            raise
        except psycopg.DataError as error:
            raise UnstorableValueError() from error
        except (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout) as error:
            raise DatabaseUnavailableError(retry_after_s=1.0) from error

    async def probe(self) -> None:
        """Returns if the database answers."""
        async with self.transaction() as connection:
            await connection.execute("SELECT 1")


async def migrate(config: DatabaseConfig, schema: str, chain: Traversable) -> Sequence[str]:
    """Applies the migrations of a chain that were not applied yet, in the order of their names.

    Args:
        config: The database, and a role that may create in it.
        schema: The schema that the chain owns; made if it is not there.
        chain: A folder of `NNNN_what.sql` files.

    Returns:
        The names of those applied now.

    Raises:
        MigrationChangedError: If a migration that was applied has other text now.
    """
    files = sorted((item for item in chain.iterdir() if item.name.endswith(".sql")), key=lambda item: item.name)
    applied_now: list[str] = []
    async with await psycopg.AsyncConnection[Any].connect(config.conninfo(), autocommit=True) as connection:
        await connection.execute("SELECT pg_advisory_lock(%s)", [_MIGRATION_LOCK])
        await connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))
        await connection.execute(sql.SQL("SET search_path TO {}").format(sql.Identifier(schema)))
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS migration"
            " (name text PRIMARY KEY, sha256 text NOT NULL, apply_time timestamptz NOT NULL DEFAULT now())"
        )
        cursor = await connection.execute("SELECT name, sha256 FROM migration")
        applied = dict(await cursor.fetchall())
        for file in files:
            text = file.read_text(encoding="utf-8")
            sha256 = hashlib.sha256(text.encode()).hexdigest()
            if file.name in applied:
                if applied[file.name] != sha256:
                    raise MigrationChangedError(metadata={"migration": file.name, "schema": schema})
                continue
            async with connection.transaction():
                await connection.execute(sql.SQL(text))  # type: ignore[arg-type]  our own files, not input
                await connection.execute("INSERT INTO migration (name, sha256) VALUES (%s, %s)", [file.name, sha256])
            applied_now.append(file.name)
            logger.info("migration applied", extra={"schema": schema, "migration": file.name})
    return applied_now
