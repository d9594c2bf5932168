"""The settings of biomechanics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from praxiscope_common.config import EnvironmentReader
from praxiscope_common.database import DatabaseConfig, read_database_config
from praxiscope_common.service import ServiceConfig, read_service_config
from praxiscope_common.storage.configuration import StoreConfig, read_store_config


@dataclass(frozen=True, kw_only=True)
class BiomechanicsConfig:
    """Settings of biomechanics.

    Attributes:
        service: What every service has.
        database: Where operations are.
        store: Where bytes are.
        library_address: `host:port` of the library.
        vision_address: `host:port` of vision.
        tracking_address: `host:port` of tracking.
        rendering_address: `host:port` of rendering.
        concurrency: How many operations a worker works on at once.
    """

    service: ServiceConfig
    database: DatabaseConfig
    store: StoreConfig
    library_address: str
    vision_address: str
    tracking_address: str
    rendering_address: str
    concurrency: int


def read_config(environ: Mapping[str, str]) -> BiomechanicsConfig:
    """Reads `PRAXISCOPE_BIOMECHANICS_*`.

    Raises:
        ConfigError: With everything that is missing or not valid.
    """
    reader = EnvironmentReader(environ, "PRAXISCOPE_BIOMECHANICS_")
    config = BiomechanicsConfig(
        service=read_service_config(reader, "biomechanics"),
        database=read_database_config(reader, role="praxiscope_biomechanics", search_path="jobs"),
        store=read_store_config(reader),
        library_address=reader.text("LIBRARY_ADDRESS"),
        vision_address=reader.text("VISION_INFERENCE_ADDRESS"),
        tracking_address=reader.text("TRACKING_ADDRESS"),
        rendering_address=reader.text("RENDERING_ADDRESS"),
        concurrency=reader.integer("CONCURRENCY", 2),
    )
    reader.finish()
    return config
