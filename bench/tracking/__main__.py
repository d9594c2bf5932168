"""Scores and times our trackers beside their peers, on the same files and in turns. `make bench PART=tracking`.

    python -m bench.tracking [--mot17 FOLDER] [--rounds 5]

Quality is TrackEval's, on crowds of our own making and, where its folder is given (or stands in the variable MOT17), on
the second halves of MOT17 with YOLOX detections: `FOLDER/MOT17-XX/{det_yolox_x_ablation.txt,gt.txt,seqinfo.ini}`. Its
terms (CC BY-NC-SA) do not let us ship it. Speed is frames per second of process time in the update calls alone, at 10,
100 and 1000 people. Every tracker runs in a process of its own, one at a time. Ends with code 1 where a goal is missed.
"""

from __future__ import annotations

import argparse
import configparser
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.tracking.crowd import Scene, write_scene
from tools.devstack.settings import CHECKOUT
from tracking_service.core.config import SORT_PRESET

DETECTIONS = "det_yolox_x_ablation.txt"
# Frames length // 2 + 2 to length, as the authors of ByteTrack split: the detector was trained on the first half.
FIRST_OF_SECOND_HALF = 2
QUALITY_SCENES = (
    Scene(name="crowd-12", people=12, width_px=1920, height_px=1080, frame_count=900, seed=1),
    Scene(name="crowd-40", people=40, width_px=1920, height_px=1080, frame_count=600, seed=2),
    Scene(name="crowd-80", people=80, width_px=1920, height_px=1080, frame_count=600, seed=3),
)
WARM_UP_FRAMES = 5
# Pictures grow with the crowd, so that it is as dense at every size.
SPEED_SCENES = tuple(
    Scene(name=f"{people}", people=people, width_px=side, height_px=side, frame_count=frames + WARM_UP_FRAMES, seed=4)
    for people, side, frames in ((10, 949, 600), (100, 3000, 200), (1000, 9487, 30))
)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A tracker that takes part.

    Attributes:
        name: For the table and its files.
        environment: Folder of the environment that it runs in.
        command: Module and arguments.
    """

    name: str
    environment: str
    command: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Ours and a peer.

    Attributes:
        ours: One of our trackers.
        peer: The other.
        speed_goal: Ratio of frames per second that is wanted; None where the same peer is timed in another comparison.
    """

    ours: Entry
    peer: Entry
    speed_goal: float | None


OUR_BYTETRACK = Entry(name="bytetrack", environment=".venv", command=("bench.tracking.ours", "bytetrack"))
OUR_SORT = Entry(name="sort", environment=".venv", command=("bench.tracking.ours", "sort"))
SUPERVISION = Entry(
    name="supervision 0.25.1 ByteTrack", environment=".venv-bench", command=("bench.tracking.peer_supervision",)
)
TRACKERS = Entry(
    name="trackers 2.6.1 SORT, its scores",
    environment=".venv-bench-trackers",
    command=("bench.tracking.peer_trackers", "0", "0.25"),
)
TRACKERS_SURE = Entry(
    name="trackers 2.6.1 SORT, our scores",
    environment=".venv-bench-trackers",
    command=("bench.tracking.peer_trackers", f"{SORT_PRESET.min_score}", f"{SORT_PRESET.new_track_score}"),
)
COMPARISONS = (
    Comparison(ours=OUR_BYTETRACK, peer=SUPERVISION, speed_goal=2.0),
    Comparison(ours=OUR_SORT, peer=TRACKERS_SURE, speed_goal=1.0),
    Comparison(ours=OUR_SORT, peer=TRACKERS, speed_goal=None),
)
ENTRIES = (OUR_BYTETRACK, SUPERVISION, OUR_SORT, TRACKERS_SURE, TRACKERS)


