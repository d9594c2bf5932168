"""Makes the database and one role for each service, where they are not there yet. `python -m praxiscope_common.roles`, as a superuser."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import psycopg
from psycopg import sql

from praxiscope_common.config import ConfigError, EnvironmentReader, Secret
from praxiscope_common.database import read_database_config


def prepare_database(conninfo: str, database: str, passwords: Mapping[str, Secret]) -> None:
    """Makes what is missing and gives every role the password it should have; may run as often as anybody likes.

    Args:
        conninfo: How a superuser connects.
        database: The database.
        passwords: Each role's password.
    """
    with psycopg.connect(conninfo, autocommit=True) as connection:
        for role, password in passwords.items():
            exists = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone()
            verb = "ALTER" if exists else "CREATE"
            connection.execute(
                sql.SQL(verb + " ROLE {} LOGIN PASSWORD {}").format(
                    sql.Identifier(role), sql.Literal(password.reveal())
                )
            )
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone():
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
        for role in passwords:
            connection.execute(
                sql.SQL("GRANT CREATE, CONNECT ON DATABASE {} TO {}").format(
                    sql.Identifier(database), sql.Identifier(role)
                )
            )


def read_passwords(words: tuple[str, ...]) -> dict[str, Secret]:
    """Reads `role=file` words.

    Raises:
        ConfigError: If a word has another form or a file cannot be read.
    """
    passwords: dict[str, Secret] = {}
    problems: list[str] = []
    for word in words:
        role, separator, file = word.partition("=")
        if not (role and separator and file):
            problems.append(f"PRAXISCOPE_ROLES_PASSWORD_FILES holds {word!r}; role=file is expected.")
            continue
        try:
            passwords[role] = Secret(Path(file).read_text(encoding="utf-8").strip())
        except OSError as error:
            problems.append(f"PRAXISCOPE_ROLES_PASSWORD_FILES names a file that cannot be read: {error}.")
    if problems:
        raise ConfigError(problems)
    return passwords


def main(environ: Mapping[str, str]) -> int:
    """Reads `PRAXISCOPE_ROLES_*` and makes the roles; returns the exit code."""
    reader = EnvironmentReader(environ, "PRAXISCOPE_ROLES_")
    superuser = read_database_config(reader, role="postgres", search_path="public", default_name="postgres")
    database = reader.text("DATABASE", "praxiscope")
    words = reader.words("PASSWORD_FILES")
    try:
        reader.finish()
        prepare_database(superuser.conninfo(), database, read_passwords(words))
    except (ConfigError, psycopg.OperationalError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(os.environ))  # noqa: TID251  a command's start
