"""What is shown: progress on the error stream, results on the output, so that a result can be piped."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from praxiscope.biomechanics.v1 import motion_service_pb2
from praxiscope.client import Progress
from praxiscope.library.v1 import asset_pb2, asset_service_pb2

_SHOWN_ANGLES = (
    "knee_angle_r",
    "knee_angle_l",
    "hip_flexion_r",
    "hip_flexion_l",
    "elbow_flex_r",
    "elbow_flex_l",
    "trunk_lean",
)
_SURE_SHARE = 0.05


class Screen:
    """Where a person, or a program, reads.

    Args:
        is_json: Whether one JSON document is all that is printed.
    """

    def __init__(self, *, is_json: bool) -> None:
        """Finds out whether somebody watches."""
        self._is_json = is_json
        self._errors = Console(stderr=True, highlight=False, soft_wrap=True)
        self._is_watched = sys.stderr.isatty() and not is_json

    def result(self, document: Mapping[str, Any], text: str) -> None:
        """Prints the result."""
        sys.stdout.write((json.dumps(document, indent=2, ensure_ascii=False) if self._is_json else text) + "\n")

    def note(self, text: str) -> None:
        """Says how far the work is, to whoever watches."""
        if self._is_watched:
            self._errors.print(text, style="dim", markup=False)

    def warn(self, text: str) -> None:
        """Says something that the reader should know."""
        if not self._is_json:
            self._errors.print(f"[yellow]{text}[/yellow]", markup=True)

    def error(
        self,
        message: str,
        *,
        reason: str,
        advice: str = "",
        violations: Sequence[tuple[str, str]] = (),
        request_id: str = "",
        retry_after_s: float | None = None,
    ) -> None:
        """Says what went wrong and what to do."""
        if self._is_json:
            document: dict[str, Any] = {"reason": reason, "message": message}
            if violations:
                document["violations"] = [{"field": field, "description": text} for field, text in violations]
            if request_id:
                document["request_id"] = request_id
            if retry_after_s is not None:
                document["retry_after_s"] = retry_after_s
            sys.stdout.write(json.dumps({"error": document}, indent=2, ensure_ascii=False) + "\n")
            return
        self._errors.print(f"error: {message} [{reason}]", style="red", markup=False)
        for field, text in violations:
            self._errors.print(f"  {field}: {text}", markup=False)
        if retry_after_s is not None:
            self._errors.print(f"  It may work again in {math.ceil(retry_after_s)} s.", markup=False)
        if advice:
            self._errors.print(f"  {advice}", markup=False)
        if request_id:
            self._errors.print(f"  request {request_id}", style="dim", markup=False)

    @contextmanager
    def bytes_bar(self, title: str) -> Iterator[Callable[[int, int], None]]:
        """Shows how many bytes are through."""
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
        with Bars(*columns, console=self._errors, disable=not self._is_watched) as bars:
            task = bars.add_task(title, total=None)
            yield lambda sent, total: bars.update(task, completed=sent, total=total)

    @contextmanager
    def stage_bars(self, operation: str) -> Iterator[Callable[[Progress], None]]:
        """Shows one bar a stage."""
        columns = (
            TextColumn("{task.description:>9}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("[dim]{task.fields[message]}"),
        )
        with Bars(*columns, console=self._errors, disable=not self._is_watched) as bars:
            tasks: dict[str, Any] = {}
            if self._is_watched:
                self._errors.print(f"{operation}", style="dim", markup=False)

            def show(progress: Progress) -> None:
                current = next((stage.name for stage in progress.stages if stage.progress < 1), "")
                for stage in progress.stages:
                    if stage.name not in tasks:
                        tasks[stage.name] = bars.add_task(stage.name, total=1.0, message="")
                    message = progress.message if stage.name == current else ""
                    bars.update(tasks[stage.name], completed=stage.progress, message=message)

            yield show

    def motion_text(self, response: motion_service_pb2.AnalyzeMotionResponse, files: Sequence[Path]) -> str:
        """Returns a measured motion for a person to read."""
        motion = response.motion
        seconds = motion.duration.ToNanoseconds() / 1e9
        lines = [f"{len(motion.persons)} people in {motion.frame_count} frames ({seconds:.1f} s of video)", ""]
        for person in motion.persons:
            lines.append(
                f"Person {person.person_id}: seen in {person.seen_frame_count} frames, {person.first_frame} to {person.last_frame}"
            )
            for angle in person.angles:
                if angle.name in _SHOWN_ANGLES and angle.sure_share >= _SURE_SHARE:
                    lines.append(
                        f"  {angle.name:15} {angle.minimum_deg:7.1f}° to {angle.maximum_deg:6.1f}°   sure in {angle.sure_share:4.0%} of the frames"
                    )
            if not math.isnan(person.cadence_steps_per_min):
                lines.append(f"  cadence         {person.cadence_steps_per_min:7.1f} steps a minute")
        lines += [f"Note: {note}" for note in motion.notes]
        elapsed = ", ".join(
            f"{stage} {elapsed_s:.1f} s" for stage, elapsed_s in sorted(response.stage_elapsed_s.items())
        )
        lines += ["", f"Time: {elapsed}"]
        lines += ["Files:", *(f"  {file}" for file in files)] if files else [f"Motion: {motion.asset_version}"]
        return "\n".join(lines)

    def operations_text(self, page: Mapping[str, Any]) -> str:
        """Returns operations for a person to read."""
        rows = page.get("operations") or ()
        if not rows:
            return "There are no operations."
        lines = []
        for row in rows:
            metadata = row.get("metadata", {})
            state = str(metadata.get("state", "")).removeprefix("STATE_").lower()
            method = str(metadata.get("method", "")).rpartition("/")[2]
            share = float(metadata.get("progress", 0.0))
            error = f"  {row['error'].get('message', '')}" if "error" in row else ""
            lines.append(f"{row['name']}  {method:16} {state:10} {share:4.0%}{error}")
        return "\n".join(lines)

    def assets_text(self, page: asset_service_pb2.ListAssetsResponse) -> str:
        """Returns assets for a person to read."""
        if not page.assets:
            return "There are no assets."
        return "\n".join(
            f"{asset.name}  {asset_pb2.Asset.Kind.Name(asset.kind).removeprefix('KIND_').lower():10} {asset.size_bytes:>12} {asset.display_name}"
            for asset in page.assets
        )

    def version_text(self, asset: asset_pb2.Asset, version: asset_pb2.AssetVersion) -> str:
        """Returns an asset and its files for a person to read."""
        kind = asset_pb2.Asset.Kind.Name(asset.kind).removeprefix("KIND_").lower()
        lines = [f"{asset.display_name} ({kind})", version.name]
        lines += [f"  {file.path:28} {file.size_bytes:>12}  {file.content_type}" for file in version.files]
        lines += [f"  made from {source}" for source in version.sources]
        return "\n".join(lines)
