"""What the commands are told, from `PRAXISCOPE_BACKUP_*`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from praxiscope_backup.core.retention import Tiers
from praxiscope_common.config import EnvironmentReader, Secret
from praxiscope_common.storage.configuration import StoreConfig, read_store_config


@dataclass(frozen=True, kw_only=True)
class BackupConfig:
    """What the commands are told.

    Attributes:
        store: Where backups go.
        source: The platform's own store, for commands that read or fill it.
        database_host: PostgreSQL's, for base backups.
        database_port: Its port.
        database_user: Who may read the data folder.
        database_password: Their password.
        database_tls_mode: libpq's `sslmode`.
        program: `pg_basebackup`.
        tiers: How long base backups are kept.
        object_days: How long objects are kept that the platform has deleted.
        max_base_age_hours: An older newest base backup is a problem.
    """

    store: StoreConfig
    source: StoreConfig = field(default_factory=StoreConfig)
    database_host: str = ""
    database_port: int = 5432
    database_user: str = "postgres"
    database_password: Secret = Secret("")  # noqa: RUF009  a Secret never changes
    database_tls_mode: str = "prefer"
    program: str = "pg_basebackup"
    tiers: Tiers = field(default_factory=Tiers)
    object_days: int = 30
    max_base_age_hours: float = 26.0


def read_config(environ: Mapping[str, str], *, needs: Collection[str]) -> BackupConfig:
    """Reads the environment.

    Args:
        environ: The environment.
        needs: What the command needs besides the backup store: `database`, `source`.

    Raises:
        ConfigError: Something is missing or cannot be read.
    """
    reader = EnvironmentReader(environ, "PRAXISCOPE_BACKUP_")
    source = EnvironmentReader(environ, "PRAXISCOPE_BACKUP_SOURCE_")
    is_for_database = "database" in needs
    config = BackupConfig(
        store=read_store_config(reader),
        source=read_store_config(source) if "source" in needs else StoreConfig(),
        database_host=reader.text("DB_HOST") if is_for_database else "",
        database_port=reader.integer("DB_PORT", 5432),
        database_user=reader.text("DB_USER", "postgres"),
        database_password=reader.secret_file("DB_PASSWORD_FILE") if is_for_database else Secret(""),
        database_tls_mode=reader.text("DB_TLS_MODE", "prefer"),
        program=reader.text("PROGRAM", "pg_basebackup"),
        tiers=Tiers(
            days=reader.integer("KEEP_DAYS", 30),
            weeks=reader.integer("KEEP_WEEKS", 12),
            months=reader.integer("KEEP_MONTHS", 36),
            point_in_time_days=reader.integer("POINT_IN_TIME_DAYS", 30),
        ),
        object_days=reader.integer("OBJECT_DAYS", 30),
        max_base_age_hours=reader.number("MAX_BASE_AGE_HOURS", 26.0),
    )
    reader.finish()
    source.finish()
    return config
