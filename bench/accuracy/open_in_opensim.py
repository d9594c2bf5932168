"""Opens the TRC and MOT of the sample video with OpenSim's own readers.

    python bench/accuracy/open_in_opensim.py            # writes the files, needs no OpenSim
    OPENSIM_PYTHON=… python bench/accuracy/open_in_opensim.py

OpenSim (`pip install opensim`, 222 MB) lives in an environment of its own; name its interpreter in OPENSIM_PYTHON.
Without it the command prints "not run" and
ends with code 2.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from motion_sample import GOLDEN, measure_figures

from biomechanics_service.core.opensim_files import write_angles_mot, write_markers_trc

READER = """
import sys
import opensim
for path in sys.argv[1:]:
    if path.endswith(".trc"):
        table = opensim.TimeSeriesTableVec3(path)
        marker_data = opensim.MarkerData(path)
        print(path, table.getNumRows(), "rows", table.getNumColumns(), "markers, MarkerData",
        marker_data.getNumFrames(),
              "frames", marker_data.getNumMarkers(), "markers", marker_data.getUnits().getLabel())
    else:
        table = opensim.TimeSeriesTable(path)
        storage = opensim.Storage(path)
        print(path, table.getNumRows(), "rows", table.getNumColumns(), "columns, inDegrees", storage.isInDegrees(),
              table.getTableMetaDataString("inDegrees"))
"""


def main() -> int:
    """Writes, reads back, and fails on a warning or a count that differs."""
    interpreter = os.environ.get("OPENSIM_PYTHON")
    _, analysis = measure_figures(GOLDEN / "observations.npz")
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for person in analysis.persons:
            for suffix, text in ((".trc", write_markers_trc(person)), (".mot", write_angles_mot(person))):
                path = Path(folder) / f"person{person.person_id}{suffix}"
                path.write_text("".join(text))
                paths.append(str(path))
        if not interpreter:
            print(f"not run: {len(paths)} files were written, but OPENSIM_PYTHON names no interpreter")
            return 2
        done = subprocess.run(
            [interpreter, "-c", READER, *paths], capture_output=True, text=True, check=False, cwd=folder
        )
    print(done.stdout + done.stderr)
    is_quiet = "warn" not in (done.stdout + done.stderr).lower() and "error" not in done.stderr.lower()
    return 0 if done.returncode == 0 and is_quiet and done.stdout.count("rows") == len(paths) else 1


if __name__ == "__main__":
    sys.exit(main())
