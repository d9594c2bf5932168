import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.api import annotations_pb2 as _annotations_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.longrunning import operations_pb2 as _operations_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from praxiscope.rendering.v1 import rendering_service_pb2 as _rendering_service_pb2
from praxiscope.type.v1 import access_pb2 as _access_pb2
from praxiscope.type.v1 import geometry_pb2 as _geometry_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class OrbitView(_message.Message):
    __slots__ = ("azimuth_rad", "elevation_rad", "distance_radii", "vertical_field_rad")
    AZIMUTH_RAD_FIELD_NUMBER: _ClassVar[int]
    ELEVATION_RAD_FIELD_NUMBER: _ClassVar[int]
    DISTANCE_RADII_FIELD_NUMBER: _ClassVar[int]
    VERTICAL_FIELD_RAD_FIELD_NUMBER: _ClassVar[int]
    azimuth_rad: float
    elevation_rad: float
    distance_radii: float
    vertical_field_rad: float
    def __init__(self, azimuth_rad: _Optional[float] = ..., elevation_rad: _Optional[float] = ..., distance_radii: _Optional[float] = ..., vertical_field_rad: _Optional[float] = ...) -> None: ...

class RenderSettings(_message.Message):
    __slots__ = ("path", "engine", "quality", "sample_count", "lighting", "sun", "has_ground")
    class Engine(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        ENGINE_UNSPECIFIED: _ClassVar[RenderSettings.Engine]
        ENGINE_AUTO: _ClassVar[RenderSettings.Engine]
        ENGINE_SPLAT_RASTER: _ClassVar[RenderSettings.Engine]
        ENGINE_MESH_RASTER: _ClassVar[RenderSettings.Engine]
        ENGINE_PATH_TRACING: _ClassVar[RenderSettings.Engine]
    ENGINE_UNSPECIFIED: RenderSettings.Engine
    ENGINE_AUTO: RenderSettings.Engine
    ENGINE_SPLAT_RASTER: RenderSettings.Engine
    ENGINE_MESH_RASTER: RenderSettings.Engine
    ENGINE_PATH_TRACING: RenderSettings.Engine
    class Quality(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        QUALITY_UNSPECIFIED: _ClassVar[RenderSettings.Quality]
        QUALITY_DRAFT: _ClassVar[RenderSettings.Quality]
        QUALITY_STANDARD: _ClassVar[RenderSettings.Quality]
        QUALITY_HIGH: _ClassVar[RenderSettings.Quality]
    QUALITY_UNSPECIFIED: RenderSettings.Quality
    QUALITY_DRAFT: RenderSettings.Quality
    QUALITY_STANDARD: RenderSettings.Quality
    QUALITY_HIGH: RenderSettings.Quality
    class Lighting(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        LIGHTING_UNSPECIFIED: _ClassVar[RenderSettings.Lighting]
        LIGHTING_NONE: _ClassVar[RenderSettings.Lighting]
        LIGHTING_DAYLIGHT: _ClassVar[RenderSettings.Lighting]
    LIGHTING_UNSPECIFIED: RenderSettings.Lighting
    LIGHTING_NONE: RenderSettings.Lighting
    LIGHTING_DAYLIGHT: RenderSettings.Lighting
    class Sun(_message.Message):
        __slots__ = ("azimuth_rad", "elevation_rad")
        AZIMUTH_RAD_FIELD_NUMBER: _ClassVar[int]
        ELEVATION_RAD_FIELD_NUMBER: _ClassVar[int]
        azimuth_rad: float
        elevation_rad: float
        def __init__(self, azimuth_rad: _Optional[float] = ..., elevation_rad: _Optional[float] = ...) -> None: ...
    PATH_FIELD_NUMBER: _ClassVar[int]
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    QUALITY_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_COUNT_FIELD_NUMBER: _ClassVar[int]
    LIGHTING_FIELD_NUMBER: _ClassVar[int]
    SUN_FIELD_NUMBER: _ClassVar[int]
    HAS_GROUND_FIELD_NUMBER: _ClassVar[int]
    path: str
    engine: RenderSettings.Engine
    quality: RenderSettings.Quality
    sample_count: int
    lighting: RenderSettings.Lighting
    sun: RenderSettings.Sun
    has_ground: bool
    def __init__(self, path: _Optional[str] = ..., engine: _Optional[_Union[RenderSettings.Engine, str]] = ..., quality: _Optional[_Union[RenderSettings.Quality, str]] = ..., sample_count: _Optional[int] = ..., lighting: _Optional[_Union[RenderSettings.Lighting, str]] = ..., sun: _Optional[_Union[RenderSettings.Sun, _Mapping]] = ..., has_ground: _Optional[bool] = ...) -> None: ...

class RenderViewRequest(_message.Message):
    __slots__ = ("world", "orbit", "camera", "picture_index", "width_px", "height_px", "layer", "settings")
    class Layer(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        LAYER_UNSPECIFIED: _ClassVar[RenderViewRequest.Layer]
        LAYER_COLOR: _ClassVar[RenderViewRequest.Layer]
        LAYER_DEPTH: _ClassVar[RenderViewRequest.Layer]
        LAYER_NORMAL: _ClassVar[RenderViewRequest.Layer]
    LAYER_UNSPECIFIED: RenderViewRequest.Layer
    LAYER_COLOR: RenderViewRequest.Layer
    LAYER_DEPTH: RenderViewRequest.Layer
    LAYER_NORMAL: RenderViewRequest.Layer
    WORLD_FIELD_NUMBER: _ClassVar[int]
    ORBIT_FIELD_NUMBER: _ClassVar[int]
    CAMERA_FIELD_NUMBER: _ClassVar[int]
    PICTURE_INDEX_FIELD_NUMBER: _ClassVar[int]
    WIDTH_PX_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_PX_FIELD_NUMBER: _ClassVar[int]
    LAYER_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    world: str
    orbit: OrbitView
    camera: _geometry_pb2.PinholeCamera
    picture_index: int
    width_px: int
    height_px: int
    layer: RenderViewRequest.Layer
    settings: RenderSettings
    def __init__(self, world: _Optional[str] = ..., orbit: _Optional[_Union[OrbitView, _Mapping]] = ..., camera: _Optional[_Union[_geometry_pb2.PinholeCamera, _Mapping]] = ..., picture_index: _Optional[int] = ..., width_px: _Optional[int] = ..., height_px: _Optional[int] = ..., layer: _Optional[_Union[RenderViewRequest.Layer, str]] = ..., settings: _Optional[_Union[RenderSettings, _Mapping]] = ...) -> None: ...

class RenderViewResponse(_message.Message):
    __slots__ = ("content", "width_px", "height_px", "engine", "engine_reason", "near_m", "far_m")
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    WIDTH_PX_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_PX_FIELD_NUMBER: _ClassVar[int]
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    ENGINE_REASON_FIELD_NUMBER: _ClassVar[int]
    NEAR_M_FIELD_NUMBER: _ClassVar[int]
    FAR_M_FIELD_NUMBER: _ClassVar[int]
    content: bytes
    width_px: int
    height_px: int
    engine: str
    engine_reason: str
    near_m: float
    far_m: float
    def __init__(self, content: _Optional[bytes] = ..., width_px: _Optional[int] = ..., height_px: _Optional[int] = ..., engine: _Optional[str] = ..., engine_reason: _Optional[str] = ..., near_m: _Optional[float] = ..., far_m: _Optional[float] = ...) -> None: ...

class StreamViewRequest(_message.Message):
    __slots__ = ("start", "pose")
    class Encoding(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        ENCODING_UNSPECIFIED: _ClassVar[StreamViewRequest.Encoding]
        ENCODING_JPEG: _ClassVar[StreamViewRequest.Encoding]
        ENCODING_PNG: _ClassVar[StreamViewRequest.Encoding]
    ENCODING_UNSPECIFIED: StreamViewRequest.Encoding
    ENCODING_JPEG: StreamViewRequest.Encoding
    ENCODING_PNG: StreamViewRequest.Encoding
    class Start(_message.Message):
        __slots__ = ("world", "width_px", "height_px", "frame_time_ms", "encoding", "jpeg_quality")
        WORLD_FIELD_NUMBER: _ClassVar[int]
        WIDTH_PX_FIELD_NUMBER: _ClassVar[int]
        HEIGHT_PX_FIELD_NUMBER: _ClassVar[int]
        FRAME_TIME_MS_FIELD_NUMBER: _ClassVar[int]
        ENCODING_FIELD_NUMBER: _ClassVar[int]
        JPEG_QUALITY_FIELD_NUMBER: _ClassVar[int]
        world: str
        width_px: int
        height_px: int
        frame_time_ms: float
        encoding: StreamViewRequest.Encoding
        jpeg_quality: int
        def __init__(self, world: _Optional[str] = ..., width_px: _Optional[int] = ..., height_px: _Optional[int] = ..., frame_time_ms: _Optional[float] = ..., encoding: _Optional[_Union[StreamViewRequest.Encoding, str]] = ..., jpeg_quality: _Optional[int] = ...) -> None: ...
    class Pose(_message.Message):
        __slots__ = ("number", "orbit", "camera")
        NUMBER_FIELD_NUMBER: _ClassVar[int]
        ORBIT_FIELD_NUMBER: _ClassVar[int]
        CAMERA_FIELD_NUMBER: _ClassVar[int]
        number: int
        orbit: OrbitView
        camera: _geometry_pb2.PinholeCamera
        def __init__(self, number: _Optional[int] = ..., orbit: _Optional[_Union[OrbitView, _Mapping]] = ..., camera: _Optional[_Union[_geometry_pb2.PinholeCamera, _Mapping]] = ...) -> None: ...
    START_FIELD_NUMBER: _ClassVar[int]
    POSE_FIELD_NUMBER: _ClassVar[int]
    start: StreamViewRequest.Start
    pose: StreamViewRequest.Pose
    def __init__(self, start: _Optional[_Union[StreamViewRequest.Start, _Mapping]] = ..., pose: _Optional[_Union[StreamViewRequest.Pose, _Mapping]] = ...) -> None: ...

class StreamViewResponse(_message.Message):
    __slots__ = ("content", "content_type", "width_px", "height_px", "pose_number", "dropped_pose_count", "scale", "gaussian_share", "is_full", "elapsed_ms")
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    CONTENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    WIDTH_PX_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_PX_FIELD_NUMBER: _ClassVar[int]
    POSE_NUMBER_FIELD_NUMBER: _ClassVar[int]
    DROPPED_POSE_COUNT_FIELD_NUMBER: _ClassVar[int]
    SCALE_FIELD_NUMBER: _ClassVar[int]
    GAUSSIAN_SHARE_FIELD_NUMBER: _ClassVar[int]
    IS_FULL_FIELD_NUMBER: _ClassVar[int]
    ELAPSED_MS_FIELD_NUMBER: _ClassVar[int]
    content: bytes
    content_type: str
    width_px: int
    height_px: int
    pose_number: int
    dropped_pose_count: int
    scale: float
    gaussian_share: float
    is_full: bool
    elapsed_ms: float
    def __init__(self, content: _Optional[bytes] = ..., content_type: _Optional[str] = ..., width_px: _Optional[int] = ..., height_px: _Optional[int] = ..., pose_number: _Optional[int] = ..., dropped_pose_count: _Optional[int] = ..., scale: _Optional[float] = ..., gaussian_share: _Optional[float] = ..., is_full: _Optional[bool] = ..., elapsed_ms: _Optional[float] = ...) -> None: ...

class RenderTurntableRequest(_message.Message):
    __slots__ = ("world", "start", "frame_count", "width_px", "height_px", "codec", "request_id", "settings")
    WORLD_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    FRAME_COUNT_FIELD_NUMBER: _ClassVar[int]
    WIDTH_PX_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_PX_FIELD_NUMBER: _ClassVar[int]
    CODEC_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    world: str
    start: OrbitView
    frame_count: int
    width_px: int
    height_px: int
    codec: _rendering_service_pb2.RenderOverlayRequest.Codec
    request_id: str
    settings: RenderSettings
    def __init__(self, world: _Optional[str] = ..., start: _Optional[_Union[OrbitView, _Mapping]] = ..., frame_count: _Optional[int] = ..., width_px: _Optional[int] = ..., height_px: _Optional[int] = ..., codec: _Optional[_Union[_rendering_service_pb2.RenderOverlayRequest.Codec, str]] = ..., request_id: _Optional[str] = ..., settings: _Optional[_Union[RenderSettings, _Mapping]] = ...) -> None: ...

class RenderTurntableResponse(_message.Message):
    __slots__ = ("asset_version", "frame_count", "engine", "engine_reason")
    ASSET_VERSION_FIELD_NUMBER: _ClassVar[int]
    FRAME_COUNT_FIELD_NUMBER: _ClassVar[int]
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    ENGINE_REASON_FIELD_NUMBER: _ClassVar[int]
    asset_version: str
    frame_count: int
    engine: str
    engine_reason: str
    def __init__(self, asset_version: _Optional[str] = ..., frame_count: _Optional[int] = ..., engine: _Optional[str] = ..., engine_reason: _Optional[str] = ...) -> None: ...

class Waypoint(_message.Message):
    __slots__ = ("orbit", "camera", "picture_index", "time_offset")
    ORBIT_FIELD_NUMBER: _ClassVar[int]
    CAMERA_FIELD_NUMBER: _ClassVar[int]
    PICTURE_INDEX_FIELD_NUMBER: _ClassVar[int]
    TIME_OFFSET_FIELD_NUMBER: _ClassVar[int]
    orbit: OrbitView
    camera: _geometry_pb2.PinholeCamera
    picture_index: int
    time_offset: _duration_pb2.Duration
    def __init__(self, orbit: _Optional[_Union[OrbitView, _Mapping]] = ..., camera: _Optional[_Union[_geometry_pb2.PinholeCamera, _Mapping]] = ..., picture_index: _Optional[int] = ..., time_offset: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class RenderFlightRequest(_message.Message):
    __slots__ = ("world", "waypoints", "frame_rate_hz", "width_px", "height_px", "codec", "request_id", "settings")
    WORLD_FIELD_NUMBER: _ClassVar[int]
    WAYPOINTS_FIELD_NUMBER: _ClassVar[int]
    FRAME_RATE_HZ_FIELD_NUMBER: _ClassVar[int]
    WIDTH_PX_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_PX_FIELD_NUMBER: _ClassVar[int]
    CODEC_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    world: str
    waypoints: _containers.RepeatedCompositeFieldContainer[Waypoint]
    frame_rate_hz: int
    width_px: int
    height_px: int
    codec: _rendering_service_pb2.RenderOverlayRequest.Codec
    request_id: str
    settings: RenderSettings
    def __init__(self, world: _Optional[str] = ..., waypoints: _Optional[_Iterable[_Union[Waypoint, _Mapping]]] = ..., frame_rate_hz: _Optional[int] = ..., width_px: _Optional[int] = ..., height_px: _Optional[int] = ..., codec: _Optional[_Union[_rendering_service_pb2.RenderOverlayRequest.Codec, str]] = ..., request_id: _Optional[str] = ..., settings: _Optional[_Union[RenderSettings, _Mapping]] = ...) -> None: ...

class RenderFlightResponse(_message.Message):
    __slots__ = ("asset_version", "frame_count", "engine", "engine_reason")
    ASSET_VERSION_FIELD_NUMBER: _ClassVar[int]
    FRAME_COUNT_FIELD_NUMBER: _ClassVar[int]
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    ENGINE_REASON_FIELD_NUMBER: _ClassVar[int]
    asset_version: str
    frame_count: int
    engine: str
    engine_reason: str
    def __init__(self, asset_version: _Optional[str] = ..., frame_count: _Optional[int] = ..., engine: _Optional[str] = ..., engine_reason: _Optional[str] = ...) -> None: ...

class RenderPictureRequest(_message.Message):
    __slots__ = ("world", "orbit", "camera", "picture_index", "panorama_position", "width_px", "height_px", "layer", "settings", "request_id")
    WORLD_FIELD_NUMBER: _ClassVar[int]
    ORBIT_FIELD_NUMBER: _ClassVar[int]
    CAMERA_FIELD_NUMBER: _ClassVar[int]
    PICTURE_INDEX_FIELD_NUMBER: _ClassVar[int]
    PANORAMA_POSITION_FIELD_NUMBER: _ClassVar[int]
    WIDTH_PX_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_PX_FIELD_NUMBER: _ClassVar[int]
    LAYER_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    world: str
    orbit: OrbitView
    camera: _geometry_pb2.PinholeCamera
    picture_index: int
    panorama_position: _geometry_pb2.Vector3
    width_px: int
    height_px: int
    layer: RenderViewRequest.Layer
    settings: RenderSettings
    request_id: str
    def __init__(self, world: _Optional[str] = ..., orbit: _Optional[_Union[OrbitView, _Mapping]] = ..., camera: _Optional[_Union[_geometry_pb2.PinholeCamera, _Mapping]] = ..., picture_index: _Optional[int] = ..., panorama_position: _Optional[_Union[_geometry_pb2.Vector3, _Mapping]] = ..., width_px: _Optional[int] = ..., height_px: _Optional[int] = ..., layer: _Optional[_Union[RenderViewRequest.Layer, str]] = ..., settings: _Optional[_Union[RenderSettings, _Mapping]] = ..., request_id: _Optional[str] = ...) -> None: ...

class RenderPictureResponse(_message.Message):
    __slots__ = ("asset_version", "width_px", "height_px", "engine", "engine_reason", "near_m", "far_m")
    ASSET_VERSION_FIELD_NUMBER: _ClassVar[int]
    WIDTH_PX_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_PX_FIELD_NUMBER: _ClassVar[int]
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    ENGINE_REASON_FIELD_NUMBER: _ClassVar[int]
    NEAR_M_FIELD_NUMBER: _ClassVar[int]
    FAR_M_FIELD_NUMBER: _ClassVar[int]
    asset_version: str
    width_px: int
    height_px: int
    engine: str
    engine_reason: str
    near_m: float
    far_m: float
    def __init__(self, asset_version: _Optional[str] = ..., width_px: _Optional[int] = ..., height_px: _Optional[int] = ..., engine: _Optional[str] = ..., engine_reason: _Optional[str] = ..., near_m: _Optional[float] = ..., far_m: _Optional[float] = ...) -> None: ...

class ExportWorldRequest(_message.Message):
    __slots__ = ("world", "formats", "request_id")
    class Format(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        FORMAT_UNSPECIFIED: _ClassVar[ExportWorldRequest.Format]
        FORMAT_PLY: _ClassVar[ExportWorldRequest.Format]
        FORMAT_COMPRESSED_PLY: _ClassVar[ExportWorldRequest.Format]
        FORMAT_SPLAT: _ClassVar[ExportWorldRequest.Format]
        FORMAT_SPZ: _ClassVar[ExportWorldRequest.Format]
        FORMAT_GLB: _ClassVar[ExportWorldRequest.Format]
        FORMAT_USDA: _ClassVar[ExportWorldRequest.Format]
    FORMAT_UNSPECIFIED: ExportWorldRequest.Format
    FORMAT_PLY: ExportWorldRequest.Format
    FORMAT_COMPRESSED_PLY: ExportWorldRequest.Format
    FORMAT_SPLAT: ExportWorldRequest.Format
    FORMAT_SPZ: ExportWorldRequest.Format
    FORMAT_GLB: ExportWorldRequest.Format
    FORMAT_USDA: ExportWorldRequest.Format
    WORLD_FIELD_NUMBER: _ClassVar[int]
    FORMATS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    world: str
    formats: _containers.RepeatedScalarFieldContainer[ExportWorldRequest.Format]
    request_id: str
    def __init__(self, world: _Optional[str] = ..., formats: _Optional[_Iterable[_Union[ExportWorldRequest.Format, str]]] = ..., request_id: _Optional[str] = ...) -> None: ...

class ExportWorldResponse(_message.Message):
    __slots__ = ("asset_version", "paths")
    ASSET_VERSION_FIELD_NUMBER: _ClassVar[int]
    PATHS_FIELD_NUMBER: _ClassVar[int]
    asset_version: str
    paths: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, asset_version: _Optional[str] = ..., paths: _Optional[_Iterable[str]] = ...) -> None: ...
