"""Between the contract's messages about worlds and the core's values."""

from __future__ import annotations

from dataclasses import replace

from praxiscope.rendering.v1 import world_rendering_service_pb2
from praxiscope.type.v1 import geometry_pb2
from praxiscope_worlds import Camera, Orbit, camera_from_pose
from rendering_service.core.world_view import (
    DEFAULT_SIZE_PX,
    DrawnView,
    Layer,
    ViewQuestion,
)

_Request = world_rendering_service_pb2.RenderViewRequest
_LAYERS = {
    _Request.LAYER_UNSPECIFIED: Layer.COLOR,
    _Request.LAYER_COLOR: Layer.COLOR,
    _Request.LAYER_DEPTH: Layer.DEPTH,
    _Request.LAYER_NORMAL: Layer.NORMAL,
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


def question_from(request: _Request) -> ViewQuestion:
    """Returns what is drawn.

    Raises:
        InvalidViewError: The camera is none.
    """
    view: Orbit | Camera | int
    match request.WhichOneof("view"):
        case "camera":
            view = camera_from(request.camera)
        case "picture_index":
            view = request.picture_index
        case _:
            view = orbit_from(request.orbit)
    return ViewQuestion(
        world=request.world,
        view=view,
        width_px=request.width_px or DEFAULT_SIZE_PX[0],
        height_px=request.height_px or DEFAULT_SIZE_PX[1],
        layer=_LAYERS[request.layer],
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
