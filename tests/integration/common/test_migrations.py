"""Migrations on a real database: from nothing, once, by many at once, and never changed afterwards."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from praxiscope_common.database import Database, DatabaseUnavailableError, MigrationChangedError, migrate
from tests.support.operations import execute
from tests.support.postgres import PostgresServer, migrate_all
from tests.support.programs import free_port


@pytest.fixture
def empty(postgres: PostgresServer) -> Iterator[str]:
    """A database without any schema of ours."""
    with postgres.empty_database() as name:
        yield name


async def _columns(postgres: PostgresServer, database: str) -> list[tuple[str, ...]]:
    return await execute(
        postgres.superuser(database),
        "SELECT table_schema, table_name, column_name, data_type, is_nullable, coalesce(column_default, '')"
        " FROM information_schema.columns WHERE table_schema IN ('auth', 'library', 'jobs') ORDER BY 1, 2, 3",
    )


async def test_everything_comes_from_nothing_and_doing_it_again_changes_nothing(
    postgres: PostgresServer, empty: str, database: str
) -> None:
    await migrate_all(postgres, empty)
    columns = await _columns(postgres, empty)
    assert columns == await _columns(postgres, database)
    assert {"auth", "library", "jobs"} == {row[0] for row in columns}
    await migrate_all(postgres, empty)
    assert await _columns(postgres, empty) == columns


async def test_many_at_once_apply_each_migration_once(postgres: PostgresServer, empty: str, tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"000{number}_table.sql").write_text(f"CREATE TABLE table_{number} (id int)")
    config = postgres.config("auth", empty)
    applied = await asyncio.gather(*(migrate(config, "auth", tmp_path) for _ in range(4)))
    assert sorted(name for names in applied for name in names) == [f"000{number}_table.sql" for number in range(3)]


async def test_a_migration_that_was_applied_may_not_change(
    postgres: PostgresServer, empty: str, tmp_path: Path
) -> None:
    file = tmp_path / "0001_table.sql"
    file.write_text("CREATE TABLE one (id int)")
    config = postgres.config("auth", empty)
    assert await migrate(config, "auth", tmp_path) == ["0001_table.sql"]
    file.write_text("CREATE TABLE one (id bigint)")
    with pytest.raises(MigrationChangedError) as caught:
        await migrate(config, "auth", tmp_path)
    assert caught.value.metadata == {"migration": "0001_table.sql", "schema": "auth"}


async def test_a_migration_that_fails_leaves_nothing_of_itself(
    postgres: PostgresServer, empty: str, tmp_path: Path
) -> None:
    (tmp_path / "0001_half.sql").write_text("CREATE TABLE half (id int); SELECT 1 / 0;")
    config = postgres.config("auth", empty)
    with pytest.raises(psycopg.errors.DivisionByZero):
        await migrate(config, "auth", tmp_path)
    (tmp_path / "0001_half.sql").write_text("CREATE TABLE half (id int)")
    assert await migrate(config, "auth", tmp_path) == ["0001_half.sql"]


async def test_a_service_reaches_no_other_services_tables(postgres: PostgresServer, database: str) -> None:
    for service, table in (("library", "auth.account"), ("tracking", "library.asset"), ("auth", "library.asset")):
        opened = Database(postgres.config(service, database))
        await opened.open()
        try:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                async with opened.transaction() as connection:
                    await connection.execute(f"SELECT * FROM {table}")  # type: ignore[arg-type]
        finally:
            await opened.close()


async def test_what_is_done_in_a_block_that_raises_is_undone(postgres: PostgresServer, database: str) -> None:
    opened = Database(postgres.config("auth", database))
    await opened.open()
    try:
        with pytest.raises(ZeroDivisionError):
            async with opened.transaction() as connection:
                await connection.execute("INSERT INTO auth.failed_login (email, address) VALUES ('a', 'b')")
                raise ZeroDivisionError
        async with opened.transaction() as connection:
            cursor = await connection.execute("SELECT count(*) AS rows FROM auth.failed_login")
            assert await cursor.fetchone() == {"rows": 0}
    finally:
        await opened.close()


async def test_a_database_that_is_away_may_be_back_soon(postgres: PostgresServer, database: str) -> None:
    opened = Database(dataclasses.replace(postgres.config("auth", database), port=free_port()))
    await opened.open()
    try:
        with pytest.raises(DatabaseUnavailableError) as caught:
            await opened.probe()
        assert caught.value.retry_after_s == 1
    finally:
        await opened.close()
    opened = Database(postgres.config("auth", database))
    await opened.open()
    try:
        await opened.probe()
        await execute(
            postgres.superuser("postgres"),
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()",
            [database],
        )
        await opened.probe()
    finally:
        await opened.close()
