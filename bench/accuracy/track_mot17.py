"""Scores the trackers on the second halves of MOT17 with YOLOX detections.

    python bench/accuracy/track_mot17.py FOLDER [sort bytetrack people]

FOLDER holds `MOT17-XX/{det_yolox_x_ablation.txt,gt.txt,seqinfo.ini}`. The data may not be shipped (CC BY-NC-SA), so
its path is an argument. TrackEval is
needed for the scores (`pip install trackeval`); without it or the data the command prints "not run" and ends with code
2.
"""

from __future__ import annotations

import configparser
import contextlib
import io
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from tracking_service.core.config import PRESETS, TrackerConfig
from tracking_service.core.motchallenge import read_detections, write_tracks
from tracking_service.core.tracker import create_tracker

DETECTIONS = "det_yolox_x_ablation.txt"
# Frames length // 2 + 2 .. length, as in the ByteTrack authors' split: the detector was trained on the first half.
FIRST_OF_SECOND_HALF = 2


def find_sequences(folder: Path) -> dict[str, int]:
    """Lists the sequences that have all files, with their length in frames."""
    lengths: dict[str, int] = {}
    for sequence in sorted(folder.glob("MOT17-*")):
        if all((sequence / name).exists() for name in (DETECTIONS, "gt.txt", "seqinfo.ini")):
            parser = configparser.ConfigParser()
            parser.read(sequence / "seqinfo.ini")
            lengths[sequence.name] = parser.getint("Sequence", "seqLength")
    return lengths


def track_second_half(config: TrackerConfig, sequence: Path, length: int) -> tuple[str, float, int]:
    """Tracks one half; returns MOTChallenge text, processor seconds in the tracker, and the frame count."""
    first = length // 2 + FIRST_OF_SECOND_HALF
    with (sequence / DETECTIONS).open() as file:
        frames = {frame.frame_index + 1: frame for frame in read_detections(file)}
    tracker, results, spent_s = create_tracker(config), [], 0.0
    for number in range(first, length + 1):
        frame = frames.get(number)
        boxes = frame.boxes_xyxy_px if frame else np.zeros((0, 4))
        scores = frame.scores if frame else np.zeros(0)
        start_s = time.process_time()
        results.append(tracker.update(boxes, scores, number - first))
        spent_s += time.process_time() - start_s
    return "".join(write_tracks(results)), spent_s, length + 1 - first


def write_truth(folder: Path, work: Path, lengths: dict[str, int]) -> None:
    """Lays out the second halves, frames counted from 1, the way TrackEval reads them."""
    (work / "seqmaps").mkdir(parents=True)
    (work / "seqmaps" / "MOT17-half.txt").write_text("\n".join(["name", *lengths]) + "\n")
    for name, length in lengths.items():
        first = length // 2 + FIRST_OF_SECOND_HALF
        target = work / "gt" / name
        (target / "gt").mkdir(parents=True)
        info = (folder / name / "seqinfo.ini").read_text()
        info = "\n".join(f"seqLength={length + 1 - first}" if "seqLength" in row else row for row in info.splitlines())
        (target / "seqinfo.ini").write_text(info)
        rows = []
        for row in (folder / name / "gt.txt").read_text().splitlines():
            frame, rest = row.split(",", 1)
            if int(frame) >= first:
                rows.append(f"{int(frame) + 1 - first},{rest}")
        (target / "gt" / "gt.txt").write_text("\n".join(rows) + "\n")


def score(work: Path, trackers: list[str]) -> dict[str, dict[str, float]]:
    """Runs TrackEval over what was written and returns HOTA, IDF1, MOTA (percent) and id switches per tracker."""
    import trackeval  # an optional tool of this command alone

    dataset = trackeval.datasets.MotChallenge2DBox(
        {
            "GT_FOLDER": str(work / "gt"),
            "TRACKERS_FOLDER": str(work / "trackers"),
            "TRACKERS_TO_EVAL": trackers,
            "SEQMAP_FILE": str(work / "seqmaps" / "MOT17-half.txt"),
            "SKIP_SPLIT_FOL": True,
            "PRINT_CONFIG": False,
            "BENCHMARK": "MOT17",
        }
    )
    evaluator = trackeval.Evaluator(
        {"PRINT_RESULTS": False, "PRINT_CONFIG": False, "TIME_PROGRESS": False, "OUTPUT_SUMMARY": False}
        | {"OUTPUT_DETAILED": False, "PLOT_CURVES": False, "USE_PARALLEL": False}
    )
    quiet = {"PRINT_CONFIG": False}
    metrics = [trackeval.metrics.HOTA(), trackeval.metrics.CLEAR(quiet), trackeval.metrics.Identity(quiet)]
    with contextlib.redirect_stdout(io.StringIO()):
        results = evaluator.evaluate([dataset], metrics)[0]["MotChallenge2DBox"]
    figures = {}
    for tracker in trackers:
        row = results[tracker]["COMBINED_SEQ"]["pedestrian"]
        figures[tracker] = {
            "HOTA": 100.0 * float(np.mean(row["HOTA"]["HOTA"])),
            "IDF1": 100.0 * row["Identity"]["IDF1"],
            "MOTA": 100.0 * row["CLEAR"]["MOTA"],
            "IDSW": float(row["CLEAR"]["IDSW"]),
        }
    return figures


def main(arguments: list[str]) -> int:
    """Prints one line of figures per tracker."""
    folder = Path(arguments[0]) if arguments else Path()
    lengths = find_sequences(folder) if arguments else {}
    if not lengths:
        print("not run: give the folder that holds MOT17-XX/ with YOLOX detections")
        return 2
    names = arguments[1:] or ["sort", "bytetrack"]
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        write_truth(folder, work, lengths)
        speeds = {}
        for name in names:
            target = work / "trackers" / name / "data"
            target.mkdir(parents=True)
            spent_s, frame_count = 0.0, 0
            for sequence, length in lengths.items():
                text, sequence_s, sequence_frames = track_second_half(PRESETS[name], folder / sequence, length)
                (target / f"{sequence}.txt").write_text(text)
                spent_s, frame_count = spent_s + sequence_s, frame_count + sequence_frames
            speeds[name] = frame_count / spent_s
        try:
            figures = score(work, names)
        except ImportError:
            print("not run: pip install trackeval")
            return 2
    print(f"MOT17 second halves of {', '.join(lengths)}; YOLOX detections")
    for name in names:
        row = figures[name]
        print(
            f"{name:10s} HOTA {row['HOTA']:.1f} IDF1 {row['IDF1']:.1f} MOTA {row['MOTA']:.1f} "
            f"IDSW {row['IDSW']:.0f} {speeds[name]:.0f} frames/s"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
