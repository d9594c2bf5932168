from buf.validate import validate_pb2 as _validate_pb2
from google.api import annotations_pb2 as _annotations_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.longrunning import operations_pb2 as _operations_pb2
from praxiscope.type.v1 import access_pb2 as _access_pb2
from praxiscope.type.v1 import media_pb2 as _media_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ReconstructWorldRequest(_message.Message):
    __slots__ = ("photos", "quality", "max_gaussian_count", "long_side_px", "seed", "max_picture_count", "display_name", "request_id", "pose_source")
    class Quality(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        QUALITY_UNSPECIFIED: _ClassVar[ReconstructWorldRequest.Quality]
        QUALITY_DRAFT: _ClassVar[ReconstructWorldRequest.Quality]
        QUALITY_STANDARD: _ClassVar[ReconstructWorldRequest.Quality]
        QUALITY_HIGH: _ClassVar[ReconstructWorldRequest.Quality]
    QUALITY_UNSPECIFIED: ReconstructWorldRequest.Quality
    QUALITY_DRAFT: ReconstructWorldRequest.Quality
    QUALITY_STANDARD: ReconstructWorldRequest.Quality
    QUALITY_HIGH: ReconstructWorldRequest.Quality
    class PoseSource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        POSE_SOURCE_UNSPECIFIED: _ClassVar[ReconstructWorldRequest.PoseSource]
        POSE_SOURCE_PICTURES: _ClassVar[ReconstructWorldRequest.PoseSource]
        POSE_SOURCE_ARCHIVE: _ClassVar[ReconstructWorldRequest.PoseSource]
    POSE_SOURCE_UNSPECIFIED: ReconstructWorldRequest.PoseSource
    POSE_SOURCE_PICTURES: ReconstructWorldRequest.PoseSource
    POSE_SOURCE_ARCHIVE: ReconstructWorldRequest.PoseSource
    PHOTOS_FIELD_NUMBER: _ClassVar[int]
    QUALITY_FIELD_NUMBER: _ClassVar[int]
    MAX_GAUSSIAN_COUNT_FIELD_NUMBER: _ClassVar[int]
    LONG_SIDE_PX_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    MAX_PICTURE_COUNT_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_NAME_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    POSE_SOURCE_FIELD_NUMBER: _ClassVar[int]
    photos: _media_pb2.MediaRef
    quality: ReconstructWorldRequest.Quality
    max_gaussian_count: int
    long_side_px: int
    seed: int
    max_picture_count: int
    display_name: str
    request_id: str
    pose_source: ReconstructWorldRequest.PoseSource
    def __init__(self, photos: _Optional[_Union[_media_pb2.MediaRef, _Mapping]] = ..., quality: _Optional[_Union[ReconstructWorldRequest.Quality, str]] = ..., max_gaussian_count: _Optional[int] = ..., long_side_px: _Optional[int] = ..., seed: _Optional[int] = ..., max_picture_count: _Optional[int] = ..., display_name: _Optional[str] = ..., request_id: _Optional[str] = ..., pose_source: _Optional[_Union[ReconstructWorldRequest.PoseSource, str]] = ...) -> None: ...

class GetPreviewRequest(_message.Message):
    __slots__ = ("operation",)
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    operation: str
    def __init__(self, operation: _Optional[str] = ...) -> None: ...

class GetPreviewResponse(_message.Message):
    __slots__ = ("content",)
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    content: bytes
    def __init__(self, content: _Optional[bytes] = ...) -> None: ...

class ExtractMeshRequest(_message.Message):
    __slots__ = ("world", "voxel_count", "collider_face_count", "display_name", "request_id")
    WORLD_FIELD_NUMBER: _ClassVar[int]
    VOXEL_COUNT_FIELD_NUMBER: _ClassVar[int]
    COLLIDER_FACE_COUNT_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_NAME_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    world: str
    voxel_count: int
    collider_face_count: int
    display_name: str
    request_id: str
    def __init__(self, world: _Optional[str] = ..., voxel_count: _Optional[int] = ..., collider_face_count: _Optional[int] = ..., display_name: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class ExtractMeshResponse(_message.Message):
    __slots__ = ("asset_version", "face_count", "collider_face_count", "voxel_m")
    ASSET_VERSION_FIELD_NUMBER: _ClassVar[int]
    FACE_COUNT_FIELD_NUMBER: _ClassVar[int]
    COLLIDER_FACE_COUNT_FIELD_NUMBER: _ClassVar[int]
    VOXEL_M_FIELD_NUMBER: _ClassVar[int]
    asset_version: str
    face_count: int
    collider_face_count: int
    voxel_m: float
    def __init__(self, asset_version: _Optional[str] = ..., face_count: _Optional[int] = ..., collider_face_count: _Optional[int] = ..., voxel_m: _Optional[float] = ...) -> None: ...

class ReconstructWorldResponse(_message.Message):
    __slots__ = ("asset_version", "gaussian_count", "picture_count", "placed_picture_count", "quality", "left_out")
    ASSET_VERSION_FIELD_NUMBER: _ClassVar[int]
    GAUSSIAN_COUNT_FIELD_NUMBER: _ClassVar[int]
    PICTURE_COUNT_FIELD_NUMBER: _ClassVar[int]
    PLACED_PICTURE_COUNT_FIELD_NUMBER: _ClassVar[int]
    QUALITY_FIELD_NUMBER: _ClassVar[int]
    LEFT_OUT_FIELD_NUMBER: _ClassVar[int]
    asset_version: str
    gaussian_count: int
    picture_count: int
    placed_picture_count: int
    quality: WorldQuality
    left_out: _containers.RepeatedCompositeFieldContainer[LeftOutPicture]
    def __init__(self, asset_version: _Optional[str] = ..., gaussian_count: _Optional[int] = ..., picture_count: _Optional[int] = ..., placed_picture_count: _Optional[int] = ..., quality: _Optional[_Union[WorldQuality, _Mapping]] = ..., left_out: _Optional[_Iterable[_Union[LeftOutPicture, _Mapping]]] = ...) -> None: ...

class WorldQuality(_message.Message):
    __slots__ = ("picture_count", "psnr_db", "corrected_psnr_db", "ssim")
    PICTURE_COUNT_FIELD_NUMBER: _ClassVar[int]
    PSNR_DB_FIELD_NUMBER: _ClassVar[int]
    CORRECTED_PSNR_DB_FIELD_NUMBER: _ClassVar[int]
    SSIM_FIELD_NUMBER: _ClassVar[int]
    picture_count: int
    psnr_db: float
    corrected_psnr_db: float
    ssim: float
    def __init__(self, picture_count: _Optional[int] = ..., psnr_db: _Optional[float] = ..., corrected_psnr_db: _Optional[float] = ..., ssim: _Optional[float] = ...) -> None: ...

class LeftOutPicture(_message.Message):
    __slots__ = ("name", "reason")
    NAME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    name: str
    reason: str
    def __init__(self, name: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class GenerateWorldRequest(_message.Message):
    __slots__ = ("parent", "prompt", "model", "seed", "gaussian_count", "display_name", "request_id")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    GAUSSIAN_COUNT_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_NAME_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    parent: str
    prompt: str
    model: str
    seed: int
    gaussian_count: int
    display_name: str
    request_id: str
    def __init__(self, parent: _Optional[str] = ..., prompt: _Optional[str] = ..., model: _Optional[str] = ..., seed: _Optional[int] = ..., gaussian_count: _Optional[int] = ..., display_name: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class GenerateWorldResponse(_message.Message):
    __slots__ = ("asset_version", "caption", "gaussian_count")
    ASSET_VERSION_FIELD_NUMBER: _ClassVar[int]
    CAPTION_FIELD_NUMBER: _ClassVar[int]
    GAUSSIAN_COUNT_FIELD_NUMBER: _ClassVar[int]
    asset_version: str
    caption: str
    gaussian_count: int
    def __init__(self, asset_version: _Optional[str] = ..., caption: _Optional[str] = ..., gaussian_count: _Optional[int] = ...) -> None: ...
