"""Between the contract's messages and the core's values; nowhere else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from praxiscope.type.v1 import geometry_pb2
from praxiscope.vision.v1 import observation_pb2, vision_service_pb2
from praxiscope_media import ReadSummary, VideoInfo
from vision_inference_service.api.errors import InvalidObservationConfigError, InvalidResumeStateError
from vision_inference_service.core.decoding import MOVENET_STRIDE_PX
from vision_inference_service.core.memory import REGION_ROW_LENGTH, RegionMemory
from vision_inference_service.core.parameters import ObserverParameters
from vision_inference_service.core.registry import MODELS
from vision_inference_service.core.types import (
    FloatArray,
    FrameObservation,
    ObjectObservation,
    PersonObservation,
    PersonSource,
)

_SOURCES = {
    PersonSource.SEARCH: observation_pb2.PersonObservation.SOURCE_SEARCH,
    PersonSource.ZOOM: observation_pb2.PersonObservation.SOURCE_ZOOM,
    PersonSource.CARRIED: observation_pb2.PersonObservation.SOURCE_CARRIED,
}
_STATE_TYPE = np.dtype("<f8")
# Behind the rows of a state; as the end of a number it would make one that no row holds.
_VERSIONS_MARK = b"PXMV"
_VERSION = re.compile(r"(?P<model>[a-z0-9_]{1,64})/(?P<version>[1-9][0-9]{0,8})")


def parameters_from(config: vision_service_pb2.ObservationConfig) -> ObserverParameters:
    """Returns how to look, with the defaults where nothing is asked for.

    Raises:
        InvalidObservationConfigError: If the search's size is not one that the net takes.
    """
    parameters = ObserverParameters()
    if config.search_long_side_px:
        if config.search_long_side_px % MOVENET_STRIDE_PX:
            raise InvalidObservationConfigError(
                f"search_long_side_px must be a multiple of {MOVENET_STRIDE_PX}, not {config.search_long_side_px}.",
                metadata={"search_long_side_px": str(config.search_long_side_px)},
            )
        parameters = replace(parameters, search_long_side_px=config.search_long_side_px)
    if config.omit_landmarks and config.search_interval_frames > 1:
        raise InvalidObservationConfigError(
            "Between searches people are followed by their landmarks; ask for landmarks, or for a search in every frame.",
            metadata={"search_interval_frames": str(config.search_interval_frames)},
        )
    parameters = replace(
        parameters,
        are_landmarks_wanted=not config.omit_landmarks,
        search_interval_frames=config.search_interval_frames or 1,
    )
    if parameters.search_interval_frames > 1:
        parameters = replace(parameters, legs=None)  # whoever wants it fast does without second opinions
    if config.minimum_score:
        parameters = replace(parameters, new_score=config.minimum_score)
    return parameters


def video_info_message(info: VideoInfo) -> observation_pb2.VideoInfo:
    """Returns what a video's header says."""
    message = observation_pb2.VideoInfo(
        width_px=info.width_px,
        height_px=info.height_px,
        frame_count_estimate=info.frame_count,
        frame_rate_hz=float(info.average_rate_hz),
        rotation_deg=info.rotation_deg,
        codec=info.codec,
        has_audio=info.has_audio,
    )
    message.duration.FromNanoseconds(int(info.duration_s * 1e9))
    return message


def summary_message(summary: ReadSummary) -> vision_service_pb2.VideoSummary:
    """Returns what reading a video to its end showed."""
    return vision_service_pb2.VideoSummary(frame_count=summary.frame_count, was_truncated=summary.is_truncated)


def frame_message(observation: FrameObservation) -> observation_pb2.FrameObservations:
    """Returns what one frame shows."""
    message = observation_pb2.FrameObservations(
        frame_index=observation.frame_index,
        persons=[person_message(person) for person in observation.persons],
        may_be_incomplete=observation.may_be_incomplete,
        was_searched=observation.was_searched,
    )
    message.time_offset.FromNanoseconds(round(observation.offset_s * 1e9))
    return message


def person_message(person: PersonObservation) -> observation_pb2.PersonObservation:
    """Returns one person; what was not run stays empty."""
    message = observation_pb2.PersonObservation(
        box=box_message(person.box_px),
        score=person.score,
        pose_presence=person.pose_presence,
        source=_SOURCES[person.source],
    )
    if person.source is not PersonSource.CARRIED:
        message.keypoints.extend(person.keypoints_px.ravel().tolist())
    if np.isfinite(person.landmarks_px).any():
        message.landmarks.extend(person.landmarks_px.ravel().tolist())
        message.world_landmarks_m.extend(person.world_landmarks_m.ravel().tolist())
    return message


def object_message(item: ObjectObservation) -> observation_pb2.DetectedObject:
    """Returns one thing."""
    return observation_pb2.DetectedObject(box=box_message(item.box_px), label=item.label, score=item.score)


def box_message(box_px: FloatArray) -> geometry_pb2.BoundingBox:
    """Returns a box given by its corners."""
    left, top, right, bottom = (float(value) for value in box_px)
    return geometry_pb2.BoundingBox(left_px=left, top_px=top, width_px=right - left, height_px=bottom - top)


def state_from(memory: RegionMemory, versions: Mapping[str, int]) -> bytes:
    """Returns a memory, and which models it comes from, as bytes that the caller keeps for us.

    Args:
        memory: The memory.
        versions: The models' versions; empty where there never were any but the first ones, which go without saying.
    """
    rows = memory.to_array().astype(_STATE_TYPE).tobytes()
    if not versions:
        return rows
    said = ",".join(f"{model}/{version}" for model, version in sorted(versions.items()))
    return rows + said.encode() + len(said).to_bytes(2, "little") + _VERSIONS_MARK


def memory_from(state: bytes) -> tuple[RegionMemory, Mapping[str, int]]:
    """Returns the memory and the versions that `state_from` wrote; no versions where none are said.

    Raises:
        InvalidResumeStateError: If it did not write these bytes.
    """
    versions: dict[str, int] = {}
    try:
        if state.endswith(_VERSIONS_MARK):
            end = len(state) - len(_VERSIONS_MARK) - 2
            start = end - int.from_bytes(state[end : end + 2], "little")
            if start < 0:
                raise InvalidResumeStateError()
            versions = _versions_in(state[start:end].decode("ascii"))
            state = state[:start]
        return (
            RegionMemory.from_array(np.frombuffer(state, _STATE_TYPE).reshape(-1, REGION_ROW_LENGTH).copy()),
            versions,
        )
    except ValueError as error:
        raise InvalidResumeStateError() from error


def _versions_in(said: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for word in said.split(","):
        match = _VERSION.fullmatch(word)
        if match is None or match["model"] not in MODELS:
            raise InvalidResumeStateError()
        found[match["model"]] = int(match["version"])
    return found
