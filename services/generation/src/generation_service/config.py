"""Generation's settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from praxiscope_common.config import EnvironmentReader
from praxiscope_common.database import DatabaseConfig, read_database_config
from praxiscope_common.service import ServiceConfig, read_service_config
from praxiscope_common.storage.configuration import StoreConfig, read_store_config


@dataclass(frozen=True, kw_only=True)
class GenerationConfig:
    """Settings of generation.

    Attributes:
        service: What every service has.
        database: Where operations are.
        store: Where bytes are.
        library_address: `host:port` of the library.
        concurrency: How many operations a worker works on at once; each takes all threads.
        thread_count: Threads of one operation.
        kernels_folder: Where set-up built the kernels that draw worlds.
        checkpoint_period_s: Longest work of a training that a worker's death can cost.
        pose_python: Interpreter of the environment that finds poses; what is not there is said when a job needs it.
    """

    service: ServiceConfig
    database: DatabaseConfig
    store: StoreConfig
    library_address: str
    concurrency: int
    thread_count: int
    kernels_folder: Path
    checkpoint_period_s: float
    pose_python: Path


def read_config(environ: Mapping[str, str]) -> GenerationConfig:
    """Reads `PRAXISCOPE_GENERATION_*`.

    Raises:
        ConfigError: With everything that is missing or not valid.
    """
    reader = EnvironmentReader(environ, "PRAXISCOPE_GENERATION_")
    config = GenerationConfig(
        service=read_service_config(reader, "generation"),
        database=read_database_config(reader, role="praxiscope_generation", search_path="jobs"),
        store=read_store_config(reader),
        library_address=reader.text("LIBRARY_ADDRESS"),
        concurrency=reader.integer("CONCURRENCY", 1),
        thread_count=reader.integer("THREAD_COUNT", 2),
        kernels_folder=reader.path("KERNELS_FOLDER"),
        checkpoint_period_s=reader.number("CHECKPOINT_PERIOD_S", 10.0),
        pose_python=reader.path("POSE_PYTHON"),
    )
    reader.finish()
    return config
