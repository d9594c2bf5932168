"""Looks again, at a zoomed and perhaps turned crop, where somebody is expected whom the whole-frame search misses."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence

from vision_inference_service.core import decoding
from vision_inference_service.core.finds import Find, is_found
from vision_inference_service.core.geometry import intersection_over_union, visible_share
from vision_inference_service.core.memory import Region
from vision_inference_service.core.parameters import ObserverParameters
from vision_inference_service.core.pipeline import batched
from vision_inference_service.core.ports import FramePixels, PoseModels
from vision_inference_service.core.regions import affinity, zoom_window
from vision_inference_service.core.types import FloatArray, PersonCandidate, PersonSource


class CloserLook:
    """The detector on crops around one expected box.

    Args:
        models: The detector.
        parameters: How it is used.
    """

    def __init__(self, models: PoseModels, parameters: ObserverParameters) -> None:
        """Keeps the port and the parameters."""
        self._models = models
        self._parameters = parameters

    async def look(self, frame: FramePixels, region: Region, box: FloatArray, finds: Sequence[Find]) -> Find | None:
        """The best find near an expected box in a view along the trunk and an upright one.

        Args:
            frame: Where to look.
            region: Who is expected.
            box: (4,) where.
            finds: Who was found already.
        """
        views = list(dict.fromkeys((self._likely_turn(region), 0.0)))
        return await self._look_at_views(frame, region, box, views, self._parameters.zoom.scale, finds, at_once=1)

    async def look_turned(
        self, frame: FramePixels, region: Region, box: FloatArray, finds: Sequence[Find]
    ) -> Find | None:
        """The best find in views turned further, for the detector hardly knows people who stand on their heads.

        Nothing is looked at where somebody stood upright, who does not turn over from one frame to the next, nor where
        most of the expected box lies outside the frame: whoever is leaving does not turn over first.
        """
        zoom = self._parameters.zoom
        share = visible_share(box, width_px=frame.width_px, height_px=frame.height_px)
        is_upright = region.circle is not None and abs(region.circle.lean_rad) < zoom.min_turned_lean_rad
        if is_upright or share < zoom.min_turned_share:
            return None
        likely = self._likely_turn(region)
        views = [math.remainder(likely + turn_rad, math.tau) for turn_rad in zoom.turns_rad]
        return await self._look_at_views(
            frame, region, box, views, zoom.turned_scale, finds, at_once=zoom.turned_views_at_once
        )

    def _likely_turn(self, region: Region) -> float:
        lean_rad = 0.0 if region.circle is None else region.circle.lean_rad
        is_turned = abs(lean_rad) > self._parameters.upright_limit_rad
        return lean_rad if is_turned else region.rotation_rad

    def is_believed(self, candidate: PersonCandidate, region: Region, offset_s: float) -> bool:
        """Strong answers always; weak ones only while the last proof is fresh."""
        is_fresh = offset_s - region.evidence_offset_s <= self._parameters.zoom.weak_limit_s
        return candidate.score >= self._parameters.zoom.strong_score or is_fresh

    def is_plausible(self, candidate: PersonCandidate, region: Region, expected: FloatArray, offset_s: float) -> bool:
        """Whether a find may be the person who is expected there; the weaker it is, the closer it must be."""
        zoom = self._parameters.zoom
        if candidate.score < zoom.strong_score:
            overlap = float(intersection_over_union(candidate.box_px[None], expected[None])[0, 0])
            return overlap >= zoom.weak_min_overlap and self.is_believed(candidate, region, offset_s)
        growth = zoom.max_distance_growth_per_s * (offset_s - region.seen_offset_s)
        scores = affinity(
            expected[None],
            candidate.box_px[None],
            min_overlap=zoom.min_overlap,
            max_distance=zoom.max_distance + growth,
        )
        return float(scores[0, 0]) > 0.0

    async def _look_at_views(
        self,
        frame: FramePixels,
        region: Region,
        box: FloatArray,
        rotations_rad: Sequence[float],
        scale: float,
        finds: Sequence[Find],
        *,
        at_once: int,
    ) -> Find | None:
        """The best of those near one expected box who were not found yet; stops at a strong find."""
        zoom = self._parameters.zoom
        windows = [zoom_window(box, zoom, scale=scale, rotation_rad=rotation_rad) for rotation_rad in rotations_rad]
        results: list[Find] = []
        for together in batched(windows, at_once):
            crops = await frame.crops_rgb(together)
            tensors = await asyncio.gather(*(self._models.detect_persons(crop) for crop in crops))
            results.extend(
                Find(candidate=candidate, source=PersonSource.ZOOM, region=region, rotation_rad=window.rotation_rad)
                for window, tensor in zip(together, tensors, strict=True)
                for candidate in decoding.decode_crop_persons(tensor, window, min_score=zoom.weak_score)
                if self.is_plausible(candidate, region, box, frame.offset_s)
                and not is_found(candidate, finds, self._parameters)
            )
            if any(find.candidate.score >= zoom.strong_score for find in results):
                break
        return max(results, key=lambda find: find.candidate.score, default=None)
