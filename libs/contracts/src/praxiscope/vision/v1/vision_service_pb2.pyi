import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.api import annotations_pb2 as _annotations_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from praxiscope.type.v1 import access_pb2 as _access_pb2
from praxiscope.type.v1 import media_pb2 as _media_pb2
from praxiscope.vision.v1 import observation_pb2 as _observation_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ImageSource(_message.Message):
    __slots__ = ("content", "media")
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    MEDIA_FIELD_NUMBER: _ClassVar[int]
    content: bytes
    media: _media_pb2.MediaRef
    def __init__(self, content: _Optional[bytes] = ..., media: _Optional[_Union[_media_pb2.MediaRef, _Mapping]] = ...) -> None: ...

class DetectObjectsRequest(_message.Message):
    __slots__ = ("parent", "image", "minimum_score")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    MINIMUM_SCORE_FIELD_NUMBER: _ClassVar[int]
    parent: str
    image: ImageSource
    minimum_score: float
    def __init__(self, parent: _Optional[str] = ..., image: _Optional[_Union[ImageSource, _Mapping]] = ..., minimum_score: _Optional[float] = ...) -> None: ...

class DetectObjectsResponse(_message.Message):
    __slots__ = ("objects", "width_px", "height_px", "model_versions")
    OBJECTS_FIELD_NUMBER: _ClassVar[int]
    WIDTH_PX_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_PX_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSIONS_FIELD_NUMBER: _ClassVar[int]
    objects: _containers.RepeatedCompositeFieldContainer[_observation_pb2.DetectedObject]
    width_px: int
    height_px: int
    model_versions: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, objects: _Optional[_Iterable[_Union[_observation_pb2.DetectedObject, _Mapping]]] = ..., width_px: _Optional[int] = ..., height_px: _Optional[int] = ..., model_versions: _Optional[_Iterable[str]] = ...) -> None: ...

class DetectPosesRequest(_message.Message):
    __slots__ = ("parent", "image", "config")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    parent: str
    image: ImageSource
    config: ObservationConfig
    def __init__(self, parent: _Optional[str] = ..., image: _Optional[_Union[ImageSource, _Mapping]] = ..., config: _Optional[_Union[ObservationConfig, _Mapping]] = ...) -> None: ...

class DetectPosesResponse(_message.Message):
    __slots__ = ("persons", "may_be_incomplete", "width_px", "height_px", "model_versions")
    PERSONS_FIELD_NUMBER: _ClassVar[int]
    MAY_BE_INCOMPLETE_FIELD_NUMBER: _ClassVar[int]
    WIDTH_PX_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_PX_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSIONS_FIELD_NUMBER: _ClassVar[int]
    persons: _containers.RepeatedCompositeFieldContainer[_observation_pb2.PersonObservation]
    may_be_incomplete: bool
    width_px: int
    height_px: int
    model_versions: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, persons: _Optional[_Iterable[_Union[_observation_pb2.PersonObservation, _Mapping]]] = ..., may_be_incomplete: _Optional[bool] = ..., width_px: _Optional[int] = ..., height_px: _Optional[int] = ..., model_versions: _Optional[_Iterable[str]] = ...) -> None: ...

class ObservationConfig(_message.Message):
    __slots__ = ("search_long_side_px", "search_interval_frames", "omit_landmarks", "minimum_score")
    SEARCH_LONG_SIDE_PX_FIELD_NUMBER: _ClassVar[int]
    SEARCH_INTERVAL_FRAMES_FIELD_NUMBER: _ClassVar[int]
    OMIT_LANDMARKS_FIELD_NUMBER: _ClassVar[int]
    MINIMUM_SCORE_FIELD_NUMBER: _ClassVar[int]
    search_long_side_px: int
    search_interval_frames: int
    omit_landmarks: bool
    minimum_score: float
    def __init__(self, search_long_side_px: _Optional[int] = ..., search_interval_frames: _Optional[int] = ..., omit_landmarks: _Optional[bool] = ..., minimum_score: _Optional[float] = ...) -> None: ...

class ObserveVideoRequest(_message.Message):
    __slots__ = ("video", "config", "start_frame", "resume_state")
    VIDEO_FIELD_NUMBER: _ClassVar[int]
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    START_FRAME_FIELD_NUMBER: _ClassVar[int]
    RESUME_STATE_FIELD_NUMBER: _ClassVar[int]
    video: _media_pb2.MediaRef
    config: ObservationConfig
    start_frame: int
    resume_state: bytes
    def __init__(self, video: _Optional[_Union[_media_pb2.MediaRef, _Mapping]] = ..., config: _Optional[_Union[ObservationConfig, _Mapping]] = ..., start_frame: _Optional[int] = ..., resume_state: _Optional[bytes] = ...) -> None: ...

