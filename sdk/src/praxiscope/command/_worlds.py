"""Commands for worlds: `reconstruct`, `generate`, `render`, `mesh`."""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from praxiscope.client import Client, PraxiscopeError
from praxiscope.command._show import Screen

PHOTO_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"})
# Files that say where photos were taken from; with one of these a folder is sent as it is.
POSE_FILES = frozenset(
    {"transforms.json", *(f"{name}.{end}" for name in ("cameras", "images", "points3D") for end in ("bin", "txt"))}
)
VIDEO_SUFFIXES = frozenset({".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi"})
# What a world's file is called in an export, by the ending that was asked for.
_FORMATS = {
    ".compressed.ply": "FORMAT_COMPRESSED_PLY",
    ".ply": "FORMAT_PLY",
    ".splat": "FORMAT_SPLAT",
    ".spz": "FORMAT_SPZ",
    ".glb": "FORMAT_GLB",
    ".usda": "FORMAT_USDA",
}
_DIRECT = {".ply": "world.ply", ".spz": "world.spz"}
Send = Callable[[Client, str, str, Screen], Any]
Document = Callable[[Any], dict[str, Any]]


def reconstruct(options: argparse.Namespace, screen: Screen, client: Client, send: Send, document: Document) -> None:
    """Photos or a video in, a world out."""
    wanted = format_of(options.output)
    with tempfile.TemporaryDirectory(prefix="praxiscope-photos-") as folder:
        file, kind = collect(options.photos, Path(folder))
        version = send(client, str(file), kind, screen).latest_version
    operation = client.reconstruct_world(
        version,
        quality=f"QUALITY_{options.quality.upper()}",
        max_gaussian_count=options.max_gaussians,
        long_side_px=options.long_side_px,
        seed=options.seed,
        pose_source=f"POSE_SOURCE_{options.poses.upper()}",
    )
    with screen.stage_bars(operation) as on_progress:
        response = client.wait(operation, on_progress=on_progress)
    saved = save_as(client, response.asset_version, options.output, wanted, screen)
    lines = [
        f"{response.gaussian_count} Gaussians from {response.placed_picture_count} of {response.picture_count} pictures"
    ]
    if response.HasField("quality"):
        quality = response.quality
        lines.append(
            f"{quality.picture_count} pictures were held out: {quality.psnr_db:.2f} dB, {quality.corrected_psnr_db:.2f} dB"
            f" with their exposure corrected, similarity {quality.ssim:.3f}"
        )
    lines += [f"Left out: {item.name}: {item.reason}" for item in response.left_out]
    lines += [f"World: {response.asset_version}", str(saved)]
    screen.result({**document(response), "operation": operation, "files": [str(saved)]}, "\n".join(lines))


def generate(options: argparse.Namespace, screen: Screen, client: Client, send: Send, document: Document) -> None:
    """Words in, a world out."""
    wanted = format_of(options.output)
    operation = client.generate_world(options.words, seed=options.seed, gaussian_count=options.gaussians)
    with screen.stage_bars(operation) as on_progress:
        response = client.wait(operation, on_progress=on_progress)
    saved = save_as(client, response.asset_version, options.output, wanted, screen)
    text = f"{response.caption}\n{response.gaussian_count} Gaussians\nWorld: {response.asset_version}\n{saved}"
    screen.result({**document(response), "operation": operation, "files": [str(saved)]}, text)


def render(options: argparse.Namespace, screen: Screen, client: Client, send: Send, document: Document) -> None:
    """A world or a mesh in, a picture or a flight out."""
    path = path_of(options)
    target, is_flight = target_of(options.world, options.output, options.camera or ("path" if path else None))
    world = _world_of(options.world, screen, client, send)
    try:
        _render(options, screen, client, document, world, target, is_flight=is_flight, path=path)
    except PraxiscopeError as error:
        if error.reason != "ENGINE_UNSUITED" or options.engine != "path":
            raise
        # Paths of light want surfaces: those of the Gaussians are extracted first.
        operation = client.extract_mesh(world)
        with screen.stage_bars(operation) as on_progress:
            surface = client.wait(operation, on_progress=on_progress)
        surface_version = surface.asset_version
        _render(options, screen, client, document, surface_version, target, is_flight=is_flight, path=path)


