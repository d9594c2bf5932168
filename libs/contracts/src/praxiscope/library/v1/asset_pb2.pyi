import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.api import resource_pb2 as _resource_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Asset(_message.Message):
    __slots__ = ("name", "kind", "display_name", "labels", "state", "latest_version", "size_bytes", "creator", "create_time", "update_time", "delete_time", "purge_time", "etag")
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        KIND_UNSPECIFIED: _ClassVar[Asset.Kind]
        KIND_VIDEO: _ClassVar[Asset.Kind]
        KIND_IMAGE: _ClassVar[Asset.Kind]
        KIND_IMAGE_SET: _ClassVar[Asset.Kind]
        KIND_DETECTIONS: _ClassVar[Asset.Kind]
        KIND_TRACKS: _ClassVar[Asset.Kind]
        KIND_MOTION: _ClassVar[Asset.Kind]
        KIND_CLIP: _ClassVar[Asset.Kind]
        KIND_WORLD: _ClassVar[Asset.Kind]
        KIND_MODEL: _ClassVar[Asset.Kind]
        KIND_FILE: _ClassVar[Asset.Kind]
    KIND_UNSPECIFIED: Asset.Kind
    KIND_VIDEO: Asset.Kind
    KIND_IMAGE: Asset.Kind
    KIND_IMAGE_SET: Asset.Kind
    KIND_DETECTIONS: Asset.Kind
    KIND_TRACKS: Asset.Kind
    KIND_MOTION: Asset.Kind
    KIND_CLIP: Asset.Kind
    KIND_WORLD: Asset.Kind
    KIND_MODEL: Asset.Kind
    KIND_FILE: Asset.Kind
    class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STATE_UNSPECIFIED: _ClassVar[Asset.State]
        STATE_ACTIVE: _ClassVar[Asset.State]
        STATE_DELETED: _ClassVar[Asset.State]
    STATE_UNSPECIFIED: Asset.State
    STATE_ACTIVE: Asset.State
    STATE_DELETED: Asset.State
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_NAME_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    LATEST_VERSION_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    CREATOR_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    DELETE_TIME_FIELD_NUMBER: _ClassVar[int]
    PURGE_TIME_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    name: str
    kind: Asset.Kind
    display_name: str
    labels: _containers.ScalarMap[str, str]
    state: Asset.State
    latest_version: str
    size_bytes: int
    creator: str
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    delete_time: _timestamp_pb2.Timestamp
    purge_time: _timestamp_pb2.Timestamp
    etag: str
    def __init__(self, name: _Optional[str] = ..., kind: _Optional[_Union[Asset.Kind, str]] = ..., display_name: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., state: _Optional[_Union[Asset.State, str]] = ..., latest_version: _Optional[str] = ..., size_bytes: _Optional[int] = ..., creator: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., delete_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., purge_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., etag: _Optional[str] = ...) -> None: ...

class AssetVersion(_message.Message):
    __slots__ = ("name", "files", "sources", "operation", "creator", "create_time")
    NAME_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    CREATOR_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    name: str
    files: _containers.RepeatedCompositeFieldContainer[File]
    sources: _containers.RepeatedScalarFieldContainer[str]
    operation: str
    creator: str
    create_time: _timestamp_pb2.Timestamp
    def __init__(self, name: _Optional[str] = ..., files: _Optional[_Iterable[_Union[File, _Mapping]]] = ..., sources: _Optional[_Iterable[str]] = ..., operation: _Optional[str] = ..., creator: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class File(_message.Message):
    __slots__ = ("path", "content_type", "size_bytes", "sha256")
    PATH_FIELD_NUMBER: _ClassVar[int]
    CONTENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    path: str
    content_type: str
    size_bytes: int
    sha256: str
    def __init__(self, path: _Optional[str] = ..., content_type: _Optional[str] = ..., size_bytes: _Optional[int] = ..., sha256: _Optional[str] = ...) -> None: ...
