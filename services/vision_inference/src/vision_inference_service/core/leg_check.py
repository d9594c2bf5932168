"""Asks the detector again, in the mirror, where one leg hides the other.

A small person's legs are a few pixels wide in the whole-frame search, and the landmark net guesses the leg that it does
not see: where legs pass each other both nets may take one for the other for a second. At a closer look the detector
hardly does so. The crop is mirrored, so that its answer is a second opinion and not the first one repeated, and no
wider than the body needs, since the detector's price goes by the area.
"""

from __future__ import annotations

import math

import numpy as np

from vision_inference_service.core import decoding
from vision_inference_service.core.geometry import CropWindow, box_center, box_size, intersection_over_union
from vision_inference_service.core.parameters import LegParameters, ObserverParameters
from vision_inference_service.core.ports import FramePixels, PoseModels
from vision_inference_service.core.regions import body_box
from vision_inference_service.core.types import FloatArray, PersonCandidate, PoseEstimate

_KEYPOINTS = [[13, 15], [14, 16]]
"""Knee and ankle, left and right, among the detector's keypoints."""
_LANDMARKS = [[25, 27], [26, 28]]
"""The same among the landmark net's."""
_MIN_SOURCE_PX_PER_CROP_PX = 0.25
"""Nothing is enlarged beyond this: there is no more to see."""


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
        legs, min_score = self._parameters.legs, self._parameters.zoom.weak_score
        if legs is None or pose is None:
            return None
        box = body_box(pose.landmarks_px) if known is None else known.box_px
        lean_rad = pose.circle.lean_rad
        is_upright = abs(lean_rad) <= self._parameters.upright_limit_rad
        window = leg_window(box, legs, rotation_rad=0.0 if is_upright else lean_rad)
        crops = await frame.crops_rgb([window])
        tensor = decoding.mirror_persons(await self._models.detect_persons(np.ascontiguousarray(crops[0][:, ::-1])))
        found = [
            candidate
            for candidate in decoding.decode_crop_persons(tensor, window, min_score=min_score)
            if float(intersection_over_union(candidate.box_px[None], box[None])[0, 0]) >= legs.min_overlap
        ]
        best = max(found, key=lambda candidate: candidate.score, default=None)
        known_score = 0.0 if known is None else _score(known.keypoints_px)
        return best if best is not None and _score(best.keypoints_px) > known_score else None


def leg_window(box: FloatArray, legs: LegParameters, *, rotation_rad: float) -> CropWindow:
    """What is looked at: around a box (4,), along the body, whose own axes are the crop's.

    Args:
        box: The person's, along the source frame's axes.
        legs: The crop's measures.
        rotation_rad: By how much the body leans, 0 for whoever stands; a body that lies has its box's sides exchanged.
    """
    width, height = box_size(box)
    across, along = (width, height) if abs(math.cos(rotation_rad)) >= math.sqrt(0.5) else (height, width)
    source_px_per_crop_px = max(float(max(width, height)) / legs.body_px, _MIN_SOURCE_PX_PER_CROP_PX)
    center = box_center(box)
    return CropWindow(
        center_x_px=float(center[0]),
        center_y_px=float(center[1]),
        source_px_per_crop_px=source_px_per_crop_px,
        width_px=_side_px(float(across) * legs.margin_across / source_px_per_crop_px, legs),
        height_px=_side_px(float(along) * legs.margin_along / source_px_per_crop_px, legs),
        rotation_rad=rotation_rad,
    )


def _side_px(wanted_px: float, legs: LegParameters) -> int:
    whole_px = math.ceil(wanted_px / decoding.MOVENET_STRIDE_PX) * decoding.MOVENET_STRIDE_PX
    return min(max(whole_px, legs.min_side_px), legs.max_side_px)


def _score(keypoints_px: FloatArray) -> float:
    return float(keypoints_px[_KEYPOINTS, 2].mean())
