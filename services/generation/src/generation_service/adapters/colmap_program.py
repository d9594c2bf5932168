"""A program of its own that runs COLMAP; `structure_from_motion.py` starts it, and nothing imports it.

It runs in an environment of its own (requirements/poses.txt) and imports nothing of ours but the choice of pairs beside it, because parts of COLMAP's wheel
are GPL (docs/adr/0011), and because native code that crashes must take nobody along. Its settings are JSON in a file; it tells how far it is in lines of JSON
on its standard output, and leaves its result in the work folder. When its standard input ends, whoever started it is gone, and it ends too.
"""

# ruff: noqa: ANN401 - the module is known in its own environment only, so its objects have no types here

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import threading
import traceback
from pathlib import Path
from typing import Any

import numpy as np

# The interpreter is isolated: what lies beside this file is named.
sys.path.append(str(Path(__file__).parent))
from colmap_pairs import Pair, largest_features, left_out, likely_pairs, likeness  # pyright: ignore[reportMissingImports]

# Features below which a picture is called empty.
_MIN_FEATURES = 50


def main(folder: Path) -> int:
    """Runs all stages in a work folder; what failed stands in `result.json`."""
    settings = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
    # Before anything native is loaded: memory has an end.
    resource.setrlimit(resource.RLIMIT_AS, (settings["max_memory_bytes"],) * 2)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import pycolmap  # pyright: ignore[reportMissingImports]

    pycolmap.logging.minloglevel = 2
    pycolmap.set_random_seed(settings["seed"])
    _extract(pycolmap, folder, settings)
    models = _place(pycolmap, folder, settings)
    best = _best(models)
    outcomes = _outcomes(pycolmap, folder / "database.db", settings, models, best)
    result: dict[str, Any] = {"outcomes": outcomes, "images": [], "mean_error_px": None}
    if best is not None:
        result |= _undistort(pycolmap, folder, settings, best)
    (folder / "result.json").write_text(json.dumps(result), encoding="utf-8")
    return 0


def _tell(stage: str, share: float, **more: int) -> None:
    sys.stdout.write(json.dumps({"stage": stage, "share": round(share, 4), **more}) + "\n")
    sys.stdout.flush()


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(3)


# The database is read through COLMAP alone: a second copy of SQLite in one process takes the first one's locks away, and then the file breaks.
def _extract(pycolmap: Any, folder: Path, settings: dict[str, Any]) -> None:
    """One call a camera: pictures of one size and focal length share one."""
    options = pycolmap.FeatureExtractionOptions()
    options.num_threads = settings["thread_count"]
    options.sift.max_num_features = settings["max_features"]
    pycolmap.Database.open(folder / "database.db").close()
    done, total = 0, sum(len(camera["images"]) for camera in settings["cameras"])
    for camera in settings["cameras"]:
        _tell("features", done / total)
        reader = pycolmap.ImageReaderOptions()
        reader.camera_model = settings["camera_model"]
        if camera["parameters"] is not None:
            reader.camera_params = ",".join(str(value) for value in camera["parameters"])
        # Pictures get their numbers here, in order; extractors would give them out as they finish, and then no two runs were the same.
        pycolmap.import_images(
            folder / "database.db",
            folder / "images",
            camera_mode=pycolmap.CameraMode.SINGLE,
            image_names=camera["images"],
            options=reader,
        )
        # A few at a time, so that it can be seen how far it is.
        for start in range(0, len(camera["images"]), settings["images_a_call"]):
            part = camera["images"][start : start + settings["images_a_call"]]
            pycolmap.extract_features(
                folder / "database.db",
                folder / "images",
                image_names=part,
                camera_mode=pycolmap.CameraMode.SINGLE,
                reader_options=reader,
                extraction_options=options,
                device=pycolmap.Device.cpu,
            )
            done += len(part)
            _tell("features", done / total)


