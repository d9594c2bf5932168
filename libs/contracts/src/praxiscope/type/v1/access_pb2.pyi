from google.protobuf import descriptor_pb2 as _descriptor_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RateClass(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RATE_CLASS_UNSPECIFIED: _ClassVar[RateClass]
    RATE_CLASS_READ: _ClassVar[RateClass]
    RATE_CLASS_WRITE: _ClassVar[RateClass]
    RATE_CLASS_COMPUTE: _ClassVar[RateClass]
    RATE_CLASS_STREAM: _ClassVar[RateClass]
    RATE_CLASS_LOGIN: _ClassVar[RateClass]
RATE_CLASS_UNSPECIFIED: RateClass
RATE_CLASS_READ: RateClass
RATE_CLASS_WRITE: RateClass
RATE_CLASS_COMPUTE: RateClass
RATE_CLASS_STREAM: RateClass
RATE_CLASS_LOGIN: RateClass
ACCESS_FIELD_NUMBER: _ClassVar[int]
access: _descriptor.FieldDescriptor

class Access(_message.Message):
    __slots__ = ("permission", "resource_field", "rate_class", "error_reasons")
    PERMISSION_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_FIELD_FIELD_NUMBER: _ClassVar[int]
    RATE_CLASS_FIELD_NUMBER: _ClassVar[int]
    ERROR_REASONS_FIELD_NUMBER: _ClassVar[int]
    permission: str
    resource_field: str
    rate_class: RateClass
    error_reasons: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, permission: _Optional[str] = ..., resource_field: _Optional[str] = ..., rate_class: _Optional[_Union[RateClass, str]] = ..., error_reasons: _Optional[_Iterable[str]] = ...) -> None: ...
