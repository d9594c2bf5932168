"""What can be done to a world, and doing it: a state and a selection in, a state out. The same input gives the same bytes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float64

from editing_service.core.arrays import BoolArray, FloatArray
from editing_service.core.errors import EmptySelectionError, InvalidEditError
from editing_service.core.floaters import FloaterRules, find_floaters
from editing_service.core.ground import find_levelling
from editing_service.core.holes import fill_hole
from editing_service.core.inserts import gaussians_on_mesh
from editing_service.core.neighbours import median_spacing
from editing_service.core.placement import Placement, placed
from editing_service.core.recolor import Shift, ToColor, recolored
from editing_service.core.relight import Light, relit
from editing_service.core.selections import opacities
from editing_service.core.state import EditState, check_numbers, joined
from praxiscope_worlds import GaussianWorld, Mesh

# Of what is nearly transparent no ground is made.
_SOLID_OPACITY = 0.5
_GROUND_TOLERANCE_SHARE = 0.01
_RADIUS_PERCENTILE = 75.0


@dataclass(frozen=True, kw_only=True)
class Delete:
    """Takes the selected away."""


@dataclass(frozen=True, kw_only=True)
class Crop:
    """Takes everything else away."""


@dataclass(frozen=True, kw_only=True)
class Transform:
    """Moves, turns and scales the selected.

    Attributes:
        placement: Where to; without a pivot, about the median of their centres.
    """

    placement: Placement


@dataclass(frozen=True, kw_only=True)
class RemoveFloaters:
    """Takes away what of the selected floats.

    Attributes:
        rules: What floating is.
    """

    rules: FloaterRules = field(default_factory=FloaterRules)


@dataclass(frozen=True, kw_only=True)
class LevelGround:
    """Turns the world so that the ground among the selected is level, at y = 0.

    Attributes:
        tolerance_m: How far from the plane a centre may lie; None: a hundredth of the world's radius.
        seed: Of the search.
    """

    tolerance_m: float | None = None
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Recolor:
    """Gives the selected another colour.

    Attributes:
        to: Which.
        blend_m: Over which length the border goes over; 0 leaves it hard, None: 8 times the median spacing.
        strength: How much of it, 0 to 1.
    """

    to: ToColor | Shift
    blend_m: float | None = None
    strength: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Duplicate:
    """Puts copies of the selected elsewhere.

    Attributes:
        placement: Where to, as of a transform.
    """

    placement: Placement


@dataclass(frozen=True, kw_only=True)
class Relight:
    """Lights the selected anew.

    Attributes:
        light: By what.
    """

    light: Light


@dataclass(frozen=True, kw_only=True)
class FillHole:
    """Fills a hole that the selected surround.

    Attributes:
        max_count: At most so many new Gaussians.
        seed: Of the draw of which are copied.
    """

    max_count: int = 20_000
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Insert:
    """Puts in another world, or a mesh.

    Attributes:
        asset_version: Whose file it is.
        path: The file.
        placement: Where to; without a pivot, about the origin.
        mesh_count: How many Gaussians a mesh becomes.
    """

    asset_version: str
    path: str
    placement: Placement = field(default_factory=Placement)
    mesh_count: int = 50_000


Operation: TypeAlias = (
    Delete | Crop | Transform | RemoveFloaters | LevelGround | Recolor | Duplicate | Relight | FillHole | Insert
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Surroundings:
    """What an operation needs beside the world.

    Attributes:
        viewpoints_m: From where the world is seen, [C, 3].
        inserted: What is put in, where something is.
        max_row_count: Most rows that may come of it.
    """

    viewpoints_m: Float64[FloatArray, "C 3"]
    inserted: GaussianWorld | Mesh | None = None
    max_row_count: int = 20_000_000


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcome:
    """What came of an operation.

    Attributes:
        state: The world after it.
        summary: What was done, for a person to read.
    """

    state: EditState
    summary: str


def may_touch(operation: Operation, state: EditState, is_selected: Bool[BoolArray, " N"]) -> Bool[BoolArray, " N"]:
    """Returns which rows an operation may change or take away, [N]; every other one must stay what it is, bit for bit."""
    match operation:
        case Crop():
            return state.is_alive & ~is_selected
        case LevelGround():
            return state.is_alive
        case Duplicate() | FillHole() | Insert():
            return np.zeros(len(state), np.bool_)
        case _:
            return is_selected


def apply(
    state: EditState, is_selected: Bool[BoolArray, " N"], operation: Operation, surroundings: Surroundings
) -> Outcome:
    """Does what an operation says to the selected Gaussians.

    Raises:
        EmptySelectionError: Nothing is selected, and the operation is none that needs nothing.
        InvalidEditError: What would come of it is no world.
        GroundNotFoundError: There is no ground among the selected.
        HoleNotFoundError: The selected surround no hole.
        InvalidSelectionError: A gap is too small for the world.
    """
    count = int(np.count_nonzero(is_selected))
    if not count and not isinstance(operation, Insert):
        raise EmptySelectionError()
    match operation:
        case Delete():
            return Outcome(state=_without(state, is_selected), summary=f"deleted {_gaussians(count)}")
        case Crop():
            return Outcome(state=_without(state, ~is_selected), summary=f"cropped to {_gaussians(count)}")
        case RemoveFloaters():
            floats = find_floaters(state, operation.rules) & is_selected
            summary = f"removed {int(floats.sum()):,} floaters of {_gaussians(count)}"
            return Outcome(state=_without(state, floats), summary=summary)
        case Transform():
            return _transform(state, is_selected, operation.placement)
        case LevelGround():
            return _level(state, is_selected, operation)
        case Recolor():
            sh = recolored(state, is_selected, operation.to, strength=operation.strength, blend_m=operation.blend_m)
            return Outcome(
                state=replace(state, rows=replace(state.rows, sh=sh)), summary=f"recoloured {_gaussians(count)}"
            )
        case Relight():
            return _relight(state, is_selected, operation.light, surroundings.viewpoints_m)
        case Duplicate():
            copies = _placed(state.rows.select(is_selected), operation.placement, _pivot(state, is_selected))
            return Outcome(state=_with(state, copies, surroundings), summary=f"duplicated {_gaussians(count)}")
        case FillHole():
            return _fill(state, is_selected, operation, surroundings)
        case Insert():
            return _insert(state, operation, surroundings)


def _gaussians(count: int) -> str:
    return f"{count:,} Gaussian{'' if count == 1 else 's'}"


def _without(state: EditState, is_removed: BoolArray) -> EditState:
    return replace(state, is_alive=state.is_alive & ~is_removed)


def _with(state: EditState, added: GaussianWorld, surroundings: Surroundings) -> EditState:
    """Returns the state with rows behind its own.

    Raises:
        InvalidEditError: There would be too many, or they are no world's.
    """
    count = len(state) + len(added)
    if count > surroundings.max_row_count:
        raise InvalidEditError(
            f"The world would have {count:,} rows; at most {surroundings.max_row_count:,} are edited here.",
            metadata={"row_count": str(count), "max_row_count": str(surroundings.max_row_count)},
        )
    check_numbers(added, slice(None))
    is_alive = np.concatenate([state.is_alive, np.ones(len(added), np.bool_)])
    return replace(state, rows=joined(state.rows, added), is_alive=is_alive)


def _pivot(state: EditState, is_selected: BoolArray) -> FloatArray:
    return np.median(state.rows.means_m[is_selected].astype(np.float64), axis=0)


def _placed(rows: GaussianWorld, placement: Placement, pivot_m: FloatArray) -> GaussianWorld:
    pivot = pivot_m if placement.pivot_m is None else np.array(placement.pivot_m)
    with np.errstate(over="ignore"):  # what is too large for float32 is told by `check_numbers`
        return placed(rows, placement, pivot)


def _replaced(state: EditState, which: BoolArray, rows: GaussianWorld, names: tuple[str, ...]) -> EditState:
    """Returns the state with other numbers in some rows.

    Raises:
        InvalidEditError: They are no world's.
    """
    check_numbers(rows, slice(None))
    changed = {}
    for name in names:
        array = getattr(state.rows, name).copy()
        array[which] = getattr(rows, name)
        changed[name] = array
    return replace(state, rows=replace(state.rows, **changed))


def _transform(state: EditState, is_selected: BoolArray, placement: Placement) -> Outcome:
    moved = _placed(state.rows.select(is_selected), placement, _pivot(state, is_selected))
    names = ["means_m"]
    if placement.scale != 1.0:
        names.append("log_scales")
    if placement.is_turned:
        names.append("quaternions_wxyz")
        if state.rows.sh_degree:
            names.append("sh")
    return Outcome(
        state=_replaced(state, is_selected, moved, tuple(names)),
        summary=f"moved {_gaussians(int(is_selected.sum()))}",
    )


def _level(state: EditState, is_selected: BoolArray, operation: LevelGround) -> Outcome:
    points = state.rows.means_m[is_selected & (opacities(state) >= _SOLID_OPACITY)].astype(np.float64)
    tolerance_m = operation.tolerance_m
    if tolerance_m is None:
        alive = state.rows.means_m[state.is_alive].astype(np.float64)
        distances = np.linalg.norm(alive - np.median(alive, axis=0), axis=1)
        tolerance_m = max(_GROUND_TOLERANCE_SHARE * float(np.percentile(distances, _RADIUS_PERCENTILE)), 1e-9)
    placement, share = find_levelling(points, tolerance_m=tolerance_m, random=np.random.default_rng(operation.seed))
    # dead rows go along: nobody sees them, and no array need be taken apart
    rows = placed(state.rows, placement, np.zeros(3))
    check_numbers(rows, state.is_alive)
    turn = np.eye(4)
    turn[:3, :3], turn[:3, 3] = placement.rotation(), placement.translation_m
    tilt_deg = float(np.degrees(2 * np.arccos(min(1.0, abs(placement.quaternion_wxyz[0])))))
    return Outcome(
        state=EditState(rows=rows, is_alive=state.is_alive, world_from_base=turn @ state.world_from_base),
        summary=f"levelled the ground: turned by {tilt_deg:.1f} degrees; {share:.0%} of the selected lie on it",
    )


def _relight(state: EditState, is_selected: BoolArray, light: Light, viewpoints_m: FloatArray) -> Outcome:
    rows = state.rows.select(is_selected)
    changed = replace(rows, sh=relit(rows, light, viewpoints_m))
    return Outcome(
        state=_replaced(state, is_selected, changed, ("sh",)), summary=f"relit {_gaussians(int(is_selected.sum()))}"
    )


def _fill(state: EditState, is_selected: BoolArray, operation: FillHole, surroundings: Surroundings) -> Outcome:
    rows = state.rows.select(is_selected)
    random = np.random.default_rng(operation.seed)
    spacing_m = median_spacing(rows.means_m)
    filling = fill_hole(rows, spacing_m=spacing_m, max_count=operation.max_count, random=random)
    return Outcome(state=_with(state, filling, surroundings), summary=f"filled a hole with {_gaussians(len(filling))}")


def _insert(state: EditState, operation: Insert, surroundings: Surroundings) -> Outcome:
    inserted = surroundings.inserted
    match inserted:
        case Mesh():
            if len(state) + operation.mesh_count > surroundings.max_row_count:
                raise InvalidEditError("The mesh would become more Gaussians than are edited here; ask for fewer.")
            random = np.random.default_rng(0)
            rows = gaussians_on_mesh(inserted, count=operation.mesh_count, random=random)
        case GaussianWorld():
            rows = inserted
        case None:
            raise InvalidEditError("There is nothing to put in.")
    rows = _placed(rows, operation.placement, np.zeros(3))
    return Outcome(state=_with(state, rows, surroundings), summary=f"put in {_gaussians(len(rows))}")
