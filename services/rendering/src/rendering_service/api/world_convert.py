"""Between the contract's messages about worlds and the core's values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from praxiscope.rendering.v1 import world_rendering_service_pb2
from praxiscope.type.v1 import geometry_pb2
from praxiscope_worlds import Camera, InvalidViewError, Orbit, camera_from_pose
from rendering_service.core.daylight import Daylight
from rendering_service.core.engines import Engine, Lighting, Quality
from rendering_service.core.flight import USUAL_FRAME_RATE_HZ, Timetable, make_timetable
from rendering_service.core.frame_budget import DETAILS
from rendering_service.core.live_view import LiveFrame, LiveStart
from rendering_service.core.panorama import Panorama
from rendering_service.core.world_view import (
    DEFAULT_SIZE_PX,
    LARGE_SIZE_PX,
    MAX_PANORAMA_WIDTH_PX,
    DrawnView,
    Layer,
    RenderSettings,
    ViewQuestion,
)

_Request = world_rendering_service_pb2.RenderViewRequest
_LAYERS = {
    _Request.LAYER_UNSPECIFIED: Layer.COLOR,
    _Request.LAYER_COLOR: Layer.COLOR,
    _Request.LAYER_DEPTH: Layer.DEPTH,
    _Request.LAYER_NORMAL: Layer.NORMAL,
}
_Settings = world_rendering_service_pb2.RenderSettings
_Live = world_rendering_service_pb2.StreamViewRequest
# What `Start` allows, for cameras that bring their size along.
MAX_LIVE_PIXELS = 1920 * 1200
_ENGINES = {
    _Settings.ENGINE_UNSPECIFIED: Engine.AUTO,
    _Settings.ENGINE_AUTO: Engine.AUTO,
    _Settings.ENGINE_SPLAT_RASTER: Engine.SPLAT_RASTER,
    _Settings.ENGINE_MESH_RASTER: Engine.MESH_RASTER,
    _Settings.ENGINE_PATH_TRACING: Engine.PATH_TRACING,
}
_QUALITIES = {
    _Settings.QUALITY_UNSPECIFIED: Quality.STANDARD,
    _Settings.QUALITY_DRAFT: Quality.DRAFT,
    _Settings.QUALITY_STANDARD: Quality.STANDARD,
    _Settings.QUALITY_HIGH: Quality.HIGH,
}
_LIGHTING = {
    _Settings.LIGHTING_UNSPECIFIED: Lighting.AUTO,
    _Settings.LIGHTING_NONE: Lighting.NONE,
    _Settings.LIGHTING_DAYLIGHT: Lighting.DAYLIGHT,
}


def orbit_from(message: world_rendering_service_pb2.OrbitView) -> Orbit:
    """Returns a place around a world, with the usual distance and field where nothing is asked for."""
    orbit = Orbit(azimuth_rad=message.azimuth_rad, elevation_rad=message.elevation_rad)
    if message.distance_radii:
        orbit = replace(orbit, distance_radii=message.distance_radii)
    if message.vertical_field_rad:
        orbit = replace(orbit, vertical_field_rad=message.vertical_field_rad)
    return orbit


def camera_from(message: geometry_pb2.PinholeCamera) -> Camera:
    """Returns a camera of the caller's own.

    Raises:
        InvalidViewError: It is none.
    """
    rotation, position = message.rotation, message.position
    return camera_from_pose(
        (rotation.w, rotation.x, rotation.y, rotation.z),
        (position.x, position.y, position.z),
        width_px=message.width_px,
        height_px=message.height_px,
        focal_px=(message.focal_x_px, message.focal_y_px),
        centre_px=(message.centre_x_px, message.centre_y_px),
    )


def settings_from(message: _Settings) -> RenderSettings:
    """Returns with what and how a world is drawn."""
    daylight = None
    if message.HasField("sun"):
        daylight = Daylight(sun_azimuth_rad=message.sun.azimuth_rad, sun_elevation_rad=message.sun.elevation_rad)
    return RenderSettings(
        path=message.path,
        engine=_ENGINES[message.engine],
        quality=_QUALITIES[message.quality],
        sample_count=message.sample_count,
        lighting=_LIGHTING[message.lighting],
        daylight=daylight,
        has_ground=message.has_ground,
    )


def question_from(request: _Request) -> ViewQuestion:
    """Returns what is drawn.

    Raises:
        InvalidViewError: The camera is none.
    """
    return _question(request, DEFAULT_SIZE_PX)


def large_question_from(request: world_rendering_service_pb2.RenderPictureRequest) -> ViewQuestion:
    """Returns what is drawn large.

    Raises:
        InvalidViewError: The camera is none.
    """
    if request.WhichOneof("view") != "panorama_position":
        return _question(request, LARGE_SIZE_PX)
    place, width_px = request.panorama_position, request.width_px or LARGE_SIZE_PX[0]
    if width_px > MAX_PANORAMA_WIDTH_PX or _LAYERS[request.layer] is not Layer.COLOR:
        raise InvalidViewError(
            f"A panorama has colours and at most {MAX_PANORAMA_WIDTH_PX} pixels across.",
            metadata={"width_px": str(width_px)},
        )
    return ViewQuestion(
        world=request.world,
        view=Panorama(position_m=(place.x, place.y, place.z)),
        width_px=width_px,
        height_px=max(1, width_px // 2),
        layer=Layer.COLOR,
        settings=settings_from(request.settings),
    )


def flight_from(
    request: world_rendering_service_pb2.RenderFlightRequest,
) -> tuple[Sequence[Orbit | Camera | int], Timetable]:
    """Returns what a flight passes through, and when.

    Raises:
        InvalidFlightError: Its times do not grow, or it has too many frames.
        InvalidViewError: A camera is none.
    """
    offsets_s = [point.time_offset.ToNanoseconds() / 1e9 for point in request.waypoints]
    timetable = make_timetable(offsets_s, frame_rate_hz=request.frame_rate_hz or USUAL_FRAME_RATE_HZ)
    return [_view(point) for point in request.waypoints], timetable


def _view(
    message: _Request | world_rendering_service_pb2.RenderPictureRequest | world_rendering_service_pb2.Waypoint,
) -> Orbit | Camera | int:
    match message.WhichOneof("view"):
        case "camera":
            return camera_from(message.camera)
        case "picture_index":
            return message.picture_index
        case _:
            return orbit_from(message.orbit)


def _question(
    request: _Request | world_rendering_service_pb2.RenderPictureRequest, usual_px: tuple[int, int]
) -> ViewQuestion:
    return ViewQuestion(
        world=request.world,
        view=_view(request),
        width_px=request.width_px or usual_px[0],
        height_px=request.height_px or usual_px[1],
        layer=_LAYERS[request.layer],
        settings=settings_from(request.settings),
    )


def view_message(drawn: DrawnView) -> world_rendering_service_pb2.RenderViewResponse:
    """Returns a drawn view's message."""
    return world_rendering_service_pb2.RenderViewResponse(
        content=drawn.png,
        width_px=drawn.width_px,
        height_px=drawn.height_px,
        engine=drawn.engine,
        engine_reason=drawn.engine_reason,
        near_m=drawn.near_m,
        far_m=drawn.far_m,
    )


