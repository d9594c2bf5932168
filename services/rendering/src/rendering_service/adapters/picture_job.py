"""Large views: drawn in bands of rows and written as they come, so that the memory is that of a band."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import grpc
import numpy as np

from praxiscope.rendering.v1 import world_rendering_service_pb2
from praxiscope_assets import AssetFiles, OutputFolder, chunks_of_file
from praxiscope_common.credentials import ServiceIdentity
from praxiscope_common.jobs.worker import Handler, JobContext
from praxiscope_worlds import Camera, Orbit, orbit_camera
from rendering_service.adapters.mesh_engines import DrawingCancelledError
from rendering_service.adapters.png_stream import PngStream
from rendering_service.adapters.world_drawer import DrawableWorld, DrawPicture, WorldDrawer
from rendering_service.core.panorama import Panorama, face_side_px, faces_of, places_on_faces
from rendering_service.core.tiles import scaled
from rendering_service.core.world_view import Layer, ViewQuestion, depth_levels, depth_range, normal_levels

PICTURE_METHOD = "praxiscope.rendering.v1.WorldRenderingService/RenderPicture"
# A band has at most so many pixels (50 MB of colours), or one row.
_BAND_PIXELS = 1 << 24
_PANORAMA_ROWS = 128
# The largest picture with the most samples that a flight may cost, on a machine that is busy.
_BAND_TIMEOUT_S = 3600.0
_Request = world_rendering_service_pb2.RenderPictureRequest
QuestionReader = Callable[[_Request], ViewQuestion]


@dataclass(frozen=True, kw_only=True)
class _Written:
    """What a picture that was written shows.

    Attributes:
        near_m: Nearest distance of a depth layer, else 0.
        far_m: Farthest distance of a depth layer, else 0.
    """

    near_m: float = 0.0
    far_m: float = 0.0


@dataclass(frozen=True, kw_only=True)
class PictureWork:
    """Draws large views.

    Attributes:
        files: The store.
        library: A channel to the library.
        identity: Gets tokens to act for whoever started the operation.
        drawer: Opens worlds and draws them.
        question_from: Reads what is drawn from the request.
    """

    files: AssetFiles
    library: grpc.aio.Channel
    identity: ServiceIdentity
    drawer: WorldDrawer
    question_from: QuestionReader

    def handlers(self) -> dict[str, Handler]:
        """Returns what does each method's work."""
        return {PICTURE_METHOD: Handler(request_type=_Request, run=self.run, weights={"draw": 0.95, "store": 0.05})}

    async def run(self, context: JobContext, request: _Request) -> world_rendering_service_pb2.RenderPictureResponse:
        """Draws a view and hands it over."""
        token = await self.identity.token_for_mandate(context.operation.mandate)
        question = self.question_from(request)
        given = await self._given_camera(question, request.width_px, token)
        size = (question.width_px, question.height_px) if given is None else (given.width_px, given.height_px)
        is_panorama = isinstance(question.view, Panorama)
        world = await self.drawer.open(
            question.world,
            question.settings,
            layer=question.layer,
            pixel_count=6 * face_side_px(size[0]) ** 2 if is_panorama else size[0] * size[1],
            token=token,
            is_flight=True,
        )
        view = question.view if isinstance(question.view, Panorama) else given or _orbit_camera(question, world)
        with tempfile.TemporaryDirectory(prefix="praxiscope-picture-") as folder:
            target = Path(folder) / "picture.png"
            with context.timed("draw"):
                written = await self._draw(context, question, world, view, target)
            await context.report("draw", 1.0)
            with context.timed("store"):
                operation = context.operation.name
                outputs = OutputFolder(self.library, self.files.store, operation=operation, name="picture")
                await outputs.put("picture.png", "image/png", chunks_of_file(target))
                version = await outputs.commit(
                    kind="KIND_FILE",
                    display_name=f"Picture of {world.file.path}",
                    sources=[world.file.asset_version],
                    token=await self.identity.token_for_mandate(context.operation.mandate),
                )
        await context.report("store", 1.0)
        return world_rendering_service_pb2.RenderPictureResponse(
            asset_version=version.name,
            width_px=size[0],
            height_px=size[1],
            engine=world.choice.name,
            engine_reason=world.choice.reason,
            near_m=written.near_m,
            far_m=written.far_m,
        )

    async def _given_camera(self, question: ViewQuestion, width_px: int, token: str) -> Camera | None:
        match question.view:
            case Camera() as camera:
                pass
            case Orbit() | Panorama():
                return None
            case index:
                camera = await self.drawer.worlds.read_camera(question.world, index, token=token)
        return scaled(camera, width_px=width_px) if width_px else camera

    async def _draw(
        self, context: JobContext, question: ViewQuestion, world: DrawableWorld, view: Camera | Panorama, target: Path
    ) -> _Written:
        should_stop, drawn = threading.Event(), [0.0]

        def draw() -> _Written:
            with self.drawer.drawing(world, should_stop=should_stop.is_set, timeout_s=_BAND_TIMEOUT_S) as draw_part:
                if isinstance(view, Panorama):
                    watch = {"should_stop": should_stop.is_set, "on_share": drawn.append}
                    return write_panorama(draw_part, view, target, width_px=question.width_px, **watch)
                return write_picture(
                    draw_part, view, question.layer, target, should_stop=should_stop.is_set, on_share=drawn.append
                )

        def told() -> tuple[float, str]:
            return drawn[-1], f"{drawn[-1]:.0%} of the picture drawn"

        return await context.in_thread("draw", draw, told=told, should_stop=should_stop)


