"""Draws meshes with OpenGL through EGL, without a window: colours, and depth and normals at the pixels' middles.

Depth is written linearly, so that near and far things are told apart alike. Normals are those of faces, turned towards the camera. Light is that of
`core/daylight.py`, without shadows. Runs in the drawing program, never in a service: drivers are native code.
"""

# ruff: noqa: ANN401 - moderngl's objects are known where it is loaded only

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

from praxiscope_worlds import Camera
from rendering_service.adapters.mesh_scene import MeshScene
from rendering_service.core.daylight import SKY_ROWS, Daylight, sky_on_surfaces, sky_rows

NEAR_M = 0.01
_SAMPLES = 4
_VERTEX = """
#version 330
uniform mat4 clip_from_world;
in vec3 in_position; in vec3 in_color; in vec2 in_uv;
out vec3 corner_position; out vec3 corner_color; out vec2 corner_uv;
void main() {
    corner_position = in_position; corner_color = in_color; corner_uv = in_uv;
    gl_Position = clip_from_world * vec4(in_position, 1.0);
}
"""
# A face's normal is the same all over it, which only here is known of all three corners.
_GEOMETRY = """
#version 330
layout(triangles) in;
layout(triangle_strip, max_vertices = 3) out;
uniform vec3 eye;
in vec3 corner_position[]; in vec3 corner_color[]; in vec2 corner_uv[];
flat out vec3 normal; out vec3 color; out vec2 uv; out float depth;
void main() {
    vec3 across = cross(corner_position[1] - corner_position[0], corner_position[2] - corner_position[0]);
    float size = length(across);
    if (size == 0.0) return;
    across /= size;
    if (dot(across, eye - corner_position[0]) < 0.0) across = -across;
    for (int i = 0; i < 3; ++i) {
        normal = across; color = corner_color[i]; uv = corner_uv[i]; depth = gl_in[i].gl_Position.w;
        gl_Position = gl_in[i].gl_Position;
        EmitVertex();
    }
    EndPrimitive();
}
"""
_SKY = """
float row_of(float height) { return (acos(clamp(height, -1.0, 1.0)) / 3.14159265 * (ROWS - 1.0) + 0.5) / ROWS; }
""".replace("ROWS", f"{SKY_ROWS}.0")
_COLOR = f"""
#version 330
uniform float far; uniform bool is_daylit; uniform bool has_texture; uniform vec3 towards_sun; uniform vec3 sun;
uniform sampler2D picture; uniform sampler2D sky_on_surfaces;
flat in vec3 normal; in vec3 color; in vec2 uv; in float depth;
out vec4 light;
{_SKY}
void main() {{
    vec3 albedo = has_texture ? texture(picture, uv).rgb : color;
    vec3 falls = vec3(1.0);
    if (is_daylit) falls = sun * max(dot(normal, towards_sun), 0.0) + texture(sky_on_surfaces, vec2(0.5, row_of(normal.y))).rgb;
    light = vec4(albedo * falls, 1.0);
    gl_FragDepth = depth / far;
}}
"""
_SHAPE = """
#version 330
uniform float far;
flat in vec3 normal; in vec3 color; in vec2 uv; in float depth;
out vec4 shape;
void main() { shape = vec4(normal, depth); gl_FragDepth = depth / far; }
"""
_BACK_VERTEX = """
#version 330
in vec2 in_place;
out vec2 place;
void main() { place = in_place; gl_Position = vec4(in_place, 0.0, 1.0); }
"""
# `ray` takes a place in the picture, -1 to 1, to a direction in the world.
_BACK = f"""
#version 330
uniform mat3 ray; uniform sampler2D sky;
in vec2 place;
out vec4 light;
{_SKY}
void main() {{ light = vec4(texture(sky, vec2(0.5, row_of(normalize(ray * vec3(place, 1.0)).y))).rgb, 1.0); }}
"""


