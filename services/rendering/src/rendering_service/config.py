"""Rendering's settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

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
        max_stills: How many stills are drawn at once, and as many views of worlds.
        max_streams: How many streams of views there may be at once.
        kernels_folder: Where set-up built the kernels that draw worlds.
        thread_count: Threads that draw one picture of a world.
        mesh_engines: What may draw meshes, of `raster` and `tracer`.
        max_engine_memory_mib: Address space of a process that draws a mesh.
        view_timeout_s: Most seconds that a view of a mesh may take.
        llvm_library: LLVM 17 or newer, for tracing paths of light; None: looked for where systems keep it.
    """

    service: ServiceConfig
    database: DatabaseConfig
    store: StoreConfig
    library_address: str
    concurrency: int
    max_stills: int
    max_streams: int
    kernels_folder: Path
    thread_count: int
    mesh_engines: tuple[str, ...]
    max_engine_memory_mib: int
    view_timeout_s: float
    llvm_library: Path | None


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
        max_streams=reader.integer("MAX_STREAMS", 4),
        kernels_folder=reader.path("KERNELS_FOLDER"),
        thread_count=reader.integer("THREAD_COUNT", 2),
        mesh_engines=reader.words("MESH_ENGINES", ("raster", "tracer")),
        max_engine_memory_mib=reader.integer("MAX_ENGINE_MEMORY_MIB", 6144),
        view_timeout_s=reader.number("VIEW_TIMEOUT_S", 90.0),
        llvm_library=reader.path("LLVM_LIBRARY", None),
    )
    reader.finish()
    return config