def write_picture(
    draw: DrawPicture,
    camera: Camera,
    layer: Layer,
    target: Path,
    *,
    should_stop: Callable[[], bool],
    on_share: Callable[[float], None],
    band_pixels: int = _BAND_PIXELS,
) -> _Written:
    """Draws a view band by band into a PNG.

    Depth is drawn twice: levels need the nearest and the farthest of the whole, which would be four bytes a pixel to keep.

    Args:
        draw: Draws a part.
        camera: Of the whole.
        layer: What a pixel says.
        target: The file.
        should_stop: Asked between bands.
        on_share: Told how much is done.
        band_pixels: Most pixels of a band of more than one row.

    Raises:
        DrawingCancelledError: It should stop.
    """
    bands = list(_bands(camera, band_pixels))
    between_m: tuple[float, float] | None = None
    if layer is Layer.DEPTH:
        ranges = [found for band in bands if not should_stop() and (found := depth_range(draw(band, layer)))]
        if ranges:
            between_m = min(near for near, _ in ranges), max(far for _, far in ranges)
    size = {"width_px": camera.width_px, "height_px": camera.height_px}
    with target.open("wb") as opened, PngStream(opened, is_depth=layer is Layer.DEPTH, **size) as stream:
        for number, band in enumerate(bands):
            if should_stop():
                raise DrawingCancelledError()
            stream.write(_levels(draw(band, layer), layer, band, between_m))
            on_share((number + 1) / len(bands))
    return _Written() if between_m is None else _Written(near_m=between_m[0], far_m=between_m[1])


def write_panorama(
    draw: DrawPicture,
    panorama: Panorama,
    target: Path,
    *,
    width_px: int,
    should_stop: Callable[[], bool],
    on_share: Callable[[float], None],
) -> _Written:
    """Draws the six faces of a cube, and puts an equirectangular picture together from them row by row; the faces stay in memory.

    Args:
        draw: Draws a part.
        panorama: From where.
        target: The file.
        width_px: Of the picture; it is half as high.
        should_stop: Asked between faces.
        on_share: Told how much is done.

    Raises:
        DrawingCancelledError: It should stop.
    """
    height_px, cameras = max(1, width_px // 2), faces_of(panorama, side_px=face_side_px(width_px))
    faces: list[np.ndarray] = []
    for number, camera in enumerate(cameras):
        if should_stop():
            raise DrawingCancelledError()
        faces.append(draw(camera, Layer.COLOR))
        on_share(0.95 * (number + 1) / len(cameras))
    with (
        target.open("wb") as opened,
        PngStream(opened, width_px=width_px, height_px=height_px, is_depth=False) as stream,
    ):
        for top_px in range(0, height_px, _PANORAMA_ROWS):
            rows = range(top_px, min(top_px + _PANORAMA_ROWS, height_px))
            number, x, y = places_on_faces(cameras, rows, width_px=width_px, height_px=height_px)
            picture = np.empty((*number.shape, 3), np.uint8)
            for i_face in np.unique(number):
                # OpenCV counts from the middle of the first pixel.
                found = cv2.remap(faces[i_face], x - 0.5, y - 0.5, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
                picture[number == i_face] = found[number == i_face]
            stream.write(picture)
    return _Written()


def _bands(camera: Camera, band_pixels: int) -> Iterator[Camera]:
    """The picture from the top in parts of its whole width."""
    rows = max(1, band_pixels // camera.width_px)
    for top_px in range(0, camera.height_px, rows):
        yield replace(
            camera,
            height_px=min(rows, camera.height_px - top_px),
            centre_px=(camera.centre_px[0], camera.centre_px[1] - top_px),
        )


def _levels(drawn: np.ndarray, layer: Layer, camera: Camera, between_m: tuple[float, float] | None) -> np.ndarray:
    match layer:
        case Layer.COLOR:
            return drawn
        case Layer.DEPTH:
            return depth_levels(drawn, between_m)[0]
        case Layer.NORMAL:
            return normal_levels(drawn, camera)


def _orbit_camera(question: ViewQuestion, world: DrawableWorld) -> Camera:
    assert isinstance(question.view, Orbit)  # the other ones are given
    return orbit_camera(world.bounds, question.view, width_px=question.width_px, height_px=question.height_px)
