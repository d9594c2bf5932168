import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.api import annotations_pb2 as _annotations_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.longrunning import operations_pb2 as _operations_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from praxiscope.type.v1 import access_pb2 as _access_pb2
from praxiscope.type.v1 import media_pb2 as _media_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class OverlayStyle(_message.Message):
    __slots__ = ("hide_boxes", "hide_skeletons", "hide_angles", "hide_curve")
    HIDE_BOXES_FIELD_NUMBER: _ClassVar[int]
    HIDE_SKELETONS_FIELD_NUMBER: _ClassVar[int]
    HIDE_ANGLES_FIELD_NUMBER: _ClassVar[int]
    HIDE_CURVE_FIELD_NUMBER: _ClassVar[int]
    hide_boxes: bool
    hide_skeletons: bool
    hide_angles: bool
    hide_curve: bool
    def __init__(self, hide_boxes: _Optional[bool] = ..., hide_skeletons: _Optional[bool] = ..., hide_angles: _Optional[bool] = ..., hide_curve: _Optional[bool] = ...) -> None: ...

class RenderOverlayRequest(_message.Message):
    __slots__ = ("motion", "video", "codec", "height_px", "style", "request_id", "parent_operation")
    class Codec(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        CODEC_UNSPECIFIED: _ClassVar[RenderOverlayRequest.Codec]
        CODEC_AV1: _ClassVar[RenderOverlayRequest.Codec]
        CODEC_VP9: _ClassVar[RenderOverlayRequest.Codec]
        CODEC_H264: _ClassVar[RenderOverlayRequest.Codec]
    CODEC_UNSPECIFIED: RenderOverlayRequest.Codec
    CODEC_AV1: RenderOverlayRequest.Codec
    CODEC_VP9: RenderOverlayRequest.Codec
    CODEC_H264: RenderOverlayRequest.Codec
    MOTION_FIELD_NUMBER: _ClassVar[int]
    VIDEO_FIELD_NUMBER: _ClassVar[int]
    CODEC_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_PX_FIELD_NUMBER: _ClassVar[int]
    STYLE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    PARENT_OPERATION_FIELD_NUMBER: _ClassVar[int]
    motion: str
    video: _media_pb2.MediaRef
    codec: RenderOverlayRequest.Codec
    height_px: int
    style: OverlayStyle
    request_id: str
    parent_operation: str
    def __init__(self, motion: _Optional[str] = ..., video: _Optional[_Union[_media_pb2.MediaRef, _Mapping]] = ..., codec: _Optional[_Union[RenderOverlayRequest.Codec, str]] = ..., height_px: _Optional[int] = ..., style: _Optional[_Union[OverlayStyle, _Mapping]] = ..., request_id: _Optional[str] = ..., parent_operation: _Optional[str] = ...) -> None: ...

class RenderOverlayResponse(_message.Message):
    __slots__ = ("asset_version", "frame_count")
    ASSET_VERSION_FIELD_NUMBER: _ClassVar[int]
    FRAME_COUNT_FIELD_NUMBER: _ClassVar[int]
    asset_version: str
    frame_count: int
    def __init__(self, asset_version: _Optional[str] = ..., frame_count: _Optional[int] = ...) -> None: ...

class RenderStillRequest(_message.Message):
    __slots__ = ("motion", "frame_index", "time_offset", "height_px", "style")
    MOTION_FIELD_NUMBER: _ClassVar[int]
    FRAME_INDEX_FIELD_NUMBER: _ClassVar[int]
    TIME_OFFSET_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_PX_FIELD_NUMBER: _ClassVar[int]
    STYLE_FIELD_NUMBER: _ClassVar[int]
    motion: str
    frame_index: int
    time_offset: _duration_pb2.Duration
    height_px: int
    style: OverlayStyle
    def __init__(self, motion: _Optional[str] = ..., frame_index: _Optional[int] = ..., time_offset: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., height_px: _Optional[int] = ..., style: _Optional[_Union[OverlayStyle, _Mapping]] = ...) -> None: ...

class RenderStillResponse(_message.Message):
    __slots__ = ("content", "frame_index", "width_px", "height_px")
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    FRAME_INDEX_FIELD_NUMBER: _ClassVar[int]
    WIDTH_PX_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_PX_FIELD_NUMBER: _ClassVar[int]
    content: bytes
    frame_index: int
    width_px: int
    height_px: int
    def __init__(self, content: _Optional[bytes] = ..., frame_index: _Optional[int] = ..., width_px: _Optional[int] = ..., height_px: _Optional[int] = ...) -> None: ...