def _place(pycolmap: Any, folder: Path, settings: dict[str, Any]) -> dict[int, Any]:
    """Compares pictures and places cameras.

    Pictures of one set are compared with those that look most alike; only where that leaves some unplaced are these compared with all others, and
    everything is placed anew.
    """
    if settings["is_sequential"]:
        _match_neighbours(pycolmap, folder, settings)
        return _map(pycolmap, folder, settings)
    names, features = _largest_features(pycolmap, folder / "database.db")
    pairs = likely_pairs(
        likeness(features, thread_count=settings["thread_count"]), neighbour_count=settings["neighbour_count"]
    )
    _match_pairs(pycolmap, folder, settings, names, pairs)
    models = _map(pycolmap, folder, settings)
    placed = _names_of(_best(models))
    unplaced = [i for i, name in enumerate(names) if name not in placed and len(features[i]) >= _MIN_FEATURES]
    rest = [
        pair for pair in left_out(pairs, unplaced, len(names)) if min(len(features[i]) for i in pair) >= _MIN_FEATURES
    ]
    if not rest:
        return models
    _match_pairs(pycolmap, folder, settings, names, rest)
    again = _map(pycolmap, folder, settings)
    return again if len(_names_of(_best(again))) >= len(placed) else models


def _largest_features(pycolmap: Any, path: Path) -> tuple[list[str], list[np.ndarray]]:
    database = pycolmap.Database.open(path)
    images = sorted(database.read_all_images(), key=lambda image: image.name)
    features = [
        largest_features(
            database.read_keypoints(image.image_id), np.asarray(database.read_descriptors(image.image_id).data)
        )
        for image in images
    ]
    database.close()
    return [image.name for image in images], features


def _matching_options(pycolmap: Any, settings: dict[str, Any]) -> dict[str, Any]:
    matching = pycolmap.FeatureMatchingOptions()
    matching.num_threads = settings["thread_count"]
    verification = pycolmap.TwoViewGeometryOptions()
    verification.ransac.random_seed = settings["seed"]
    return {"matching_options": matching, "verification_options": verification, "device": pycolmap.Device.cpu}


