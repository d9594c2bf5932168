import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ModelVersion(_message.Message):
    __slots__ = ("name", "state", "traffic_percent", "is_stable", "memory_bytes", "message", "figures", "editor", "update_time")
    class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STATE_UNSPECIFIED: _ClassVar[ModelVersion.State]
        STATE_LOADING: _ClassVar[ModelVersion.State]
        STATE_READY: _ClassVar[ModelVersion.State]
        STATE_FAILED: _ClassVar[ModelVersion.State]
        STATE_RETIRED: _ClassVar[ModelVersion.State]
    STATE_UNSPECIFIED: ModelVersion.State
    STATE_LOADING: ModelVersion.State
    STATE_READY: ModelVersion.State
    STATE_FAILED: ModelVersion.State
    STATE_RETIRED: ModelVersion.State
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    TRAFFIC_PERCENT_FIELD_NUMBER: _ClassVar[int]
    IS_STABLE_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    FIGURES_FIELD_NUMBER: _ClassVar[int]
    EDITOR_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    name: str
    state: ModelVersion.State
    traffic_percent: int
    is_stable: bool
    memory_bytes: int
    message: str
    figures: ModelFigures
    editor: str
    update_time: _timestamp_pb2.Timestamp
    def __init__(self, name: _Optional[str] = ..., state: _Optional[_Union[ModelVersion.State, str]] = ..., traffic_percent: _Optional[int] = ..., is_stable: _Optional[bool] = ..., memory_bytes: _Optional[int] = ..., message: _Optional[str] = ..., figures: _Optional[_Union[ModelFigures, _Mapping]] = ..., editor: _Optional[str] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ModelFigures(_message.Message):
    __slots__ = ("request_count", "error_count", "latency_total_s", "latency_bounds_s", "latency_counts")
    REQUEST_COUNT_FIELD_NUMBER: _ClassVar[int]
    ERROR_COUNT_FIELD_NUMBER: _ClassVar[int]
    LATENCY_TOTAL_S_FIELD_NUMBER: _ClassVar[int]
    LATENCY_BOUNDS_S_FIELD_NUMBER: _ClassVar[int]
    LATENCY_COUNTS_FIELD_NUMBER: _ClassVar[int]
    request_count: int
    error_count: int
    latency_total_s: float
    latency_bounds_s: _containers.RepeatedScalarFieldContainer[float]
    latency_counts: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, request_count: _Optional[int] = ..., error_count: _Optional[int] = ..., latency_total_s: _Optional[float] = ..., latency_bounds_s: _Optional[_Iterable[float]] = ..., latency_counts: _Optional[_Iterable[int]] = ...) -> None: ...
