"""Waits until the database takes our role and its schemas are as new as our code. `python -m praxiscope_common.await_schema`.

A pod of a service runs it before the service: migrations are somebody else's work, and a service that starts before them fails at its first query.
A schema that is newer than our code will do; an older app against a newer schema is what a rollback is.
"""

from __future__ import annotations

import importlib.resources
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from praxiscope_common.config import ConfigError, EnvironmentReader
from praxiscope_common.database import read_database_config

_PERIOD_S = 0.5


@dataclass(frozen=True, kw_only=True)
class Chain:
    """A chain of migrations.

    Attributes:
        schema: The schema it owns.
        names: Its migrations.
    """

    schema: str
    names: frozenset[str]


def read_chain(word: str) -> Chain:
    """Reads `schema:package/folder`, as in `auth:auth_service/migrations`.

    Raises:
        ConfigError: If there is no such folder, or nothing in it.
    """
    schema, _, path = word.partition(":")
    package, *folders = path.split("/")
    try:
        folder = importlib.resources.files(package).joinpath(*folders)
        names = frozenset(item.name for item in folder.iterdir() if item.name.endswith(".sql"))
    except (ValueError, OSError, ModuleNotFoundError) as error:
        raise ConfigError([f"PRAXISCOPE_AWAIT_CHAINS names {word!r}, which cannot be read: {error}."]) from error
    if not names:
        raise ConfigError([f"PRAXISCOPE_AWAIT_CHAINS names {word!r}, which holds no migration."])
    return Chain(schema=schema, names=names)


def missing_migrations(conninfo: str, chains: Sequence[Chain]) -> Sequence[str]:
    """Returns what has not been applied yet, as `schema/name`; a schema that cannot be read misses everything.

    Raises:
        psycopg.OperationalError: If the database does not take us.
    """
    missing: list[str] = []
    with psycopg.connect(conninfo, autocommit=True) as connection:
        for chain in chains:
            table = sql.Identifier(chain.schema, "migration")
            try:
                rows = connection.execute(sql.SQL("SELECT name FROM {}").format(table)).fetchall()
            except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
                rows = []
            except psycopg.errors.InsufficientPrivilege:  # granted when its migrations are done
                rows = []
            missing += [f"{chain.schema}/{name}" for name in sorted(chain.names - {row[0] for row in rows})]
    return missing


def await_schema(
    conninfo: str,
    chains: Sequence[Chain],
    timeout_s: float,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> str:
    """Waits; returns what it waited for in vain, empty when nothing is missing.

    Args:
        conninfo: How we connect.
        chains: What must have been applied.
        timeout_s: How long to wait.
        clock: Seconds that only go forward.
        sleep: Lets seconds go by.
    """
    deadline_s = clock() + timeout_s
    while True:
        try:
            missing = missing_migrations(conninfo, chains)
            if not missing:
                return ""
            reason = f"these migrations have not been applied: {', '.join(missing)}"
        except psycopg.OperationalError as error:
            reason = f"the database does not take us: {error}"
        if clock() >= deadline_s:
            return reason
        sleep(_PERIOD_S)


def main(environ: Mapping[str, str]) -> int:
    """Reads `PRAXISCOPE_AWAIT_*` and waits; returns the exit code."""
    reader = EnvironmentReader(environ, "PRAXISCOPE_AWAIT_")
    config = read_database_config(reader, role="", search_path="public")
    words = reader.words("CHAINS", ())
    timeout_s = reader.number("TIMEOUT_S", 600.0)
    try:
        reader.finish()
        reason = await_schema(config.conninfo(), [read_chain(word) for word in words], timeout_s)
    except ConfigError as error:
        reason = str(error)
    if reason:
        sys.stderr.write(f"{reason}\n")
    return 1 if reason else 0


if __name__ == "__main__":
    sys.exit(main(os.environ))  # noqa: TID251  a command's start