def _match_neighbours(pycolmap: Any, folder: Path, settings: dict[str, Any]) -> None:
    """Of a video, frames that follow one another."""
    count = sum(len(camera["images"]) for camera in settings["cameras"])
    _tell("matching", 0.0, pair_count=min(count * (count - 1) // 2, 2 * settings["sequential_overlap"] * count))
    pairing = pycolmap.SequentialPairingOptions()
    pairing.overlap = settings["sequential_overlap"]
    pairing.num_threads = settings["thread_count"]
    pycolmap.match_sequential(folder / "database.db", pairing_options=pairing, **_matching_options(pycolmap, settings))
    _tell("matching", 1.0)


def _match_pairs(pycolmap: Any, folder: Path, settings: dict[str, Any], names: list[str], pairs: list[Pair]) -> None:
    _tell("matching", 0.0, pair_count=len(pairs))
    (folder / "pairs.txt").write_text("".join(f"{names[i]} {names[j]}\n" for i, j in pairs), encoding="utf-8")
    pairing = pycolmap.ImportedPairingOptions()
    pairing.match_list_path = folder / "pairs.txt"
    pycolmap.match_image_pairs(folder / "database.db", pairing_options=pairing, **_matching_options(pycolmap, settings))
    _tell("matching", 1.0)


def _map(pycolmap: Any, folder: Path, settings: dict[str, Any]) -> dict[int, Any]:
    options = pycolmap.IncrementalPipelineOptions()
    # With two, one run in sixty of the same photos and seed ended with a point fewer and the world's origin 3 mm away.
    options.num_threads = 1
    options.random_seed = settings["seed"]
    options.min_model_size = 3
    options.max_runtime_seconds = settings["max_mapping_s"]
    options.ba_global_frames_ratio = options.ba_global_points_ratio = settings["adjustment_growth"]
    if settings["has_fixed_lenses"]:
        options.ba_refine_focal_length = options.ba_refine_extra_params = False
    placed, total = 0, sum(len(camera["images"]) for camera in settings["cameras"])

    def tell_next() -> None:
        nonlocal placed
        placed += 1
        _tell("mapping", min(1.0, placed / total))

    _tell("mapping", 0.0)
    models = Path(tempfile.mkdtemp(prefix="models", dir=folder))
    return pycolmap.incremental_mapping(
        folder / "database.db",
        folder / "images",
        models,
        options=options,
        initial_image_pair_callback=lambda: (tell_next(), tell_next()),
        next_image_callback=tell_next,
    )


def _best(models: dict[int, Any]) -> Any:
    """The model with most pictures placed; None where there is none."""
    return max(models.values(), key=lambda model: model.num_reg_images(), default=None)


def _names_of(model: Any) -> set[str]:
    """Pictures placed in a model."""
    return set() if model is None else {model.image(image_id).name for image_id in model.reg_image_ids()}


def _outcomes(
    pycolmap: Any, path: Path, settings: dict[str, Any], models: dict[int, Any], best: Any
) -> dict[str, dict[str, Any]]:
    """Per picture whether it was placed, and what there was to place it by."""
    database = pycolmap.Database.open(path)
    ids = {image.name: image.image_id for image in database.read_all_images()}
    features = {image_id: database.num_keypoints_for_image(image_id) for image_id in ids.values()}
    pair_ids, inlier_counts = database.read_two_view_geometry_num_inliers()
    database.close()
    neighbours: dict[int, int] = {}
    for pair_id, inlier_count in zip(pair_ids, inlier_counts, strict=True):
        for image_id in pycolmap.pair_id_to_image_pair(pair_id) if inlier_count else ():
            neighbours[image_id] = neighbours.get(image_id, 0) + 1

    placed = _names_of(best)
    elsewhere = set().union(*(_names_of(model) for model in models.values())) - placed
    outcomes = {}
    for name in (name for camera in settings["cameras"] for name in camera["images"]):
        image_id = ids.get(name, -1)
        feature_count, overlap_count = features.get(image_id, 0), neighbours.get(image_id, 0)
        if name in placed:
            state = "REGISTERED"
        elif feature_count < _MIN_FEATURES:
            state = "NO_FEATURES"
        elif not overlap_count:
            state = "NO_OVERLAP"
        else:
            state = "OTHER_PART" if name in elsewhere else "NOT_PLACED"
        outcomes[name] = {"state": state, "feature_count": feature_count, "overlap_count": overlap_count}
    return outcomes


def _undistort(pycolmap: Any, folder: Path, settings: dict[str, Any], best: Any) -> dict[str, Any]:
    """Pinhole pictures, cameras and points; the points' arrays stand in `points.npz`."""
    _tell("undistorting", 0.0)
    (folder / "best").mkdir()
    best.write(folder / "best")
    options = pycolmap.UndistortCameraOptions()
    pycolmap.undistort_images(
        folder / "flat",
        folder / "best",
        folder / "images",
        undistort_options=options,
        jpeg_quality=settings["jpeg_quality"],
        num_threads=settings["thread_count"],
    )
    flat = pycolmap.Reconstruction(folder / "flat" / "sparse")
    images = []
    for image_id in sorted(flat.reg_image_ids()):
        image = flat.image(image_id)
        camera = flat.camera(image.camera_id)
        images.append(
            {
                "name": image.name,
                "width_px": camera.width,
                "height_px": camera.height,
                "focal_px": [camera.focal_length_x, camera.focal_length_y],
                "centre_px": [camera.principal_point_x, camera.principal_point_y],
                "camera_from_world": image.cam_from_world().matrix().tolist(),
            }
        )
    points = list(flat.points3D.values())
    # Which picture sees which point, as rows of two numbers.
    numbers = {image["name"]: i_image for i_image, image in enumerate(images)}
    seen = [
        (numbers[flat.image(element.image_id).name], i_point)
        for i_point, point in enumerate(points)
        for element in point.track.elements
        if flat.image(element.image_id).name in numbers
    ]
    np.savez(
        folder / "points.npz",
        positions=np.array([point.xyz for point in points], np.float64).reshape(-1, 3),
        colors_rgb=np.array([point.color for point in points], np.uint8).reshape(-1, 3),
        errors_px=np.array([point.error for point in points], np.float64),
        seen=np.array(seen, np.int32).reshape(-1, 2),
    )
    _tell("undistorting", 1.0)
    return {"images": images, "mean_error_px": best.compute_mean_reprojection_error()}


if __name__ == "__main__":
    code = 1
    try:
        code = main(Path(sys.argv[1]))
    except BaseException:  # noqa: BLE001 - whatever it is, it is told before the process ends
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    # Not by way of the interpreter's end, which waits for the thread that reads the standard input.
    os._exit(code)
