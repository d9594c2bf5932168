"""Which Gaussians are meant: shapes, colours, what hangs together, and all of these put together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import reduce
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool

from editing_service.core.arrays import BoolArray, Float32Array, FloatArray, IntArray
from editing_service.core.colors import base_colors, lab_from_srgb
from editing_service.core.errors import InvalidSelectionError
from editing_service.core.neighbours import components
from editing_service.core.placement import Placement, Quaternion, Vector
from editing_service.core.state import EditState
from praxiscope_worlds import Camera

Color = tuple[float, float, float]
# A ray stops at the surface: where so much of it has been taken.
_SURFACE_ALPHA = 0.5
# The surface is as thick as so many deviations of the Gaussian that it was found with.
_SURFACE_DEVIATIONS = 3.0
# Cells of the picture in which a brush looks for the surface; a quarter of the radius, no finer than this and no more of them a side.
_MIN_CELL_PX = 1.0
_MAX_CELLS = 4096
_MAX_ABS = 1e6


@dataclass(frozen=True, kw_only=True)
class Everything:
    """All there is."""


@dataclass(frozen=True, kw_only=True)
class Box:
    """What is in a box.

    Attributes:
        center_m: Its middle.
        size_m: Its lengths along its own axes, positive.
        quaternion_wxyz: `world_from_box`.
    """

    center_m: Vector
    size_m: Vector
    quaternion_wxyz: Quaternion = (1.0, 0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        """Checks the numbers.

        Raises:
            InvalidSelectionError: One is not finite or too large, or a side is not positive.
        """
        _check_numbers(self.center_m, self.size_m, self.quaternion_wxyz)
        if min(self.size_m) <= 0 or math.hypot(*self.quaternion_wxyz) < 1e-6:
            raise InvalidSelectionError("A box needs positive sides and a rotation of some length.")


@dataclass(frozen=True, kw_only=True)
class Sphere:
    """What is in a sphere.

    Attributes:
        center_m: Its middle.
        radius_m: Its radius, positive.
    """

    center_m: Vector
    radius_m: float

    def __post_init__(self) -> None:
        """Checks the numbers.

        Raises:
            InvalidSelectionError: One is not finite or too large, or the radius is not positive.
        """
        _check_numbers(self.center_m, (self.radius_m,))
        if self.radius_m <= 0:
            raise InvalidSelectionError("A sphere needs a positive radius.")


@dataclass(frozen=True, kw_only=True, eq=False)
class Brush:
    """What a brush passed over in a picture.

    Attributes:
        camera: From where the world was seen.
        points_px: The stroke, one point or more.
        radius_px: The brush's radius, positive.
        is_through: Whether what lies behind the front surface is meant too.
    """

    camera: Camera
    points_px: Sequence[tuple[float, float]]
    radius_px: float
    is_through: bool = False

    def __post_init__(self) -> None:
        """Checks the numbers.

        Raises:
            InvalidSelectionError: One is not finite or too large, the radius is not positive, or there is no point.
        """
        _check_numbers(*self.points_px, (self.radius_px,))
        if self.radius_px <= 0 or not self.points_px:
            raise InvalidSelectionError("A brush needs a positive radius and a point.")


@dataclass(frozen=True, kw_only=True)
class NearColor:
    """What has about a colour.

    Attributes:
        color_rgb: sRGB, 0 to 1.
        tolerance: Largest distance in CIELAB.
    """

    color_rgb: Color
    tolerance: float

    def __post_init__(self) -> None:
        """Checks the numbers.

        Raises:
            InvalidSelectionError: One is not finite.
        """
        _check_numbers(self.color_rgb, (self.tolerance,))


@dataclass(frozen=True, kw_only=True)
class Connected:
    """What hangs together; see `components`.

    Attributes:
        gap_m: Side of the cubes whose touching makes neighbours.
        seed: The components that hold a Gaussian of this; None asks for one of the two others.
        is_largest: The one with the most Gaussians.
        max_count: Those with at most so many.
    """

    gap_m: float
    seed: Selection | None = None
    is_largest: bool = False
    max_count: int = 0

    def __post_init__(self) -> None:
        """Checks the numbers.

        Raises:
            InvalidSelectionError: The gap is not finite, or not positive.
        """
        _check_numbers((self.gap_m,))
        if self.gap_m <= 0:
            raise InvalidSelectionError("What hangs together is told by a positive gap.")


@dataclass(frozen=True, kw_only=True)
class Range:
    """What is within ranges; None holds for all.

    Attributes:
        min_opacity: 0 to 1.
        max_opacity: 0 to 1.
        min_extent_m: Of the longest standard deviation.
        max_extent_m: Likewise.
    """

    min_opacity: float | None = None
    max_opacity: float | None = None
    min_extent_m: float | None = None
    max_extent_m: float | None = None

    def __post_init__(self) -> None:
        """Checks the numbers.

        Raises:
            InvalidSelectionError: One is not finite.
        """
        numbers = (self.min_opacity, self.max_opacity, self.min_extent_m, self.max_extent_m)
        _check_numbers(tuple(number for number in numbers if number is not None))


@dataclass(frozen=True, kw_only=True)
class Mask:
    """What a mask names.

    Attributes:
        bits: A bit for each row, the lowest of a byte first; rows behind its end are not meant.
    """

    bits: bytes


class Method(Enum):
    """How selections are put together."""

    UNION = auto()
    INTERSECTION = auto()
    DIFFERENCE = auto()


@dataclass(frozen=True, kw_only=True)
class Combined:
    """Selections put together.

    Attributes:
        method: How; a difference is what the first holds and no other does.
        parts: One or more.
    """

    method: Method
    parts: Sequence[Selection]


@dataclass(frozen=True, kw_only=True)
class Inverted:
    """Everything else.

    Attributes:
        part: Than this.
    """

    part: Selection


Selection: TypeAlias = Everything | Box | Sphere | Brush | NearColor | Connected | Range | Mask | Combined | Inverted


def select(state: EditState, selection: Selection) -> Bool[BoolArray, " N"]:
    """Returns which rows a selection holds; never a dead one.

    Raises:
        InvalidSelectionError: A gap is too small for the world.
    """
    return _held(state, selection) & state.is_alive


def bits_of(mask: Bool[BoolArray, " N"]) -> bytes:
    """Returns a mask as bits, the lowest of a byte first."""
    return np.packbits(mask, bitorder="little").tobytes()


def mask_of(bits: bytes, count: int) -> Bool[BoolArray, " N"]:
    """Returns bits as a mask of `count` rows."""
    known = np.unpackbits(np.frombuffer(bits, np.uint8), bitorder="little", count=min(count, 8 * len(bits)))
    mask = np.zeros(count, np.bool_)
    mask[: len(known)] = known
    return mask


def opacities(state: EditState) -> FloatArray:
    """Returns the opacity of each row, 0 to 1."""
    return 0.5 * (1.0 + np.tanh(0.5 * state.rows.opacity_logits.astype(np.float64)))


def extents_m(state: EditState) -> FloatArray:
    """Returns the longest standard deviation of each row."""
    first, second, third = state.rows.log_scales.T
    return np.exp(np.minimum(np.maximum(np.maximum(first, second), third), 40.0).astype(np.float64))


def _held(state: EditState, selection: Selection) -> BoolArray:
    match selection:
        case Everything():
            return np.ones(len(state), np.bool_)
        case Box():
            return _in_box(state, selection)
        case Sphere():
            return _in_sphere(state, selection)
        case Brush():
            return _under_brush(state, selection)
        case NearColor():
            wanted = lab_from_srgb(np.array(selection.color_rgb))
            distances = np.linalg.norm(lab_from_srgb(base_colors(state.rows.sh)) - wanted, axis=1)
            return distances <= selection.tolerance
        case Connected():
            return _connected(state, selection)
        case Range():
            return _in_range(state, selection)
        case Mask():
            return mask_of(selection.bits, len(state))
        case Inverted():
            return ~_held(state, selection.part)
        case Combined():
            masks = [_held(state, part) for part in selection.parts]
            match selection.method:
                case Method.UNION:
                    return reduce(np.logical_or, masks)
                case Method.INTERSECTION:
                    return reduce(np.logical_and, masks)
                case Method.DIFFERENCE:
                    return reduce(lambda kept, taken: kept & ~taken, masks)


def _in_box(state: EditState, box: Box) -> BoolArray:
    rotation = Placement(quaternion_wxyz=box.quaternion_wxyz).rotation()
    offsets = (state.rows.means_m - np.array(box.center_m, np.float32)) @ rotation.astype(np.float32)
    inside: BoolArray = np.abs(offsets) <= np.array(box.size_m, np.float32) / 2
    return inside[:, 0] & inside[:, 1] & inside[:, 2]


def _in_sphere(state: EditState, sphere: Sphere) -> BoolArray:
    offsets = state.rows.means_m - np.array(sphere.center_m, np.float32)
    distances: Float32Array = np.sqrt(np.einsum("ij,ij->i", offsets, offsets))
    return np.asarray(distances <= sphere.radius_m)


def _in_range(state: EditState, wanted: Range) -> BoolArray:
    held = np.ones(len(state), np.bool_)
    if wanted.min_opacity is not None or wanted.max_opacity is not None:
        opacity = opacities(state)
        held &= (opacity >= (wanted.min_opacity or 0.0)) & (
            opacity <= (1.0 if wanted.max_opacity is None else wanted.max_opacity)
        )
    if wanted.min_extent_m is not None or wanted.max_extent_m is not None:
        extent = extents_m(state)
        held &= (extent >= (wanted.min_extent_m or 0.0)) & (
            extent <= (math.inf if wanted.max_extent_m is None else wanted.max_extent_m)
        )
    return held


def _connected(state: EditState, wanted: Connected) -> BoolArray:
    held = np.zeros(len(state), np.bool_)
    i_alive = np.flatnonzero(state.is_alive)
    labels, counts = components(state.rows.means_m[i_alive], gap_m=wanted.gap_m)
    if not len(counts):
        return held
    if wanted.seed is not None:
        is_meant = np.zeros(len(counts), np.bool_)
        is_meant[labels[_held(state, wanted.seed)[i_alive]]] = True
    elif wanted.is_largest:
        is_meant = np.arange(len(counts)) == int(np.argmax(counts))
    else:
        is_meant = counts <= wanted.max_count
    held[i_alive] = is_meant[labels]
    return held


def _under_brush(state: EditState, brush: Brush) -> BoolArray:
    held = np.zeros(len(state), np.bool_)
    camera_from_world = brush.camera.camera_from_world
    points = state.rows.means_m.astype(np.float64) @ camera_from_world[:3, :3].T + camera_from_world[:3, 3]
    i_seen = np.flatnonzero((points[:, 2] > 1e-6) & state.is_alive)
    depths = points[i_seen, 2]
    with np.errstate(over="ignore"):
        places = points[i_seen, :2] / depths[:, None] * np.array(brush.camera.focal_px) + np.array(
            brush.camera.centre_px
        )
    is_under = _near_stroke(places, brush)
    i_under, places, depths = i_seen[is_under], places[is_under], depths[is_under]
    if not brush.is_through and len(i_under):
        in_front = _front(places, depths, opacities(state)[i_under], extents_m(state)[i_under], brush)
        i_under = i_under[in_front]
    held[i_under] = True
    return held


def _near_stroke(places: FloatArray, brush: Brush) -> BoolArray:
    """Which places of the picture are within the brush's radius of the stroke."""
    stroke = np.array(brush.points_px, np.float64)
    low, high = stroke.min(axis=0) - brush.radius_px, stroke.max(axis=0) + brush.radius_px
    i_close = np.flatnonzero(((places >= low) & (places <= high)).all(axis=1))
    close, is_near = places[i_close], np.zeros(len(i_close), np.bool_)
    starts, ends = stroke, np.concatenate([stroke[1:], stroke[-1:]])
    for start, end in zip(starts, ends, strict=True):
        i_open = np.flatnonzero(~is_near)
        along = end - start
        length = float(along @ along)
        offsets = close[i_open] - start
        share = np.clip(offsets @ along / length, 0.0, 1.0) if length > 0 else np.zeros(len(i_open))
        gaps = offsets - share[:, None] * along
        is_near[i_open] = np.einsum("ij,ij->i", gaps, gaps) <= brush.radius_px**2
    held = np.zeros(len(places), np.bool_)
    held[i_close] = is_near
    return held


