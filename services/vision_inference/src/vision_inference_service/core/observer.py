"""Finds everybody in one frame after another.

    search (whole frame) ──► match with the remembered regions ──► zoom where somebody is missed ──► landmarks ──►
    observation + new memory

The whole-frame search is cheap and sees most. Whom it misses, the memory still expects somewhere: there the detector
looks again at a zoomed crop, upright first and then turned, since it hardly knows people who stand on their heads; and
for a few frames the landmark net alone may carry a person on. Every find needs evidence, and a region without evidence
is given up after a stated time, so that nobody is invented for long.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import numpy as np

from vision_inference_service.core import decoding
from vision_inference_service.core.geometry import (
    CropWindow,
    SearchGrid,
    box_around,
    intersection_over_union,
    visible_share,
)
from vision_inference_service.core.memory import Region, RegionMemory, new_region
from vision_inference_service.core.parameters import ObserverParameters
from vision_inference_service.core.pipeline import batched, look_ahead
from vision_inference_service.core.ports import FramePixels, PoseModels
from vision_inference_service.core.regions import affinity, is_zoom_due, match_regions, pose_window, zoom_window
from vision_inference_service.core.suppression import is_same_body, suppress_duplicates
from vision_inference_service.core.types import (
    KEYPOINT_COUNT,
    LANDMARK_COUNT,
    FloatArray,
    FrameObservation,
    ImageArray,
    PersonCandidate,
    PersonObservation,
    PersonSource,
    PoseEstimate,
)

MOVENET_STRIDE_PX = 32
"""MoveNet's input sides are multiples of this."""

_TRUNK_AND_LEG_LANDMARKS = [11, 12, 23, 24, 25, 26, 27, 28]


@dataclass(frozen=True, kw_only=True, eq=False)
class FrameSearch:
    """What the whole-frame search found; needs no memory, so it may run ahead.

    Attributes:
        candidates: One per body, best first.
        may_be_incomplete: The detector was full.
        was_made: Whether there was a search in this frame at all.
    """

    candidates: tuple[PersonCandidate, ...]
    may_be_incomplete: bool
    was_made: bool = True


@dataclass(frozen=True, kw_only=True, eq=False)
class _Find:
    """A person found in this frame, and the region it continues, if any."""

    candidate: PersonCandidate
    source: PersonSource
    region: Region | None
    rotation_rad: float = 0.0


