import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from praxiscope.type.v1 import geometry_pb2 as _geometry_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FrameObservations(_message.Message):
    __slots__ = ("frame_index", "time_offset", "persons", "may_be_incomplete", "was_searched")
    FRAME_INDEX_FIELD_NUMBER: _ClassVar[int]
    TIME_OFFSET_FIELD_NUMBER: _ClassVar[int]
    PERSONS_FIELD_NUMBER: _ClassVar[int]
    MAY_BE_INCOMPLETE_FIELD_NUMBER: _ClassVar[int]
    WAS_SEARCHED_FIELD_NUMBER: _ClassVar[int]
    frame_index: int
    time_offset: _duration_pb2.Duration
    persons: _containers.RepeatedCompositeFieldContainer[PersonObservation]
    may_be_incomplete: bool
    was_searched: bool
    def __init__(self, frame_index: _Optional[int] = ..., time_offset: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., persons: _Optional[_Iterable[_Union[PersonObservation, _Mapping]]] = ..., may_be_incomplete: _Optional[bool] = ..., was_searched: _Optional[bool] = ...) -> None: ...

class PersonObservation(_message.Message):
    __slots__ = ("box", "score", "keypoints", "landmarks", "world_landmarks_m", "pose_presence", "source")
    class Source(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        SOURCE_UNSPECIFIED: _ClassVar[PersonObservation.Source]
        SOURCE_SEARCH: _ClassVar[PersonObservation.Source]
        SOURCE_ZOOM: _ClassVar[PersonObservation.Source]
        SOURCE_CARRIED: _ClassVar[PersonObservation.Source]
    SOURCE_UNSPECIFIED: PersonObservation.Source
    SOURCE_SEARCH: PersonObservation.Source
    SOURCE_ZOOM: PersonObservation.Source
    SOURCE_CARRIED: PersonObservation.Source
    BOX_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    KEYPOINTS_FIELD_NUMBER: _ClassVar[int]
    LANDMARKS_FIELD_NUMBER: _ClassVar[int]
    WORLD_LANDMARKS_M_FIELD_NUMBER: _ClassVar[int]
    POSE_PRESENCE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    box: _geometry_pb2.BoundingBox
    score: float
    keypoints: _containers.RepeatedScalarFieldContainer[float]
    landmarks: _containers.RepeatedScalarFieldContainer[float]
    world_landmarks_m: _containers.RepeatedScalarFieldContainer[float]
    pose_presence: float
    source: PersonObservation.Source
    def __init__(self, box: _Optional[_Union[_geometry_pb2.BoundingBox, _Mapping]] = ..., score: _Optional[float] = ..., keypoints: _Optional[_Iterable[float]] = ..., landmarks: _Optional[_Iterable[float]] = ..., world_landmarks_m: _Optional[_Iterable[float]] = ..., pose_presence: _Optional[float] = ..., source: _Optional[_Union[PersonObservation.Source, str]] = ...) -> None: ...

class VideoInfo(_message.Message):
    __slots__ = ("width_px", "height_px", "frame_count_estimate", "duration", "frame_rate_hz", "rotation_deg", "codec", "has_audio")
    WIDTH_PX_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_PX_FIELD_NUMBER: _ClassVar[int]
    FRAME_COUNT_ESTIMATE_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    FRAME_RATE_HZ_FIELD_NUMBER: _ClassVar[int]
    ROTATION_DEG_FIELD_NUMBER: _ClassVar[int]
    CODEC_FIELD_NUMBER: _ClassVar[int]
    HAS_AUDIO_FIELD_NUMBER: _ClassVar[int]
    width_px: int
    height_px: int
    frame_count_estimate: int
    duration: _duration_pb2.Duration
    frame_rate_hz: float
    rotation_deg: int
    codec: str
    has_audio: bool
    def __init__(self, width_px: _Optional[int] = ..., height_px: _Optional[int] = ..., frame_count_estimate: _Optional[int] = ..., duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., frame_rate_hz: _Optional[float] = ..., rotation_deg: _Optional[int] = ..., codec: _Optional[str] = ..., has_audio: _Optional[bool] = ...) -> None: ...

class DetectedObject(_message.Message):
    __slots__ = ("box", "label", "score")
    BOX_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    box: _geometry_pb2.BoundingBox
    label: str
    score: float
    def __init__(self, box: _Optional[_Union[_geometry_pb2.BoundingBox, _Mapping]] = ..., label: _Optional[str] = ..., score: _Optional[float] = ...) -> None: ...
