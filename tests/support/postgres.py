"""A PostgreSQL server for a test session, and databases in it that cost some 30 ms each: copies of a migrated template."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.resources
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

import psycopg
from psycopg import sql

from praxiscope_common.config import Secret
from praxiscope_common.database import DatabaseConfig, migrate
from praxiscope_common.jobs.migrate import migrate_jobs
from tests.support.programs import open_folder, running, settings_for
from tools.devstack.postgres import DATABASE, postgres_part, prepare_database, superuser_conninfo
from tools.devstack.secrets import StackSecrets
from tools.devstack.settings import Settings

ROLES = {
    "auth": "praxiscope_auth",
    "library": "praxiscope_library",
    "vision_inference": "praxiscope_vision_inference",
    "tracking": "praxiscope_tracking",
    "biomechanics": "praxiscope_biomechanics",
    "rendering": "praxiscope_rendering",
    "generation": "praxiscope_generation",
    "editing": "praxiscope_editing",
    "jobs": "praxiscope_jobs",
}
_SEARCH_PATHS = {
    "auth": "auth",
    "library": "library,jobs",
    "editing": "editing,jobs",
    "vision_inference": "vision_inference",
}
# What a crash of the machine would lose is of no interest to a test.
_FAST = ("-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off")


@dataclass(frozen=True, kw_only=True)
class PostgresServer:
    """A running server whose database `praxiscope` is migrated and serves as the template of all others.

    Attributes:
        settings: Where it listens.
        secrets: Its roles' passwords, and every other secret of the session.
    """

    settings: Settings
    secrets: StackSecrets
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def port(self) -> int:
        """Where it listens on loopback."""
        return self.settings.port("postgres")

    def config(self, service: str, database: str) -> DatabaseConfig:
        """Returns how a service connects to a database."""
        return DatabaseConfig(
            host="127.0.0.1",
            port=self.port,
            name=database,
            role=ROLES[service],
            password=Secret(self.secrets.password(ROLES[service]).read_text(encoding="utf-8")),
            search_path=_SEARCH_PATHS.get(service, "jobs"),
        )

    @contextlib.contextmanager
    def database(self) -> Iterator[str]:
        """Gives the name of a new migrated database; dropped at the end, whoever is still connected."""
        name = f"test_{next(self._numbers)}"
        self._execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(DATABASE)))
        try:
            yield name
        finally:
            self._execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    @contextlib.contextmanager
    def empty_database(self) -> Iterator[str]:
        """Gives the name of a new empty database in which every role may create schemas."""
        name = f"empty_{next(self._numbers)}"
        self._execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        for role in ROLES.values():
            self._execute(
                sql.SQL("GRANT CREATE ON DATABASE {} TO {}").format(sql.Identifier(name), sql.Identifier(role))
            )
        try:
            yield name
        finally:
            self._execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def superuser(self, database: str) -> str:
        """Returns how the superuser connects to a database."""
        return superuser_conninfo(self.settings, self.secrets, database)

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(superuser_conninfo(self.settings, self.secrets), autocommit=True) as connection:
            connection.execute(statement)


@contextlib.contextmanager
def run_postgres() -> Iterator[PostgresServer]:
    """Runs a server with a migrated template until the end of the block."""
    with open_folder("postgres") as folder:
        settings = settings_for(folder, "postgres")
        secrets = StackSecrets(folder / "secrets")
        with running(postgres_part(settings, secrets), folder / "postgres.log", _FAST):
            server = PostgresServer(settings=settings, secrets=secrets)
            prepare_database(settings, secrets, list(ROLES.values()))
            asyncio.run(migrate_all(server, DATABASE))
            yield server


async def migrate_all(server: PostgresServer, database: str) -> None:
    """Brings every schema of a database to its newest state, each by its own role."""
    services = [role for name, role in ROLES.items() if name != "jobs"]
    for service in ("auth", "library", "vision_inference", "editing"):
        chain = importlib.resources.files(f"{service}_service") / "migrations"
        await migrate(server.config(service, database), service, chain)
    await migrate_jobs(server.config("jobs", database), services)
