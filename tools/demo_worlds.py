"""`make demo-worlds`: words in, photos of what came out, and a world reconstructed from nothing but these photos.

Starts the stack unless it is up, has a landscape made of words, takes photos of it from two rings around its middle (paths of light are traced between the
surfaces that it was made of, so that the photos are none of the Gaussians that draw it; `--photos splats` draws these), uploads them as somebody's photos,
reconstructs a world from them, flies around it, writes it in every format, and says how well pictures that were held out are met. Writes `out/demo-worlds`.
Nobody's rights are in the photos: they show a scene of our own.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np

from praxiscope.client import Client, PraxiscopeError, Progress, read_profile
from praxiscope.command._worlds import collect
from tools.demo import run_devstack, shown_path
from tools.devstack.settings import CHECKOUT, read_settings
from tools.devstack.status import read_state

WORDS = "a village by a lake with autumn trees on flat grass, clear morning"
SEED = 11
# Two rings: elevation in degrees, distance in radii of the world, photos.
RINGS = ((14.0, 1.5, 26), (30.0, 1.8, 22))
PHOTO_SIZE_PX = (640, 420)
_JPEG_QUALITY = 92
_TRIES = 5
FORMATS = ("FORMAT_SPZ", "FORMAT_SPLAT", "FORMAT_COMPRESSED_PLY", "FORMAT_GLB", "FORMAT_USDA")
_Result = TypeVar("_Result")


def main(arguments: Sequence[str]) -> int:
    """Runs the demo and returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.demo_worlds", description=__doc__)
    parser.add_argument("--words", default=WORDS)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--quality", default="draft", choices=["draft", "standard", "high"])
    parser.add_argument("--photos", default="paths", choices=["paths", "splats"])
    parser.add_argument("--output", type=Path, default=CHECKOUT / "out" / "demo-worlds")
    options = parser.parse_args(arguments)
    was_up = read_state(read_settings(os.environ)).is_alive
    if run_devstack("up", quiet=True):
        return 1
    try:
        _run(options)
    except PraxiscopeError as error:
        sys.stderr.write(f"The demo failed: {error}\n")
        return 1
    finally:
        if not was_up:
            run_devstack("down", quiet=True)
    return 0


def _run(options: argparse.Namespace) -> None:
    output, timings = options.output, Timings()
    output.mkdir(parents=True, exist_ok=True)
    with Client(read_profile(folder=CHECKOUT)) as client:
        made = timings.of(
            "made of words", lambda: _wait(client, client.generate_world(options.words, seed=options.seed))
        )
        sys.stdout.write(f"  {made.caption} {made.gaussian_count} Gaussians.\n")
        photos, drawn = timings.of(
            "photos taken", lambda: _take_photos(client, made.asset_version, output / "photos", options.photos)
        )
        sys.stdout.write(f"  {drawn}\n")
        sys.stdout.write(f"  {len(photos)} photos of {PHOTO_SIZE_PX[0]} x {PHOTO_SIZE_PX[1]} pixels.\n")
        archive, kind = collect([str(output / "photos")], output)
        version = timings.of("uploaded", lambda: client.upload(archive, kind=kind).latest_version)
        operation = client.reconstruct_world(version, quality=f"QUALITY_{options.quality.upper()}", seed=1)
        world = timings.of("reconstructed", lambda: _wait(client, operation))
        quality = world.quality
        sys.stdout.write(
            f"  {world.placed_picture_count} of {world.picture_count} photos placed; {world.gaussian_count} Gaussians.\n"
            f"  {quality.picture_count} photos were held out: {quality.psnr_db:.2f} dB,"
            f" {quality.corrected_psnr_db:.2f} dB with exposure corrected, similarity {quality.ssim:.3f}.\n"
        )
        client.download(world.asset_version, "world.ply", output / "world.ply")
        exported = timings.of(
            "exported", lambda: _wait(client, client.export_world(world.asset_version, formats=FORMATS))
        )
        for path in exported.paths:
            client.download(exported.asset_version, path, output / path)
        _compare(client, world.asset_version, output)
        edited = timings.of("edited", lambda: _edit(client, world.asset_version, output))
        flight = timings.of("flown around", lambda: _wait(client, _fly(client, world.asset_version)))
        client.download(flight.asset_version, "turntable.mp4", output / "turntable.mp4")
    document = {
        "caption": made.caption,
        "photo_count": len(photos),
        "photos_drawn_by": drawn,
        "placed_photo_count": world.placed_picture_count,
        "gaussian_count": world.gaussian_count,
        "edits": edited,
        "held_out": {"psnr_db": quality.psnr_db, "corrected_psnr_db": quality.corrected_psnr_db, "ssim": quality.ssim},
        "seconds": timings.seconds,
    }
    (output / "timings.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(
        "\nFiles:\n" + "".join(f"  {shown_path(path)}\n" for path in sorted(output.iterdir()) if path.is_file())
    )
    sys.stdout.write(
        f"\nLook at {shown_path(output / 'photo-and-world.png')} and {shown_path(output / 'turntable.mp4')}.\n"
    )


