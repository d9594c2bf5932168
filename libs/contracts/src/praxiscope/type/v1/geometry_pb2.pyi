from buf.validate import validate_pb2 as _validate_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class BoundingBox(_message.Message):
    __slots__ = ("left_px", "top_px", "width_px", "height_px")
    LEFT_PX_FIELD_NUMBER: _ClassVar[int]
    TOP_PX_FIELD_NUMBER: _ClassVar[int]
    WIDTH_PX_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_PX_FIELD_NUMBER: _ClassVar[int]
    left_px: float
    top_px: float
    width_px: float
    height_px: float
    def __init__(self, left_px: _Optional[float] = ..., top_px: _Optional[float] = ..., width_px: _Optional[float] = ..., height_px: _Optional[float] = ...) -> None: ...

class Vector3(_message.Message):
    __slots__ = ("x", "y", "z")
    X_FIELD_NUMBER: _ClassVar[int]
    Y_FIELD_NUMBER: _ClassVar[int]
    Z_FIELD_NUMBER: _ClassVar[int]
    x: float
    y: float
    z: float
    def __init__(self, x: _Optional[float] = ..., y: _Optional[float] = ..., z: _Optional[float] = ...) -> None: ...

class Quaternion(_message.Message):
    __slots__ = ("w", "x", "y", "z")
    W_FIELD_NUMBER: _ClassVar[int]
    X_FIELD_NUMBER: _ClassVar[int]
    Y_FIELD_NUMBER: _ClassVar[int]
    Z_FIELD_NUMBER: _ClassVar[int]
    w: float
    x: float
    y: float
    z: float
    def __init__(self, w: _Optional[float] = ..., x: _Optional[float] = ..., y: _Optional[float] = ..., z: _Optional[float] = ...) -> None: ...

class PinholeCamera(_message.Message):
    __slots__ = ("width_px", "height_px", "focal_x_px", "focal_y_px", "centre_x_px", "centre_y_px", "rotation", "position")
    WIDTH_PX_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_PX_FIELD_NUMBER: _ClassVar[int]
    FOCAL_X_PX_FIELD_NUMBER: _ClassVar[int]
    FOCAL_Y_PX_FIELD_NUMBER: _ClassVar[int]
    CENTRE_X_PX_FIELD_NUMBER: _ClassVar[int]
    CENTRE_Y_PX_FIELD_NUMBER: _ClassVar[int]
    ROTATION_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    width_px: int
    height_px: int
    focal_x_px: float
    focal_y_px: float
    centre_x_px: float
    centre_y_px: float
    rotation: Quaternion
    position: Vector3
    def __init__(self, width_px: _Optional[int] = ..., height_px: _Optional[int] = ..., focal_x_px: _Optional[float] = ..., focal_y_px: _Optional[float] = ..., centre_x_px: _Optional[float] = ..., centre_y_px: _Optional[float] = ..., rotation: _Optional[_Union[Quaternion, _Mapping]] = ..., position: _Optional[_Union[Vector3, _Mapping]] = ...) -> None: ...
