"""Roles that are made, and pods that wait for their schema, on a real PostgreSQL."""

import asyncio
import importlib.resources
from pathlib import Path

import psycopg
import pytest

from praxiscope_common import await_schema, database, roles
from praxiscope_common.config import ConfigError
from praxiscope_common.jobs.migrate import migrate_jobs
from tests.support.postgres import PostgresServer

AUTH = "auth:auth_service/migrations"
JOBS = "jobs:praxiscope_common/jobs/migrations"


def test_a_pod_waits_until_its_own_migrations_are_done(postgres: PostgresServer) -> None:
    with postgres.empty_database() as name:
        config = postgres.config("auth", name)
        chain = await_schema.read_chain(AUTH)
        missing = await_schema.missing_migrations(config.conninfo(), [chain])
        assert list(missing) == [f"auth/{item}" for item in sorted(chain.names)]
        times = iter(range(100))

        def migrate_meanwhile(_: float) -> None:
            folder = importlib.resources.files("auth_service") / "migrations"
            asyncio.run(database.migrate(config, "auth", folder))

        waited = await_schema.await_schema(
            config.conninfo(), [chain], 50, clock=lambda: next(times), sleep=migrate_meanwhile
        )
        assert waited == ""


def test_a_schema_that_others_own_is_waited_for_until_it_is_granted(postgres: PostgresServer) -> None:
    with postgres.empty_database() as name:
        tracking = postgres.config("tracking", name).conninfo()
        chain = await_schema.read_chain(JOBS)
        asyncio.run(migrate_jobs(postgres.config("jobs", name), []))
        assert await_schema.missing_migrations(tracking, [chain])
        asyncio.run(migrate_jobs(postgres.config("jobs", name), ["praxiscope_tracking"]))
        assert await_schema.missing_migrations(tracking, [chain]) == []


def test_a_newer_schema_will_do(postgres: PostgresServer, database: str) -> None:
    older = await_schema.Chain(schema="auth", names=frozenset(sorted(await_schema.read_chain(AUTH).names)[:1]))
    assert await_schema.missing_migrations(postgres.config("auth", database).conninfo(), [older]) == []


def test_it_says_what_it_waited_for_in_vain(postgres: PostgresServer) -> None:
    with postgres.empty_database() as name:
        times = iter((0.0, 1.0, 2.0))
        waited = await_schema.await_schema(
            postgres.config("auth", name).conninfo(),
            [await_schema.read_chain(AUTH)],
            1,
            clock=lambda: next(times),
            sleep=lambda _: None,
        )
        assert waited.startswith("these migrations have not been applied: auth/0001")


def test_a_database_that_does_not_take_us_is_said() -> None:
    waited = await_schema.await_schema("host=127.0.0.1 port=9 connect_timeout=1", [], 0, sleep=lambda _: None)
    assert waited.startswith("the database does not take us: ")


@pytest.mark.parametrize(
    "word", ["auth", "auth:no_such_package/x", "auth:auth_service/nothing", "auth:auth_service/core", ":"]
)
def test_a_chain_that_is_none_is_refused(word: str) -> None:
    with pytest.raises(ConfigError):
        await_schema.read_chain(word)


def test_roles_are_made_once_and_get_new_passwords(postgres: PostgresServer, tmp_path: Path) -> None:
    for password in ("first", "second"):
        (tmp_path / "a").write_text(f"{password}\n")
        passwords = roles.read_passwords((f"praxiscope_extra={tmp_path / 'a'}",))
        roles.prepare_database(postgres.superuser("postgres"), "extra", passwords)
        conninfo = psycopg.conninfo.make_conninfo(
            postgres.superuser("extra"), user="praxiscope_extra", password=password
        )
        with psycopg.connect(conninfo, autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA s_{password}")


@pytest.mark.parametrize("words", [("praxiscope_x",), ("=file",), ("praxiscope_x=/nowhere",)])
def test_a_password_file_that_cannot_be_read_is_named(words: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match="PRAXISCOPE_ROLES_PASSWORD_FILES"):
        roles.read_passwords(words)