def live_start_from(message: _Live.Start) -> LiveStart:
    """Returns how a stream starts, with what is usual where nothing is asked for."""
    usual = LiveStart(world=message.world)
    return LiveStart(
        world=message.world,
        width_px=message.width_px or usual.width_px,
        height_px=message.height_px or usual.height_px,
        frame_time_ms=message.frame_time_ms or usual.frame_time_ms,
        is_png=message.encoding == _Live.ENCODING_PNG,
        jpeg_quality=message.jpeg_quality or usual.jpeg_quality,
    )


def live_view_from(message: _Live.Pose) -> Orbit | Camera:
    """Returns from where a picture of a stream is wanted.

    Raises:
        InvalidViewError: It is no camera.
    """
    if message.WhichOneof("view") == "camera":
        return camera_from(message.camera)
    return orbit_from(message.orbit)


def live_frame_message(
    frame: LiveFrame, pose_number: int, dropped_count: int
) -> world_rendering_service_pb2.StreamViewResponse:
    """Returns one picture of a stream."""
    return world_rendering_service_pb2.StreamViewResponse(
        content=frame.content,
        content_type=frame.content_type,
        width_px=frame.width_px,
        height_px=frame.height_px,
        pose_number=pose_number,
        dropped_pose_count=dropped_count,
        scale=frame.detail.scale,
        gaussian_share=frame.detail.gaussian_share,
        is_full=frame.detail == DETAILS[0],
        elapsed_ms=frame.elapsed_ms,
    )
