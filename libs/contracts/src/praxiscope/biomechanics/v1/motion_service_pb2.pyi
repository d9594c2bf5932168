from buf.validate import validate_pb2 as _validate_pb2
from google.api import annotations_pb2 as _annotations_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.longrunning import operations_pb2 as _operations_pb2
from praxiscope.biomechanics.v1 import motion_pb2 as _motion_pb2
from praxiscope.rendering.v1 import rendering_service_pb2 as _rendering_service_pb2
from praxiscope.type.v1 import access_pb2 as _access_pb2
from praxiscope.type.v1 import media_pb2 as _media_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AnalyzeMotionRequest(_message.Message):
    __slots__ = ("video", "preset", "height_m", "cutoff_hz", "omit_overlay", "overlay_codec", "request_id")
    class Preset(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        PRESET_UNSPECIFIED: _ClassVar[AnalyzeMotionRequest.Preset]
        PRESET_ACCURATE: _ClassVar[AnalyzeMotionRequest.Preset]
        PRESET_FAST: _ClassVar[AnalyzeMotionRequest.Preset]
    PRESET_UNSPECIFIED: AnalyzeMotionRequest.Preset
    PRESET_ACCURATE: AnalyzeMotionRequest.Preset
    PRESET_FAST: AnalyzeMotionRequest.Preset
    VIDEO_FIELD_NUMBER: _ClassVar[int]
    PRESET_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_M_FIELD_NUMBER: _ClassVar[int]
    CUTOFF_HZ_FIELD_NUMBER: _ClassVar[int]
    OMIT_OVERLAY_FIELD_NUMBER: _ClassVar[int]
    OVERLAY_CODEC_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    video: _media_pb2.MediaRef
    preset: AnalyzeMotionRequest.Preset
    height_m: float
    cutoff_hz: float
    omit_overlay: bool
    overlay_codec: _rendering_service_pb2.RenderOverlayRequest.Codec
    request_id: str
    def __init__(self, video: _Optional[_Union[_media_pb2.MediaRef, _Mapping]] = ..., preset: _Optional[_Union[AnalyzeMotionRequest.Preset, str]] = ..., height_m: _Optional[float] = ..., cutoff_hz: _Optional[float] = ..., omit_overlay: _Optional[bool] = ..., overlay_codec: _Optional[_Union[_rendering_service_pb2.RenderOverlayRequest.Codec, str]] = ..., request_id: _Optional[str] = ...) -> None: ...

class AnalyzeMotionResponse(_message.Message):
    __slots__ = ("motion", "stage_elapsed_s", "model_versions")
    class StageElapsedSEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    MOTION_FIELD_NUMBER: _ClassVar[int]
    STAGE_ELAPSED_S_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSIONS_FIELD_NUMBER: _ClassVar[int]
    motion: _motion_pb2.Motion
    stage_elapsed_s: _containers.ScalarMap[str, float]
    model_versions: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, motion: _Optional[_Union[_motion_pb2.Motion, _Mapping]] = ..., stage_elapsed_s: _Optional[_Mapping[str, float]] = ..., model_versions: _Optional[_Iterable[str]] = ...) -> None: ...

class GetMotionRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...
