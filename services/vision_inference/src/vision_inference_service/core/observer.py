"""Finds everybody in one frame after another.

    search (whole frame) ──► match with the remembered regions ──► landmarks, also where somebody was missed ──►
    closer look where they fail, or a proof is due ──► check of legs that hide each other ──► observation + new memory

The whole-frame search is cheap and sees most. Whom it misses, the memory still expects somewhere: there the landmark
net, which costs a third of a look by the detector and knows people who stand on their heads, follows the person; now
and then, and when it fails, the detector looks again at a zoomed crop, upright first and then turned. Every find needs
evidence, and a region without evidence is given up after a stated time, so that nobody is invented for long.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

import numpy as np

from vision_inference_service.core import decoding
from vision_inference_service.core.closer_look import CloserLook
from vision_inference_service.core.finds import Find, is_found
from vision_inference_service.core.geometry import (
    CropWindow,
    SearchGrid,
    intersection_over_union,
    visible_share,
)
from vision_inference_service.core.leg_check import LegCheck
from vision_inference_service.core.memory import Region, RegionMemory, new_region
from vision_inference_service.core.parameters import ObserverParameters
from vision_inference_service.core.pipeline import look_ahead
from vision_inference_service.core.ports import FramePixels, PoseModels
from vision_inference_service.core.regions import (
    body_box,
    circle_around,
    follow_window,
    is_proof_due,
    is_zoom_due,
    match_regions,
    pose_window,
)
from vision_inference_service.core.suppression import suppress_duplicates
from vision_inference_service.core.types import (
    KEYPOINT_COUNT,
    LANDMARK_COUNT,
    BodyCircle,
    FloatArray,
    FrameObservation,
    ImageArray,
    PersonCandidate,
    PersonObservation,
    PersonSource,
    PoseEstimate,
)

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


@dataclass(kw_only=True, eq=False)
class _Missed:
    """A region in which nobody was found yet.

    Attributes:
        region: The region.
        box: (4,) where the person is expected.
        candidate: The search's weak answer there, if it has one that is believed.
        was_looked: Whether the detector looked closer in this frame.
        pose: What the landmark net found there, if that is good enough to keep the person.
        keypoints_px: (17, 3) what the detector saw of the person's legs and the rest at a closer look, if it did.
    """

    region: Region
    box: FloatArray
    candidate: PersonCandidate | None = None
    was_looked: bool = False
    pose: PoseEstimate | None = None
    keypoints_px: FloatArray | None = None


@dataclass(kw_only=True, eq=False)
class _Scene:
    """What is known of one frame while it is worked on.

    Attributes:
        finds: Who was found, and the landmarks once they are known.
        missed: Who was not.
        strangers: Answers of the search that belong to no region.
    """

    finds: list[tuple[Find, PoseEstimate | None]]
    missed: list[_Missed]
    strangers: list[PersonCandidate]

    def found(self) -> list[Find]:
        """Who was found, without landmarks."""
        return [find for find, _ in self.finds]


@dataclass(frozen=True, kw_only=True, eq=False)
class FrameSight:
    """Who is where in a frame.

    Attributes:
        frame: The frame.
        search: What the search found.
        scene: Everybody, with the landmarks.
        memory: The memory for the frame after it.
    """

    frame: FramePixels
    search: FrameSearch
    scene: _Scene
    memory: RegionMemory


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
        self._closer = CloserLook(models, parameters)
        self._legs = LegCheck(models, parameters)

    async def observe(self, frame: FramePixels, memory: RegionMemory) -> tuple[FrameObservation, RegionMemory]:
        """Everybody in `frame`, and the memory for the frame after it.

        The same frame, memory and nets give the same answer, so a stream can go on from a stored memory.
        """
        sight = await self.see(frame, await self.search(frame), memory)
        return await self.finish(sight), sight.memory

    async def observe_frames(
        self, frames: AsyncIterator[FramePixels], memory: RegionMemory, *, look_ahead_count: int = 2
    ) -> AsyncIterator[tuple[FrameObservation, RegionMemory]]:
        """Observes frame after frame: only `see` waits for the frame before; searches run ahead of it, `finish` behind it.

        Args:
            frames: In order of time.
            memory: The memory after the frame before the first one.
            look_ahead_count: How many searches may run ahead, and how many frames may wait to be finished; each holds
                one frame.
        """
        async with (
            aclosing(self._see_frames(frames, memory, look_ahead_count)) as sights,
            aclosing(look_ahead(sights, self.finish, count=look_ahead_count)) as finished,
        ):
            async for sight, observation in finished:
                yield observation, sight.memory

    async def _see_frames(
        self, frames: AsyncIterator[FramePixels], memory: RegionMemory, look_ahead_count: int
    ) -> AsyncGenerator[FrameSight, None]:
        async with aclosing(look_ahead(frames, self.search, count=look_ahead_count)) as searched:
            async for frame, search in searched:
                sight = await self.see(frame, search, memory)
                memory = sight.memory
                yield sight

    async def search(self, frame: FramePixels) -> FrameSearch:
        """Looks at the whole frame, if this is one of the frames that are searched."""
        parameters = self._parameters
        if frame.frame_index % parameters.search_interval_frames:
            return FrameSearch(candidates=(), may_be_incomplete=False, was_made=False)
        grid = SearchGrid.fit(
            frame.width_px,
            frame.height_px,
            long_side_px=parameters.search_long_side_px,
            stride_px=decoding.MOVENET_STRIDE_PX,
        )
        image = await frame.resized_rgb(grid.image_width_px, grid.image_height_px)
        tensor = await self._models.detect_persons(_pad(image, grid))
        candidates = decoding.decode_grid_persons(tensor, grid, min_score=parameters.keep_score)
        person_count = decoding.returned_person_count(tensor, min_score=parameters.keep_score)
        return FrameSearch(
            candidates=tuple(
                suppress_duplicates(
                    candidates,
                    max_overlap=parameters.duplicate_overlap,
                    min_keypoint_score=parameters.keypoint_score,
                    max_distance=parameters.duplicate_distance,
                )
            ),
            may_be_incomplete=person_count >= decoding.MOVENET_PERSON_COUNT,
        )

    async def see(self, frame: FramePixels, search: FrameSearch, memory: RegionMemory) -> FrameSight:
        """Adds to the search what the memory knows, and the landmarks: who is where, and all that the next frame needs."""
        scene = self._match(frame, search, memory)
        if search.was_made:
            await self._prove(frame, scene)
        await self._add_landmarks(frame, scene, may_follow=True)
        if search.was_made:
            await self._look_for_lost(frame, scene)
            self._greet_strangers(scene)
            await self._add_landmarks(frame, scene, may_follow=False)
        memory = self._remember(frame, scene, was_searched=search.was_made)
        return FrameSight(frame=frame, search=search, scene=scene, memory=memory)

    async def finish(self, sight: FrameSight) -> FrameObservation:
        """Looks closer at legs that hide each other; nothing of a later frame waits for it."""
        frame, search, scene = sight.frame, sight.search, sight.scene
        if search.was_made:
            await self._check_legs(frame, scene)
        persons = [_found_person(find, pose) for find, pose in scene.finds]
        persons += [
            _carried_person(missed.pose, missed.keypoints_px) for missed in scene.missed if missed.pose is not None
        ]
        return FrameObservation(
            frame_index=frame.frame_index,
            offset_s=frame.offset_s,
            persons=tuple(sorted(persons, key=lambda person: -person.score)),
            may_be_incomplete=search.may_be_incomplete,
            was_searched=search.was_made,
        )

    def _match(self, frame: FramePixels, search: FrameSearch, memory: RegionMemory) -> _Scene:
        """Gives the search's answers to the regions; what is left are missed regions and strangers."""
        parameters, scene = self._parameters, _Scene(finds=[], missed=[], strangers=[])
        expected = [
            region.predict_box(frame.offset_s, velocity_memory_s=parameters.velocity_memory_s)
            for region in memory.regions
        ]
        matched = match_regions(expected, search.candidates, parameters)
        used = set(matched.values())
        scene.strangers = [
            candidate
            for i_candidate, candidate in enumerate(search.candidates)
            if i_candidate not in used and candidate.score >= parameters.new_score
        ]
        for i_region, (region, box) in enumerate(zip(memory.regions, expected, strict=True)):
            candidate = search.candidates[matched[i_region]] if i_region in matched else None
            if candidate is None:
                candidate = self._take_stranger(scene, region, box, frame.offset_s)
            elif not self._closer.is_believed(candidate, region, frame.offset_s):
                candidate = None
            is_weak = candidate is not None and candidate.score < parameters.zoom_below_score
            if candidate is None or (is_weak and is_proof_due(region, parameters.zoom, offset_s=frame.offset_s)):
                scene.missed.append(_Missed(region=region, box=box, candidate=candidate))
            else:
                scene.finds.append((Find(candidate=candidate, source=PersonSource.SEARCH, region=region), None))
        # Whoever was seen last is looked for first.
        scene.missed.sort(key=lambda item: (-item.region.seen_offset_s, -item.region.evidence_offset_s))
        return scene

    def _take_stranger(self, scene: _Scene, region: Region, box: FloatArray, offset_s: float) -> PersonCandidate | None:
        """The best answer that belongs to nobody and may be the person of a region that got none."""
        plausible = [
            candidate for candidate in scene.strangers if self._closer.is_plausible(candidate, region, box, offset_s)
        ]
        best = max(plausible, key=lambda candidate: candidate.score, default=None)
        if best is not None:
            scene.strangers.remove(best)
        return best

    async def _prove(self, frame: FramePixels, scene: _Scene) -> None:
        """Looks closer, upright, where a proof is due; a weak answer stands where nothing better is seen."""
        zoom = self._parameters.zoom
        for i_missed, missed in enumerate(list(scene.missed)):
            is_due = is_proof_due(missed.region, zoom, offset_s=frame.offset_s) and is_zoom_due(missed.region, zoom)
            find = None
            if is_due and i_missed < zoom.max_regions_per_frame:
                missed.was_looked = True
                find = await self._closer.look(frame, missed.region, missed.box, scene.found())
            if missed.candidate is not None and (find is None or find.candidate.score < missed.candidate.score):
                find = Find(candidate=missed.candidate, source=PersonSource.SEARCH, region=missed.region)
            self._settle(scene, missed, find, frame.offset_s)

    async def _look_for_lost(self, frame: FramePixels, scene: _Scene) -> None:
        """Looks closer, upright and turned, where not even the landmark net found anybody."""
        zoom = self._parameters.zoom
        lost = [missed for missed in scene.missed if missed.pose is None and is_zoom_due(missed.region, zoom)]
        for missed in lost[: zoom.max_regions_per_frame]:
            find = None
            if not missed.was_looked:
                missed.was_looked = True
                find = await self._closer.look(frame, missed.region, missed.box, scene.found())
            if find is None:
                find = await self._closer.look_turned(frame, missed.region, missed.box, scene.found())
            self._settle(scene, missed, find, frame.offset_s)

    def _settle(self, scene: _Scene, missed: _Missed, find: Find | None, offset_s: float) -> None:
        if find is None:
            return
        region = missed.region.look_closer(offset_s) if missed.was_looked else missed.region
        scene.finds.append((replace(find, region=region), None))
        scene.missed.remove(missed)

    def _greet_strangers(self, scene: _Scene) -> None:
        """Takes in who is new: an answer of the search that is neither found nor carried already."""
        carried = [body_box(missed.pose.landmarks_px) for missed in scene.missed if missed.pose is not None]
        for candidate in scene.strangers:
            overlaps = intersection_over_union(candidate.box_px[None], np.stack(carried)) if carried else np.zeros(1)
            is_carried = float(overlaps.max()) > self._parameters.duplicate_overlap
            if not is_carried and not is_found(candidate, scene.found(), self._parameters):
                scene.finds.append((Find(candidate=candidate, source=PersonSource.SEARCH, region=None), None))

    async def _add_landmarks(self, frame: FramePixels, scene: _Scene, *, may_follow: bool) -> None:
        """Landmarks of everybody who has none yet and, where allowed, of missed people; one call of the net."""
        parameters = self._parameters
        if not parameters.are_landmarks_wanted:
            return
        free_count = parameters.max_persons - sum(pose is not None for _, pose in scene.finds)
        bare = [i_find for i_find, (_, pose) in enumerate(scene.finds) if pose is None][: max(free_count, 0)]
        followed = [
            missed
            for missed in scene.missed
            if may_follow and frame.offset_s - missed.region.evidence_offset_s <= parameters.carry.limit_s
        ][: max(free_count - len(bare), 0)]
        windows = [
            pose_window(find.candidate.box_px, find.candidate.keypoints_px, parameters)
            for find in (scene.finds[i_find][0] for i_find in bare)
        ]
        circles = [self._expected_circle(missed, frame.offset_s) for missed in followed]
        windows += [follow_window(circle, parameters) for circle in circles]
        poses = await self._run_landmarks(frame, windows)
        for i_find, pose in zip(bare, poses, strict=False):
            scene.finds[i_find] = (scene.finds[i_find][0], pose)
        for missed, circle, pose in zip(followed, circles, poses[len(bare) :], strict=True):
            if self._may_carry(pose, circle, scene):
                missed.pose = pose

    async def _run_landmarks(self, frame: FramePixels, windows: Sequence[CropWindow]) -> list[PoseEstimate]:
        if not windows:
            return []
        landmarks, world, presence = await self._models.estimate_landmarks(await frame.crops_rgb(windows))
        return [
            decoding.decode_pose(landmarks[i_window], world[i_window], float(presence[i_window]), window)
            for i_window, window in enumerate(windows)
        ]

    async def _check_legs(self, frame: FramePixels, scene: _Scene) -> None:
        """Looks closer where one leg hides the other. Only keypoints come of it: who is where was decided without."""
        legs = self._parameters.legs
        if legs is None:
            return
        found = [i for i, (find, pose) in enumerate(scene.finds) if self._legs.is_due(find.candidate, pose)]
        found = found[: legs.max_persons_per_frame]
        followed = [missed for missed in scene.missed if self._legs.is_due(None, missed.pose)]
        followed = followed[: legs.max_persons_per_frame - len(found)]
        targets = [(scene.finds[i_find][0].candidate, scene.finds[i_find][1]) for i_find in found]
        targets += [(None, missed.pose) for missed in followed]
        seen = await asyncio.gather(*(self._legs.look(frame, known, pose) for known, pose in targets))
        for i_find, candidate in zip(found, seen, strict=False):
            if candidate is not None:
                find, pose = scene.finds[i_find]
                better = replace(find.candidate, keypoints_px=candidate.keypoints_px)
                scene.finds[i_find] = (replace(find, candidate=better), pose)
        for missed, candidate in zip(followed, seen[len(found) :], strict=True):
            if candidate is not None:
                missed.keypoints_px = candidate.keypoints_px

    def _expected_circle(self, missed: _Missed, offset_s: float) -> BodyCircle:
        circle = missed.region.predict_circle(offset_s, velocity_memory_s=self._parameters.velocity_memory_s)
        return circle_around(missed.box) if circle is None else circle

    def _may_carry(self, pose: PoseEstimate, expected: BodyCircle, scene: _Scene) -> bool:
        """Whether the landmark net's answer alone is good enough to keep a person for this frame."""
        carry = self._parameters.carry
        visibility = float(pose.landmarks_px[_TRUNK_AND_LEG_LANDMARKS, 3].mean())
        moved_px = math.hypot(
            pose.circle.center_x_px - expected.center_x_px, pose.circle.center_y_px - expected.center_y_px
        )
        growth = max(pose.circle.radius_px / expected.radius_px, expected.radius_px / pose.circle.radius_px)
        is_person = pose.pose_presence >= carry.min_presence and visibility >= carry.min_visibility
        is_same = moved_px <= carry.max_distance * expected.radius_px and growth <= carry.max_growth
        box = body_box(pose.landmarks_px)
        others = [find.candidate.box_px for find in scene.found()]
        others += [body_box(missed.pose.landmarks_px) for missed in scene.missed if missed.pose is not None]
        is_other = bool(others) and bool(
            intersection_over_union(box[None], np.stack(others)).max() > self._parameters.duplicate_overlap
        )
        return is_person and is_same and not is_other

    def _remember(self, frame: FramePixels, scene: _Scene, *, was_searched: bool) -> RegionMemory:
        """The memory after this frame."""
        regions = [self._continue(find, pose, frame.offset_s) for find, pose in scene.finds]
        for missed in scene.missed:
            region = missed.region.look_closer(frame.offset_s) if missed.was_looked else missed.region
            if missed.pose is not None:
                regions.append(self._carry_on(region, missed.pose, frame.offset_s))
            elif not was_searched:
                regions.append(region)  # nobody looked, so nobody was missed
            elif not self._is_given_up(region, missed.box, frame):
                regions.append(region.miss())
        return RegionMemory(regions=tuple(regions))

    def _continue(self, find: Find, pose: PoseEstimate | None, offset_s: float) -> Region:
        circle = self._circle(pose)
        if find.region is None:
            return new_region(find.candidate.box_px, offset_s=offset_s, circle=circle)
        return find.region.see(
            find.candidate.box_px,
            offset_s=offset_s,
            is_strong=find.candidate.score >= self._parameters.zoom.strong_score,
            rotation_rad=find.rotation_rad,
            circle=circle,
            smoothing=self._parameters.velocity_smoothing,
        )

    def _carry_on(self, region: Region, pose: PoseEstimate, offset_s: float) -> Region:
        return region.see(
            body_box(pose.landmarks_px),
            offset_s=offset_s,
            is_strong=False,
            rotation_rad=region.rotation_rad,
            circle=pose.circle,
            smoothing=self._parameters.velocity_smoothing,
        )

    def _circle(self, pose: PoseEstimate | None) -> BodyCircle | None:
        """The body's circle, if the landmark net is sure of the person."""
        is_sure = pose is not None and pose.pose_presence >= self._parameters.carry.min_presence
        return pose.circle if pose is not None and is_sure else None

    def _is_given_up(self, region: Region, box: FloatArray, frame: FramePixels) -> bool:
        is_old = frame.offset_s - region.seen_offset_s > self._parameters.forget_after_s
        share = visible_share(box, width_px=frame.width_px, height_px=frame.height_px)
        return is_old or share < self._parameters.min_visible_share


