"""What was observed so far, in the object store in chunks: an attempt after a crash goes on where the last one ended.

A chunk is a zstd file of `ObservedFrame` records under a key made of the operation, the way of looking and the frames
it holds. Chunks joined are a file
again, which becomes `observations.pb.zst` of the motion.
"""

from __future__ import annotations

import asyncio
import hashlib
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from biomechanics_service.adapters.observation_messages import observed_from, offset_s_of, record_of
from biomechanics_service.core.recording import Recording
from praxiscope.biomechanics.v1 import motion_pb2
from praxiscope.vision.v1 import observation_pb2
from praxiscope_common.storage.port import ObjectStore
from praxiscope_common.storage.records import decode_records, encode_records

CHUNK_FRAMES = 256


@dataclass(kw_only=True)
class ObservationLog:
    """The observations of one operation.

    Attributes:
        store: Where chunks are.
        prefix: Where they lie; ends with a slash.
        recording: What was observed.
        keys: The chunks written so far.
        vision_state: What vision needs to go on behind the last chunk.
        tracker_state: What tracking needs to go on behind the last chunk.
    """

    store: ObjectStore
    prefix: str
    recording: Recording = field(default_factory=Recording)
    keys: list[str] = field(default_factory=list)
    vision_state: bytes = b""
    tracker_state: bytes = b""
    _waiting: list[motion_pb2.ObservedFrame] = field(default_factory=list)

    async def restore(self, checkpoint: Mapping[str, Any]) -> None:
        """Reads back what an attempt before this one wrote."""
        if not checkpoint:
            return
        self.keys = list(checkpoint["keys"])
        self.vision_state = b64decode(checkpoint["vision_state"])
        self.tracker_state = b64decode(checkpoint["tracker_state"])
        for key in self.keys:
            for record in await asyncio.to_thread(self._read_chunk, key):
                self._remember(record.observations, record.person_ids)

    def add(self, message: observation_pb2.FrameObservations, person_ids: Sequence[int]) -> None:
        """Adds the next frame."""
        self._remember(message, person_ids)
        self._waiting.append(record_of(message, person_ids))

    @property
    def is_chunk_full(self) -> bool:
        """Whether enough frames wait to be written."""
        return len(self._waiting) >= CHUNK_FRAMES

    async def write_chunk(self, vision_state: bytes, tracker_state: bytes) -> Mapping[str, Any]:
        """Writes the frames that wait and returns the checkpoint."""
        if self._waiting:
            first = self._waiting[0].observations.frame_index
            last = self._waiting[-1].observations.frame_index
            key = f"{self.prefix}{first:08d}-{last:08d}.pb.zst"
            await self.store.put(key, await asyncio.to_thread(encode_records, list(self._waiting)))
            self.keys.append(key)
            self._waiting.clear()
        self.vision_state, self.tracker_state = vision_state, tracker_state
        return {
            "keys": self.keys,
            "vision_state": b64encode(vision_state).decode("ascii"),
            "tracker_state": b64encode(tracker_state).decode("ascii"),
        }

    def _remember(self, message: observation_pb2.FrameObservations, person_ids: Sequence[int]) -> None:
        self.recording.append(
            observed_from(message, person_ids), offset_s_of(message), may_be_incomplete=message.may_be_incomplete
        )

    def _read_chunk(self, key: str) -> list[motion_pb2.ObservedFrame]:
        with self.store.open_seekable(key) as file:
            return [
                record
                for record in decode_records(file, None, motion_pb2.ObservedFrame)
                if isinstance(record, motion_pb2.ObservedFrame)
            ]


def log_prefix(operation: str, looking: bytes) -> str:
    """Returns where the chunks of an operation lie that was told to look in a certain way."""
    return f"{operation}/partial/observations/{hashlib.sha256(looking).hexdigest()[:16]}/"