class Runner:
    """A tracker's process, which waits while it is not its turn."""

    def __init__(self, process: subprocess.Popen[str], name: str) -> None:
        self._process, self._name = process, name

    def run(self, job: dict[str, Any]) -> float:
        """Runs a job and returns frames per second."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{self._name} ended without an answer; what it said stands above.")
        return float(json.loads(answer)["frames_per_s"])


@contextmanager
def start(entry: Entry) -> Iterator[Runner]:
    """Starts a tracker's process and ends it."""
    command = [str(python_of(entry.environment)), "-m", *entry.command]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT, env=environment()
    ) as process:
        try:
            yield Runner(process, entry.name)
        finally:
            process.terminate()


def python_of(folder: str) -> Path:
    """Returns an environment's interpreter."""
    return CHECKOUT / folder / "bin" / "python"


def environment() -> dict[str, str]:
    """Returns the variables of every process: one thread each, no warnings about what peers deprecate."""
    return {
        **os.environ,
        **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
        "PYTHONPATH": str(CHECKOUT),
        "PYTHONWARNINGS": "ignore",
    }


def write_crowds(folder: Path) -> dict[str, int]:
    """Writes the crowds that quality is scored on; returns their lengths in frames."""
    for scene in QUALITY_SCENES:
        write_scene(scene, folder / f"{scene.name}.txt", folder / "gt" / scene.name)
    return {scene.name: scene.frame_count for scene in QUALITY_SCENES}


def write_second_halves(data: Path, folder: Path) -> dict[str, int]:
    """Writes the second halves of what MOT17 there is, frames counted from 1; returns their lengths in frames."""
    lengths: dict[str, int] = {}
    for sequence in sorted(data.glob("MOT17-*")):
        if not all((sequence / name).exists() for name in (DETECTIONS, "gt.txt", "seqinfo.ini")):
            continue
        parser = configparser.ConfigParser()
        parser.read(sequence / "seqinfo.ini")
        length = parser.getint("Sequence", "seqLength")
        first = length // 2 + FIRST_OF_SECOND_HALF
        lengths[sequence.name] = length + 1 - first
        target = folder / "gt" / sequence.name
        (target / "gt").mkdir(parents=True)
        (target / "seqinfo.ini").write_text(f"[Sequence]\nname={sequence.name}\nseqLength={length + 1 - first}\n")
        (target / "gt" / "gt.txt").write_text(_from_frame(sequence / "gt.txt", first))
        (folder / f"{sequence.name}.txt").write_text(_from_frame(sequence / DETECTIONS, first))
    return lengths


def _from_frame(text: Path, first: int) -> str:
    rows = (row.split(",", 1) for row in text.read_text().splitlines() if row.strip())
    return "".join(f"{int(frame) + 1 - first},{rest}\n" for frame, rest in rows if int(frame) >= first)


def score(folder: Path, lengths: dict[str, int]) -> dict[str, dict[str, float]]:
    """Lets every tracker run over every sequence, and TrackEval score what they wrote."""
    (folder / "sequences.txt").write_text("\n".join(["name", *lengths]) + "\n")
    for entry in ENTRIES:
        target = folder / "trackers" / entry.name / "data"
        target.mkdir(parents=True)
        with start(entry) as runner:
            for name, length in lengths.items():
                detections, tracks = str(folder / f"{name}.txt"), str(target / f"{name}.txt")
                runner.run({"detections": detections, "tracks": tracks, "frame_count": length, "warm_up": 0})
    command = [str(python_of(".venv-bench")), "-m", "bench.tracking.scores", str(folder)]
    output = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT, env=environment()
    ).stdout
    return dict(json.loads(output))


def compare_quality(title: str, lengths: dict[str, int], figures: dict[str, dict[str, float]]) -> bool:
    """Prints the scores and whether ours are no worse; returns whether all goals are met."""
    print(f"\n{title}: {', '.join(lengths)}; {sum(lengths.values())} frames")
    print(f"  {'':38s}   HOTA   IDF1   MOTA   IDSW")
    for entry in ENTRIES:
        row = figures[entry.name]
        print(f"  {entry.name:38s} {row['HOTA']:6.2f} {row['IDF1']:6.2f} {row['MOTA']:6.2f} {row['IDSW']:6.0f}")
    is_met = True
    for comparison in COMPARISONS:
        ours, peer = figures[comparison.ours.name], figures[comparison.peer.name]
        marks = {
            "HOTA": ours["HOTA"] >= peer["HOTA"],
            "IDF1": ours["IDF1"] >= peer["IDF1"],
            "IDSW": ours["IDSW"] <= peer["IDSW"],
        }
        verdicts = ", ".join(f"{name} {'ok' if is_ok else 'MISS'}" for name, is_ok in marks.items())
        print(f"  goal: {comparison.ours.name} no worse than {comparison.peer.name}: {verdicts}")
        is_met = is_met and all(marks.values())
    return is_met


