"""The library's settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from praxiscope_common.config import EnvironmentReader, Secret
from praxiscope_common.database import DatabaseConfig, read_database_config
from praxiscope_common.service import ServiceConfig, read_service_config
from praxiscope_common.storage.configuration import StoreConfig, read_store_config

_SCHEMAS = "library,jobs"
_WAIT_TIMEOUT_S = 310.0  # WaitOperation may take five minutes


@dataclass(frozen=True, kw_only=True)
class LibraryConfig:
    """Settings of the library.

    Attributes:
        service: What every service has.
        database: Where rows are.
        store: Where bytes are.
        ticket_key: The Ed25519 key that signs tickets, PEM.
        max_upload_bytes: The largest upload taken.
        upload_lifetime: How long an upload may stay open.
        kept_deleted: How long deleted assets are kept.
        kept_operation_days: How long operations that are done are kept.
    """

    service: ServiceConfig
    database: DatabaseConfig
    store: StoreConfig
    ticket_key: Secret
    max_upload_bytes: int
    upload_lifetime: timedelta
    kept_deleted: timedelta
    kept_operation_days: int


def read_config(environ: Mapping[str, str]) -> LibraryConfig:
    """Reads `PRAXISCOPE_LIBRARY_*`.

    Raises:
        ConfigError: With everything that is missing or not valid.
    """
    reader = EnvironmentReader(environ, "PRAXISCOPE_LIBRARY_")
    config = LibraryConfig(
        service=read_service_config(reader, "library", default_timeout_s=_WAIT_TIMEOUT_S),
        database=read_database_config(reader, role="praxiscope_library", search_path=_SCHEMAS),
        store=read_store_config(reader),
        ticket_key=reader.secret_file("TICKET_KEY_FILE"),
        max_upload_bytes=reader.integer("MAX_UPLOAD_BYTES", 64 << 30),
        upload_lifetime=timedelta(hours=reader.number("UPLOAD_LIFETIME_HOURS", 24.0)),
        kept_deleted=timedelta(days=reader.number("KEPT_DELETED_DAYS", 30.0)),
        kept_operation_days=reader.integer("KEPT_OPERATION_DAYS", 90),
    )
    reader.finish()
    return config


def read_migration_config(environ: Mapping[str, str]) -> DatabaseConfig:
    """Reads only what migrations need."""
    reader = EnvironmentReader(environ, "PRAXISCOPE_LIBRARY_")
    config = read_database_config(reader, role="praxiscope_library", search_path=_SCHEMAS)
    reader.finish()
    return config
