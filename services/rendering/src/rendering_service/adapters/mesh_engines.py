"""The engines that draw meshes, each picture in a process of its own; what this machine has for them is found out once."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import selectors
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from praxiscope_common.errors import CancelledError
from praxiscope_worlds import Camera, InvalidViewError, camera_json
from rendering_service.adapters.mesh_scene import MeshScene
from rendering_service.core.daylight import Daylight
from rendering_service.core.engines import EngineChoice, Hardware, Tracer
from rendering_service.core.errors import EngineFailedError, EngineTimeoutError, MeshTooLargeError
from rendering_service.core.world_view import Layer

_PROGRAM = "rendering_service.adapters.drawing_program"
_PROBE_TIMEOUT_S = 30.0
_POLL_S = 0.05
_MAX_ERROR_BYTES = 2000
# Address space of one process. An engine by itself takes 0.6 to 0.8 GB of it, a mesh of a million faces 0.4 (tracer) to 0.9 GB (raster) more; measured.
MAX_MEMORY_BYTES = 6 << 30
# Where Linux systems keep LLVM.
_LLVM_PLACES = (
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib64",
    "/usr/lib",
    "/usr/local/lib",
    *(f"/usr/lib/llvm-{version}/lib" for version in range(30, 16, -1)),
)
_MAX_LIBRARIES = 8
_LLVM_NAME = re.compile(r"libLLVM(-\d[\d.]*)?\.so(\.\d[\d.]*)?$")
# Words of libraries that ran out of memory.
# As C++, Python, the system and its loader say it, which ends a program with 127 where a new thread or library has no room; in small letters.
_MEMORY_WORDS = (
    b"bad_alloc",
    b"out of memory",
    b"cannot allocate memory",
    b"memoryerror",
    b"failed to allocate",
    b"failed to map segment",
)
_LAYERS = {Layer.COLOR: "color", Layer.DEPTH: "depth", Layer.NORMAL: "normal"}
_INSTALL_LLVM = "install one, as Debian's libllvm19, and it takes a fraction of the time"
_CRASHED = "what it needs crashed or hung when it was tried"
_logger = logging.getLogger(__name__)
ShouldStop = Callable[[], bool]
OnShare = Callable[[float], None]


class DrawingCancelledError(CancelledError):
    """The drawing was cancelled."""

    reason = "DRAWING_CANCELLED"


class MeshEngines:
    """Starts processes that draw.

    Args:
        thread_count: Threads of a process.
        allowed: What may be used of `raster` and `tracer`.
        llvm_library: LLVM's library; None: looked for where systems keep it.
        max_memory_bytes: Address space of a process.
    """

    def __init__(
        self,
        *,
        thread_count: int,
        allowed: Collection[str] = ("raster", "tracer"),
        llvm_library: Path | None = None,
        max_memory_bytes: int = MAX_MEMORY_BYTES,
    ) -> None:
        """Starts with nothing known."""
        self._allowed = frozenset(allowed)
        self._thread_count, self._max_memory_bytes = thread_count, max_memory_bytes
        self._llvm_library = llvm_library
        self._lock = threading.Lock()
        self._found: tuple[Hardware, str] | None = None
        # Compiled code is kept between processes, in a folder that nobody else can write to: it is run as it is.
        self._cache: tempfile.TemporaryDirectory[str] | None = None

    def hardware(self) -> Hardware:
        """What this machine draws meshes with; found out by the first call, which takes a second."""
        return self._probe()[0]

    @contextmanager
    def open(
        self, scene: MeshScene, choice: EngineChoice, daylight: Daylight | None, *, should_stop: ShouldStop
    ) -> Iterator[MeshDrawing]:
        """Starts a process with a mesh in it, and ends it afterwards.

        Args:
            scene: What is drawn.
            choice: With what.
            daylight: Light; None: colours as they are.
            should_stop: Asked while it draws.
        """
        _, library = self._probe()
        with tempfile.TemporaryDirectory(prefix="praxiscope-drawing-") as name:
            folder = Path(name)
            scene.save(folder / "scene.npz")
            settings = {
                "engine": choice.name,
                "daylight": None if daylight is None else vars(daylight),
                "thread_count": self._thread_count,
                "max_memory_bytes": self._max_memory_bytes,
            }
            (folder / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
            with (folder / "errors.txt").open("wb") as errors:
                process = self._start([name], errors, library=library)
                try:
                    yield MeshDrawing(process, folder, sample_count=choice.sample_count, should_stop=should_stop)
                finally:
                    _end(process)

    def close(self) -> None:
        """Removes compiled code."""
        with self._lock:
            if self._cache is not None:
                self._cache.cleanup()
                self._cache = None

    def _probe(self) -> tuple[Hardware, str]:
        with self._lock:
            if self._found is None:
                found = self._ask()
                off = {name: {"missing": "it is switched off."} for name in ("raster", "tracer")}
                self._found = _understood(
                    {name: found.get(name, {}) if name in self._allowed else off[name] for name in off}
                )
            return self._found

    def _ask(self) -> Mapping[str, Any]:
        libraries = [str(self._llvm_library)] if self._llvm_library else find_llvm(_LLVM_PLACES)
        with tempfile.TemporaryFile() as errors:
            process = self._start(["--probe", *libraries], errors, library="", is_locked=True)
            try:
                said, _ = process.communicate(timeout=_PROBE_TIMEOUT_S)
                found = json.loads(said)
            except (subprocess.TimeoutExpired, ValueError):
                return {"raster": {"missing": _CRASHED}, "tracer": {"slow": _CRASHED}}
            finally:
                _end(process)
        return found if isinstance(found, dict) else {}

    def _start(
        self,
        arguments: Sequence[str],
        errors: IO[bytes],
        *,
        library: str,
        is_locked: bool = False,
    ) -> subprocess.Popen[bytes]:
        if is_locked:
            cache = self._cache_folder()
        else:
            with self._lock:
                cache = self._cache_folder()
        environment = {
            "PATH": os.defpath,
            "LC_ALL": "C.UTF-8",
            "HOME": cache,
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            "DRJIT_CACHE_DIR": cache,
            "LP_NUM_THREADS": str(self._thread_count),
            "OMP_NUM_THREADS": str(self._thread_count),
            "OPENBLAS_NUM_THREADS": "1",
        }
        if library:
            environment["DRJIT_LIBLLVM_PATH"] = library
        return subprocess.Popen(  # noqa: S603 - our own program, its arguments a folder of ours and libraries of the system
            [sys.executable, "-P", "-m", _PROGRAM, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment,
        )

    def _cache_folder(self) -> str:
        if self._cache is None:
            self._cache = tempfile.TemporaryDirectory(prefix="praxiscope-engines-")
        return self._cache.name


class MeshDrawing:
    """A process that draws one mesh, picture by picture."""

    def __init__(
        self, process: subprocess.Popen[bytes], folder: Path, *, sample_count: int, should_stop: ShouldStop
    ) -> None:
        """Uses a process that runs."""
        self._process, self._folder = process, folder
        self._sample_count, self._should_stop = sample_count, should_stop

    @property
    def processor_s(self) -> float:
        """Seconds that the process took of processors so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def draw(self, camera: Camera, layer: Layer, *, timeout_s: float, on_share: OnShare | None = None) -> np.ndarray:
        """Draws one picture.

        Args:
            camera: From where.
            layer: What the pixels say.
            timeout_s: Most seconds that it may take.
            on_share: Told how much of it is done.

        Returns:
            Colours [H, W, 3], uint8; depth [H, W], float32, NaN where nothing is; or normals [H, W, 3], float32, in the world's frame, 0 there.

        Raises:
            InvalidViewError: The engine knows no such camera.
            MeshTooLargeError: The mesh or the picture takes too much memory.
            EngineTimeoutError: It took too long.
            EngineFailedError: The process ended.
            DrawingCancelledError: It should stop.
        """
        question = {"camera": camera_json(camera), "layer": _LAYERS[layer], "sample_count": self._sample_count}
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(question).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            self._fail()
        for word in self._words(time.monotonic() + timeout_s):
            match word:
                case {"share": float() | int() as share}:
                    if on_share is not None:
                        on_share(float(share))
                case {"done": True}:
                    return np.load(self._folder / "picture.npy")
                case {"error": "view", "message": str() as message, "metadata": dict() as metadata}:
                    raise InvalidViewError(message, metadata=metadata)
                case {"error": "memory"}:
                    raise MeshTooLargeError()
                case _:  # a word of a native library on the same output
                    pass
        self._fail()
        raise AssertionError  # `_fail` always raises

    def _words(self, ends_s: float) -> Iterator[Any]:
        """What the process says, line by line, until it says no more; asks now and then whether to go on."""
        assert self._process.stdout is not None
        read, rest = self._process.stdout.fileno(), b""
        with selectors.DefaultSelector() as selector:
            selector.register(read, selectors.EVENT_READ)
            while True:
                if self._should_stop():
                    raise DrawingCancelledError()
                if time.monotonic() > ends_s:
                    raise EngineTimeoutError()
                if not selector.select(_POLL_S):
                    continue
                piece = os.read(read, 1 << 16)
                if not piece:
                    return
                *lines, rest = (rest + piece).split(b"\n")
                for line in lines:
                    try:
                        yield json.loads(line)
                    except ValueError:
                        continue

    def _fail(self) -> None:
        """Says why the process ended.

        Raises:
            MeshTooLargeError: Memory was all.
            EngineFailedError: Something else.
        """
        code = self._process.wait(timeout=10.0)
        said = (self._folder / "errors.txt").read_bytes()[-_MAX_ERROR_BYTES:]
        lowered = said.lower()
        # The system itself ends processes by SIGKILL where it has no memory left.
        if code == -signal.SIGKILL or any(word in lowered for word in _MEMORY_WORDS):
            raise MeshTooLargeError()
        # What native code says may name places of this machine: it is for whoever runs it, not for who asked.
        _logger.error("a drawing process ended", extra={"exit_code": code, "stderr": said.decode(errors="replace")})
        raise EngineFailedError(f"The engine ended with code {code}.", metadata={"code": str(code)})


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends a process, whatever it is at."""
    process.kill()
    for pipe in (process.stdin, process.stdout):
        with contextlib.suppress(BrokenPipeError):  # a question that it did not live to read
            if pipe is not None:
                pipe.close()
    process.wait()


def find_llvm(places: Sequence[str]) -> list[str]:
    """Libraries of LLVM in folders, the newest by their names first; each file once."""
    found: dict[Path, tuple[int, ...]] = {}
    for place in places:
        for path in sorted(Path(place).glob("libLLVM*.so*")):
            if _LLVM_NAME.fullmatch(path.name):
                numbers = tuple(int(number) for number in re.findall(r"\d+", path.resolve().name))
                found[path.resolve()] = numbers
    newest = sorted(found, key=lambda path: found[path], reverse=True)
    return [str(path) for path in newest[:_MAX_LIBRARIES]]


def _understood(found: Mapping[str, Any]) -> tuple[Hardware, str]:
    """What was found, in the words of the core, and the library of LLVM, if any."""
    raster, tracer = found.get("raster", {}), found.get("tracer", {})
    library = str(tracer.get("library", ""))
    if library:
        kind, detail = Tracer.LLVM, f"Mitsuba compiles for this processor with LLVM {tracer.get('version', '')}."
    elif "slow" in tracer:
        kind, detail = Tracer.SCALAR, f"Mitsuba runs without a compiler, slowly: {tracer['slow']}; {_INSTALL_LLVM}."
    else:
        kind, detail = None, str(tracer.get("missing", "the tracer cannot be tried."))
    hardware = Hardware(
        raster=str(raster.get("name", "")),
        raster_missing=str(raster.get("missing", "OpenGL cannot be tried.")),
        tracer=kind,
        tracer_detail=detail,
    )
    return hardware, library
