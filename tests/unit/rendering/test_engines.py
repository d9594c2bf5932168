"""Which engine draws, and why."""

from __future__ import annotations

from dataclasses import replace

import pytest

from praxiscope_common.errors import DomainError
from rendering_service.core.engines import (
    Engine,
    EngineQuestion,
    Hardware,
    Lighting,
    Quality,
    Source,
    Tracer,
    choose_engine,
    is_daylit,
    needs_hardware,
)
from rendering_service.core.errors import EngineUnavailableError, EngineUnsuitedError, ViewTooCostlyError

FULL = Hardware(
    raster="llvmpipe", raster_missing="", tracer=Tracer.LLVM, tracer_detail="Mitsuba compiles with LLVM 19."
)
NO_RASTER = replace(FULL, raster="", raster_missing="libegl1 is not there.")
SCALAR = replace(FULL, tracer=Tracer.SCALAR, tracer_detail="Mitsuba runs without a compiler.")
NO_TRACER = replace(FULL, tracer=None, tracer_detail="Mitsuba is not installed.")
NOTHING = replace(NO_RASTER, tracer=None, tracer_detail="Mitsuba is not installed.")
MESH = EngineQuestion(
    engine=Engine.AUTO,
    quality=Quality.STANDARD,
    sample_count=0,
    source=Source.MESH,
    is_color=True,
    pixel_count=640 * 480,
)
SPLATS = replace(MESH, source=Source.GAUSSIANS)


@pytest.mark.parametrize(
    ("question", "hardware", "name", "sample_count", "word"),
    [
        pytest.param(SPLATS, NOTHING, "splat-cpu", 1, "made of Gaussians", id="Gaussians"),
        pytest.param(replace(SPLATS, is_color=False), NOTHING, "splat-cpu", 1, "Gaussians", id="depth of Gaussians"),
        pytest.param(MESH, FULL, "mesh-gl", 1, "llvmpipe", id="mesh"),
        pytest.param(replace(MESH, is_color=False, quality=Quality.HIGH), FULL, "mesh-gl", 1, "Depth", id="depth"),
        pytest.param(replace(MESH, quality=Quality.HIGH), FULL, "path-llvm", 65, "instead of 256", id="high"),
        pytest.param(replace(MESH, quality=Quality.HIGH, pixel_count=9600), FULL, "path-llvm", 256, "", id="high, small"),
        pytest.param(replace(MESH, sample_count=64), FULL, "path-llvm", 64, "LLVM 19", id="samples"),
        pytest.param(MESH, NO_RASTER, "path-llvm", 64, "libegl1", id="mesh without OpenGL"),
        pytest.param(replace(MESH, is_color=False), NO_RASTER, "path-llvm", 1, "libegl1", id="depth without OpenGL"),
        pytest.param(replace(MESH, quality=Quality.HIGH), NO_TRACER, "mesh-gl", 1, "not installed", id="high, no tracer"),
        pytest.param(
            replace(MESH, engine=Engine.PATH_TRACING), SCALAR, "path-scalar", 19, "without a compiler", id="slow tracer"
        ),
        pytest.param(
            replace(MESH, engine=Engine.PATH_TRACING, source=Source.SOLIDS), FULL, "path-llvm", 64, "surfaces", id="solids"
        ),
        pytest.param(replace(MESH, engine=Engine.MESH_RASTER, sample_count=9), FULL, "mesh-gl", 1, "asked", id="asked for"),
    ],
)  # fmt: skip
def test_the_engine_suits_what_is_drawn_and_the_machine(
    question: EngineQuestion, hardware: Hardware, name: str, sample_count: int, word: str
) -> None:
    choice = choose_engine(question, hardware)
    assert (choice.name, choice.sample_count) == (name, sample_count)
    assert word in choice.reason
    assert choice.engine is not Engine.AUTO


@pytest.mark.parametrize(
    ("question", "hardware", "error"),
    [
        pytest.param(replace(MESH, engine=Engine.SPLAT_RASTER), FULL, EngineUnsuitedError, id="splats of a mesh"),
        pytest.param(replace(SPLATS, engine=Engine.MESH_RASTER), FULL, EngineUnsuitedError, id="triangles of Gaussians"),
        pytest.param(replace(SPLATS, engine=Engine.PATH_TRACING), FULL, EngineUnsuitedError, id="paths of Gaussians"),
        pytest.param(replace(MESH, engine=Engine.MESH_RASTER), NO_RASTER, EngineUnavailableError, id="no OpenGL"),
        pytest.param(replace(MESH, engine=Engine.PATH_TRACING), NO_TRACER, EngineUnavailableError, id="no tracer"),
        pytest.param(MESH, NOTHING, EngineUnavailableError, id="nothing"),
        pytest.param(replace(MESH, sample_count=16384), FULL, ViewTooCostlyError, id="too many samples"),
        pytest.param(
            replace(MESH, engine=Engine.PATH_TRACING, pixel_count=4096**2), SCALAR, ViewTooCostlyError, id="too many pixels"
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_drawn_so_is_said(
    question: EngineQuestion, hardware: Hardware, error: type[DomainError]
) -> None:
    with pytest.raises(error):
        choose_engine(question, hardware)


def test_a_flight_may_cost_more_than_a_view() -> None:
    question = replace(MESH, engine=Engine.PATH_TRACING, pixel_count=120 * 960 * 540, sample_count=64)
    with pytest.raises(ViewTooCostlyError):
        choose_engine(question, FULL)
    assert choose_engine(replace(question, is_flight=True), FULL).sample_count == 64


def test_gaussians_are_drawn_without_asking_what_there_is_for_meshes() -> None:
    assert not needs_hardware(Engine.AUTO, Source.GAUSSIANS)
    assert needs_hardware(Engine.AUTO, Source.MESH)
    assert needs_hardware(Engine.PATH_TRACING, Source.SOLIDS)


@pytest.mark.parametrize(
    ("lighting", "engine", "has_colors", "expected"),
    [
        (Lighting.AUTO, Engine.PATH_TRACING, True, True),
        (Lighting.AUTO, Engine.MESH_RASTER, True, False),
        (Lighting.AUTO, Engine.MESH_RASTER, False, True),
        (Lighting.NONE, Engine.PATH_TRACING, True, False),
        (Lighting.DAYLIGHT, Engine.MESH_RASTER, True, True),
    ],
)
def test_daylight_falls_where_it_is_asked_for_and_where_there_is_no_light_yet(
    lighting: Lighting, engine: Engine, has_colors: bool, expected: bool
) -> None:
    assert is_daylit(lighting, engine, has_colors=has_colors) is expected