def _render(
    options: argparse.Namespace,
    screen: Screen,
    client: Client,
    document: Document,
    world: str,
    target: Path,
    *,
    is_flight: bool,
    path: Mapping[str, Any],
) -> None:
    orbit = {
        "azimuth_rad": math.radians(options.azimuth_deg),
        "elevation_rad": math.radians(options.elevation_deg),
        "distance_radii": options.distance,
    }
    size = {"width_px": options.width_px, "height_px": options.height_px}
    settings = settings_of(options)
    target.parent.mkdir(parents=True, exist_ok=True)
    if not is_flight:
        view: Mapping[str, Any] = {"orbit": orbit}
        if options.picture >= 0:
            view = {"picture_index": options.picture}
        layer = f"LAYER_{options.layer.upper()}"
        answer = client.render_view(world, layer=layer, settings=settings, **view, **size)
        target.write_bytes(answer.content)
        text = f"{target}\n{answer.engine}: {answer.engine_reason}"
        screen.result({"engine": answer.engine, "engine_reason": answer.engine_reason, "files": [str(target)]}, text)
        return
    if path:
        asked = {"settings": settings, **{name: value for name, value in size.items() if value}, **path}
        operation, made = client.render_flight(world, **asked), "flight.mp4"
    else:
        frames = options.frames
        operation = client.render_turntable(world, start=orbit, frame_count=frames, settings=settings, **size)
        made = "turntable.mp4"
    with screen.stage_bars(operation) as on_progress:
        response = client.wait(operation, on_progress=on_progress)
    client.download(response.asset_version, made, target)
    screen.result(
        {**document(response), "operation": operation, "files": [str(target)]},
        f"{response.frame_count} frames: {target}\n{response.engine}: {response.engine_reason}",
    )


