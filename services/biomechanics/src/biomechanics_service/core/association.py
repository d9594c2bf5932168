"""Joins what was observed frame by frame with identities, into one series per person."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from biomechanics_service.core.errors import InvalidPersonSeriesError
from biomechanics_service.core.landmarks import BLAZEPOSE_COUNT, COCO_COUNT
from biomechanics_service.core.types import FloatArray, IntArray, PersonSeries

_FIRST_BLOCK_ROWS, _MAX_BLOCK_ROWS = 16, 256
_KEPT_COLUMNS = (0, 1, 3)  # x, y, visibility; the net's z in pixels and its presence of single points say nothing new
_COCO = slice(0, COCO_COUNT * 3)
_BLAZEPOSE = slice(_COCO.stop, _COCO.stop + BLAZEPOSE_COUNT * len(_KEPT_COLUMNS))
_WORLD = slice(_BLAZEPOSE.stop, _BLAZEPOSE.stop + BLAZEPOSE_COUNT * 3)
_PRESENCE = _WORLD.stop
_VALUE_COUNT = _PRESENCE + 1
_Number = TypeVar("_Number", np.int32, np.float32)


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


class ObservationTable:
    """Observations sorted by person while they come, 32-bit rows: about 1 KiB a person and frame, whoever has no id left out."""

    def __init__(self) -> None:
        """Begins with nobody."""
        self._persons: dict[int, _PersonRows] = {}
        self._last_frame = -1

    def add(self, frame: ObservedPersons) -> None:
        """Adds a frame; frames without persons may be left out.

        Raises:
            InvalidPersonSeriesError: An id appears twice in it, or it does not come after the one before.
        """
        if frame.frame_index <= self._last_frame:
            raise InvalidPersonSeriesError(
                f"frame {frame.frame_index} came after frame {self._last_frame}",
                metadata={"frame_index": str(frame.frame_index)},
            )
        ids = [int(person_id) for person_id in frame.person_ids if person_id > 0]
        if len(set(ids)) != len(ids):
            raise InvalidPersonSeriesError(
                f"an id appears twice in frame {frame.frame_index}", metadata={"frame_index": str(frame.frame_index)}
            )
        self._last_frame = frame.frame_index
        for row, person_id in enumerate(frame.person_ids.tolist()):
            if person_id > 0:
                self._persons.setdefault(person_id, _PersonRows()).append(frame, row)

    def boxes(self) -> Iterator[tuple[int, int, FloatArray]]:
        """Yields frame, id and box (left, top, right, bottom), in order of frames and ids."""
        return heapq.merge(
            *(rows.boxes(person_id) for person_id, rows in self._persons.items()), key=lambda item: item[:2]
        )

    def take_persons(self, time_s: FloatArray, *, image_size_wh_px: tuple[float, float]) -> Iterator[PersonSeries]:
        """Yields one series per id, in order of id, and forgets all but its boxes: a person is held once, not twice.

        A series goes from the first to the last frame in which its person was seen, NaN in between where it was not.

        Args:
            time_s: Offset of every frame of the recording in seconds, by frame index. [frames]
            image_size_wh_px: Width and height of the upright picture.

        Raises:
            InvalidPersonSeriesError: A frame has no time.
        """
        if self._last_frame >= len(time_s):
            raise InvalidPersonSeriesError(
                f"frame {self._last_frame} came after the last of {len(time_s)} times",
                metadata={"frame_index": str(self._last_frame)},
            )
        for person_id in sorted(self._persons):
            yield self._persons[person_id].take_series(person_id, time_s, image_size_wh_px)


def collect_persons(
    frames: Sequence[ObservedPersons], time_s: FloatArray, *, image_size_wh_px: tuple[float, float]
) -> list[PersonSeries]:
    """Sorts observations by person; see `ObservationTable`."""
    table = ObservationTable()
    for frame in frames:
        table.add(frame)
    return list(table.take_persons(time_s, image_size_wh_px=image_size_wh_px))


class _PersonRows:
    """One person's observations, in blocks that grow with it, so that somebody seen for a moment takes little."""

    def __init__(self) -> None:
        self._count = 0
        self._frames: list[NDArray[np.int32]] = []
        self._boxes: list[NDArray[np.float32]] = []
        self._values: list[NDArray[np.float32]] = []
        self._room = 0

    def append(self, frame: ObservedPersons, row: int) -> None:
        if not self._room:
            size = min(2 * len(self._frames[-1]), _MAX_BLOCK_ROWS) if self._frames else _FIRST_BLOCK_ROWS
            self._frames.append(np.zeros(size, np.int32))
            self._boxes.append(np.zeros((size, 4), np.float32))
            self._values.append(np.zeros((size, _VALUE_COUNT), np.float32))
            self._room = size
        place = len(self._frames[-1]) - self._room
        self._frames[-1][place] = frame.frame_index
        self._boxes[-1][place] = frame.boxes_xyxy_px[row]
        values = self._values[-1][place]
        values[_COCO] = frame.coco_px[row].ravel()
        values[_BLAZEPOSE] = frame.blazepose_px[row][:, _KEPT_COLUMNS].ravel()
        values[_WORLD] = frame.blazepose_world_m[row].ravel()
        values[_PRESENCE] = frame.blazepose_presence[row]
        self._room -= 1
        self._count += 1

    def boxes(self, person_id: int) -> Iterator[tuple[int, int, FloatArray]]:
        for frame, box in zip(self._joined(self._frames), self._joined(self._boxes), strict=True):
            yield int(frame), person_id, box.astype(np.float64)

    def take_series(self, person_id: int, time_s: FloatArray, image_size_wh_px: tuple[float, float]) -> PersonSeries:
        frames, boxes, values = self._joined(self._frames), self._joined(self._boxes), self._joined(self._values)
        self._values = []
        first, count = int(frames[0]), int(frames[-1] - frames[0]) + 1
        places = frames - first

        def spread(part: NDArray[np.float32], *shape: int) -> FloatArray:
            series = np.full((count, *shape), np.nan, np.float32)
            series[places] = part.reshape(-1, *shape)
            return series  # type: ignore[return-value]  32 bits, as they came

        coco = spread(values[:, _COCO], COCO_COUNT, 3)
        blazepose = spread(values[:, _BLAZEPOSE], BLAZEPOSE_COUNT, len(_KEPT_COLUMNS))
        return PersonSeries(
            person_id=person_id,
            frame_index=np.arange(first, first + count),
            time_s=time_s[first : first + count].astype(np.float64),
            image_size_wh_px=image_size_wh_px,
            boxes_xyxy_px=spread(boxes, 4),
            coco_px=coco[..., :2],
            coco_scores=coco[..., 2],
            blazepose_px=blazepose[..., :2],
            blazepose_visibility=blazepose[..., 2],
            blazepose_presence=spread(values[:, _PRESENCE]),
            blazepose_world_m=spread(values[:, _WORLD], BLAZEPOSE_COUNT, 3),
        )

    def _joined(self, blocks: Sequence[NDArray[_Number]]) -> NDArray[_Number]:
        return np.concatenate(blocks)[: self._count]