class PersonObserver:
    """Finds everybody in a frame, given what was there before. Holds no state: the memory is the caller's.

    Args:
        models: The two nets.
        parameters: How they are used.
    """

    def __init__(self, models: PoseModels, parameters: ObserverParameters) -> None:
        """Keeps the ports and the parameters."""
        self._models = models
        self._parameters = parameters

    async def observe(self, frame: FramePixels, memory: RegionMemory) -> tuple[FrameObservation, RegionMemory]:
        """Everybody in `frame`, and the memory for the frame after it.

        The same frame, memory and nets give the same answer, so a stream can go on from a stored memory.
        """
        return await self.complete(frame, await self.search(frame), memory)

    async def observe_frames(
        self, frames: AsyncIterator[FramePixels], memory: RegionMemory, *, look_ahead_count: int = 1
    ) -> AsyncIterator[tuple[FrameObservation, RegionMemory]]:
        """Observes frame after frame, the search of the next one running while the last is completed.

        Args:
            frames: In order of time.
            memory: The memory after the frame before the first one.
            look_ahead_count: How many searches may run ahead; each holds one frame.
        """
        async for frame, search in look_ahead(frames, self.search, count=look_ahead_count):
            observation, memory = await self.complete(frame, search, memory)
            yield observation, memory

    async def search(self, frame: FramePixels) -> FrameSearch:
        """Looks at the whole frame, if this is one of the frames that are searched."""
        parameters = self._parameters
        if frame.frame_index % parameters.search_interval_frames:
            return FrameSearch(candidates=(), may_be_incomplete=False, was_made=False)
        grid = SearchGrid.fit(
            frame.width_px, frame.height_px, long_side_px=parameters.search_long_side_px, stride_px=MOVENET_STRIDE_PX
        )
        image = await frame.resized_rgb(grid.image_width_px, grid.image_height_px)
        tensor = await self._models.detect_persons(_pad(image, grid))
        candidates = decoding.decode_grid_persons(tensor, grid, min_score=parameters.keep_score)
        person_count = decoding.returned_person_count(tensor, min_score=parameters.keep_score)
        return FrameSearch(
            candidates=tuple(self._suppress(candidates)),
            may_be_incomplete=person_count >= decoding.MOVENET_PERSON_COUNT,
        )

    async def complete(
        self, frame: FramePixels, search: FrameSearch, memory: RegionMemory
    ) -> tuple[FrameObservation, RegionMemory]:
        """Adds to the search what the memory knows, and the landmarks."""
        expected = [self._expect(region, frame) for region in memory.regions]
        finds = await self._find_all(frame, search, memory, expected) if search.was_made else []
        found_regions = {id(find.region) for find in finds if find.region is not None}
        missed = [
            (region, box)
            for region, box in zip(memory.regions, expected, strict=True)
            if id(region) not in found_regions
        ]
        persons, carried = await self._estimate_poses(frame, finds, missed)
        regions = [self._continue(find, frame.offset_s) for find in finds]
        for (region, box), pose in zip(missed, carried, strict=True):
            if pose is None and not search.was_made:
                regions.append(region)  # nobody looked, so nobody was missed
                continue
            regions.extend(self._remember_missed(region, box, pose, frame))
            if pose is not None:
                persons.append(_carried_person(pose))
        observation = FrameObservation(
            frame_index=frame.frame_index,
            offset_s=frame.offset_s,
            persons=tuple(sorted(persons, key=lambda person: -person.score)),
            may_be_incomplete=search.may_be_incomplete,
            was_searched=search.was_made,
        )
        return observation, RegionMemory(regions=tuple(regions))

    def _suppress(self, candidates: Sequence[PersonCandidate]) -> list[PersonCandidate]:
        return suppress_duplicates(
            candidates,
            max_overlap=self._parameters.duplicate_overlap,
            min_keypoint_score=self._parameters.keypoint_score,
            max_distance=self._parameters.duplicate_distance,
        )

    def _is_known(self, candidate: PersonCandidate, finds: Sequence[_Find]) -> bool:
        return any(
            is_same_body(
                candidate,
                find.candidate,
                max_overlap=self._parameters.duplicate_overlap,
                min_keypoint_score=self._parameters.keypoint_score,
                max_distance=self._parameters.duplicate_distance,
            )
            for find in finds
        )

    def _expect(self, region: Region, frame: FramePixels) -> FloatArray:
        return region.predict_box(frame.offset_s, velocity_memory_s=self._parameters.velocity_memory_s)

    def _is_believed(self, candidate: PersonCandidate, region: Region, offset_s: float) -> bool:
        """Strong answers always; weak ones only while the last proof is fresh."""
        is_fresh = offset_s - region.evidence_offset_s <= self._parameters.zoom.weak_limit_s
        return candidate.score >= self._parameters.zoom.strong_score or is_fresh

    async def _find_all(
        self, frame: FramePixels, search: FrameSearch, memory: RegionMemory, expected: Sequence[FloatArray]
    ) -> list[_Find]:
        """Search, then zoom for the regions that the search did not settle, then people who are new."""
        parameters = self._parameters
        matched = match_regions(expected, search.candidates, parameters)
        finds: list[_Find] = []
        unsettled: list[tuple[Region, FloatArray, PersonCandidate | None]] = []
        for i_region, (region, box) in enumerate(zip(memory.regions, expected, strict=True)):
            candidate = search.candidates[matched[i_region]] if i_region in matched else None
            if candidate is not None and candidate.score >= parameters.zoom_below_score:
                finds.append(_Find(candidate=candidate, source=PersonSource.SEARCH, region=region))
            else:
                unsettled.append((region, box, candidate))
        unsettled.sort(key=lambda item: (-item[0].seen_offset_s, -item[0].evidence_offset_s))
        for i_unsettled, (region, box, candidate) in enumerate(unsettled):
            may_zoom = i_unsettled < parameters.zoom.max_regions_per_frame
            find = await self._look_closer(frame, region, box, candidate, finds, may_zoom=may_zoom)
            if find is not None:
                finds.append(find)
        used = set(matched.values())
        for i_candidate, candidate in enumerate(search.candidates):
            is_new = i_candidate not in used and candidate.score >= parameters.new_score
            if is_new and not self._is_known(candidate, finds):
                finds.append(_Find(candidate=candidate, source=PersonSource.SEARCH, region=None))
        return finds

    async def _look_closer(
        self,
        frame: FramePixels,
        region: Region,
        box: FloatArray,
        candidate: PersonCandidate | None,
        finds: Sequence[_Find],
        *,
        may_zoom: bool,
    ) -> _Find | None:
        """The best of the search's weak answer and the zoomed views; turned views only when the others fail."""
        zoom = self._parameters.zoom
        options: list[_Find] = []
        if candidate is not None and self._is_believed(candidate, region, frame.offset_s):
            options.append(_Find(candidate=candidate, source=PersonSource.SEARCH, region=region))
        if may_zoom and is_zoom_due(region, zoom):
            views = dict.fromkeys((region.rotation_rad, 0.0))
            options.extend(await self._zoom(frame, region, box, list(views), zoom.scale, finds))
            if candidate is None and not _has_strong(options, zoom.strong_score):
                turned = [rotation for rotation in zoom.rotations_rad if rotation != region.rotation_rad]
                options.extend(await self._zoom(frame, region, box, turned, zoom.turned_scale, finds))
        return max(options, key=lambda find: find.candidate.score, default=None)

    async def _zoom(
        self,
        frame: FramePixels,
        region: Region,
        box: FloatArray,
        rotations_rad: Sequence[float],
        scale: float,
        finds: Sequence[_Find],
    ) -> list[_Find]:
        """Who is seen near one expected box in zoomed views, and was not found yet; stops at a strong find."""
        zoom = self._parameters.zoom
        windows = [zoom_window(box, zoom, scale=scale, rotation_rad=rotation_rad) for rotation_rad in rotations_rad]
        results: list[_Find] = []
        for together in batched(windows, zoom.views_at_once):
            crops = await frame.crops_rgb(together)
            tensors = await asyncio.gather(*(self._models.detect_persons(crop) for crop in crops))
            results.extend(
                _Find(
                    candidate=candidate,
                    source=PersonSource.ZOOM,
                    region=region,
                    rotation_rad=window.rotation_rad,
                )
                for window, tensor in zip(together, tensors, strict=True)
                for candidate in decoding.decode_crop_persons(tensor, window, min_score=zoom.weak_score)
                if self._is_plausible(candidate, region, box, frame.offset_s) and not self._is_known(candidate, finds)
            )
            if _has_strong(results, zoom.strong_score):
                break
        return results

    def _is_plausible(self, candidate: PersonCandidate, region: Region, expected: FloatArray, offset_s: float) -> bool:
        """Whether a find may be the person who is expected there; the weaker it is, the closer it must be."""
        zoom = self._parameters.zoom
        if candidate.score < zoom.strong_score:
            overlap = float(intersection_over_union(candidate.box_px[None], expected[None])[0, 0])
            return overlap >= zoom.weak_min_overlap and self._is_believed(candidate, region, offset_s)
        growth = zoom.max_distance_growth_per_s * (offset_s - region.seen_offset_s)
        scores = affinity(
            expected[None],
            candidate.box_px[None],
            min_overlap=zoom.min_overlap,
            max_distance=zoom.max_distance + growth,
        )
        return float(scores[0, 0]) > 0.0

    async def _estimate_poses(
        self, frame: FramePixels, finds: Sequence[_Find], missed: Sequence[tuple[Region, FloatArray]]
    ) -> tuple[list[PersonObservation], list[PoseEstimate | None]]:
        """Landmarks of everybody found and, as the last resort, of missed regions whose proof is fresh; one call."""
        parameters = self._parameters
        if not parameters.are_landmarks_wanted:
            return [_found_person(find, None) for find in finds], [None] * len(missed)
        windows = [pose_window(find.candidate.box_px, find.candidate.keypoints_px, parameters) for find in finds]
        windows = windows[: parameters.max_persons]
        carriable = [
            i_missed
            for i_missed, (region, _) in enumerate(missed)
            if frame.offset_s - region.evidence_offset_s <= parameters.carry.limit_s
        ][: parameters.max_persons - len(windows)]
        carry_windows = [pose_window(missed[i_missed][1], None, parameters) for i_missed in carriable]
        poses = await self._run_landmarks(frame, [*windows, *carry_windows])
        persons = [
            _found_person(find, poses[i_find] if i_find < len(windows) else None) for i_find, find in enumerate(finds)
        ]
        carried: list[PoseEstimate | None] = [None] * len(missed)
        for i_missed, pose in zip(carriable, poses[len(windows) :], strict=True):
            if self._may_carry(pose, missed[i_missed][1], persons):
                carried[i_missed] = pose
        return persons, carried

    async def _run_landmarks(self, frame: FramePixels, windows: Sequence[CropWindow]) -> list[PoseEstimate]:
        if not windows:
            return []
        landmarks, world, presence = await self._models.estimate_landmarks(await frame.crops_rgb(windows))
        return [
            decoding.decode_pose(landmarks[i_window], world[i_window], float(presence[i_window]), window)
            for i_window, window in enumerate(windows)
        ]

    def _may_carry(self, pose: PoseEstimate, expected: FloatArray, persons: Sequence[PersonObservation]) -> bool:
        """Whether the landmark net's answer alone is good enough to keep a person for this frame."""
        carry = self._parameters.carry
        box = box_around(pose.landmarks_px[:, :2])
        visibility = float(pose.landmarks_px[_TRUNK_AND_LEG_LANDMARKS, 3].mean())
        is_person = pose.pose_presence >= carry.min_presence and visibility >= carry.min_visibility
        is_there = float(intersection_over_union(box[None], expected[None])[0, 0]) >= carry.min_overlap
        others = [person.box_px for person in persons]
        is_other = bool(others) and bool(
            intersection_over_union(box[None], np.stack(others)).max() > self._parameters.duplicate_overlap
        )
        return is_person and is_there and not is_other

    def _continue(self, find: _Find, offset_s: float) -> Region:
        if find.region is None:
            return new_region(find.candidate.box_px, offset_s=offset_s)
        return find.region.see(
            find.candidate.box_px,
            offset_s=offset_s,
            is_strong=find.candidate.score >= self._parameters.zoom.strong_score,
            rotation_rad=find.rotation_rad,
            smoothing=self._parameters.velocity_smoothing,
        )

    def _remember_missed(
        self, region: Region, box: FloatArray, pose: PoseEstimate | None, frame: FramePixels
    ) -> list[Region]:
        """The region of somebody who was not found: carried on, kept for a while, or given up (empty)."""
        parameters = self._parameters
        if pose is not None:
            carried_box = box_around(pose.landmarks_px[:, :2])
            return [
                region.see(
                    carried_box,
                    offset_s=frame.offset_s,
                    is_strong=False,
                    rotation_rad=region.rotation_rad,
                    smoothing=parameters.velocity_smoothing,
                )
            ]
        is_old = frame.offset_s - region.seen_offset_s > parameters.forget_after_s
        share = visible_share(box, width_px=frame.width_px, height_px=frame.height_px)
        return [] if is_old or share < parameters.min_visible_share else [region.miss()]


