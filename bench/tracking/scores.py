"""Scores track text with TrackEval, in its environment (.venv-bench): `python -m bench.tracking.scores FOLDER`.

FOLDER holds `gt/SEQUENCE/{seqinfo.ini,gt/gt.txt}`, `trackers/NAME/data/SEQUENCE.txt` and `sequences.txt`. Prints JSON:
HOTA, IDF1 and MOTA in percent and identity switches of every tracker over all sequences.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
from pathlib import Path

import numpy as np
import trackeval


def score(folder: Path) -> dict[str, dict[str, float]]:
    """Scores every tracker in the folder."""
    names = sorted(path.name for path in (folder / "trackers").iterdir())
    quiet = {"PRINT_CONFIG": False}
    dataset = trackeval.datasets.MotChallenge2DBox(
        {
            "GT_FOLDER": str(folder / "gt"),
            "TRACKERS_FOLDER": str(folder / "trackers"),
            "TRACKERS_TO_EVAL": names,
            "SEQMAP_FILE": str(folder / "sequences.txt"),
            "SKIP_SPLIT_FOL": True,
            "BENCHMARK": "MOT17",
            **quiet,
        }
    )
    evaluator = trackeval.Evaluator(
        {"PRINT_RESULTS": False, "TIME_PROGRESS": False, "OUTPUT_SUMMARY": False, "OUTPUT_DETAILED": False, **quiet}
        | {"PLOT_CURVES": False, "USE_PARALLEL": False, "BREAK_ON_ERROR": True}
    )
    metrics = [trackeval.metrics.HOTA(), trackeval.metrics.CLEAR(quiet), trackeval.metrics.Identity(quiet)]
    results = evaluator.evaluate([dataset], metrics)[0]["MotChallenge2DBox"]
    figures = {}
    for name in names:
        row = results[name]["COMBINED_SEQ"]["pedestrian"]
        figures[name] = {
            "HOTA": 100.0 * float(np.mean(row["HOTA"]["HOTA"])),
            "IDF1": 100.0 * float(row["Identity"]["IDF1"]),
            "MOTA": 100.0 * float(row["CLEAR"]["MOTA"]),
            "IDSW": float(row["CLEAR"]["IDSW"]),
        }
    return figures


if __name__ == "__main__":
    with contextlib.redirect_stdout(io.StringIO()):
        found = score(Path(sys.argv[1]))
    sys.stdout.write(json.dumps(found) + "\n")
