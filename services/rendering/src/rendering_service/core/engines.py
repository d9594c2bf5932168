"""Which engine draws: by what is drawn, how well, and what this machine has. Each choice says why.

AUTO ─► Gaussians ─────────────────────────────► splat raster
     └► mesh ─► depth, normals, draft, standard ─► mesh raster, else path tracing with a few samples
             └► high, or samples asked for ─────► path tracing, else mesh raster
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum, auto

from rendering_service.core.errors import EngineUnavailableError, EngineUnsuitedError, ViewTooCostlyError

# A sample is a path of light through one pixel, and takes a processor 0.1 to 0.9 microseconds (a ball, a village), 1.5 without a compiler. A call waits half a
# minute for its answer, so what one may cost is 64 samples of 640 x 480 pixels.
_LLVM_VIEW_SAMPLES, _SCALAR_VIEW_SAMPLES = 20_000_000, 6_000_000
# What one flight may cost: an hour or so.
_LLVM_FLIGHT_SAMPLES, _SCALAR_FLIGHT_SAMPLES = 24_000_000_000, 4_000_000_000


class Engine(StrEnum):
    """What can draw."""

    AUTO = "auto"
    SPLAT_RASTER = "splat raster"
    MESH_RASTER = "mesh raster"
    PATH_TRACING = "path tracing"


class Quality(Enum):
    """How well it is drawn; the values are the paths of light through a pixel where paths are traced."""

    DRAFT = 16
    STANDARD = 64
    HIGH = 256


class Source(Enum):
    """What is drawn. SOLIDS: Gaussians that bring the surfaces they were made of along."""

    GAUSSIANS = auto()
    SOLIDS = auto()
    MESH = auto()


class Lighting(Enum):
    """What falls on a mesh. AUTO: nothing where a raster draws colours, which have their light in them already; else daylight."""

    AUTO = auto()
    NONE = auto()
    DAYLIGHT = auto()


class Tracer(StrEnum):
    """How paths are traced on this machine."""

    LLVM = "path-llvm"
    SCALAR = "path-scalar"


SPLAT_CPU, MESH_GL = "splat-cpu", "mesh-gl"


@dataclass(frozen=True, kw_only=True)
class Hardware:
    """What this machine draws meshes with.

    Attributes:
        raster: The name of what OpenGL draws with; empty where there is none.
        raster_missing: Why not, and what to do.
        tracer: How paths are traced; None where they are not.
        tracer_detail: The compiler that the tracer uses, or why not the fast one and what to do.
    """

    raster: str
    raster_missing: str
    tracer: Tracer | None
    tracer_detail: str


@dataclass(frozen=True, kw_only=True)
class EngineQuestion:
    """What the choice depends on.

    Attributes:
        engine: What was asked for.
        quality: Likewise.
        sample_count: Paths through a pixel; 0: the quality's.
        source: What is drawn.
        is_color: A picture in colour; else depth or normals, for which one ray through a pixel's middle is all there is to know.
        pixel_count: Of all pictures together.
        is_flight: Many pictures, drawn by a job.
    """

    engine: Engine
    quality: Quality
    sample_count: int
    source: Source
    is_color: bool
    pixel_count: int
    is_flight: bool = False


@dataclass(frozen=True, kw_only=True)
class EngineChoice:
    """What draws, and why.

    Attributes:
        engine: Not AUTO.
        name: What the answer calls it, as in `path-llvm`.
        sample_count: Paths through a pixel; 1 where no paths are traced.
        reason: For a person to read.
    """

    engine: Engine
    name: str
    sample_count: int
    reason: str


def choose_engine(question: EngineQuestion, hardware: Hardware) -> EngineChoice:
    """Chooses what draws.

    Raises:
        EngineUnsuitedError: The engine that was asked for does not draw such a source.
        EngineUnavailableError: It would, but not on this machine.
        ViewTooCostlyError: More samples were asked for than a picture or a flight may cost.
    """
    if question.engine is Engine.SPLAT_RASTER or (
        question.engine is Engine.AUTO and question.source is not Source.MESH
    ):
        return _splats(question)
    if question.engine is Engine.MESH_RASTER:
        return _raster(question, hardware, "It was asked for.")
    if question.engine is Engine.PATH_TRACING:
        return _paths(question, hardware, "It was asked for.")
    return _mesh(question, hardware)


def needs_hardware(engine: Engine, source: Source) -> bool:
    """Whether the choice depends on what this machine draws meshes with."""
    return engine in {Engine.MESH_RASTER, Engine.PATH_TRACING} or (engine is Engine.AUTO and source is Source.MESH)


def is_daylit(lighting: Lighting, engine: Engine, *, has_colors: bool) -> bool:
    """Whether sun and sky fall on a mesh."""
    if lighting is Lighting.AUTO:
        return engine is Engine.PATH_TRACING or not has_colors
    return lighting is Lighting.DAYLIGHT


def _splats(question: EngineQuestion) -> EngineChoice:
    if question.source is Source.MESH:
        raise EngineUnsuitedError(
            "The splat raster draws Gaussians and this is a mesh; leave the engine open, or ask for the mesh raster or for path tracing.",
            metadata={"engine": question.engine.value},
        )
    return EngineChoice(
        engine=Engine.SPLAT_RASTER,
        name=SPLAT_CPU,
        sample_count=1,
        reason="The world is made of Gaussians, and this installation draws them on its processor.",
    )


def _mesh(question: EngineQuestion, hardware: Hardware) -> EngineChoice:
    wants_paths = question.is_color and (question.quality is Quality.HIGH or question.sample_count > 0)
    if wants_paths and hardware.tracer is not None:
        return _paths(question, hardware, "Light was asked for in high quality.")
    if not hardware.raster:
        return _paths(question, hardware, f"A raster would do, but {hardware.raster_missing}")
    if wants_paths:
        return _raster(question, hardware, f"High quality wants paths of light, but {hardware.tracer_detail}")
    what = "Colours at this quality" if question.is_color else "Depth and normals"
    return _raster(question, hardware, f"{what} need no paths of light.")


def _raster(question: EngineQuestion, hardware: Hardware, because: str) -> EngineChoice:
    if question.source is not Source.MESH:
        raise EngineUnsuitedError(
            "The mesh raster draws meshes and this world is made of Gaussians; extract its mesh first, or leave the engine open.",
            metadata={"engine": question.engine.value},
        )
    if not hardware.raster:
        raise EngineUnavailableError(
            f"The mesh raster cannot draw here: {hardware.raster_missing}", metadata={"engine": question.engine.value}
        )
    return EngineChoice(
        engine=Engine.MESH_RASTER, name=MESH_GL, sample_count=1, reason=f"{because} OpenGL draws on {hardware.raster}."
    )


def _paths(question: EngineQuestion, hardware: Hardware, because: str) -> EngineChoice:
    if question.source is Source.GAUSSIANS:
        raise EngineUnsuitedError(
            "Paths of light are traced between surfaces and this world is made of Gaussians; extract its mesh first and draw that.",
            metadata={"engine": question.engine.value},
        )
    if hardware.tracer is None:
        raise EngineUnavailableError(
            f"Paths of light cannot be traced here: {hardware.tracer_detail}",
            metadata={"engine": question.engine.value},
        )
    limits = {
        (Tracer.LLVM, False): _LLVM_VIEW_SAMPLES,
        (Tracer.LLVM, True): _LLVM_FLIGHT_SAMPLES,
        (Tracer.SCALAR, False): _SCALAR_VIEW_SAMPLES,
        (Tracer.SCALAR, True): _SCALAR_FLIGHT_SAMPLES,
    }
    limit = limits[hardware.tracer, question.is_flight]
    wanted = (question.sample_count or question.quality.value) if question.is_color else 1
    most = limit // question.pixel_count
    if most < 1 or (question.sample_count and wanted > most):
        what, elsewhere = (
            ("a flight", "") if question.is_flight else ("an answer", ", or for RenderPicture, which may take its time")
        )
        raise ViewTooCostlyError(
            f"{wanted} samples of {question.pixel_count} pixels are {wanted * question.pixel_count}; at most {limit} may be traced"
            f" for {what} here. Ask for fewer samples or a smaller picture{elsewhere}.",
            metadata={"sample_count": str(wanted), "pixel_count": str(question.pixel_count), "limit": str(limit)},
        )
    sentences = [because]
    if question.source is Source.SOLIDS:
        sentences.append("The surfaces are those that the world's Gaussians were laid on.")
    if wanted > most:
        sentences.append(
            f"{most} samples a pixel instead of {wanted} keep within what one {'flight' if question.is_flight else 'answer'} may cost."
        )
    sentences.append(f"{hardware.tracer_detail}")
    return EngineChoice(
        engine=Engine.PATH_TRACING,
        name=hardware.tracer.value,
        sample_count=min(wanted, most),
        reason=" ".join(sentences),
    )