class GlRaster:
    """A mesh in a context of OpenGL.

    Args:
        scene: What is drawn.
        daylight: Light; None: colours as they are.
    """

    def __init__(self, scene: MeshScene, daylight: Daylight | None) -> None:
        """Makes the context and hands the mesh over."""
        self._context = open_context()
        self._daylight = daylight
        self._corners = np.concatenate([scene.vertices_m, scene.ground_m]).astype(np.float64)
        self._programs = {
            name: self._context.program(vertex_shader=_VERTEX, geometry_shader=_GEOMETRY, fragment_shader=fragment)
            for name, fragment in (("color", _COLOR), ("shape", _SHAPE))
        }
        self._back = self._context.program(vertex_shader=_BACK_VERTEX, fragment_shader=_BACK)
        triangle = self._context.buffer(np.array([-1, -1, 3, -1, -1, 3], np.float32).tobytes())
        self._back_array = self._context.vertex_array(self._back, [(triangle, "2f", "in_place")])
        self._tables = [self._table(sky_on_surfaces()), self._table(sky_rows())]
        self._picture = self._texture(scene.texture_rgb)
        self._parts = [self._buffers(*part) for part in scene.parts]

    def color(self, camera: Camera, *, sample_count: int, seed: int, tell: Callable[[float], None]) -> np.ndarray:
        """Linear light, [H, W, 3], float32. Neither samples nor a seed matter to a raster."""
        size, gl = (camera.width_px, camera.height_px), self._context
        target = gl.framebuffer(
            [gl.renderbuffer(size, 4, samples=_SAMPLES, dtype="f2")], gl.depth_renderbuffer(size, samples=_SAMPLES)
        )
        resolved = gl.framebuffer([gl.renderbuffer(size, 4, dtype="f2")])
        try:
            target.use()
            target.clear(0.0, 0.0, 0.0, 0.0, depth=1.0)
            if self._daylight is not None:
                gl.disable(gl.DEPTH_TEST)
                self._tables[1].use(0)
                self._back["sky"].value = 0
                self._back["ray"].write(np.ascontiguousarray(_world_from_place(camera).T, np.float32).tobytes())
                self._back_array.render()
            program = self._programs["color"]
            self._tables[0].use(1)
            program["sky_on_surfaces"].value = 1
            daylight = self._daylight or Daylight()
            program["is_daylit"].value = self._daylight is not None
            program["towards_sun"].value = daylight.towards_sun
            program["sun"].value = daylight.sun_rgb
            self._draw("color", camera)
            gl.copy_framebuffer(resolved, target)
            light = _rows_from_top(resolved.read(components=4, dtype="f2", alignment=1), np.float16, camera)
            return light[..., :3].astype(np.float32)
        finally:
            _release(target, resolved)

    def shape(self, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
        """Depth [H, W], NaN where nothing is, and normals [H, W, 3] in the world's frame, 0 there."""
        size, gl = (camera.width_px, camera.height_px), self._context
        target = gl.framebuffer([gl.renderbuffer(size, 4, dtype="f4")], gl.depth_renderbuffer(size))
        try:
            target.use()
            target.clear(0.0, 0.0, 0.0, 0.0, depth=1.0)
            self._draw("shape", camera)
            found = _rows_from_top(target.read(components=4, dtype="f4", alignment=1), np.float32, camera)
        finally:
            _release(target)
        return np.where(found[..., 3] > 0.0, found[..., 3], np.nan), found[..., :3]

    def _draw(self, name: str, camera: Camera) -> None:
        gl, program = self._context, self._programs[name]
        gl.enable(gl.DEPTH_TEST)
        camera_from_world = camera.camera_from_world
        depths = self._corners @ camera_from_world[2, :3] + camera_from_world[2, 3]
        far = max(float(depths.max()) * 1.01, 2.0 * NEAR_M)
        matrix = clip_from_camera(camera, far=far) @ camera_from_world
        program["clip_from_world"].write(np.ascontiguousarray(matrix.T, np.float32).tobytes())
        program["far"].value = far
        program["eye"].value = tuple(float(value) for value in camera.position_m)
        for corners, faces, has_texture in self._parts:
            if name == "color":
                self._picture.use(2)
                program["picture"].value = 2
                program["has_texture"].value = has_texture
            content = [(buffer, layout, attribute) for buffer, layout, attribute in corners if attribute in program]
            array = gl.vertex_array(program, content, index_buffer=faces, index_element_size=4)
            array.render(gl.TRIANGLES)
            array.release()

    def _buffers(
        self, vertices: np.ndarray, faces: np.ndarray, albedo: np.ndarray, uvs: np.ndarray
    ) -> tuple[list[tuple[Any, str, str]], Any, bool]:
        flat = uvs if len(uvs) else np.zeros((len(vertices), 2), np.float32)
        corners = [
            (self._context.buffer(vertices.tobytes()), "3f", "in_position"),
            (self._context.buffer(albedo.tobytes()), "3f", "in_color"),
            (self._context.buffer(flat.tobytes()), "2f", "in_uv"),
        ]
        return corners, self._context.buffer(faces.tobytes()), len(uvs) > 0

    def _texture(self, texture_rgb: np.ndarray) -> Any:
        gl = self._context
        if not texture_rgb.size:
            return gl.texture((1, 1), 3, b"\xff\xff\xff", alignment=1)
        height_px, width_px, _ = texture_rgb.shape
        rows = np.ascontiguousarray(texture_rgb[::-1]).tobytes()
        texture = gl.texture((width_px, height_px), 3, rows, alignment=1, internal_format=_GL_SRGB8)
        texture.filter = gl.LINEAR_MIPMAP_LINEAR, gl.LINEAR
        texture.build_mipmaps()
        return texture

    def _table(self, rows: np.ndarray) -> Any:
        table = self._context.texture((1, len(rows)), 3, np.ascontiguousarray(rows).tobytes(), dtype="f4", alignment=1)
        table.filter = self._context.LINEAR, self._context.LINEAR
        table.repeat_x = table.repeat_y = False
        return table


_GL_SRGB8 = 0x8C41


def open_context() -> Any:
    """A context of OpenGL 3.3 without a window. The libraries' names are those that run, not those that developers' packages add."""
    moderngl: Any = importlib.import_module("moderngl")
    return moderngl.create_context(
        standalone=True, backend="egl", require=330, libgl="libGL.so.1", libegl="libEGL.so.1"
    )


def clip_from_camera(camera: Camera, *, far: float) -> np.ndarray:
    """Takes the camera's frame (y down, z forward) to OpenGL's clip space, whose w is the depth, [4, 4]."""
    (focal_x, focal_y), (centre_x, centre_y) = camera.focal_px, camera.centre_px
    return np.array(
        [
            [2.0 * focal_x / camera.width_px, 0.0, 2.0 * centre_x / camera.width_px - 1.0, 0.0],
            [0.0, -2.0 * focal_y / camera.height_px, 1.0 - 2.0 * centre_y / camera.height_px, 0.0],
            [0.0, 0.0, (far + NEAR_M) / (far - NEAR_M), -2.0 * far * NEAR_M / (far - NEAR_M)],
            [0.0, 0.0, 1.0, 0.0],
        ]
    )


def _world_from_place(camera: Camera) -> np.ndarray:
    """Takes (x, y, 1) with x and y from -1 to 1 (up) to a direction in the world, [3, 3]."""
    (focal_x, focal_y), (centre_x, centre_y) = camera.focal_px, camera.centre_px
    half_w, half_h = 0.5 * camera.width_px, 0.5 * camera.height_px
    camera_from_place = np.array(
        [[half_w / focal_x, 0.0, (half_w - centre_x) / focal_x], [0.0, -half_h / focal_y, (half_h - centre_y) / focal_y], [0, 0, 1]]
    )  # fmt: skip
    return camera.world_from_camera[:3, :3] @ camera_from_place


def _rows_from_top(read: bytes, dtype: type, camera: Camera) -> np.ndarray:
    return np.frombuffer(read, dtype).reshape(camera.height_px, camera.width_px, 4)[::-1]


def _release(*targets: Any) -> None:
    for target in targets:
        for attachment in (*target.color_attachments, target.depth_attachment):
            if attachment is not None:
                attachment.release()
        target.release()