class ObserveVideoResponse(_message.Message):
    __slots__ = ("video_info", "frames", "resume_state", "summary")
    VIDEO_INFO_FIELD_NUMBER: _ClassVar[int]
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    RESUME_STATE_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    video_info: _observation_pb2.VideoInfo
    frames: _containers.RepeatedCompositeFieldContainer[_observation_pb2.FrameObservations]
    resume_state: bytes
    summary: VideoSummary
    def __init__(self, video_info: _Optional[_Union[_observation_pb2.VideoInfo, _Mapping]] = ..., frames: _Optional[_Iterable[_Union[_observation_pb2.FrameObservations, _Mapping]]] = ..., resume_state: _Optional[bytes] = ..., summary: _Optional[_Union[VideoSummary, _Mapping]] = ...) -> None: ...

class VideoSummary(_message.Message):
    __slots__ = ("frame_count", "was_truncated", "model_versions", "stage_elapsed_s")
    class StageElapsedSEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    FRAME_COUNT_FIELD_NUMBER: _ClassVar[int]
    WAS_TRUNCATED_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSIONS_FIELD_NUMBER: _ClassVar[int]
    STAGE_ELAPSED_S_FIELD_NUMBER: _ClassVar[int]
    frame_count: int
    was_truncated: bool
    model_versions: _containers.RepeatedScalarFieldContainer[str]
    stage_elapsed_s: _containers.ScalarMap[str, float]
    def __init__(self, frame_count: _Optional[int] = ..., was_truncated: _Optional[bool] = ..., model_versions: _Optional[_Iterable[str]] = ..., stage_elapsed_s: _Optional[_Mapping[str, float]] = ...) -> None: ...

class ObserveLiveRequest(_message.Message):
    __slots__ = ("start", "frame")
    class Start(_message.Message):
        __slots__ = ("parent", "config")
        PARENT_FIELD_NUMBER: _ClassVar[int]
        CONFIG_FIELD_NUMBER: _ClassVar[int]
        parent: str
        config: ObservationConfig
        def __init__(self, parent: _Optional[str] = ..., config: _Optional[_Union[ObservationConfig, _Mapping]] = ...) -> None: ...
    class Frame(_message.Message):
        __slots__ = ("content", "time_offset")
        CONTENT_FIELD_NUMBER: _ClassVar[int]
        TIME_OFFSET_FIELD_NUMBER: _ClassVar[int]
        content: bytes
        time_offset: _duration_pb2.Duration
        def __init__(self, content: _Optional[bytes] = ..., time_offset: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...
    START_FIELD_NUMBER: _ClassVar[int]
    FRAME_FIELD_NUMBER: _ClassVar[int]
    start: ObserveLiveRequest.Start
    frame: ObserveLiveRequest.Frame
    def __init__(self, start: _Optional[_Union[ObserveLiveRequest.Start, _Mapping]] = ..., frame: _Optional[_Union[ObserveLiveRequest.Frame, _Mapping]] = ...) -> None: ...

class ObserveLiveResponse(_message.Message):
    __slots__ = ("observations", "width_px", "height_px", "dropped_frame_count", "model_versions")
    OBSERVATIONS_FIELD_NUMBER: _ClassVar[int]
    WIDTH_PX_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_PX_FIELD_NUMBER: _ClassVar[int]
    DROPPED_FRAME_COUNT_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSIONS_FIELD_NUMBER: _ClassVar[int]
    observations: _observation_pb2.FrameObservations
    width_px: int
    height_px: int
    dropped_frame_count: int
    model_versions: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, observations: _Optional[_Union[_observation_pb2.FrameObservations, _Mapping]] = ..., width_px: _Optional[int] = ..., height_px: _Optional[int] = ..., dropped_frame_count: _Optional[int] = ..., model_versions: _Optional[_Iterable[str]] = ...) -> None: ...

class ListModelsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListModelsResponse(_message.Message):
    __slots__ = ("models",)
    MODELS_FIELD_NUMBER: _ClassVar[int]
    models: _containers.RepeatedCompositeFieldContainer[Model]
    def __init__(self, models: _Optional[_Iterable[_Union[Model, _Mapping]]] = ...) -> None: ...

class Model(_message.Message):
    __slots__ = ("name", "versions", "is_ready", "licence", "card")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    IS_READY_FIELD_NUMBER: _ClassVar[int]
    LICENCE_FIELD_NUMBER: _ClassVar[int]
    CARD_FIELD_NUMBER: _ClassVar[int]
    name: str
    versions: _containers.RepeatedScalarFieldContainer[str]
    is_ready: bool
    licence: str
    card: str
    def __init__(self, name: _Optional[str] = ..., versions: _Optional[_Iterable[str]] = ..., is_ready: _Optional[bool] = ..., licence: _Optional[str] = ..., card: _Optional[str] = ...) -> None: ...
