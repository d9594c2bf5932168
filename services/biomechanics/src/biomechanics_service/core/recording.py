"""What has been seen of a recording so far, frame by frame; it grows with the people in it and with nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from biomechanics_service.core.association import ObservationTable, ObservedPersons
from biomechanics_service.core.types import FloatArray, PersonSeries


@dataclass(frozen=True, kw_only=True)
class RecordingInfo:
    """What a recording is like.

    Attributes:
        width_px: Width of the upright picture.
        height_px: Height of the upright picture.
        frame_rate_hz: Frames per second on average.
        frame_count_estimate: How many frames there probably are; 0 where nobody knows.
        duration_s: Length in seconds; 0 where nobody knows.
        rotation_deg: By how much stored frames are turned clockwise to be upright.
        codec: The codec's name.
        has_audio: Whether there is sound.
    """

    width_px: int
    height_px: int
    frame_rate_hz: float
    frame_count_estimate: int
    duration_s: float
    rotation_deg: int
    codec: str
    has_audio: bool


@dataclass(kw_only=True)
class Recording:
    """A recording while it is observed.

    Attributes:
        table: Who was seen where.
        offsets_s: Offset of every frame, in order.
        incomplete_frame_count: Frames that may have shown more people than the net counts.
    """

    table: ObservationTable = field(default_factory=ObservationTable)
    offsets_s: list[float] = field(default_factory=list[float])
    incomplete_frame_count: int = 0

    @property
    def frame_count(self) -> int:
        """How many frames were observed."""
        return len(self.offsets_s)

    def append(self, observed: ObservedPersons, offset_s: float, *, may_be_incomplete: bool) -> None:
        """Adds the next frame.

        Raises:
            ValueError: If it is not the next one.
        """
        if observed.frame_index != len(self.offsets_s):
            raise ValueError(f"frame {observed.frame_index} came where {len(self.offsets_s)} was expected")
        if self.offsets_s and offset_s <= self.offsets_s[-1]:
            # Broken containers repeat a time; the frames are real, so the second moves on by the least that counts.
            offset_s = self.offsets_s[-1] + 1e-4
        self.offsets_s.append(offset_s)
        self.incomplete_frame_count += may_be_incomplete
        self.table.add(observed)

    def take_persons(self, info: RecordingInfo) -> Iterator[PersonSeries]:
        """Yields one series a person, and forgets what it is made of."""
        return self.table.take_persons(
            np.array(self.offsets_s, np.float64), image_size_wh_px=(float(info.width_px), float(info.height_px))
        )

    def boxes(self) -> Iterator[tuple[int, int, FloatArray]]:
        """Yields frame, id and box of everybody; also of those who were taken."""
        return self.table.boxes()
