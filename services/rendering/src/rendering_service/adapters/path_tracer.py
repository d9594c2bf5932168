"""Traces paths of light with Mitsuba 3: colours with shadows and light from surface to surface, and depth and normals by one ray a pixel.

Runs in the drawing program, never in a service: it compiles machine code. Two of Mitsuba's variants are used: `llvm_ad_rgb`, which compiles for this
processor's vectors with LLVM, and `scalar_rgb`, which needs nothing and takes several times as long.
Source: W. Jakob et al., "Mitsuba 3", and "Dr.Jit: A Just-In-Time Compiler for Differentiable Rendering", SIGGRAPH 2022.
"""

# ruff: noqa: ANN401 - Mitsuba's objects are known where it is loaded only

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from praxiscope_worlds import Camera, InvalidViewError
from rendering_service.adapters.mesh_scene import MeshScene
from rendering_service.core.daylight import Daylight, sky_rows

NEAR_M = 0.01
# Light is followed over so many edges; of what is outdoors and not white, less than a hundredth would come after them.
_MAX_DEPTH = 6
# Samples traced at once: 4 million take some 300 MB (measured), whatever the picture's size.
_PASS_SAMPLES = 1 << 22
# A direction's colours change slowly; a wide table would only be sampled worse.
_SKY_COLUMNS = 4
_SEED_STEP = 7919
# Lenses of pictures differ less between across and down than this, relatively; Mitsuba has one number for both.
_FOCAL_TOLERANCE = 1e-4