class Timings:
    """Seconds by step, said as they come."""

    def __init__(self) -> None:
        """Starts with none."""
        self.seconds: dict[str, float] = {}

    def of(self, step: str, work: Callable[[], _Result]) -> _Result:
        """Does a step and says how long it took."""
        started_s = time.monotonic()
        result = work()
        self.seconds[step] = round(time.monotonic() - started_s, 2)
        sys.stdout.write(f"[{self.seconds[step]:6.1f} s] {step}\n")
        sys.stdout.flush()
        return result


def _wait(client: Client, operation: str) -> Any:  # noqa: ANN401  the method's response
    shown = ""

    def show(progress: Progress) -> None:
        nonlocal shown
        stage = next((item.name for item in progress.stages if item.progress < 1), "")
        if stage and stage != shown:
            sys.stdout.write(f"           {stage}: {progress.message}\n")
            sys.stdout.flush()
            shown = stage

    return client.wait(operation, on_progress=show)


def _take_photos(client: Client, world: str, folder: Path, photos_of: str) -> tuple[list[Path], str]:
    """Photographs a world from rings around its middle; returns the files, and what drew them and why."""
    settings = {"engine": "ENGINE_PATH_TRACING", "quality": "QUALITY_DRAFT"} if photos_of == "paths" else {}
    drawn = ""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.jpg"):
        old.unlink()
    photos: list[Path] = []
    for elevation_deg, distance_radii, count in RINGS:
        for index in range(count):
            orbit = {
                "azimuth_rad": 2 * math.pi * index / count,
                "elevation_rad": math.radians(elevation_deg),
                "distance_radii": distance_radii,
            }
            size = {"width_px": PHOTO_SIZE_PX[0], "height_px": PHOTO_SIZE_PX[1]}
            view = _patiently(partial(client.render_view, world, orbit=orbit, settings=settings, **size))
            drawn = f"{view.engine}: {view.engine_reason}"
            photos.append(folder / f"{len(photos):03}.jpg")
            picture = cv2.imdecode(np.frombuffer(view.content, np.uint8), cv2.IMREAD_COLOR)
            cv2.imwrite(str(photos[-1]), picture, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])  # type: ignore[arg-type]
    return photos, drawn


def _patiently(draw: Callable[[], _Result]) -> _Result:
    """Draws again what a busy machine did not get done in the half minute that a call has."""
    for _ in range(_TRIES - 1):
        try:
            return draw()
        except PraxiscopeError as error:
            if error.reason != "DEADLINE_EXCEEDED":
                raise
    return draw()


def _fly(client: Client, world: str) -> str:
    start = {"elevation_rad": math.radians(18.0), "distance_radii": 1.5}
    return str(client.render_turntable(world, start=start, frame_count=120, width_px=960, height_px=540))


def _edit(client: Client, world: str, output: Path) -> list[str]:
    """Takes away what floats, turns grass into sand, saves the world, and puts before and after side by side."""
    stack = client.create_edit_stack(world, display_name="Edited")
    whole = client.select_gaussians(stack.name, {"everything": {}})
    grass = {"near_color": {"color": {"red": 0.45, "green": 0.62, "blue": 0.25}, "tolerance": 32}}
    sand = {"recolor": {"target": {"red": 0.85, "green": 0.72, "blue": 0.45}}}
    etag, summaries = stack.etag, []
    for operation, selection in (
        ({"remove_floaters": {}}, None),
        (sand, grass),
    ):
        applied = client.apply_edit(stack.name, operation, etag=etag, selection=selection)
        etag = applied.etag
        summaries.append(f"{applied.edit.summary}, {applied.edit.elapsed_ms:.0f} ms")
        found = applied.edit.consistency
        sys.stdout.write(
            f"           {summaries[-1]}; outside it the largest difference is {found.max_difference:.4f}\n"
        )
    saved = _wait(client, client.save_world(stack.name))
    sys.stdout.write(f"           {whole.gaussian_count} Gaussians before, {saved.gaussian_count} after\n")
    views = []
    for version in (world, saved.asset_version):
        view = client.render_view(version, picture_index=1)
        views.append(cv2.imdecode(np.frombuffer(view.content, np.uint8), cv2.IMREAD_COLOR))
    cv2.imwrite(str(output / "before-and-after.png"), np.hstack(views))
    client.download(saved.asset_version, "world.ply", output / "edited.ply")
    return summaries


def _compare(client: Client, world: str, output: Path) -> None:
    """Puts a photo that was held out beside the same view of the world that was not made from it."""
    held_out = json.loads(client.download(world, "world.json", output / "world.json").read_text())["held_out"][1]
    cameras = json.loads(client.download(world, "cameras.json", output / "cameras.json").read_text())
    index = next(i for i, camera in enumerate(cameras) if camera["name"] == held_out)
    view = client.render_view(world, picture_index=index)
    drawn = cv2.imdecode(np.frombuffer(view.content, np.uint8), cv2.IMREAD_COLOR)
    photo = cv2.imread(str(output / "photos" / held_out.partition("-")[2]))
    if drawn is None or photo is None:
        raise PraxiscopeError("A picture that was just written cannot be read.", reason="LOCAL")
    height_px, width_px = photo.shape[:2]
    drawn = cv2.resize(drawn, (width_px, height_px), interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(output / "photo-and-world.png"), np.hstack([photo, drawn]))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
