from buf.validate import validate_pb2 as _validate_pb2
from google.api import annotations_pb2 as _annotations_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.api import resource_pb2 as _resource_pb2
from google.longrunning import operations_pb2 as _operations_pb2
from google.protobuf import empty_pb2 as _empty_pb2
from praxiscope.editing.v1 import edit_stack_pb2 as _edit_stack_pb2
from praxiscope.type.v1 import access_pb2 as _access_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CreateEditStackRequest(_message.Message):
    __slots__ = ("parent", "edit_stack", "request_id")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    EDIT_STACK_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    parent: str
    edit_stack: _edit_stack_pb2.EditStack
    request_id: str
    def __init__(self, parent: _Optional[str] = ..., edit_stack: _Optional[_Union[_edit_stack_pb2.EditStack, _Mapping]] = ..., request_id: _Optional[str] = ...) -> None: ...

class GetEditStackRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class ListEditStacksRequest(_message.Message):
    __slots__ = ("parent", "page_size", "page_token")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    parent: str
    page_size: int
    page_token: str
    def __init__(self, parent: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListEditStacksResponse(_message.Message):
    __slots__ = ("edit_stacks", "next_page_token")
    EDIT_STACKS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    edit_stacks: _containers.RepeatedCompositeFieldContainer[_edit_stack_pb2.EditStack]
    next_page_token: str
    def __init__(self, edit_stacks: _Optional[_Iterable[_Union[_edit_stack_pb2.EditStack, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class DeleteEditStackRequest(_message.Message):
    __slots__ = ("name", "etag")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    name: str
    etag: str
    def __init__(self, name: _Optional[str] = ..., etag: _Optional[str] = ...) -> None: ...

class SelectGaussiansRequest(_message.Message):
    __slots__ = ("name", "selection", "edit_id")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SELECTION_FIELD_NUMBER: _ClassVar[int]
    EDIT_ID_FIELD_NUMBER: _ClassVar[int]
    name: str
    selection: _edit_stack_pb2.Selection
    edit_id: str
    def __init__(self, name: _Optional[str] = ..., selection: _Optional[_Union[_edit_stack_pb2.Selection, _Mapping]] = ..., edit_id: _Optional[str] = ...) -> None: ...

class SelectGaussiansResponse(_message.Message):
    __slots__ = ("selected_count", "gaussian_count", "row_count", "mask", "bounds", "edit_id")
    SELECTED_COUNT_FIELD_NUMBER: _ClassVar[int]
    GAUSSIAN_COUNT_FIELD_NUMBER: _ClassVar[int]
    ROW_COUNT_FIELD_NUMBER: _ClassVar[int]
    MASK_FIELD_NUMBER: _ClassVar[int]
    BOUNDS_FIELD_NUMBER: _ClassVar[int]
    EDIT_ID_FIELD_NUMBER: _ClassVar[int]
    selected_count: int
    gaussian_count: int
    row_count: int
    mask: bytes
    bounds: _edit_stack_pb2.Bounds
    edit_id: str
    def __init__(self, selected_count: _Optional[int] = ..., gaussian_count: _Optional[int] = ..., row_count: _Optional[int] = ..., mask: _Optional[bytes] = ..., bounds: _Optional[_Union[_edit_stack_pb2.Bounds, _Mapping]] = ..., edit_id: _Optional[str] = ...) -> None: ...

class ReadGaussiansRequest(_message.Message):
    __slots__ = ("name", "edit_id", "start_row", "row_count")
    NAME_FIELD_NUMBER: _ClassVar[int]
    EDIT_ID_FIELD_NUMBER: _ClassVar[int]
    START_ROW_FIELD_NUMBER: _ClassVar[int]
    ROW_COUNT_FIELD_NUMBER: _ClassVar[int]
    name: str
    edit_id: str
    start_row: int
    row_count: int
    def __init__(self, name: _Optional[str] = ..., edit_id: _Optional[str] = ..., start_row: _Optional[int] = ..., row_count: _Optional[int] = ...) -> None: ...

class ReadGaussiansResponse(_message.Message):
    __slots__ = ("rows", "next_row", "row_count", "edit_id")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    NEXT_ROW_FIELD_NUMBER: _ClassVar[int]
    ROW_COUNT_FIELD_NUMBER: _ClassVar[int]
    EDIT_ID_FIELD_NUMBER: _ClassVar[int]
    rows: bytes
    next_row: int
    row_count: int
    edit_id: str
    def __init__(self, rows: _Optional[bytes] = ..., next_row: _Optional[int] = ..., row_count: _Optional[int] = ..., edit_id: _Optional[str] = ...) -> None: ...

class ApplyEditRequest(_message.Message):
    __slots__ = ("name", "etag", "selection", "operation", "request_id")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    SELECTION_FIELD_NUMBER: _ClassVar[int]
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    name: str
    etag: str
    selection: _edit_stack_pb2.Selection
    operation: _edit_stack_pb2.EditOperation
    request_id: str
    def __init__(self, name: _Optional[str] = ..., etag: _Optional[str] = ..., selection: _Optional[_Union[_edit_stack_pb2.Selection, _Mapping]] = ..., operation: _Optional[_Union[_edit_stack_pb2.EditOperation, _Mapping]] = ..., request_id: _Optional[str] = ...) -> None: ...

class ApplyEditResponse(_message.Message):
    __slots__ = ("edit", "etag", "removed_mask", "changed_mask", "first_added_row")
    EDIT_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    REMOVED_MASK_FIELD_NUMBER: _ClassVar[int]
    CHANGED_MASK_FIELD_NUMBER: _ClassVar[int]
    FIRST_ADDED_ROW_FIELD_NUMBER: _ClassVar[int]
    edit: _edit_stack_pb2.Edit
    etag: str
    removed_mask: bytes
    changed_mask: bytes
    first_added_row: int
    def __init__(self, edit: _Optional[_Union[_edit_stack_pb2.Edit, _Mapping]] = ..., etag: _Optional[str] = ..., removed_mask: _Optional[bytes] = ..., changed_mask: _Optional[bytes] = ..., first_added_row: _Optional[int] = ...) -> None: ...

class UndoEditRequest(_message.Message):
    __slots__ = ("name", "etag")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    name: str
    etag: str
    def __init__(self, name: _Optional[str] = ..., etag: _Optional[str] = ...) -> None: ...

class RedoEditRequest(_message.Message):
    __slots__ = ("name", "etag")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    name: str
    etag: str
    def __init__(self, name: _Optional[str] = ..., etag: _Optional[str] = ...) -> None: ...

class CreateBranchRequest(_message.Message):
    __slots__ = ("name", "etag", "branch", "edit_id")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    BRANCH_FIELD_NUMBER: _ClassVar[int]
    EDIT_ID_FIELD_NUMBER: _ClassVar[int]
    name: str
    etag: str
    branch: str
    edit_id: str
    def __init__(self, name: _Optional[str] = ..., etag: _Optional[str] = ..., branch: _Optional[str] = ..., edit_id: _Optional[str] = ...) -> None: ...

class SwitchBranchRequest(_message.Message):
    __slots__ = ("name", "etag", "branch")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    BRANCH_FIELD_NUMBER: _ClassVar[int]
    name: str
    etag: str
    branch: str
    def __init__(self, name: _Optional[str] = ..., etag: _Optional[str] = ..., branch: _Optional[str] = ...) -> None: ...

class DiffEditsRequest(_message.Message):
    __slots__ = ("name", "from_edit_id", "to_edit_id")
    NAME_FIELD_NUMBER: _ClassVar[int]
    FROM_EDIT_ID_FIELD_NUMBER: _ClassVar[int]
    TO_EDIT_ID_FIELD_NUMBER: _ClassVar[int]
    name: str
    from_edit_id: str
    to_edit_id: str
    def __init__(self, name: _Optional[str] = ..., from_edit_id: _Optional[str] = ..., to_edit_id: _Optional[str] = ...) -> None: ...

class DiffEditsResponse(_message.Message):
    __slots__ = ("changed_count", "removed_count", "added_count", "moved_count", "recolored_count", "bounds", "from_gaussian_count", "to_gaussian_count", "common_edit_id", "from_edit_ids", "to_edit_ids")
    CHANGED_COUNT_FIELD_NUMBER: _ClassVar[int]
    REMOVED_COUNT_FIELD_NUMBER: _ClassVar[int]
    ADDED_COUNT_FIELD_NUMBER: _ClassVar[int]
    MOVED_COUNT_FIELD_NUMBER: _ClassVar[int]
    RECOLORED_COUNT_FIELD_NUMBER: _ClassVar[int]
    BOUNDS_FIELD_NUMBER: _ClassVar[int]
    FROM_GAUSSIAN_COUNT_FIELD_NUMBER: _ClassVar[int]
    TO_GAUSSIAN_COUNT_FIELD_NUMBER: _ClassVar[int]
    COMMON_EDIT_ID_FIELD_NUMBER: _ClassVar[int]
    FROM_EDIT_IDS_FIELD_NUMBER: _ClassVar[int]
    TO_EDIT_IDS_FIELD_NUMBER: _ClassVar[int]
    changed_count: int
    removed_count: int
    added_count: int
    moved_count: int
    recolored_count: int
    bounds: _edit_stack_pb2.Bounds
    from_gaussian_count: int
    to_gaussian_count: int
    common_edit_id: str
    from_edit_ids: _containers.RepeatedScalarFieldContainer[str]
    to_edit_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, changed_count: _Optional[int] = ..., removed_count: _Optional[int] = ..., added_count: _Optional[int] = ..., moved_count: _Optional[int] = ..., recolored_count: _Optional[int] = ..., bounds: _Optional[_Union[_edit_stack_pb2.Bounds, _Mapping]] = ..., from_gaussian_count: _Optional[int] = ..., to_gaussian_count: _Optional[int] = ..., common_edit_id: _Optional[str] = ..., from_edit_ids: _Optional[_Iterable[str]] = ..., to_edit_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class SaveWorldRequest(_message.Message):
    __slots__ = ("name", "edit_id", "display_name", "request_id")
    NAME_FIELD_NUMBER: _ClassVar[int]
    EDIT_ID_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_NAME_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    name: str
    edit_id: str
    display_name: str
    request_id: str
    def __init__(self, name: _Optional[str] = ..., edit_id: _Optional[str] = ..., display_name: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class SaveWorldResponse(_message.Message):
    __slots__ = ("asset_version", "gaussian_count", "edit_id")
    ASSET_VERSION_FIELD_NUMBER: _ClassVar[int]
    GAUSSIAN_COUNT_FIELD_NUMBER: _ClassVar[int]
    EDIT_ID_FIELD_NUMBER: _ClassVar[int]
    asset_version: str
    gaussian_count: int
    edit_id: str
    def __init__(self, asset_version: _Optional[str] = ..., gaussian_count: _Optional[int] = ..., edit_id: _Optional[str] = ...) -> None: ...
