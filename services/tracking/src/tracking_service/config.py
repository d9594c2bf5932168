"""Tracking's settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from praxiscope_common.config import EnvironmentReader
from praxiscope_common.database import DatabaseConfig, read_database_config
from praxiscope_common.service import ServiceConfig, read_service_config
from praxiscope_common.storage.configuration import StoreConfig, read_store_config


@dataclass(frozen=True, kw_only=True)
class TrackingConfig:
    """Settings of tracking.

    Attributes:
        service: What every service has.
        database: Where operations are.
        store: Where bytes are.
        library_address: `host:port` of the library.
        concurrency: How many operations a worker works on at once.
    """

    service: ServiceConfig
    database: DatabaseConfig
    store: StoreConfig
    library_address: str
    concurrency: int


def read_config(environ: Mapping[str, str]) -> TrackingConfig:
    """Reads `PRAXISCOPE_TRACKING_*`.

    Raises:
        ConfigError: With everything that is missing or not valid.
    """
    reader = EnvironmentReader(environ, "PRAXISCOPE_TRACKING_")
    config = TrackingConfig(
        service=read_service_config(reader, "tracking"),
        database=read_database_config(reader, role="praxiscope_tracking", search_path="jobs"),
        store=read_store_config(reader),
        library_address=reader.text("LIBRARY_ADDRESS"),
        concurrency=reader.integer("CONCURRENCY", 2),
    )
    reader.finish()
    return config
