"""Brings the schema `jobs` to its newest state: procrastinate's tables first, then our own chain. `python -m praxiscope_common.jobs.migrate`."""

from __future__ import annotations

import asyncio
import importlib.resources
import os
import sys
from collections.abc import Sequence
from typing import Any

import psycopg
from procrastinate import App, PsycopgConnector
from psycopg import sql

from praxiscope_common.config import ConfigError, EnvironmentReader
from praxiscope_common.database import DatabaseConfig, migrate, read_database_config

_SCHEMA = "jobs"


async def migrate_jobs(config: DatabaseConfig, roles: Sequence[str]) -> None:
    """Applies what is missing and lets the services' roles use it.

    Args:
        config: The database and the role that owns the schema.
        roles: The roles of the services.
    """
    async with await psycopg.AsyncConnection[Any].connect(config.conninfo(), autocommit=True) as connection:
        await connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(_SCHEMA)))
        cursor = await connection.execute("SELECT to_regclass('jobs.procrastinate_jobs') IS NOT NULL")
        row = await cursor.fetchone()
        if not (row and row[0]):
            app = App(connector=PsycopgConnector(conninfo=config.conninfo()))
            async with app.open_async():
                await app.schema_manager.apply_schema_async()
    await migrate(config, _SCHEMA, importlib.resources.files("praxiscope_common.jobs") / "migrations")
    async with await psycopg.AsyncConnection[Any].connect(config.conninfo(), autocommit=True) as connection:
        for role in roles:
            for grant in (
                "GRANT USAGE ON SCHEMA jobs TO {}",
                "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA jobs TO {}",
                "GRANT USAGE ON ALL SEQUENCES IN SCHEMA jobs TO {}",
                "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA jobs TO {}",
            ):
                await connection.execute(sql.SQL(grant).format(sql.Identifier(role)))


def main() -> None:
    """Reads `PRAXISCOPE_JOBS_*` and migrates."""
    reader = EnvironmentReader(os.environ, "PRAXISCOPE_JOBS_")  # noqa: TID251  a command's start
    config = read_database_config(reader, role="praxiscope_jobs", search_path=_SCHEMA)
    roles = reader.words("SERVICE_ROLES")
    try:
        reader.finish()
    except ConfigError as error:
        sys.exit(str(error))
    asyncio.run(migrate_jobs(config, roles))


if __name__ == "__main__":
    main()
