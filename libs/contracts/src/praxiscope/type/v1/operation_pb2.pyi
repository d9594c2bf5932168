import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class OperationMetadata(_message.Message):
    __slots__ = ("state", "method", "progress", "stages", "message", "create_time", "start_time", "end_time", "attempt_count", "parent_operation", "creator", "target")
    class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STATE_UNSPECIFIED: _ClassVar[OperationMetadata.State]
        STATE_QUEUED: _ClassVar[OperationMetadata.State]
        STATE_RUNNING: _ClassVar[OperationMetadata.State]
        STATE_RETRYING: _ClassVar[OperationMetadata.State]
        STATE_CANCELLING: _ClassVar[OperationMetadata.State]
        STATE_SUCCEEDED: _ClassVar[OperationMetadata.State]
        STATE_FAILED: _ClassVar[OperationMetadata.State]
        STATE_CANCELLED: _ClassVar[OperationMetadata.State]
    STATE_UNSPECIFIED: OperationMetadata.State
    STATE_QUEUED: OperationMetadata.State
    STATE_RUNNING: OperationMetadata.State
    STATE_RETRYING: OperationMetadata.State
    STATE_CANCELLING: OperationMetadata.State
    STATE_SUCCEEDED: OperationMetadata.State
    STATE_FAILED: OperationMetadata.State
    STATE_CANCELLED: OperationMetadata.State
    STATE_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    STAGES_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_COUNT_FIELD_NUMBER: _ClassVar[int]
    PARENT_OPERATION_FIELD_NUMBER: _ClassVar[int]
    CREATOR_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    state: OperationMetadata.State
    method: str
    progress: float
    stages: _containers.RepeatedCompositeFieldContainer[Stage]
    message: str
    create_time: _timestamp_pb2.Timestamp
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    attempt_count: int
    parent_operation: str
    creator: str
    target: str
    def __init__(self, state: _Optional[_Union[OperationMetadata.State, str]] = ..., method: _Optional[str] = ..., progress: _Optional[float] = ..., stages: _Optional[_Iterable[_Union[Stage, _Mapping]]] = ..., message: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., attempt_count: _Optional[int] = ..., parent_operation: _Optional[str] = ..., creator: _Optional[str] = ..., target: _Optional[str] = ...) -> None: ...

class Stage(_message.Message):
    __slots__ = ("name", "progress", "weight", "elapsed_s")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    ELAPSED_S_FIELD_NUMBER: _ClassVar[int]
    name: str
    progress: float
    weight: float
    elapsed_s: float
    def __init__(self, name: _Optional[str] = ..., progress: _Optional[float] = ..., weight: _Optional[float] = ..., elapsed_s: _Optional[float] = ...) -> None: ...
