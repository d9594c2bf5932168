"""Selections and operations out of their messages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from editing_service.core import edits, selections
from editing_service.core.errors import InvalidEditError, InvalidSelectionError
from editing_service.core.floaters import FloaterRules
from editing_service.core.placement import NO_TURN, Placement, Quaternion, Vector
from editing_service.core.recolor import Shift, ToColor
from editing_service.core.relight import Light
from praxiscope.editing.v1 import edit_service_pb2, edit_stack_pb2
from praxiscope.type.v1 import geometry_pb2
from praxiscope_worlds import InvalidViewError, InvalidWorldError, camera_from_pose

MAX_DEPTH = 12
MAX_PARTS = 64
_DEFAULT_FLOATERS = FloaterRules()
_Selection = edit_stack_pb2.Selection
_Operation = edit_stack_pb2.EditOperation
_METHODS = {
    _Selection.Combined.METHOD_UNION: selections.Method.UNION,
    _Selection.Combined.METHOD_INTERSECTION: selections.Method.INTERSECTION,
    _Selection.Combined.METHOD_DIFFERENCE: selections.Method.DIFFERENCE,
}


def edit_from(request: edit_service_pb2.ApplyEditRequest) -> tuple[selections.Selection | None, edits.Operation]:
    """Returns what is to be done to what; None: to everything.

    Raises:
        InvalidSelectionError: The selection is none.
        InvalidEditError: The operation is none.
    """
    selection = selection_from(request.selection) if request.HasField("selection") else None
    return selection, operation_from(request.operation)


def request_from(stored: bytes) -> tuple[selections.Selection | None, edits.Operation]:
    """Returns what `edit_from` gave for a request that was kept."""
    return edit_from(edit_service_pb2.ApplyEditRequest.FromString(stored))


def selection_from(message: _Selection) -> selections.Selection:
    """Returns a selection.

    Raises:
        InvalidSelectionError: It is none, is nested too deeply, or has too many parts.
    """
    return _Reader().read(message, depth=1)


def operation_from(message: _Operation) -> edits.Operation:
    """Returns an operation.

    Raises:
        InvalidEditError: It is none.
    """
    what = message.WhichOneof("what")
    if what is None:
        raise InvalidEditError("The edit says nothing that is to be done.")
    return _OPERATIONS[what](getattr(message, what))


class _Reader:
    """Reads one selection and counts its parts."""

    def __init__(self) -> None:
        self._count = 0

    def read(self, message: _Selection, *, depth: int) -> selections.Selection:
        self._count += 1
        if depth > MAX_DEPTH or self._count > MAX_PARTS:
            raise InvalidSelectionError(
                f"Selections are nested at most {MAX_DEPTH} deep and have at most {MAX_PARTS} parts."
            )
        selection = self._read_what(message, depth)
        return selections.Inverted(part=selection) if message.inverted else selection

    def _read_what(self, message: _Selection, depth: int) -> selections.Selection:
        match message.WhichOneof("what"):
            case "everything":
                return selections.Everything()
            case "box":
                box = message.box
                return selections.Box(
                    center_m=_vector(box.center), size_m=_vector(box.size), quaternion_wxyz=_quaternion(box, "rotation")
                )
            case "sphere":
                return selections.Sphere(center_m=_vector(message.sphere.center), radius_m=message.sphere.radius_m)
            case "brush":
                return _brush(message.brush)
            case "near_color":
                near = message.near_color
                return selections.NearColor(color_rgb=_color(near.color), tolerance=near.tolerance)
            case "connected":
                return self._connected(message.connected, depth)
            case "range":
                return _range(message.range)
            case "mask":
                return selections.Mask(bits=message.mask.bits)
            case "combined":
                parts = tuple(self.read(part, depth=depth + 1) for part in message.combined.parts)
                return selections.Combined(method=_METHODS[message.combined.method], parts=parts)
            case _:
                raise InvalidSelectionError("A part of the selection says nothing that is meant.")

    def _connected(self, message: _Selection.Connected, depth: int) -> selections.Connected:
        seed = self.read(message.seed, depth=depth + 1) if message.HasField("seed") else None
        return selections.Connected(
            gap_m=message.gap_m, seed=seed, is_largest=message.largest, max_count=message.max_count
        )


def _brush(message: _Selection.Brush) -> selections.Brush:
    camera = message.camera
    try:
        taken = camera_from_pose(
            (camera.rotation.w, camera.rotation.x, camera.rotation.y, camera.rotation.z),
            _vector(camera.position),
            width_px=camera.width_px,
            height_px=camera.height_px,
            focal_px=(camera.focal_x_px, camera.focal_y_px),
            centre_px=(camera.centre_x_px, camera.centre_y_px),
        )
    except (InvalidViewError, InvalidWorldError) as error:
        raise InvalidSelectionError(f"The brush's camera is none: {error.message}") from error
    return selections.Brush(
        camera=taken,
        points_px=tuple((point.x_px, point.y_px) for point in message.points),
        radius_px=message.radius_px,
        is_through=message.through,
    )


def _range(message: _Selection.Range) -> selections.Range:
    given = {
        name: getattr(message, name)
        for name in ("min_opacity", "max_opacity", "min_extent_m", "max_extent_m")
        if message.HasField(name)
    }
    return selections.Range(**given)


def _vector(message: geometry_pb2.Vector3) -> Vector:
    return message.x, message.y, message.z


def _quaternion(message: Any, name: str) -> Quaternion:  # noqa: ANN401  whichever message has a rotation
    rotation = getattr(message, name)
    return (rotation.w, rotation.x, rotation.y, rotation.z) if message.HasField(name) else NO_TURN


def _color(message: edit_stack_pb2.Color) -> selections.Color:
    return message.red, message.green, message.blue


def _placement(message: _Operation.Transform) -> Placement:
    return Placement(
        translation_m=_vector(message.translation),
        quaternion_wxyz=_quaternion(message, "rotation"),
        scale=message.scale or 1.0,
        pivot_m=_vector(message.pivot) if message.HasField("pivot") else None,
    )


def _remove_floaters(message: _Operation.RemoveFloaters) -> edits.RemoveFloaters:
    rules = FloaterRules(
        isolation_deviations=message.isolation_deviations or _DEFAULT_FLOATERS.isolation_deviations,
        max_group_count=message.max_group_count or _DEFAULT_FLOATERS.max_group_count,
        gap_m=message.gap_m or None,
        faint_opacity=message.faint_opacity or _DEFAULT_FLOATERS.faint_opacity,
    )
    return edits.RemoveFloaters(rules=rules)


def _recolor(message: _Operation.Recolor) -> edits.Recolor:
    to: ToColor | Shift
    if message.WhichOneof("to") == "target":
        to = ToColor(color_rgb=_color(message.target))
    else:
        shift = message.shift
        to = Shift(lab=(shift.lightness, shift.red_green, shift.yellow_blue))
    blend_m = 0.0 if message.hard_border else message.blend_m or None
    return edits.Recolor(to=to, blend_m=blend_m, strength=message.strength or 1.0)


def _relight(message: _Operation.Relight) -> edits.Relight:
    return edits.Relight(
        light=Light(
            direction=_vector(message.direction),
            color_rgb=_color(message.color),
            intensity=message.intensity or 1.0,
            ambient=message.ambient,
        )
    )


def _fill_hole(message: _Operation.FillHole) -> edits.FillHole:
    usual = edits.FillHole()
    return edits.FillHole(max_count=message.max_count or usual.max_count, seed=message.seed % (1 << 63))


def _insert(message: _Operation.Insert) -> edits.Insert:
    usual = edits.Insert(asset_version="", path="")
    return edits.Insert(
        asset_version=message.source.asset_version,
        path=message.source.path,
        placement=_placement(message.transform),
        mesh_count=message.mesh_gaussian_count or usual.mesh_count,
    )


_OPERATIONS: Mapping[str, Callable[[Any], edits.Operation]] = {
    "delete": lambda _: edits.Delete(),
    "crop": lambda _: edits.Crop(),
    "transform": lambda message: edits.Transform(placement=_placement(message)),
    "remove_floaters": _remove_floaters,
    "level_ground": lambda message: edits.LevelGround(
        tolerance_m=message.tolerance_m or None, seed=message.seed % (1 << 63)
    ),
    "recolor": _recolor,
    "duplicate": lambda message: edits.Duplicate(placement=_placement(message.transform)),
    "relight": _relight,
    "fill_hole": _fill_hole,
    "insert": _insert,
}
