"""Engines that draw meshes, for tests that need one."""

from __future__ import annotations

import os

import pytest

from rendering_service.adapters.mesh_engines import MeshEngines
from rendering_service.core.engines import Engine, EngineChoice, Tracer


def choice_of(name: str, *, sample_count: int = 16) -> EngineChoice:
    """A choice that somebody made."""
    engine = Engine.MESH_RASTER if name == "mesh-gl" else Engine.PATH_TRACING
    return EngineChoice(engine=engine, name=name, sample_count=sample_count, reason="A test wants it.")


def need_engine(engines: MeshEngines, name: str) -> None:
    """Skips a test where the engine does not run; fails it where everything should."""
    hardware = engines.hardware()
    missing = ""
    if name == "mesh-gl" and not hardware.raster:
        missing = hardware.raster_missing
    if name == Tracer.LLVM.value and hardware.tracer is not Tracer.LLVM:
        missing = hardware.tracer_detail
    if not missing:
        return
    if os.environ.get("CI"):
        pytest.fail(f"{name} does not run here: {missing}")
    pytest.skip(f"{name} does not run here: {missing}")
