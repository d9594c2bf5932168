"""Films of worlds: a turn around one, and a flight along a path of the caller's own."""

from __future__ import annotations

import math
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import grpc

from praxiscope.rendering.v1 import world_rendering_service_pb2
from praxiscope_assets import AssetFiles, OutputFolder, chunks_of_file
from praxiscope_common.credentials import ServiceIdentity
from praxiscope_common.jobs.worker import Handler, JobContext
from praxiscope_media import VideoEncoding, VideoInfo, VideoWriter
from praxiscope_worlds import Camera, Orbit, orbit_camera
from rendering_service.adapters.codecs import CODECS
from rendering_service.adapters.world_drawer import DrawableWorld, WorldDrawer
from rendering_service.core.flight import Timetable, fly
from rendering_service.core.world_view import Layer, RenderSettings

TURNTABLE_METHOD = "praxiscope.rendering.v1.WorldRenderingService/RenderTurntable"
FLIGHT_METHOD = "praxiscope.rendering.v1.WorldRenderingService/RenderFlight"
_TURNTABLE_RATE_HZ = 30
_TURNTABLE_FRAMES = 120
# A picture of a film may take as long as one at the largest size with the most samples does.
_FRAME_TIMEOUT_S = 1200.0
_STAGES = {"draw": 0.95, "store": 0.05}
_Turntable = world_rendering_service_pb2.RenderTurntableRequest
_Flight = world_rendering_service_pb2.RenderFlightRequest
OrbitReader = Callable[[world_rendering_service_pb2.OrbitView], Orbit]
FlightReader = Callable[[_Flight], tuple[Sequence[Orbit | Camera | int], Timetable]]
SettingsReader = Callable[[world_rendering_service_pb2.RenderSettings], RenderSettings]


@dataclass(frozen=True, kw_only=True)
class _Film:
    """What is filmed.

    Attributes:
        name: Of the file, without its ending.
        title: Of the asset.
        cameras: Of the frames.
        frame_count: How many there are.
        frame_rate_hz: Frames a second.
        encoding: How it is written.
    """

    name: str
    title: str
    cameras: Iterator[Camera]
    frame_count: int
    frame_rate_hz: int
    encoding: VideoEncoding