class PathTracer:
    """A mesh in a scene of Mitsuba's.

    Args:
        scene: What is drawn.
        daylight: Light; None: colours as they are.
        is_compiled: With LLVM; else the scalar variant.
        thread_count: Threads of it.
    """

    def __init__(self, scene: MeshScene, daylight: Daylight | None, *, is_compiled: bool, thread_count: int) -> None:
        """Loads the variant and hands the mesh over."""
        mitsuba: Any = importlib.import_module("mitsuba")
        drjit: Any = importlib.import_module("drjit")
        mitsuba.set_variant("llvm_ad_rgb" if is_compiled else "scalar_rgb")
        drjit.set_thread_count(thread_count)
        mitsuba.set_log_level(mitsuba.LogLevel.Error)
        self._mitsuba, self._is_daylit = mitsuba, daylight is not None
        described: dict[str, Any] = {"type": "scene"}
        for number, part in enumerate(scene.parts):
            described[f"part{number}"] = self._shape(*part, texture_rgb=scene.texture_rgb)
        if daylight is not None:
            sky = np.repeat(sky_rows()[:, None], _SKY_COLUMNS, axis=1)
            described["sky"] = {"type": "envmap", "bitmap": mitsuba.Bitmap(np.ascontiguousarray(sky))}
            described["sun"] = {
                "type": "directional",
                "direction": [-value for value in daylight.towards_sun],
                "irradiance": {"type": "rgb", "value": [math.pi * value for value in daylight.sun_rgb]},
            }
        self._scene = mitsuba.load_dict(described)
        self._light = mitsuba.load_dict({"type": "path", "max_depth": _MAX_DEPTH})
        self._shapes = mitsuba.load_dict({"type": "aov", "aovs": "depth:depth,normal:geo_normal"})
        self._albedo = mitsuba.load_dict({"type": "aov", "aovs": "albedo:albedo"})

    def color(self, camera: Camera, *, sample_count: int, seed: int, tell: Callable[[float], None]) -> np.ndarray:
        """Linear light, [H, W, 3], float32, the mean of so many paths a pixel; the same for the same question."""
        integrator = self._light if self._is_daylit else self._albedo
        a_pass = max(1, min(sample_count, _PASS_SAMPLES // (camera.width_px * camera.height_px)))
        total = np.zeros((camera.height_px, camera.width_px, 3), np.float32)
        sensor, done = self._sensor(camera, {"type": "independent"}), 0
        while done < sample_count:
            now = min(a_pass, sample_count - done)
            drawn = self._mitsuba.render(
                self._scene, sensor=sensor, integrator=integrator, spp=now, seed=_SEED_STEP * done + seed
            )
            # A path between faces without area may end in no number; it then counts as dark.
            total += now * np.nan_to_num(np.array(drawn, np.float32)[..., :3], posinf=0.0, neginf=0.0)
            done += now
            tell(done / sample_count)
        return total / sample_count

    def shape(self, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
        """Depth [H, W], NaN where nothing is, and normals [H, W, 3] in the world's frame, 0 there."""
        sensor = self._sensor(camera, {"type": "stratified", "jitter": False, "sample_count": 1})
        found = np.array(self._mitsuba.render(self._scene, sensor=sensor, integrator=self._shapes, spp=1), np.float32)
        distance, normal = found[..., 0], found[..., 1:4]
        # Mitsuba's distance is along the ray and begins at the near plane.
        x = (np.arange(camera.width_px) + 0.5 - camera.centre_px[0]) / camera.focal_px[0]
        y = (np.arange(camera.height_px) + 0.5 - camera.centre_px[1]) / camera.focal_px[1]
        directions = np.stack([*np.broadcast_arrays(x[None], y[:, None]), np.ones(distance.shape)], axis=-1)
        depth = distance / np.linalg.norm(directions, axis=-1) + NEAR_M
        # Turned towards the camera.
        away = np.einsum("hwi,ji,hwj->hw", directions, camera.world_from_camera[:3, :3], normal) > 0
        normal = np.where(away[..., None], -normal, normal)
        return np.where(distance > 0.0, depth, np.nan).astype(np.float32), normal.astype(np.float32)

    def _shape(
        self, vertices: np.ndarray, faces: np.ndarray, albedo: np.ndarray, uvs: np.ndarray, *, texture_rgb: np.ndarray
    ) -> Any:
        mitsuba = self._mitsuba
        reflectance: dict[str, Any] = {"type": "mesh_attribute", "name": "vertex_color"}
        if len(uvs):
            bitmap = mitsuba.Bitmap(texture_rgb, mitsuba.Bitmap.PixelFormat.RGB)
            bitmap.set_srgb_gamma(True)
            reflectance = {"type": "bitmap", "bitmap": bitmap, "filter_type": "bilinear", "wrap_mode": "repeat"}
        properties = mitsuba.Properties()
        properties["bsdf"] = mitsuba.load_dict(
            {"type": "twosided", "surface": {"type": "diffuse", "reflectance": reflectance}}
        )
        shape = mitsuba.Mesh(
            "part", len(vertices), len(faces), has_vertex_normals=False, has_vertex_texcoords=len(uvs) > 0, props=properties
        )  # fmt: skip
        shape.add_attribute("vertex_color", 3, np.ravel(albedo))
        parameters = mitsuba.traverse(shape)
        parameters["vertex_positions"] = np.ravel(vertices)
        parameters["faces"] = np.ravel(faces).astype(np.uint32)
        if len(uvs):
            # Mitsuba counts from the top.
            parameters["vertex_texcoords"] = np.ravel(np.stack([uvs[:, 0], 1.0 - uvs[:, 1]], axis=1))
        parameters.update()
        return shape

    def _sensor(self, camera: Camera, sampler: dict[str, Any]) -> Any:
        (focal_x, focal_y), (centre_x, centre_y) = camera.focal_px, camera.centre_px
        if abs(focal_x / focal_y - 1.0) > _FOCAL_TOLERANCE:
            raise InvalidViewError(
                f"Path tracing wants a lens with one focal length; this one has {focal_x:.6g} and {focal_y:.6g}.",
                metadata={"focal_x_px": str(focal_x), "focal_y_px": str(focal_y)},
            )
        # Mitsuba's cameras look along z too, but their x is left and their y up.
        pose = camera.world_from_camera @ np.diag([-1.0, -1.0, 1.0, 1.0])
        return self._mitsuba.load_dict(
            {
                "type": "perspective",
                "fov": math.degrees(2.0 * math.atan(0.5 * camera.width_px / focal_x)),
                "fov_axis": "x",
                "near_clip": NEAR_M,
                "far_clip": 1e10,
                # Of the picture's middle from the principal point.
                "principal_point_offset_x": 0.5 - centre_x / camera.width_px,
                "principal_point_offset_y": 0.5 - centre_y / camera.height_px,
                "to_world": self._mitsuba.ScalarTransform4f(pose.tolist()),
                "film": {
                    "type": "hdrfilm",
                    "width": camera.width_px,
                    "height": camera.height_px,
                    "rfilter": {"type": "box"},
                    "pixel_format": "rgb",
                },
                "sampler": sampler,
            }
        )
