"""Editing's settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from praxiscope_common.config import EnvironmentReader
from praxiscope_common.database import DatabaseConfig, read_database_config
from praxiscope_common.service import ServiceConfig, read_service_config
from praxiscope_common.storage.configuration import StoreConfig, read_store_config

_SCHEMAS = "editing,jobs"


@dataclass(frozen=True, kw_only=True)
class EditingConfig:
    """Settings of editing.

    Attributes:
        service: What every service has.
        database: Where stacks and operations are.
        store: Where bytes are.
        library_address: `host:port` of the library.
        concurrency: How many operations a worker works on at once.
        max_edits: How many edits and selections are worked on at once; more are refused.
        kept_bytes: How much memory worlds that are being edited may take together; one of them a third of it.
        snapshot_bytes: How much of the store snapshots of all stacks over one world may take; 0: none are kept.
        snapshot_after_s: From how many seconds of edits on, done again, a snapshot is kept; more for large worlds.
        kernels_folder: Where set-up built the kernels that draw worlds.
        thread_count: Threads that draw one picture of a world.
    """

    service: ServiceConfig
    database: DatabaseConfig
    store: StoreConfig
    library_address: str
    concurrency: int
    max_edits: int
    kept_bytes: int
    snapshot_bytes: int
    snapshot_after_s: float
    kernels_folder: Path
    thread_count: int


def read_config(environ: Mapping[str, str]) -> EditingConfig:
    """Reads `PRAXISCOPE_EDITING_*`.

    Raises:
        ConfigError: With everything that is missing or not valid.
    """
    reader = EnvironmentReader(environ, "PRAXISCOPE_EDITING_")
    config = EditingConfig(
        service=read_service_config(reader, "editing"),
        database=read_database_config(reader, role="praxiscope_editing", search_path=_SCHEMAS),
        store=read_store_config(reader),
        library_address=reader.text("LIBRARY_ADDRESS"),
        concurrency=reader.integer("CONCURRENCY", 1),
        max_edits=reader.integer("MAX_EDITS", 4),
        kept_bytes=reader.integer("KEPT_BYTES", 1 << 30),
        snapshot_bytes=reader.integer("SNAPSHOT_BYTES", 256 << 20),
        snapshot_after_s=reader.number("SNAPSHOT_AFTER_S", 0.5),
        kernels_folder=reader.path("KERNELS_FOLDER"),
        thread_count=reader.integer("THREAD_COUNT", 2),
    )
    reader.finish()
    return config


def read_migration_config(environ: Mapping[str, str]) -> DatabaseConfig:
    """Reads only what migrations need."""
    reader = EnvironmentReader(environ, "PRAXISCOPE_EDITING_")
    config = read_database_config(reader, role="praxiscope_editing", search_path=_SCHEMAS)
    reader.finish()
    return config