def compare_speed(folder: Path, round_count: int) -> bool:
    """Prints frames per second and ratios; returns whether all goals are met."""
    timed = [comparison for comparison in COMPARISONS if comparison.speed_goal is not None]
    print(f"\nframes/s of process time in updates, medians of {round_count} rounds in turns")
    print(f"  {'objects a frame':>15s}  {'ours':>20s}  {'peer':>41s}  ratio  goal")
    is_met = True
    with ExitStack() as stack:
        runners = {entry.name: stack.enter_context(start(entry)) for pair in timed for entry in (pair.ours, pair.peer)}
        for scene in SPEED_SCENES:
            detections = folder / f"{scene.name}.txt"
            count = write_scene(scene, detections, folder / scene.name)
            job = {"detections": str(detections), "tracks": None, "warm_up": WARM_UP_FRAMES}
            job["frame_count"] = scene.frame_count
            for name in runners:  # once for nothing, so that nobody pays for a cold start
                runners[name].run({**job, "frame_count": WARM_UP_FRAMES + 1})
            rounds: list[dict[str, float]] = []
            for i_round in range(round_count):
                order = list(runners) if i_round % 2 == 0 else list(runners)[::-1]
                rounds.append({name: runners[name].run(job) for name in order})
            for pair in timed:
                ours = statistics.median(rates[pair.ours.name] for rates in rounds)
                peer = statistics.median(rates[pair.peer.name] for rates in rounds)
                ratios = [rates[pair.ours.name] / rates[pair.peer.name] for rates in rounds]
                ratio, goal = statistics.median(ratios), pair.speed_goal or 0.0
                print(
                    f"  {scene.people:5d} ({count / scene.frame_count:6.1f})   {pair.ours.name:>10s} {ours:8.0f}  "
                    f"  {pair.peer.name:>31s} {peer:8.1f}  {ratio:5.2f}  {goal:4.2f}  "
                    f"{'ok' if ratio >= goal else 'MISS'}   ({min(ratios):.2f} to {max(ratios):.2f})"
                )
                is_met = is_met and ratio >= goal
    return is_met


def main(arguments: Sequence[str]) -> int:
    """Prints quality and speed; ends with code 1 where a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.tracking", description=__doc__)
    parser.add_argument("--mot17", default=os.environ.get("MOT17", ""))
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    missing = sorted({entry.environment for entry in ENTRIES if not python_of(entry.environment).exists()})
    if missing:
        sys.stderr.write(f"Missing: {', '.join(missing)}; run `python3 -m tools.setup bench`.\n")
        return 2
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    print(f"machine: {os.cpu_count()} cores; commit {commit.stdout.strip()}")
    met: list[bool] = []
    with tempfile.TemporaryDirectory() as temporary:
        crowds, halves, speed = (Path(temporary) / name for name in ("crowds", "mot17", "speed"))
        for folder in (crowds, halves, speed):
            folder.mkdir()
        lengths = write_crowds(crowds)
        met.append(compare_quality("crowds of our own making", lengths, score(crowds, lengths)))
        lengths = write_second_halves(Path(options.mot17), halves) if options.mot17 else {}
        if lengths:
            met.append(compare_quality("MOT17 second halves, YOLOX detections", lengths, score(halves, lengths)))
        else:
            print(f"\nMOT17: not run: give the folder that holds MOT17-XX/{DETECTIONS} (`make bench MOT17=path`)")
        met.append(compare_speed(speed, options.rounds))
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