@dataclass(frozen=True, kw_only=True)
class FilmWork:
    """Does jobs.

    Attributes:
        files: The store.
        library: A channel to the library.
        identity: Gets tokens to act for whoever started the operation.
        drawer: Opens worlds and draws them.
        orbit_from: Reads a place around a world from the request.
        flight_from: Reads what is passed through, and when.
        settings_from: Reads with what and how it is drawn.
    """

    files: AssetFiles
    library: grpc.aio.Channel
    identity: ServiceIdentity
    drawer: WorldDrawer
    orbit_from: OrbitReader
    flight_from: FlightReader
    settings_from: SettingsReader

    def handlers(self) -> dict[str, Handler]:
        """Returns what does each method's work."""
        return {
            TURNTABLE_METHOD: Handler(request_type=_Turntable, run=self.turn, weights=_STAGES),
            FLIGHT_METHOD: Handler(request_type=_Flight, run=self.fly, weights=_STAGES),
        }

    async def turn(
        self, context: JobContext, request: _Turntable
    ) -> world_rendering_service_pb2.RenderTurntableResponse:
        """Flies around a world once and hands the video over."""
        frame_count = request.frame_count or _TURNTABLE_FRAMES
        world = await self._open(context, request, frame_count)
        start, size = self.orbit_from(request.start), _size_of(request)
        turns = (replace(start, azimuth_rad=start.azimuth_rad + math.tau * i / frame_count) for i in range(frame_count))
        film = _Film(
            name="turntable",
            title=f"Flight around {world.file.path}",
            cameras=(orbit_camera(world.bounds, orbit, width_px=size[0], height_px=size[1]) for orbit in turns),
            frame_count=frame_count,
            frame_rate_hz=_TURNTABLE_RATE_HZ,
            encoding=VideoEncoding(codec=CODECS[request.codec]),
        )
        return world_rendering_service_pb2.RenderTurntableResponse(
            asset_version=await self._make(context, world, film, size),
            frame_count=frame_count,
            engine=world.choice.name,
            engine_reason=world.choice.reason,
        )

    async def fly(self, context: JobContext, request: _Flight) -> world_rendering_service_pb2.RenderFlightResponse:
        """Flies along a path and hands the video over."""
        asked, timetable = self.flight_from(request)
        world = await self._open(context, request, timetable.frame_count)
        token = await self.identity.token_for_mandate(context.operation.mandate)
        taken_from = {
            index: await self.drawer.worlds.read_camera(request.world, index, token=token)
            for index in {view for view in asked if isinstance(view, int)}
        }
        views = [taken_from[view] if isinstance(view, int) else view for view in asked]
        size = _size_of(request)
        film = _Film(
            name="flight",
            title=f"Flight through {world.file.path}",
            cameras=fly(views, timetable, world.bounds, width_px=size[0], height_px=size[1]),
            frame_count=timetable.frame_count,
            frame_rate_hz=timetable.frame_rate_hz,
            encoding=VideoEncoding(codec=CODECS[request.codec]),
        )
        return world_rendering_service_pb2.RenderFlightResponse(
            asset_version=await self._make(context, world, film, size),
            frame_count=timetable.frame_count,
            engine=world.choice.name,
            engine_reason=world.choice.reason,
        )

    async def _open(self, context: JobContext, request: _Turntable | _Flight, frame_count: int) -> DrawableWorld:
        width_px, height_px = _size_of(request)
        return await self.drawer.open(
            request.world,
            self.settings_from(request.settings),
            layer=Layer.COLOR,
            pixel_count=width_px * height_px * frame_count,
            token=await self.identity.token_for_mandate(context.operation.mandate),
            is_flight=True,
        )

    async def _make(self, context: JobContext, world: DrawableWorld, film: _Film, size: tuple[int, int]) -> str:
        """Draws a film and hands it over; returns the asset's version."""
        with tempfile.TemporaryDirectory(prefix=f"praxiscope-{film.name}-") as folder:
            target = Path(folder) / f"{film.name}.mp4"
            with context.timed("draw"):
                await self._draw(context, world, film, size, target)
            await context.report("draw", 1.0)
            with context.timed("store"):
                operation = context.operation.name
                outputs = OutputFolder(self.library, self.files.store, operation=operation, name=film.name)
                await outputs.put(target.name, "video/mp4", chunks_of_file(target))
                version = await outputs.commit(
                    kind="KIND_CLIP",
                    display_name=film.title,
                    sources=[world.file.asset_version],
                    token=await self.identity.token_for_mandate(context.operation.mandate),
                )
        await context.report("store", 1.0)
        return version.name

    async def _draw(
        self, context: JobContext, world: DrawableWorld, film: _Film, size: tuple[int, int], target: Path
    ) -> None:
        should_stop, drawn = threading.Event(), [0]

        def draw() -> None:
            with (
                self.drawer.drawing(world, should_stop=should_stop.is_set, timeout_s=_FRAME_TIMEOUT_S) as draw_picture,
                VideoWriter.open(target, _video_info(film, size), film.encoding) as writer,
            ):
                for index, camera in enumerate(film.cameras):
                    if should_stop.is_set():
                        return
                    writer.write(draw_picture(camera, Layer.COLOR), Fraction(index, film.frame_rate_hz))
                    drawn[0] = index + 1

        def told() -> tuple[float, str]:
            return drawn[0] / film.frame_count, f"{drawn[0]} frames drawn"

        await context.in_thread("draw", draw, told=told, should_stop=should_stop)


def _size_of(request: _Turntable | _Flight) -> tuple[int, int]:
    """Width and height, even numbers as encoders want them."""
    return (request.width_px or 960) // 2 * 2, (request.height_px or 540) // 2 * 2


def _video_info(film: _Film, size: tuple[int, int]) -> VideoInfo:
    return VideoInfo(
        width_px=size[0],
        height_px=size[1],
        frame_count=film.frame_count,
        duration_s=film.frame_count / film.frame_rate_hz,
        average_rate_hz=Fraction(film.frame_rate_hz),
        rotation_deg=0,
        codec="",
        has_audio=False,
    )