def _has_strong(finds: Sequence[_Find], strong_score: float) -> bool:
    return any(find.candidate.score >= strong_score for find in finds)


def _pad(image: ImageArray, grid: SearchGrid) -> ImageArray:
    """Puts the image (H, W, 3) into the upper left of the net's black input."""
    padded = np.zeros((grid.grid_height_px, grid.grid_width_px, 3), np.uint8)
    padded[: grid.image_height_px, : grid.image_width_px] = image
    return padded


def _found_person(find: _Find, pose: PoseEstimate | None) -> PersonObservation:
    return PersonObservation(
        box_px=find.candidate.box_px,
        score=find.candidate.score,
        keypoints_px=find.candidate.keypoints_px,
        landmarks_px=_nan(LANDMARK_COUNT, 5) if pose is None else pose.landmarks_px,
        world_landmarks_m=_nan(LANDMARK_COUNT, 3) if pose is None else pose.world_landmarks_m,
        pose_presence=float("nan") if pose is None else pose.pose_presence,
        source=find.source,
    )


def _carried_person(pose: PoseEstimate) -> PersonObservation:
    keypoints = _nan(KEYPOINT_COUNT, 3)
    keypoints[:, 2] = 0.0
    return PersonObservation(
        box_px=box_around(pose.landmarks_px[:, :2]),
        score=float(pose.landmarks_px[_TRUNK_AND_LEG_LANDMARKS, 3].mean()) * pose.pose_presence,
        keypoints_px=keypoints,
        landmarks_px=pose.landmarks_px,
        world_landmarks_m=pose.world_landmarks_m,
        pose_presence=pose.pose_presence,
        source=PersonSource.CARRIED,
    )


def _nan(*shape: int) -> FloatArray:
    return np.full(shape, np.nan, np.float32)
