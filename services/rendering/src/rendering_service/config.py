"""Rendering's settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from praxiscope_common.config import EnvironmentReader
from praxiscope_common.database import DatabaseConfig, read_database_config
from praxiscope_common.service import ServiceConfig, read_service_config
from praxiscope_common.storage.configuration import StoreConfig, read_store_config


@dataclass(frozen=True, kw_only=True)
class RenderingConfig:
    """Settings of rendering.

    Attributes:
        service: What every service has.
        database: Where operations are.
        store: Where bytes are.
        library_address: `host:port` of the library.
        concurrency: How many operations a worker works on at once.
        max_stills: How many stills are drawn at once.
    """

    service: ServiceConfig
    database: DatabaseConfig
    store: StoreConfig
    library_address: str
    concurrency: int
    max_stills: int


def read_config(environ: Mapping[str, str]) -> RenderingConfig:
    """Reads `PRAXISCOPE_RENDERING_*`.

    Raises:
        ConfigError: With everything that is missing or not valid.
    """
    reader = EnvironmentReader(environ, "PRAXISCOPE_RENDERING_")
    config = RenderingConfig(
        service=read_service_config(reader, "rendering"),
        database=read_database_config(reader, role="praxiscope_rendering", search_path="jobs"),
        store=read_store_config(reader),
        library_address=reader.text("LIBRARY_ADDRESS"),
        concurrency=reader.integer("CONCURRENCY", 2),
        max_stills=reader.integer("MAX_STILLS", 4),
    )
    reader.finish()
    return config
