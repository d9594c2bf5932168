"""Gaussians in .glb by KHR_gaussian_splatting: every number as float32, extents and opacities in plain numbers instead of logarithms and logits.

Lost: nothing but the rounding of exp and the logistic function; opacities closer to 0 or 1 than a millionth are kept that far away.
Frame: the world's own. Nodes may move, turn and scale evenly; harmonics are turned with them.
Source: Khronos, KHR_gaussian_splatting, "Attributes"; extents are linear as in its final text (drafts before 2026 held logarithms).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from praxiscope_worlds._gaussians import SH_C0, SH_COUNTS, GaussianWorld
from praxiscope_worlds.formats._arrays import (
    check_writable,
    finish_world,
    log_scales_of,
    logits_of,
    opacities_of,
    scales_of,
)
from praxiscope_worlds.formats._check import Check, FindingCode
from praxiscope_worlds.formats._glb import GlbBuilder, Gltf, PlacedPrimitive
from praxiscope_worlds.formats._harmonics import turned_harmonics

EXTENSION = "KHR_gaussian_splatting"
_KERNEL, _COLOR_SPACE = "ellipse", "srgb_rec709_display"
_POINTS = 0
_OPACITY_MARGIN = 1e-6
# A transform's columns may differ so much in length and in their right angles.
_SIMILARITY_TOLERANCE = 1e-4
_SH_NAME = re.compile(rf"{EXTENSION}:SH_DEGREE_(\d)_COEF_(\d)")


def write_gaussian_glb(world: GaussianWorld) -> Iterator[bytes]:
    """Writes a world as one primitive of points, with colours for viewers that do not know the extension."""
    world = check_writable(world)
    builder = GlbBuilder()
    opacities = opacities_of(world.opacity_logits)
    fallback = np.concatenate([0.5 + SH_C0 * world.sh[:, 0], opacities[:, None]], axis=1)
    has_gaussians = len(world) > 0
    attributes = {}
    if has_gaussians:
        attributes = {
            "POSITION": builder.add_array(world.means_m, has_bounds=True),
            "COLOR_0": builder.add_array(np.clip(np.rint(fallback * 255), 0, 255).astype(np.uint8), is_normalized=True),
            f"{EXTENSION}:ROTATION": builder.add_array(world.quaternions_wxyz[:, [1, 2, 3, 0]]),
            f"{EXTENSION}:SCALE": builder.add_array(scales_of(world.log_scales)),
            f"{EXTENSION}:OPACITY": builder.add_array(opacities),
        }
        for i_coefficient, name in enumerate(_sh_names(world.sh_degree)):
            attributes[name] = builder.add_array(world.sh[:, i_coefficient])
    extension = {
        "kernel": _KERNEL,
        "colorSpace": _COLOR_SPACE,
        "projection": "perspective",
        "sortingMethod": "cameraDistance",
    }
    primitive = {"attributes": attributes, "mode": _POINTS, "extensions": {EXTENSION: extension}}
    tree = {"extensionsUsed": [EXTENSION], "scene": 0, "scenes": [{"nodes": [0] if has_gaussians else []}]}
    if has_gaussians:
        tree |= {"nodes": [{"mesh": 0, "name": "world"}], "meshes": [{"primitives": [primitive]}]}
    yield from builder.chunks(tree)


def read_gaussian_glb(check: Check, data: memoryview) -> GaussianWorld:
    """Reads all Gaussians of the scene; primitives of other kinds are left out and told."""
    gltf = Gltf(check, data)
    worlds, count = [], 0
    for placed in gltf.placed_primitives():
        extensions = gltf.object(placed.tree.get("extensions", {}), f"{placed.where}.extensions")
        if EXTENSION not in extensions:
            check.note(FindingCode.LEFT_OUT, placed.where, "a primitive without Gaussians")
            continue
        found = gltf.object(extensions[EXTENSION], f"{placed.where}.{EXTENSION}")
        check.need(
            "extensions" not in found,
            FindingCode.UNSUPPORTED,
            placed.where,
            "compressed or extended Gaussians are not read",
        )
        for name, wanted in (("kernel", _KERNEL), ("colorSpace", _COLOR_SPACE)):
            check.need(
                found.get(name) == wanted,
                FindingCode.UNSUPPORTED,
                f"{placed.where}.{name}",
                f"{str(found.get(name))[:40]!r}; {wanted!r} is read",
            )
        worlds.append(_read_primitive(check, gltf, placed))
        count += len(worlds[-1])
        check.limit(count, check.limits.max_gaussians, "Gaussians")
    if len(worlds) == 1:
        return worlds[0]
    return _together(worlds)


def _read_primitive(check: Check, gltf: Gltf, placed: PlacedPrimitive) -> GaussianWorld:
    where = f"{placed.where}.attributes"
    attributes = gltf.object(placed.tree.get("attributes"), where)

    def column(name: str, width: int) -> np.ndarray:
        check.need(name in attributes, FindingCode.MISSING, where, f"no {name}")
        values = gltf.accessor(attributes[name], f"{where}.{name}", widths=(width,))
        check.limit(len(values), check.limits.max_gaussians, "Gaussians")
        return values.astype(np.float32, copy=False)

    means = column("POSITION", 3)
    scales = column(f"{EXTENSION}:SCALE", 3)
    with np.errstate(invalid="ignore"):
        check.need(
            not np.any(scales < 0),
            FindingCode.OUT_OF_RANGE,
            f"{where}.SCALE",
            "an extent is negative; drafts of the extension held logarithms, which are not read",
        )
        opacities = column(f"{EXTENSION}:OPACITY", 1)[:, 0]
        check.need(
            not np.any((opacities < 0) | (opacities > 1)),
            FindingCode.OUT_OF_RANGE,
            f"{where}.OPACITY",
            "it leaves [0, 1]",
        )
        log_scales = log_scales_of(scales)
    degrees = [int(match[1]) for name in attributes if (match := _SH_NAME.fullmatch(name))]
    degree = max(degrees, default=0)
    check.need(degree < len(SH_COUNTS), FindingCode.UNSUPPORTED, where, f"harmonics of degree {degree}; at most 3")
    sh = [column(name, 3) for name in _sh_names(degree)]
    quaternions = column(f"{EXTENSION}:ROTATION", 4)
    for name, values in {"SCALE": scales, "OPACITY": opacities, "ROTATION": quaternions, "harmonics": sh[0]}.items():
        check.need(
            len(values) == len(means), FindingCode.INCONSISTENT, where, f"{len(values)} {name} for {len(means)} centres"
        )
    check.need(
        all(len(values) == len(means) for values in sh), FindingCode.INCONSISTENT, where, "harmonics differ in count"
    )
    world = finish_world(
        check,
        means=means,
        quaternions=quaternions[:, [3, 0, 1, 2]],
        log_scales=log_scales,
        opacity_logits=logits_of(opacities, margin=_OPACITY_MARGIN),
        sh=np.stack(sh, axis=1),
        is_turned=False,
    )
    return _placed(check, world, placed)


def _placed(check: Check, world: GaussianWorld, placed: PlacedPrimitive) -> GaussianWorld:
    matrix = placed.world_from_local
    if np.array_equal(matrix, np.eye(4)):
        return world
    scale = float(np.cbrt(np.linalg.det(matrix[:3, :3])))
    is_similar = scale > 0 and np.allclose(
        matrix[:3, :3] @ matrix[:3, :3].T, scale**2 * np.eye(3), atol=_SIMILARITY_TOLERANCE * scale**2
    )
    check.need(
        is_similar,
        FindingCode.UNSUPPORTED,
        placed.where,
        "its node scales unevenly, shears or mirrors, which Gaussians with harmonics cannot follow",
    )
    rotation = matrix[:3, :3] / scale
    turn = turned_harmonics(rotation, degree=world.sh_degree)
    return GaussianWorld(
        means_m=(world.means_m @ matrix[:3, :3].T + matrix[:3, 3]).astype(np.float32),
        quaternions_wxyz=_turned(rotation, world.quaternions_wxyz),
        log_scales=(world.log_scales + np.log(scale)).astype(np.float32),
        opacity_logits=world.opacity_logits,
        sh=np.einsum("kl,nlc->nkc", turn, world.sh).astype(np.float32),
    )


def _turned(rotation: np.ndarray, quaternions_wxyz: np.ndarray) -> np.ndarray:
    """The quaternions of `rotation @ R(q)`."""
    # The quaternion of a rotation is the eigenvector of its symmetric 4 x 4 form with the largest eigenvalue (Bar-Itzhack 2000): no cases by sign.
    xx, xy, xz, yx, yy, yz, zx, zy, zz = rotation.reshape(-1)
    form = np.array(
        [
            [xx + yy + zz, zy - yz, xz - zx, yx - xy],
            [zy - yz, xx - yy - zz, xy + yx, xz + zx],
            [xz - zx, xy + yx, yy - xx - zz, yz + zy],
            [yx - xy, xz + zx, yz + zy, zz - xx - yy],
        ]
    )
    w, x, y, z = np.linalg.eigh(form)[1][:, -1]
    left = np.array([[w, -x, -y, -z], [x, w, -z, y], [y, z, w, -x], [z, -y, x, w]])
    return (quaternions_wxyz @ left.T).astype(np.float32)


def _together(worlds: list[GaussianWorld]) -> GaussianWorld:
    """One world of several; where degrees differ, coefficients that some lack are zeros."""
    width = max((world.sh.shape[1] for world in worlds), default=1)
    harmonics = [np.pad(world.sh, ((0, 0), (0, width - world.sh.shape[1]), (0, 0))) for world in worlds]
    none = np.zeros((0, 4), np.float32)
    return GaussianWorld(
        means_m=np.concatenate([none[:, :3], *(world.means_m for world in worlds)]),
        quaternions_wxyz=np.concatenate([none, *(world.quaternions_wxyz for world in worlds)]),
        log_scales=np.concatenate([none[:, :3], *(world.log_scales for world in worlds)]),
        opacity_logits=np.concatenate([none[:, 0], *(world.opacity_logits for world in worlds)]),
        sh=np.concatenate([np.zeros((0, width, 3), np.float32), *harmonics]),
    )


def _sh_names(degree: int) -> list[str]:
    return [
        f"{EXTENSION}:SH_DEGREE_{i_degree}_COEF_{i_coefficient}"
        for i_degree in range(degree + 1)
        for i_coefficient in range(2 * i_degree + 1)
    ]