def path_of(options: argparse.Namespace) -> dict[str, Any]:
    """Returns what a flight passes through, RenderFlightRequest's fields; empty where no path was asked for.

    Raises:
        PraxiscopeError: The file is no path, or two paths were asked for, or a path and another camera.
    """
    if not options.path and not options.through:
        return {}
    if (options.path and options.through) or options.camera not in {None, "path"} or options.picture >= 0:
        raise PraxiscopeError(
            "A path is one of --path and --through, without another --camera or --picture.", reason="INVALID_PATH"
        )
    if options.through:
        return {"waypoints": [{"picture_index": index} for index in options.through]}
    try:
        path = json.loads(Path(options.path).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise PraxiscopeError(f"{options.path} is no JSON: {error}", reason="INVALID_PATH") from error
    path = {"waypoints": path} if isinstance(path, list) else path
    points = path.get("waypoints") if isinstance(path, dict) else None
    if not isinstance(points, list) or not all(isinstance(point, dict) for point in points):
        raise PraxiscopeError(
            f"{options.path} must have a list of waypoints, as RenderFlightRequest has.", reason="INVALID_PATH"
        )
    return dict(path)


def target_of(world: str, output: str, camera: str | None) -> tuple[Path, bool]:
    """Returns the file to write and whether it is a flight.

    Args:
        world: The file or the asset that is drawn.
        output: The file that was asked for; empty: one called like the world, here.
        camera: `still`, `orbit` or `path`; None: what the output's ending says.

    Raises:
        PraxiscopeError: The output is neither, or not what the camera is.
    """
    if not output:
        stem = "world" if world.startswith("projects/") else Path(world).name.split(".")[0]
        output = f"{stem}{'.mp4' if camera in {'orbit', 'path'} else '.png'}"
    target = Path(output)
    is_flight = target.suffix.lower() != ".png" if camera is None else camera != "still"
    if target.suffix.lower() != (".mp4" if is_flight else ".png"):
        raise PraxiscopeError(
            f"{target} must end with .png for a picture, or .mp4 for a flight.", reason="UNKNOWN_PICTURE_FORMAT"
        )
    return target, is_flight


_ENGINES = {"auto": "AUTO", "splat": "SPLAT_RASTER", "raster": "MESH_RASTER", "path": "PATH_TRACING"}


def settings_of(options: argparse.Namespace) -> dict[str, Any]:
    """Returns RenderSettings' fields of what was asked for."""
    settings: dict[str, Any] = {
        "path": options.file,
        "engine": f"ENGINE_{_ENGINES[options.engine]}",
        "quality": f"QUALITY_{options.quality.upper()}",
        "sample_count": options.samples,
        "lighting": f"LIGHTING_{options.light.upper().replace('AUTO', 'UNSPECIFIED')}",
        "has_ground": options.ground,
    }
    if options.sun_azimuth_deg is not None or options.sun_elevation_deg is not None:
        settings["sun"] = {
            "azimuth_rad": math.radians(options.sun_azimuth_deg or 0.0),
            "elevation_rad": math.radians(45.0 if options.sun_elevation_deg is None else options.sun_elevation_deg),
        }
    return settings


def mesh(options: argparse.Namespace, screen: Screen, client: Client, send: Send, document: Document) -> None:
    """A world in, its surface out."""
    target = Path(options.output)
    if target.suffix != ".glb":
        raise PraxiscopeError(f"{target} must end with .glb.", reason="UNKNOWN_WORLD_FORMAT")
    world = _world_of(options.world, screen, client, send)
    operation = client.extract_mesh(world, voxel_count=options.voxels, collider_face_count=options.collider_faces)
    with screen.stage_bars(operation) as on_progress:
        response = client.wait(operation, on_progress=on_progress)
    files = {"mesh.glb": target, "collider.glb": target.with_name(f"{target.stem}.collider.glb")}
    target.parent.mkdir(parents=True, exist_ok=True)
    for path, saved in files.items():
        client.download(response.asset_version, path, saved)
    lines = [
        f"{response.face_count} faces, {response.collider_face_count} to collide with; voxels of {response.voxel_m:.3g} a side",
        *map(str, files.values()),
    ]
    screen.result(
        {**document(response), "operation": operation, "files": [str(saved) for saved in files.values()]},
        "\n".join(lines),
    )


def _world_of(named: str, screen: Screen, client: Client, send: Send) -> str:
    """Returns a world's version: of the asset that is named, or of the file, once it is uploaded."""
    if named.startswith("projects/"):
        return named if "/versions/" in named else f"{named}/versions/latest"
    return str(send(client, named, "KIND_WORLD", screen).latest_version)


def collect(sources: Sequence[str], folder: Path) -> tuple[Path, str]:
    """Returns the file to upload and its kind: a video or a zip as they are, photos and folders of photos as one zip.

    A folder that says where its photos were taken from (`transforms.json`, a COLMAP model) is packed with what lies below it.

    Raises:
        PraxiscopeError: There is no photo among them.
        OSError: One cannot be read.
    """
    first = Path(sources[0])
    if len(sources) == 1 and first.suffix.lower() in VIDEO_SUFFIXES:
        return first, "KIND_VIDEO"
    if len(sources) == 1 and first.suffix.lower() == ".zip":
        return first, "KIND_IMAGE_SET"
    entries: dict[str, Path] = {}
    for source in map(Path, sources):
        if source.is_dir() and len(sources) == 1 and any(path.name in POSE_FILES for path in source.rglob("*")):
            wanted = (path for path in sorted(source.rglob("*")) if path.is_file())
            entries = {
                path.relative_to(source).as_posix(): path
                for path in wanted
                if path.name in POSE_FILES or path.suffix.lower() in PHOTO_SUFFIXES
            }
            break
        inside = sorted(source.iterdir()) if source.is_dir() else [source]
        photos = [path for path in inside if not source.is_dir() or path.suffix.lower() in PHOTO_SUFFIXES]
        entries |= {f"{len(entries) + index:04}-{path.name}": path for index, path in enumerate(photos)}
    if not entries:
        raise PraxiscopeError(
            f"There is no photo in {first}; photos end with {', '.join(sorted(PHOTO_SUFFIXES))}.", reason="NO_PHOTOS"
        )
    archive = folder / f"{first.stem or 'photos'}.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as packed:
        for name, path in entries.items():
            packed.write(path, name)
    return archive, "KIND_IMAGE_SET"


def format_of(output: str) -> str:
    """Returns the format that a file's name asks for.

    Raises:
        PraxiscopeError: It asks for none that there is.
    """
    for ending, name in _FORMATS.items():
        if output.lower().endswith(ending):
            return name
    raise PraxiscopeError(
        f"{output} is of no format that a world can be written in; it may end with {', '.join(_FORMATS)}.",
        reason="UNKNOWN_WORLD_FORMAT",
    )


def save_as(client: Client, version: str, output: str, wanted: str, screen: Screen) -> Path:
    """Downloads a world in the format of the file's name; what the asset does not have already is exported first."""
    target = Path(output)
    for ending, path in _DIRECT.items():
        if wanted == _FORMATS[ending]:
            return client.download(version, path, target)
    operation = client.export_world(version, formats=[wanted])
    with screen.stage_bars(operation) as on_progress:
        response = client.wait(operation, on_progress=on_progress)
    return client.download(response.asset_version, response.paths[0], target)
