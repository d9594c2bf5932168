"""Vision's settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from praxiscope_common.config import EnvironmentReader
from praxiscope_common.database import DatabaseConfig, read_database_config
from praxiscope_common.service import ServiceConfig, read_service_config
from praxiscope_common.storage.configuration import StoreConfig, read_store_config
from praxiscope_media import MediaLimits

_ROLE = "praxiscope_vision_inference"
_SCHEMA = "vision_inference"


@dataclass(frozen=True, kw_only=True)
class VisionConfig:
    """Settings of vision.

    Attributes:
        service: What every service has.
        database: Where the registry of models is.
        store: Where bytes are.
        library_address: `host:port` of the library.
        triton_address: `host:port` of Triton's gRPC service.
        triton_instances_address: The same for a name that stands for every instance of Triton, which all hold the same versions; empty where there is one.
        is_triton_local: Whether Triton is on this machine and may read our shared memory.
        model_cards: Folder with `{model}/card.md`.
        limits: What a file may cost.
        max_observations: How many videos, pictures and live streams are looked at at once.
        pixel_thread_count: Threads that resize and cut frames.
    """

    service: ServiceConfig
    database: DatabaseConfig
    store: StoreConfig
    library_address: str
    triton_address: str
    triton_instances_address: str
    is_triton_local: bool
    model_cards: Path
    limits: MediaLimits
    max_observations: int
    pixel_thread_count: int


def read_config(environ: Mapping[str, str]) -> VisionConfig:
    """Reads `PRAXISCOPE_VISION_INFERENCE_*`.

    Raises:
        ConfigError: With everything that is missing or not valid.
    """
    reader = EnvironmentReader(environ, "PRAXISCOPE_VISION_INFERENCE_")
    defaults = MediaLimits()
    config = VisionConfig(
        service=read_service_config(reader, "vision_inference"),
        database=read_database_config(reader, role=_ROLE, search_path=_SCHEMA),
        store=read_store_config(reader),
        library_address=reader.text("LIBRARY_ADDRESS"),
        triton_address=reader.text("TRITON_ADDRESS"),
        triton_instances_address=reader.text("TRITON_INSTANCES_ADDRESS", ""),
        is_triton_local=reader.flag("TRITON_IS_LOCAL", default=False),
        model_cards=reader.path("MODEL_CARDS", Path("models")),
        limits=MediaLimits(
            max_pixels=reader.integer("MAX_PIXELS", defaults.max_pixels),
            max_frames=reader.integer("MAX_FRAMES", defaults.max_frames),
        ),
        max_observations=reader.integer("MAX_OBSERVATIONS", 8),
        pixel_thread_count=reader.integer("PIXEL_THREADS", 2),
    )
    reader.finish()
    return config


def read_migration_config(environ: Mapping[str, str]) -> DatabaseConfig:
    """Reads only what migrations need."""
    reader = EnvironmentReader(environ, "PRAXISCOPE_VISION_INFERENCE_")
    config = read_database_config(reader, role=_ROLE, search_path=_SCHEMA)
    reader.finish()
    return config
