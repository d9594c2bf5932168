from buf.validate import validate_pb2 as _validate_pb2
from google.api import annotations_pb2 as _annotations_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.longrunning import operations_pb2 as _operations_pb2
from praxiscope.type.v1 import access_pb2 as _access_pb2
from praxiscope.type.v1 import media_pb2 as _media_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TrackerConfig(_message.Message):
    __slots__ = ("tracker", "preset", "high_score", "lost_buffer_frames")
    class Tracker(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        TRACKER_UNSPECIFIED: _ClassVar[TrackerConfig.Tracker]
        TRACKER_SORT: _ClassVar[TrackerConfig.Tracker]
        TRACKER_BYTETRACK: _ClassVar[TrackerConfig.Tracker]
    TRACKER_UNSPECIFIED: TrackerConfig.Tracker
    TRACKER_SORT: TrackerConfig.Tracker
    TRACKER_BYTETRACK: TrackerConfig.Tracker
    class Preset(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        PRESET_UNSPECIFIED: _ClassVar[TrackerConfig.Preset]
        PRESET_CROWD: _ClassVar[TrackerConfig.Preset]
        PRESET_PEOPLE: _ClassVar[TrackerConfig.Preset]
    PRESET_UNSPECIFIED: TrackerConfig.Preset
    PRESET_CROWD: TrackerConfig.Preset
    PRESET_PEOPLE: TrackerConfig.Preset
    TRACKER_FIELD_NUMBER: _ClassVar[int]
    PRESET_FIELD_NUMBER: _ClassVar[int]
    HIGH_SCORE_FIELD_NUMBER: _ClassVar[int]
    LOST_BUFFER_FRAMES_FIELD_NUMBER: _ClassVar[int]
    tracker: TrackerConfig.Tracker
    preset: TrackerConfig.Preset
    high_score: float
    lost_buffer_frames: int
    def __init__(self, tracker: _Optional[_Union[TrackerConfig.Tracker, str]] = ..., preset: _Optional[_Union[TrackerConfig.Preset, str]] = ..., high_score: _Optional[float] = ..., lost_buffer_frames: _Optional[int] = ...) -> None: ...

class TrackRequest(_message.Message):
    __slots__ = ("start", "frame")
    class Start(_message.Message):
        __slots__ = ("parent", "config", "frame_rate_hz", "resume_state")
        PARENT_FIELD_NUMBER: _ClassVar[int]
        CONFIG_FIELD_NUMBER: _ClassVar[int]
        FRAME_RATE_HZ_FIELD_NUMBER: _ClassVar[int]
        RESUME_STATE_FIELD_NUMBER: _ClassVar[int]
        parent: str
        config: TrackerConfig
        frame_rate_hz: float
        resume_state: bytes
        def __init__(self, parent: _Optional[str] = ..., config: _Optional[_Union[TrackerConfig, _Mapping]] = ..., frame_rate_hz: _Optional[float] = ..., resume_state: _Optional[bytes] = ...) -> None: ...
    class Frame(_message.Message):
        __slots__ = ("frame_index", "boxes_px", "scores", "want_resume_state")
        FRAME_INDEX_FIELD_NUMBER: _ClassVar[int]
        BOXES_PX_FIELD_NUMBER: _ClassVar[int]
        SCORES_FIELD_NUMBER: _ClassVar[int]
        WANT_RESUME_STATE_FIELD_NUMBER: _ClassVar[int]
        frame_index: int
        boxes_px: _containers.RepeatedScalarFieldContainer[float]
        scores: _containers.RepeatedScalarFieldContainer[float]
        want_resume_state: bool
        def __init__(self, frame_index: _Optional[int] = ..., boxes_px: _Optional[_Iterable[float]] = ..., scores: _Optional[_Iterable[float]] = ..., want_resume_state: _Optional[bool] = ...) -> None: ...
    START_FIELD_NUMBER: _ClassVar[int]
    FRAME_FIELD_NUMBER: _ClassVar[int]
    start: TrackRequest.Start
    frame: TrackRequest.Frame
    def __init__(self, start: _Optional[_Union[TrackRequest.Start, _Mapping]] = ..., frame: _Optional[_Union[TrackRequest.Frame, _Mapping]] = ...) -> None: ...

class TrackResponse(_message.Message):
    __slots__ = ("frame_index", "track_ids", "detection_indices", "resume_state")
    FRAME_INDEX_FIELD_NUMBER: _ClassVar[int]
    TRACK_IDS_FIELD_NUMBER: _ClassVar[int]
    DETECTION_INDICES_FIELD_NUMBER: _ClassVar[int]
    RESUME_STATE_FIELD_NUMBER: _ClassVar[int]
    frame_index: int
    track_ids: _containers.RepeatedScalarFieldContainer[int]
    detection_indices: _containers.RepeatedScalarFieldContainer[int]
    resume_state: bytes
    def __init__(self, frame_index: _Optional[int] = ..., track_ids: _Optional[_Iterable[int]] = ..., detection_indices: _Optional[_Iterable[int]] = ..., resume_state: _Optional[bytes] = ...) -> None: ...

class TrackDetectionsRequest(_message.Message):
    __slots__ = ("detections", "config", "request_id")
    DETECTIONS_FIELD_NUMBER: _ClassVar[int]
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    detections: _media_pb2.MediaRef
    config: TrackerConfig
    request_id: str
    def __init__(self, detections: _Optional[_Union[_media_pb2.MediaRef, _Mapping]] = ..., config: _Optional[_Union[TrackerConfig, _Mapping]] = ..., request_id: _Optional[str] = ...) -> None: ...

class TrackDetectionsResponse(_message.Message):
    __slots__ = ("asset_version", "frame_count", "track_count")
    ASSET_VERSION_FIELD_NUMBER: _ClassVar[int]
    FRAME_COUNT_FIELD_NUMBER: _ClassVar[int]
    TRACK_COUNT_FIELD_NUMBER: _ClassVar[int]
    asset_version: str
    frame_count: int
    track_count: int
    def __init__(self, asset_version: _Optional[str] = ..., frame_count: _Optional[int] = ..., track_count: _Optional[int] = ...) -> None: ...
