import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from praxiscope.type.v1 import geometry_pb2 as _geometry_pb2
from praxiscope.vision.v1 import observation_pb2 as _observation_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class MotionHeader(_message.Message):
    __slots__ = ("format_version", "video", "video_path", "video_info", "angle_names", "joint_names", "bones", "angle_joints")
    FORMAT_VERSION_FIELD_NUMBER: _ClassVar[int]
    VIDEO_FIELD_NUMBER: _ClassVar[int]
    VIDEO_PATH_FIELD_NUMBER: _ClassVar[int]
    VIDEO_INFO_FIELD_NUMBER: _ClassVar[int]
    ANGLE_NAMES_FIELD_NUMBER: _ClassVar[int]
    JOINT_NAMES_FIELD_NUMBER: _ClassVar[int]
    BONES_FIELD_NUMBER: _ClassVar[int]
    ANGLE_JOINTS_FIELD_NUMBER: _ClassVar[int]
    format_version: int
    video: str
    video_path: str
    video_info: _observation_pb2.VideoInfo
    angle_names: _containers.RepeatedScalarFieldContainer[str]
    joint_names: _containers.RepeatedScalarFieldContainer[str]
    bones: _containers.RepeatedScalarFieldContainer[int]
    angle_joints: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, format_version: _Optional[int] = ..., video: _Optional[str] = ..., video_path: _Optional[str] = ..., video_info: _Optional[_Union[_observation_pb2.VideoInfo, _Mapping]] = ..., angle_names: _Optional[_Iterable[str]] = ..., joint_names: _Optional[_Iterable[str]] = ..., bones: _Optional[_Iterable[int]] = ..., angle_joints: _Optional[_Iterable[int]] = ...) -> None: ...

class FrameMotion(_message.Message):
    __slots__ = ("frame_index", "time_offset", "persons")
    FRAME_INDEX_FIELD_NUMBER: _ClassVar[int]
    TIME_OFFSET_FIELD_NUMBER: _ClassVar[int]
    PERSONS_FIELD_NUMBER: _ClassVar[int]
    frame_index: int
    time_offset: _duration_pb2.Duration
    persons: _containers.RepeatedCompositeFieldContainer[PersonMotion]
    def __init__(self, frame_index: _Optional[int] = ..., time_offset: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., persons: _Optional[_Iterable[_Union[PersonMotion, _Mapping]]] = ...) -> None: ...

class PersonMotion(_message.Message):
    __slots__ = ("person_id", "box", "joints", "angles_rad", "angle_confidences")
    PERSON_ID_FIELD_NUMBER: _ClassVar[int]
    BOX_FIELD_NUMBER: _ClassVar[int]
    JOINTS_FIELD_NUMBER: _ClassVar[int]
    ANGLES_RAD_FIELD_NUMBER: _ClassVar[int]
    ANGLE_CONFIDENCES_FIELD_NUMBER: _ClassVar[int]
    person_id: int
    box: _geometry_pb2.BoundingBox
    joints: _containers.RepeatedScalarFieldContainer[float]
    angles_rad: _containers.RepeatedScalarFieldContainer[float]
    angle_confidences: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, person_id: _Optional[int] = ..., box: _Optional[_Union[_geometry_pb2.BoundingBox, _Mapping]] = ..., joints: _Optional[_Iterable[float]] = ..., angles_rad: _Optional[_Iterable[float]] = ..., angle_confidences: _Optional[_Iterable[float]] = ...) -> None: ...

class Motion(_message.Message):
    __slots__ = ("asset_version", "video", "frame_count", "duration", "persons", "notes", "overlay")
    ASSET_VERSION_FIELD_NUMBER: _ClassVar[int]
    VIDEO_FIELD_NUMBER: _ClassVar[int]
    FRAME_COUNT_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    PERSONS_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    OVERLAY_FIELD_NUMBER: _ClassVar[int]
    asset_version: str
    video: str
    frame_count: int
    duration: _duration_pb2.Duration
    persons: _containers.RepeatedCompositeFieldContainer[PersonSummary]
    notes: _containers.RepeatedScalarFieldContainer[str]
    overlay: str
    def __init__(self, asset_version: _Optional[str] = ..., video: _Optional[str] = ..., frame_count: _Optional[int] = ..., duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., persons: _Optional[_Iterable[_Union[PersonSummary, _Mapping]]] = ..., notes: _Optional[_Iterable[str]] = ..., overlay: _Optional[str] = ...) -> None: ...

class PersonSummary(_message.Message):
    __slots__ = ("person_id", "first_frame", "last_frame", "seen_frame_count", "angles", "cadence_steps_per_min", "not_measured")
    PERSON_ID_FIELD_NUMBER: _ClassVar[int]
    FIRST_FRAME_FIELD_NUMBER: _ClassVar[int]
    LAST_FRAME_FIELD_NUMBER: _ClassVar[int]
    SEEN_FRAME_COUNT_FIELD_NUMBER: _ClassVar[int]
    ANGLES_FIELD_NUMBER: _ClassVar[int]
    CADENCE_STEPS_PER_MIN_FIELD_NUMBER: _ClassVar[int]
    NOT_MEASURED_FIELD_NUMBER: _ClassVar[int]
    person_id: int
    first_frame: int
    last_frame: int
    seen_frame_count: int
    angles: _containers.RepeatedCompositeFieldContainer[AngleSummary]
    cadence_steps_per_min: float
    not_measured: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, person_id: _Optional[int] = ..., first_frame: _Optional[int] = ..., last_frame: _Optional[int] = ..., seen_frame_count: _Optional[int] = ..., angles: _Optional[_Iterable[_Union[AngleSummary, _Mapping]]] = ..., cadence_steps_per_min: _Optional[float] = ..., not_measured: _Optional[_Iterable[str]] = ...) -> None: ...

class AngleSummary(_message.Message):
    __slots__ = ("name", "minimum_deg", "maximum_deg", "range_deg", "sure_share", "mean_confidence")
    NAME_FIELD_NUMBER: _ClassVar[int]
    MINIMUM_DEG_FIELD_NUMBER: _ClassVar[int]
    MAXIMUM_DEG_FIELD_NUMBER: _ClassVar[int]
    RANGE_DEG_FIELD_NUMBER: _ClassVar[int]
    SURE_SHARE_FIELD_NUMBER: _ClassVar[int]
    MEAN_CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    name: str
    minimum_deg: float
    maximum_deg: float
    range_deg: float
    sure_share: float
    mean_confidence: float
    def __init__(self, name: _Optional[str] = ..., minimum_deg: _Optional[float] = ..., maximum_deg: _Optional[float] = ..., range_deg: _Optional[float] = ..., sure_share: _Optional[float] = ..., mean_confidence: _Optional[float] = ...) -> None: ...

class ObservedFrame(_message.Message):
    __slots__ = ("observations", "person_ids")
    OBSERVATIONS_FIELD_NUMBER: _ClassVar[int]
    PERSON_IDS_FIELD_NUMBER: _ClassVar[int]
    observations: _observation_pb2.FrameObservations
    person_ids: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, observations: _Optional[_Union[_observation_pb2.FrameObservations, _Mapping]] = ..., person_ids: _Optional[_Iterable[int]] = ...) -> None: ...