def _front(
    places: FloatArray, depths: FloatArray, opacity: FloatArray, extent_m: FloatArray, brush: Brush
) -> BoolArray:
    """Which of the Gaussians under a brush are on the front surface.

    In each cell of the picture they are passed from near to far, until half of the ray is taken; the surface reaches from there as far back as the Gaussian
    that took it is thick. A Gaussian counts in the cell of its centre alone, so a surface thinner than the cells lets through more than its picture does.
    """
    low = places.min(axis=0)
    span = float((places.max(axis=0) - low).max())
    cell_px = max(_MIN_CELL_PX, brush.radius_px / 4, span / _MAX_CELLS)
    columns, rows = np.floor((places - low) / cell_px).astype(np.int64).T
    cells: IntArray = rows * (_MAX_CELLS + 2) + columns
    order = np.lexsort((depths, cells))
    sorted_cells = cells[order]
    is_first = np.concatenate([[True], sorted_cells[1:] != sorted_cells[:-1]])
    i_cell = np.cumsum(is_first) - 1
    taken = -np.log1p(-np.minimum(opacity[order], 0.99))
    total = np.cumsum(taken)
    before_cell = (total - taken)[is_first][i_cell]
    is_closed = total - before_cell >= -math.log(1 - _SURFACE_ALPHA)
    # the first that closes its cell; where none does, the surface is never reached and all are in front
    closing = np.flatnonzero(is_closed)
    limit = np.full(int(i_cell[-1]) + 1, np.inf)
    first_closing = closing[np.unique(i_cell[closing], return_index=True)[1]]
    limit[i_cell[first_closing]] = depths[order][first_closing] + _SURFACE_DEVIATIONS * extent_m[order][first_closing]
    is_front = np.zeros(len(places), np.bool_)
    is_front[order] = depths[order] <= limit[i_cell]
    return is_front


def _check_numbers(*groups: Sequence[float]) -> None:
    for number in (number for group in groups for number in group):
        if not math.isfinite(number) or abs(number) > _MAX_ABS:
            raise InvalidSelectionError(f"Numbers of a selection are finite and at most 1e6, not {number!r}.")
