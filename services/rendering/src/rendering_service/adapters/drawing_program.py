"""A program of its own that draws one mesh with one engine; `mesh_engines.py` starts it, and nothing imports it.

Drivers of OpenGL and compilers of machine code are native code that may crash, and a stranger's mesh may take more memory than there is: here neither takes
anybody along. Its settings are JSON in a file of its work folder, beside the mesh. Each line of JSON on its standard input asks for a picture; it tells in
lines of JSON on its standard output how far it is, and that `picture.npy` is there, or why not. When its standard input ends, it ends too, in
the middle of a picture if need be.
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import os
import queue
import resource
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, Protocol, TextIO

import numpy as np

from praxiscope_worlds import Camera, InvalidViewError, camera_from_json
from rendering_service.adapters.mesh_scene import MeshScene
from rendering_service.core.color import displayed
from rendering_service.core.daylight import Daylight
from rendering_service.core.tiles import tiles_of

# 2048 x 2048 pixels with four samples each take OpenGL 200 MB.
_TILE_SIDE_PX = 2048
_MIN_LLVM = 17
_ENDED_WITH_PARENT = 3
# What fails when there is no more than this left, failed for want of it: a mesh's arrays and what engines map at once are of this size.
_LITTLE_MEMORY_SHARE, _LITTLE_MEMORY_BYTES = 0.25, 512 << 20
_NAME_LENGTH = 80


class MeshEngine(Protocol):
    """What draws a mesh."""

    def color(self, camera: Camera, *, sample_count: int, seed: int, tell: Callable[[float], None]) -> np.ndarray:
        """Linear light, [H, W, 3]."""
        ...

    def shape(self, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
        """Depth [H, W], NaN where nothing is, and normals [H, W, 3] in the world's frame, 0 there."""
        ...


def main(arguments: list[str], answers: TextIO) -> int:
    """Tells what this machine draws with (`--probe`), or draws until nobody asks any more."""
    if arguments[0] == "--probe":
        _say(answers, {"raster": _probe_raster(), "tracer": _probe_tracer(arguments[1:])})
        return 0
    folder = Path(arguments[0])
    settings = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
    # Before anything native is loaded: memory has an end.
    resource.setrlimit(resource.RLIMIT_AS, (settings["max_memory_bytes"],) * 2)
    try:
        _draw_all(folder, settings, answers)
    except Exception:  # noqa: BLE001 - native libraries say in many ways that there was no memory; all of it is told
        traceback.print_exc()
        left_bytes = settings["max_memory_bytes"] - _peak_memory_bytes()
        if left_bytes < max(_LITTLE_MEMORY_SHARE * settings["max_memory_bytes"], _LITTLE_MEMORY_BYTES):
            _say(answers, {"error": "memory"})
        return 1


def _peak_memory_bytes() -> int:
    """Most address space that this process had."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmPeak:"))


def _draw_all(folder: Path, settings: dict[str, Any], answers: TextIO) -> NoReturn:
    scene = MeshScene.load(folder / "scene.npz")
    daylight = None if settings["daylight"] is None else Daylight(**settings["daylight"])
    engine: MeshEngine
    if settings["engine"] == "mesh-gl":
        from rendering_service.adapters.gl_raster import GlRaster

        engine = GlRaster(scene, daylight)
    else:
        from rendering_service.adapters.path_tracer import PathTracer

        is_compiled = settings["engine"] == "path-llvm"
        engine = PathTracer(scene, daylight, is_compiled=is_compiled, thread_count=settings["thread_count"])
    questions: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(questions,), daemon=True).start()
    while True:
        question = json.loads(questions.get())
        camera = camera_from_json(question["camera"])
        try:
            picture = _draw(engine, camera, question, answers)
        except InvalidViewError as error:
            _say(answers, {"error": "view", "message": error.message, "metadata": error.metadata})
            continue
        np.save(folder / "picture.npy", picture)
        _say(answers, {"done": True})


def _listen(questions: queue.SimpleQueue[str]) -> None:
    """Takes questions; when there are no more to come, whoever started this is gone or has enough, and it ends in the middle of a picture too."""
    for line in sys.stdin:
        questions.put(line)
    os._exit(_ENDED_WITH_PARENT)


def _draw(engine: MeshEngine, camera: Camera, question: dict[str, Any], answers: TextIO) -> np.ndarray:
    """One picture, part by part, so that its size does not matter to the engine."""
    shape = (camera.height_px, camera.width_px)
    layer, sample_count = question["layer"], question["sample_count"]
    if layer == "depth":
        picture = np.empty(shape, np.float32)
    else:
        picture = np.empty((*shape, 3), np.uint8 if layer == "color" else np.float32)
    done_px = 0
    for number, tile in enumerate(tiles_of(camera, max_side_px=_TILE_SIDE_PX)):
        tile_px = tile.camera.width_px * tile.camera.height_px

        def tell(share: float, before_px: int = done_px, now_px: int = tile_px) -> None:
            _say(answers, {"share": (before_px + share * now_px) / picture.shape[0] / picture.shape[1]})

        if layer == "color":
            part = displayed(engine.color(tile.camera, sample_count=sample_count, seed=number, tell=tell))
        else:
            part = engine.shape(tile.camera)[0 if layer == "depth" else 1]
        picture[tile.rows, tile.columns] = part
        done_px += tile_px
    return picture


def _probe_raster() -> dict[str, str]:
    """The name of what OpenGL draws with, or what is missing."""
    if importlib.util.find_spec("moderngl") is None:
        return {"missing": "moderngl is not installed."}
    from rendering_service.adapters.gl_raster import open_context

    try:
        context = open_context()
    except Exception as error:  # noqa: BLE001 - the libraries raise what they like; all of it means that there is none
        return {
            "missing": f"OpenGL 3.3 by way of EGL is not there ({str(error)[:_NAME_LENGTH]}); install libegl1 and libgl1-mesa-dri."
        }
    return {"name": str(context.info["GL_RENDERER"])[:_NAME_LENGTH]}


def _probe_tracer(libraries: list[str]) -> dict[str, str]:
    """The LLVM that can be used, or why only the slow variant can, or none."""
    if importlib.util.find_spec("mitsuba") is None:
        return {"missing": "Mitsuba is not installed."}
    seen = []
    for library in libraries:
        version = llvm_version(library)
        if version is not None and version >= _MIN_LLVM:
            return {"library": library, "version": str(version)}
        seen.append(str(version or "an old one"))
    found = f"only {', '.join(sorted(set(seen)))} is there" if seen else "there is none"
    return {"slow": f"LLVM {_MIN_LLVM} or newer is wanted and {found}"}


def llvm_version(library: str) -> int | None:
    """The major version of a library of LLVM; None of one that is too old to say (before 16) or that does not load.

    Older ones must not be used: on processors with AVX-512 they end the whole process on code that they cannot translate.
    """
    try:
        ask = ctypes.CDLL(library).LLVMGetVersion
    except (OSError, AttributeError):
        return None
    major, minor, patch = ctypes.c_uint(), ctypes.c_uint(), ctypes.c_uint()
    ask(ctypes.byref(major), ctypes.byref(minor), ctypes.byref(patch))
    return major.value


def _say(answers: TextIO, word: dict[str, object]) -> None:
    answers.write(json.dumps(word) + "\n")
    answers.flush()


if __name__ == "__main__":
    # What libraries print goes to the errors, not among the answers.
    said = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    code = main(sys.argv[1:], said)
    sys.stderr.flush()
    # Not by way of the interpreter's end: native libraries take their time there, or crash.
    os._exit(code)
