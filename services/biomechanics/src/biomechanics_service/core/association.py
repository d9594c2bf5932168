"""Joins what was observed frame by frame with identities, into one series per person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from biomechanics_service.core.errors import InvalidPersonSeriesError
from biomechanics_service.core.landmarks import BLAZEPOSE_COUNT, COCO_COUNT
from biomechanics_service.core.types import FloatArray, IntArray, PersonSeries


@dataclass(frozen=True, kw_only=True)
class ObservedPersons:
    """All persons found in one frame and who they are; landmarks belong to boxes, identity comes from tracking.

    Attributes:
        frame_index: Frame.
        person_ids: Id of each person, -1 where tracking gave none. [N]
        boxes_xyxy_px: Boxes. [N, 4]
        coco_px: MoveNet's x and y in pixels, score. [N, 17, 3]
        blazepose_px: BlazePose's x, y, z in pixels, visibility, presence; NaN where it was not run. [N, 33, 5]
        blazepose_presence: Presence of the whole pose. [N]
        blazepose_world_m: BlazePose's metric points. [N, 33, 3]
    """

    frame_index: int
    person_ids: IntArray
    boxes_xyxy_px: FloatArray
    coco_px: FloatArray
    blazepose_px: FloatArray
    blazepose_presence: FloatArray
    blazepose_world_m: FloatArray


def collect_persons(
    frames: Sequence[ObservedPersons], time_s: FloatArray, *, image_size_wh_px: tuple[float, float]
) -> list[PersonSeries]:
    """Sorts observations by person.

    Args:
        frames: Observed frames, in order; frames without persons may be left out.
        time_s: Offset of every frame of the recording in seconds, by frame index. [frames]
        image_size_wh_px: Width and height of the upright picture.

    Returns:
        One series per id, in order of id, from the first to the last frame in which it was seen, NaN in between where
        it was not.

    Raises:
        InvalidPersonSeriesError: An id appears twice in a frame, frames are not in order, or a frame has no time.
    """
    last_frame = -1
    found: dict[int, list[tuple[ObservedPersons, int]]] = {}
    for frame in frames:
        if not last_frame < frame.frame_index < len(time_s):
            raise InvalidPersonSeriesError(
                f"frame {frame.frame_index} came after frame {last_frame} of {len(time_s)}",
                metadata={"frame_index": str(frame.frame_index)},
            )
        last_frame = frame.frame_index
        ids = [int(person_id) for person_id in frame.person_ids if person_id > 0]
        if len(set(ids)) != len(ids):
            raise InvalidPersonSeriesError(
                f"an id appears twice in frame {frame.frame_index}", metadata={"frame_index": str(frame.frame_index)}
            )
        for row, person_id in enumerate(frame.person_ids):
            if person_id > 0:
                found.setdefault(int(person_id), []).append((frame, row))
    return [_pack(person_id, found[person_id], time_s, image_size_wh_px) for person_id in sorted(found)]


def _pack(
    person_id: int,
    rows: list[tuple[ObservedPersons, int]],
    time_s: FloatArray,
    image_size_wh_px: tuple[float, float],
) -> PersonSeries:
    first, last = rows[0][0].frame_index, rows[-1][0].frame_index
    count = last - first + 1
    boxes = np.full((count, 4), np.nan)
    coco = np.full((count, COCO_COUNT, 3), np.nan)
    blazepose = np.full((count, BLAZEPOSE_COUNT, 5), np.nan)
    presence = np.full(count, np.nan)
    world = np.full((count, BLAZEPOSE_COUNT, 3), np.nan)
    for frame, row in rows:
        place = frame.frame_index - first
        boxes[place] = frame.boxes_xyxy_px[row]
        coco[place] = frame.coco_px[row]
        blazepose[place] = frame.blazepose_px[row]
        presence[place] = frame.blazepose_presence[row]
        world[place] = frame.blazepose_world_m[row]
    return PersonSeries(
        person_id=person_id,
        frame_index=np.arange(first, last + 1),
        time_s=time_s[first : last + 1].astype(np.float64),
        image_size_wh_px=image_size_wh_px,
        boxes_xyxy_px=boxes,
        coco_px=coco[..., :2],
        coco_scores=coco[..., 2],
        blazepose_px=blazepose[..., :2],
        blazepose_visibility=blazepose[..., 3],
        blazepose_presence=presence,
        blazepose_world_m=world,
    )