def _pad(image: ImageArray, grid: SearchGrid) -> ImageArray:
    """Puts the image (H, W, 3) into the upper left of the net's black input."""
    padded = np.zeros((grid.grid_height_px, grid.grid_width_px, 3), np.uint8)
    padded[: grid.image_height_px, : grid.image_width_px] = image
    return padded


def _found_person(find: Find, pose: PoseEstimate | None) -> PersonObservation:
    return PersonObservation(
        box_px=find.candidate.box_px,
        score=find.candidate.score,
        keypoints_px=find.candidate.keypoints_px,
        landmarks_px=_nan(LANDMARK_COUNT, 5) if pose is None else pose.landmarks_px,
        world_landmarks_m=_nan(LANDMARK_COUNT, 3) if pose is None else pose.world_landmarks_m,
        pose_presence=float("nan") if pose is None else pose.pose_presence,
        source=find.source,
    )


def _carried_person(pose: PoseEstimate, keypoints_px: FloatArray | None) -> PersonObservation:
    keypoints = keypoints_px
    if keypoints is None:
        keypoints = _nan(KEYPOINT_COUNT, 3)
        keypoints[:, 2] = 0.0
    return PersonObservation(
        box_px=body_box(pose.landmarks_px),
        score=float(pose.landmarks_px[_TRUNK_AND_LEG_LANDMARKS, 3].mean()) * pose.pose_presence,
        keypoints_px=keypoints,
        landmarks_px=pose.landmarks_px,
        world_landmarks_m=pose.world_landmarks_m,
        pose_presence=pose.pose_presence,
        source=PersonSource.CARRIED,
    )


def _nan(*shape: int) -> FloatArray:
    return np.full(shape, np.nan, np.float32)
