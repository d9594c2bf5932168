"""Asks the detector again, in the mirror, where one leg hides the other.

A small person's legs are a few pixels wide in the whole-frame search, and the landmark net guesses the leg that it does
not see: where legs pass each other both nets may take one for the other for a second. At a closer look the detector
hardly does so. The crop is mirrored, so that its answer is a second opinion and not the first one repeated.
"""

from __future__ import annotations

import numpy as np

from vision_inference_service.core import decoding
from vision_inference_service.core.geometry import intersection_over_union
from vision_inference_service.core.parameters import ObserverParameters
from vision_inference_service.core.ports import FramePixels, PoseModels
from vision_inference_service.core.regions import body_box, zoom_window
from vision_inference_service.core.types import FloatArray, PersonCandidate, PoseEstimate

_KEYPOINTS = [[13, 15], [14, 16]]
"""Knee and ankle, left and right, among the detector's keypoints."""
_LANDMARKS = [[25, 27], [26, 28]]
"""The same among the landmark net's."""


class LegCheck:
    """The detector on a mirrored crop around one person.

    Args:
        models: The detector.
        parameters: How it is used.
    """

    def __init__(self, models: PoseModels, parameters: ObserverParameters) -> None:
        """Keeps the port and the parameters."""
        self._models = models
        self._parameters = parameters

    def is_due(self, known: PersonCandidate | None, pose: PoseEstimate | None) -> bool:
        """Whether the landmark net sees one leg badly, and the detector saw one badly as well.

        Args:
            known: The detector's answer, None where it found nobody.
            pose: The landmark net's, None where it found nobody or was not asked.
        """
        legs = self._parameters.legs
        if legs is None or pose is None:
            return False
        visibility = float(pose.landmarks_px[_LANDMARKS, 3].mean(axis=1).min())
        score = 0.0 if known is None else float(known.keypoints_px[_KEYPOINTS, 2].mean(axis=1).min())
        return visibility < legs.max_visibility and score < legs.max_score

    async def look(
        self, frame: FramePixels, known: PersonCandidate | None, pose: PoseEstimate | None
    ) -> PersonCandidate | None:
        """The person at a closer look, where that shows the legs better than the detector's first answer did.

        Args:
            frame: Where to look.
            known: The detector's first answer, None where it found nobody.
            pose: The landmark net's.
        """
        legs, zoom = self._parameters.legs, self._parameters.zoom
        if legs is None or pose is None:
            return None
        box = body_box(pose.landmarks_px) if known is None else known.box_px
        lean_rad = pose.circle.lean_rad
        is_upright = abs(lean_rad) <= self._parameters.upright_limit_rad
        window = zoom_window(box, zoom, scale=legs.scale, rotation_rad=0.0 if is_upright else lean_rad)
        crops = await frame.crops_rgb([window])
        tensor = decoding.mirror_persons(await self._models.detect_persons(np.ascontiguousarray(crops[0][:, ::-1])))
        found = [
            candidate
            for candidate in decoding.decode_crop_persons(tensor, window, min_score=zoom.weak_score)
            if float(intersection_over_union(candidate.box_px[None], box[None])[0, 0]) >= legs.min_overlap
        ]
        best = max(found, key=lambda candidate: candidate.score, default=None)
        known_score = 0.0 if known is None else _score(known.keypoints_px)
        return best if best is not None and _score(best.keypoints_px) > known_score else None


def _score(keypoints_px: FloatArray) -> float:
    return float(keypoints_px[_KEYPOINTS, 2].mean())
