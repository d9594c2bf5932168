import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.api import annotations_pb2 as _annotations_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from praxiscope.type.v1 import access_pb2 as _access_pb2
from praxiscope.vision.v1 import model_version_pb2 as _model_version_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ModelTraffic(_message.Message):
    __slots__ = ("name", "versions", "etag")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    name: str
    versions: _containers.RepeatedCompositeFieldContainer[_model_version_pb2.ModelVersion]
    etag: str
    def __init__(self, name: _Optional[str] = ..., versions: _Optional[_Iterable[_Union[_model_version_pb2.ModelVersion, _Mapping]]] = ..., etag: _Optional[str] = ...) -> None: ...

class GetModelTrafficRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class DeployModelVersionRequest(_message.Message):
    __slots__ = ("name", "memory_bytes")
    NAME_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    name: str
    memory_bytes: int
    def __init__(self, name: _Optional[str] = ..., memory_bytes: _Optional[int] = ...) -> None: ...

class SetModelTrafficRequest(_message.Message):
    __slots__ = ("name", "shares", "etag")
    class Share(_message.Message):
        __slots__ = ("version", "percent")
        VERSION_FIELD_NUMBER: _ClassVar[int]
        PERCENT_FIELD_NUMBER: _ClassVar[int]
        version: str
        percent: int
        def __init__(self, version: _Optional[str] = ..., percent: _Optional[int] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    SHARES_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    name: str
    shares: _containers.RepeatedCompositeFieldContainer[SetModelTrafficRequest.Share]
    etag: str
    def __init__(self, name: _Optional[str] = ..., shares: _Optional[_Iterable[_Union[SetModelTrafficRequest.Share, _Mapping]]] = ..., etag: _Optional[str] = ...) -> None: ...

class RollBackModelRequest(_message.Message):
    __slots__ = ("name", "reason", "version")
    NAME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    name: str
    reason: str
    version: str
    def __init__(self, name: _Optional[str] = ..., reason: _Optional[str] = ..., version: _Optional[str] = ...) -> None: ...

class RetireModelVersionRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class ListModelChangesRequest(_message.Message):
    __slots__ = ("parent", "page_size", "page_token")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    parent: str
    page_size: int
    page_token: str
    def __init__(self, parent: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListModelChangesResponse(_message.Message):
    __slots__ = ("changes", "next_page_token")
    class Change(_message.Message):
        __slots__ = ("action", "version", "detail", "editor", "request_id", "change_time")
        ACTION_FIELD_NUMBER: _ClassVar[int]
        VERSION_FIELD_NUMBER: _ClassVar[int]
        DETAIL_FIELD_NUMBER: _ClassVar[int]
        EDITOR_FIELD_NUMBER: _ClassVar[int]
        REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
        CHANGE_TIME_FIELD_NUMBER: _ClassVar[int]
        action: str
        version: str
        detail: str
        editor: str
        request_id: str
        change_time: _timestamp_pb2.Timestamp
        def __init__(self, action: _Optional[str] = ..., version: _Optional[str] = ..., detail: _Optional[str] = ..., editor: _Optional[str] = ..., request_id: _Optional[str] = ..., change_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    changes: _containers.RepeatedCompositeFieldContainer[ListModelChangesResponse.Change]
    next_page_token: str
    def __init__(self, changes: _Optional[_Iterable[_Union[ListModelChangesResponse.Change, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...
