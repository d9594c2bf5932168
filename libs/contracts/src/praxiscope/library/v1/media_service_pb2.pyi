from buf.validate import validate_pb2 as _validate_pb2
from google.api import annotations_pb2 as _annotations_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from praxiscope.library.v1 import asset_pb2 as _asset_pb2
from praxiscope.type.v1 import access_pb2 as _access_pb2
from praxiscope.type.v1 import media_pb2 as _media_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ResolveMediaRequest(_message.Message):
    __slots__ = ("media",)
    MEDIA_FIELD_NUMBER: _ClassVar[int]
    media: _media_pb2.MediaRef
    def __init__(self, media: _Optional[_Union[_media_pb2.MediaRef, _Mapping]] = ...) -> None: ...

class ResolveMediaResponse(_message.Message):
    __slots__ = ("object_key", "file", "asset_version", "kind")
    OBJECT_KEY_FIELD_NUMBER: _ClassVar[int]
    FILE_FIELD_NUMBER: _ClassVar[int]
    ASSET_VERSION_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    object_key: str
    file: _asset_pb2.File
    asset_version: str
    kind: _asset_pb2.Asset.Kind
    def __init__(self, object_key: _Optional[str] = ..., file: _Optional[_Union[_asset_pb2.File, _Mapping]] = ..., asset_version: _Optional[str] = ..., kind: _Optional[_Union[_asset_pb2.Asset.Kind, str]] = ...) -> None: ...

class CreateDerivedAssetRequest(_message.Message):
    __slots__ = ("parent", "kind", "display_name", "objects", "sources", "operation", "request_id")
    class Object(_message.Message):
        __slots__ = ("path", "content_type", "object_key", "sha256", "size_bytes")
        PATH_FIELD_NUMBER: _ClassVar[int]
        CONTENT_TYPE_FIELD_NUMBER: _ClassVar[int]
        OBJECT_KEY_FIELD_NUMBER: _ClassVar[int]
        SHA256_FIELD_NUMBER: _ClassVar[int]
        SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
        path: str
        content_type: str
        object_key: str
        sha256: str
        size_bytes: int
        def __init__(self, path: _Optional[str] = ..., content_type: _Optional[str] = ..., object_key: _Optional[str] = ..., sha256: _Optional[str] = ..., size_bytes: _Optional[int] = ...) -> None: ...
    PARENT_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_NAME_FIELD_NUMBER: _ClassVar[int]
    OBJECTS_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    parent: str
    kind: _asset_pb2.Asset.Kind
    display_name: str
    objects: _containers.RepeatedCompositeFieldContainer[CreateDerivedAssetRequest.Object]
    sources: _containers.RepeatedScalarFieldContainer[str]
    operation: str
    request_id: str
    def __init__(self, parent: _Optional[str] = ..., kind: _Optional[_Union[_asset_pb2.Asset.Kind, str]] = ..., display_name: _Optional[str] = ..., objects: _Optional[_Iterable[_Union[CreateDerivedAssetRequest.Object, _Mapping]]] = ..., sources: _Optional[_Iterable[str]] = ..., operation: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...
