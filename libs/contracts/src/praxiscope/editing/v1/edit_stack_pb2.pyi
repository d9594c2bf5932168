import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.api import resource_pb2 as _resource_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from praxiscope.type.v1 import geometry_pb2 as _geometry_pb2
from praxiscope.type.v1 import media_pb2 as _media_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Color(_message.Message):
    __slots__ = ("red", "green", "blue")
    RED_FIELD_NUMBER: _ClassVar[int]
    GREEN_FIELD_NUMBER: _ClassVar[int]
    BLUE_FIELD_NUMBER: _ClassVar[int]
    red: float
    green: float
    blue: float
    def __init__(self, red: _Optional[float] = ..., green: _Optional[float] = ..., blue: _Optional[float] = ...) -> None: ...

class Selection(_message.Message):
    __slots__ = ("everything", "box", "sphere", "brush", "near_color", "connected", "range", "mask", "combined", "inverted")
    class Everything(_message.Message):
        __slots__ = ()
        def __init__(self) -> None: ...
    class Box(_message.Message):
        __slots__ = ("center", "size", "rotation")
        CENTER_FIELD_NUMBER: _ClassVar[int]
        SIZE_FIELD_NUMBER: _ClassVar[int]
        ROTATION_FIELD_NUMBER: _ClassVar[int]
        center: _geometry_pb2.Vector3
        size: _geometry_pb2.Vector3
        rotation: _geometry_pb2.Quaternion
        def __init__(self, center: _Optional[_Union[_geometry_pb2.Vector3, _Mapping]] = ..., size: _Optional[_Union[_geometry_pb2.Vector3, _Mapping]] = ..., rotation: _Optional[_Union[_geometry_pb2.Quaternion, _Mapping]] = ...) -> None: ...
    class Sphere(_message.Message):
        __slots__ = ("center", "radius_m")
        CENTER_FIELD_NUMBER: _ClassVar[int]
        RADIUS_M_FIELD_NUMBER: _ClassVar[int]
        center: _geometry_pb2.Vector3
        radius_m: float
        def __init__(self, center: _Optional[_Union[_geometry_pb2.Vector3, _Mapping]] = ..., radius_m: _Optional[float] = ...) -> None: ...
    class Brush(_message.Message):
        __slots__ = ("camera", "points", "radius_px", "through")
        class Point(_message.Message):
            __slots__ = ("x_px", "y_px")
            X_PX_FIELD_NUMBER: _ClassVar[int]
            Y_PX_FIELD_NUMBER: _ClassVar[int]
            x_px: float
            y_px: float
            def __init__(self, x_px: _Optional[float] = ..., y_px: _Optional[float] = ...) -> None: ...
        CAMERA_FIELD_NUMBER: _ClassVar[int]
        POINTS_FIELD_NUMBER: _ClassVar[int]
        RADIUS_PX_FIELD_NUMBER: _ClassVar[int]
        THROUGH_FIELD_NUMBER: _ClassVar[int]
        camera: _geometry_pb2.PinholeCamera
        points: _containers.RepeatedCompositeFieldContainer[Selection.Brush.Point]
        radius_px: float
        through: bool
        def __init__(self, camera: _Optional[_Union[_geometry_pb2.PinholeCamera, _Mapping]] = ..., points: _Optional[_Iterable[_Union[Selection.Brush.Point, _Mapping]]] = ..., radius_px: _Optional[float] = ..., through: _Optional[bool] = ...) -> None: ...
    class NearColor(_message.Message):
        __slots__ = ("color", "tolerance")
        COLOR_FIELD_NUMBER: _ClassVar[int]
        TOLERANCE_FIELD_NUMBER: _ClassVar[int]
        color: Color
        tolerance: float
        def __init__(self, color: _Optional[_Union[Color, _Mapping]] = ..., tolerance: _Optional[float] = ...) -> None: ...
    class Connected(_message.Message):
        __slots__ = ("gap_m", "seed", "largest", "max_count")
        GAP_M_FIELD_NUMBER: _ClassVar[int]
        SEED_FIELD_NUMBER: _ClassVar[int]
        LARGEST_FIELD_NUMBER: _ClassVar[int]
        MAX_COUNT_FIELD_NUMBER: _ClassVar[int]
        gap_m: float
        seed: Selection
        largest: bool
        max_count: int
        def __init__(self, gap_m: _Optional[float] = ..., seed: _Optional[_Union[Selection, _Mapping]] = ..., largest: _Optional[bool] = ..., max_count: _Optional[int] = ...) -> None: ...
    class Range(_message.Message):
        __slots__ = ("min_opacity", "max_opacity", "min_extent_m", "max_extent_m")
        MIN_OPACITY_FIELD_NUMBER: _ClassVar[int]
        MAX_OPACITY_FIELD_NUMBER: _ClassVar[int]
        MIN_EXTENT_M_FIELD_NUMBER: _ClassVar[int]
        MAX_EXTENT_M_FIELD_NUMBER: _ClassVar[int]
        min_opacity: float
        max_opacity: float
        min_extent_m: float
        max_extent_m: float
        def __init__(self, min_opacity: _Optional[float] = ..., max_opacity: _Optional[float] = ..., min_extent_m: _Optional[float] = ..., max_extent_m: _Optional[float] = ...) -> None: ...
    class Mask(_message.Message):
        __slots__ = ("bits",)
        BITS_FIELD_NUMBER: _ClassVar[int]
        bits: bytes
        def __init__(self, bits: _Optional[bytes] = ...) -> None: ...
    class Combined(_message.Message):
        __slots__ = ("method", "parts")
        class Method(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
            __slots__ = ()
            METHOD_UNSPECIFIED: _ClassVar[Selection.Combined.Method]
            METHOD_UNION: _ClassVar[Selection.Combined.Method]
            METHOD_INTERSECTION: _ClassVar[Selection.Combined.Method]
            METHOD_DIFFERENCE: _ClassVar[Selection.Combined.Method]
        METHOD_UNSPECIFIED: Selection.Combined.Method
        METHOD_UNION: Selection.Combined.Method
        METHOD_INTERSECTION: Selection.Combined.Method
        METHOD_DIFFERENCE: Selection.Combined.Method
        METHOD_FIELD_NUMBER: _ClassVar[int]
        PARTS_FIELD_NUMBER: _ClassVar[int]
        method: Selection.Combined.Method
        parts: _containers.RepeatedCompositeFieldContainer[Selection]
        def __init__(self, method: _Optional[_Union[Selection.Combined.Method, str]] = ..., parts: _Optional[_Iterable[_Union[Selection, _Mapping]]] = ...) -> None: ...
    EVERYTHING_FIELD_NUMBER: _ClassVar[int]
    BOX_FIELD_NUMBER: _ClassVar[int]
    SPHERE_FIELD_NUMBER: _ClassVar[int]
    BRUSH_FIELD_NUMBER: _ClassVar[int]
    NEAR_COLOR_FIELD_NUMBER: _ClassVar[int]
    CONNECTED_FIELD_NUMBER: _ClassVar[int]
    RANGE_FIELD_NUMBER: _ClassVar[int]
    MASK_FIELD_NUMBER: _ClassVar[int]
    COMBINED_FIELD_NUMBER: _ClassVar[int]
    INVERTED_FIELD_NUMBER: _ClassVar[int]
    everything: Selection.Everything
    box: Selection.Box
    sphere: Selection.Sphere
    brush: Selection.Brush
    near_color: Selection.NearColor
    connected: Selection.Connected
    range: Selection.Range
    mask: Selection.Mask
    combined: Selection.Combined
    inverted: bool
    def __init__(self, everything: _Optional[_Union[Selection.Everything, _Mapping]] = ..., box: _Optional[_Union[Selection.Box, _Mapping]] = ..., sphere: _Optional[_Union[Selection.Sphere, _Mapping]] = ..., brush: _Optional[_Union[Selection.Brush, _Mapping]] = ..., near_color: _Optional[_Union[Selection.NearColor, _Mapping]] = ..., connected: _Optional[_Union[Selection.Connected, _Mapping]] = ..., range: _Optional[_Union[Selection.Range, _Mapping]] = ..., mask: _Optional[_Union[Selection.Mask, _Mapping]] = ..., combined: _Optional[_Union[Selection.Combined, _Mapping]] = ..., inverted: _Optional[bool] = ...) -> None: ...

class EditOperation(_message.Message):
    __slots__ = ("delete", "crop", "transform", "remove_floaters", "level_ground", "recolor", "duplicate", "relight", "fill_hole", "insert")
    class Delete(_message.Message):
        __slots__ = ()
        def __init__(self) -> None: ...
    class Crop(_message.Message):
        __slots__ = ()
        def __init__(self) -> None: ...
    class Transform(_message.Message):
        __slots__ = ("translation", "rotation", "scale", "pivot")
        TRANSLATION_FIELD_NUMBER: _ClassVar[int]
        ROTATION_FIELD_NUMBER: _ClassVar[int]
        SCALE_FIELD_NUMBER: _ClassVar[int]
        PIVOT_FIELD_NUMBER: _ClassVar[int]
        translation: _geometry_pb2.Vector3
        rotation: _geometry_pb2.Quaternion
        scale: float
        pivot: _geometry_pb2.Vector3
        def __init__(self, translation: _Optional[_Union[_geometry_pb2.Vector3, _Mapping]] = ..., rotation: _Optional[_Union[_geometry_pb2.Quaternion, _Mapping]] = ..., scale: _Optional[float] = ..., pivot: _Optional[_Union[_geometry_pb2.Vector3, _Mapping]] = ...) -> None: ...
    class RemoveFloaters(_message.Message):
        __slots__ = ("isolation_deviations", "max_group_count", "gap_m", "faint_opacity")
        ISOLATION_DEVIATIONS_FIELD_NUMBER: _ClassVar[int]
        MAX_GROUP_COUNT_FIELD_NUMBER: _ClassVar[int]
        GAP_M_FIELD_NUMBER: _ClassVar[int]
        FAINT_OPACITY_FIELD_NUMBER: _ClassVar[int]
        isolation_deviations: float
        max_group_count: int
        gap_m: float
        faint_opacity: float
        def __init__(self, isolation_deviations: _Optional[float] = ..., max_group_count: _Optional[int] = ..., gap_m: _Optional[float] = ..., faint_opacity: _Optional[float] = ...) -> None: ...
    class LevelGround(_message.Message):
        __slots__ = ("tolerance_m", "seed")
        TOLERANCE_M_FIELD_NUMBER: _ClassVar[int]
        SEED_FIELD_NUMBER: _ClassVar[int]
        tolerance_m: float
        seed: int
        def __init__(self, tolerance_m: _Optional[float] = ..., seed: _Optional[int] = ...) -> None: ...
    class Recolor(_message.Message):
        __slots__ = ("target", "shift", "blend_m", "hard_border", "strength")
        class Shift(_message.Message):
            __slots__ = ("lightness", "red_green", "yellow_blue")
            LIGHTNESS_FIELD_NUMBER: _ClassVar[int]
            RED_GREEN_FIELD_NUMBER: _ClassVar[int]
            YELLOW_BLUE_FIELD_NUMBER: _ClassVar[int]
            lightness: float
            red_green: float
            yellow_blue: float
            def __init__(self, lightness: _Optional[float] = ..., red_green: _Optional[float] = ..., yellow_blue: _Optional[float] = ...) -> None: ...
        TARGET_FIELD_NUMBER: _ClassVar[int]
        SHIFT_FIELD_NUMBER: _ClassVar[int]
        BLEND_M_FIELD_NUMBER: _ClassVar[int]
        HARD_BORDER_FIELD_NUMBER: _ClassVar[int]
        STRENGTH_FIELD_NUMBER: _ClassVar[int]
        target: Color
        shift: EditOperation.Recolor.Shift
        blend_m: float
        hard_border: bool
        strength: float
        def __init__(self, target: _Optional[_Union[Color, _Mapping]] = ..., shift: _Optional[_Union[EditOperation.Recolor.Shift, _Mapping]] = ..., blend_m: _Optional[float] = ..., hard_border: _Optional[bool] = ..., strength: _Optional[float] = ...) -> None: ...
    class Duplicate(_message.Message):
        __slots__ = ("transform",)
        TRANSFORM_FIELD_NUMBER: _ClassVar[int]
        transform: EditOperation.Transform
        def __init__(self, transform: _Optional[_Union[EditOperation.Transform, _Mapping]] = ...) -> None: ...
    class Relight(_message.Message):
        __slots__ = ("direction", "color", "intensity", "ambient")
        DIRECTION_FIELD_NUMBER: _ClassVar[int]
        COLOR_FIELD_NUMBER: _ClassVar[int]
        INTENSITY_FIELD_NUMBER: _ClassVar[int]
        AMBIENT_FIELD_NUMBER: _ClassVar[int]
        direction: _geometry_pb2.Vector3
        color: Color
        intensity: float
        ambient: float
        def __init__(self, direction: _Optional[_Union[_geometry_pb2.Vector3, _Mapping]] = ..., color: _Optional[_Union[Color, _Mapping]] = ..., intensity: _Optional[float] = ..., ambient: _Optional[float] = ...) -> None: ...
    class FillHole(_message.Message):
        __slots__ = ("max_count", "seed")
        MAX_COUNT_FIELD_NUMBER: _ClassVar[int]
        SEED_FIELD_NUMBER: _ClassVar[int]
        max_count: int
        seed: int
        def __init__(self, max_count: _Optional[int] = ..., seed: _Optional[int] = ...) -> None: ...
    class Insert(_message.Message):
        __slots__ = ("source", "transform", "mesh_gaussian_count")
        SOURCE_FIELD_NUMBER: _ClassVar[int]
        TRANSFORM_FIELD_NUMBER: _ClassVar[int]
        MESH_GAUSSIAN_COUNT_FIELD_NUMBER: _ClassVar[int]
        source: _media_pb2.MediaRef
        transform: EditOperation.Transform
        mesh_gaussian_count: int
        def __init__(self, source: _Optional[_Union[_media_pb2.MediaRef, _Mapping]] = ..., transform: _Optional[_Union[EditOperation.Transform, _Mapping]] = ..., mesh_gaussian_count: _Optional[int] = ...) -> None: ...
    DELETE_FIELD_NUMBER: _ClassVar[int]
    CROP_FIELD_NUMBER: _ClassVar[int]
    TRANSFORM_FIELD_NUMBER: _ClassVar[int]
    REMOVE_FLOATERS_FIELD_NUMBER: _ClassVar[int]
    LEVEL_GROUND_FIELD_NUMBER: _ClassVar[int]
    RECOLOR_FIELD_NUMBER: _ClassVar[int]
    DUPLICATE_FIELD_NUMBER: _ClassVar[int]
    RELIGHT_FIELD_NUMBER: _ClassVar[int]
    FILL_HOLE_FIELD_NUMBER: _ClassVar[int]
    INSERT_FIELD_NUMBER: _ClassVar[int]
    delete: EditOperation.Delete
    crop: EditOperation.Crop
    transform: EditOperation.Transform
    remove_floaters: EditOperation.RemoveFloaters
    level_ground: EditOperation.LevelGround
    recolor: EditOperation.Recolor
    duplicate: EditOperation.Duplicate
    relight: EditOperation.Relight
    fill_hole: EditOperation.FillHole
    insert: EditOperation.Insert
    def __init__(self, delete: _Optional[_Union[EditOperation.Delete, _Mapping]] = ..., crop: _Optional[_Union[EditOperation.Crop, _Mapping]] = ..., transform: _Optional[_Union[EditOperation.Transform, _Mapping]] = ..., remove_floaters: _Optional[_Union[EditOperation.RemoveFloaters, _Mapping]] = ..., level_ground: _Optional[_Union[EditOperation.LevelGround, _Mapping]] = ..., recolor: _Optional[_Union[EditOperation.Recolor, _Mapping]] = ..., duplicate: _Optional[_Union[EditOperation.Duplicate, _Mapping]] = ..., relight: _Optional[_Union[EditOperation.Relight, _Mapping]] = ..., fill_hole: _Optional[_Union[EditOperation.FillHole, _Mapping]] = ..., insert: _Optional[_Union[EditOperation.Insert, _Mapping]] = ...) -> None: ...

class Bounds(_message.Message):
    __slots__ = ("min", "max")
    MIN_FIELD_NUMBER: _ClassVar[int]
    MAX_FIELD_NUMBER: _ClassVar[int]
    min: _geometry_pb2.Vector3
    max: _geometry_pb2.Vector3
    def __init__(self, min: _Optional[_Union[_geometry_pb2.Vector3, _Mapping]] = ..., max: _Optional[_Union[_geometry_pb2.Vector3, _Mapping]] = ...) -> None: ...

class ConsistencyReport(_message.Message):
    __slots__ = ("is_consistent", "changed_outside_count", "max_difference", "mean_difference", "compared_share", "picture_count", "elapsed_ms")
    IS_CONSISTENT_FIELD_NUMBER: _ClassVar[int]
    CHANGED_OUTSIDE_COUNT_FIELD_NUMBER: _ClassVar[int]
    MAX_DIFFERENCE_FIELD_NUMBER: _ClassVar[int]
    MEAN_DIFFERENCE_FIELD_NUMBER: _ClassVar[int]
    COMPARED_SHARE_FIELD_NUMBER: _ClassVar[int]
    PICTURE_COUNT_FIELD_NUMBER: _ClassVar[int]
    ELAPSED_MS_FIELD_NUMBER: _ClassVar[int]
    is_consistent: bool
    changed_outside_count: int
    max_difference: float
    mean_difference: float
    compared_share: float
    picture_count: int
    elapsed_ms: float
    def __init__(self, is_consistent: _Optional[bool] = ..., changed_outside_count: _Optional[int] = ..., max_difference: _Optional[float] = ..., mean_difference: _Optional[float] = ..., compared_share: _Optional[float] = ..., picture_count: _Optional[int] = ..., elapsed_ms: _Optional[float] = ...) -> None: ...

class Edit(_message.Message):
    __slots__ = ("id", "parent_id", "selection", "operation", "summary", "selected_count", "changed_count", "removed_count", "added_count", "gaussian_count", "row_count", "bounds", "consistency", "create_time", "creator", "elapsed_ms")
    ID_FIELD_NUMBER: _ClassVar[int]
    PARENT_ID_FIELD_NUMBER: _ClassVar[int]
    SELECTION_FIELD_NUMBER: _ClassVar[int]
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    SELECTED_COUNT_FIELD_NUMBER: _ClassVar[int]
    CHANGED_COUNT_FIELD_NUMBER: _ClassVar[int]
    REMOVED_COUNT_FIELD_NUMBER: _ClassVar[int]
    ADDED_COUNT_FIELD_NUMBER: _ClassVar[int]
    GAUSSIAN_COUNT_FIELD_NUMBER: _ClassVar[int]
    ROW_COUNT_FIELD_NUMBER: _ClassVar[int]
    BOUNDS_FIELD_NUMBER: _ClassVar[int]
    CONSISTENCY_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    CREATOR_FIELD_NUMBER: _ClassVar[int]
    ELAPSED_MS_FIELD_NUMBER: _ClassVar[int]
    id: str
    parent_id: str
    selection: Selection
    operation: EditOperation
    summary: str
    selected_count: int
    changed_count: int
    removed_count: int
    added_count: int
    gaussian_count: int
    row_count: int
    bounds: Bounds
    consistency: ConsistencyReport
    create_time: _timestamp_pb2.Timestamp
    creator: str
    elapsed_ms: float
    def __init__(self, id: _Optional[str] = ..., parent_id: _Optional[str] = ..., selection: _Optional[_Union[Selection, _Mapping]] = ..., operation: _Optional[_Union[EditOperation, _Mapping]] = ..., summary: _Optional[str] = ..., selected_count: _Optional[int] = ..., changed_count: _Optional[int] = ..., removed_count: _Optional[int] = ..., added_count: _Optional[int] = ..., gaussian_count: _Optional[int] = ..., row_count: _Optional[int] = ..., bounds: _Optional[_Union[Bounds, _Mapping]] = ..., consistency: _Optional[_Union[ConsistencyReport, _Mapping]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., creator: _Optional[str] = ..., elapsed_ms: _Optional[float] = ...) -> None: ...

class Branch(_message.Message):
    __slots__ = ("name", "head_id", "tip_id")
    NAME_FIELD_NUMBER: _ClassVar[int]
    HEAD_ID_FIELD_NUMBER: _ClassVar[int]
    TIP_ID_FIELD_NUMBER: _ClassVar[int]
    name: str
    head_id: str
    tip_id: str
    def __init__(self, name: _Optional[str] = ..., head_id: _Optional[str] = ..., tip_id: _Optional[str] = ...) -> None: ...

class EditStack(_message.Message):
    __slots__ = ("name", "base_world", "display_name", "base_gaussian_count", "branches", "current_branch", "edits", "edit_count", "etag", "create_time", "update_time", "creator")
    NAME_FIELD_NUMBER: _ClassVar[int]
    BASE_WORLD_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_NAME_FIELD_NUMBER: _ClassVar[int]
    BASE_GAUSSIAN_COUNT_FIELD_NUMBER: _ClassVar[int]
    BRANCHES_FIELD_NUMBER: _ClassVar[int]
    CURRENT_BRANCH_FIELD_NUMBER: _ClassVar[int]
    EDITS_FIELD_NUMBER: _ClassVar[int]
    EDIT_COUNT_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    CREATOR_FIELD_NUMBER: _ClassVar[int]
    name: str
    base_world: str
    display_name: str
    base_gaussian_count: int
    branches: _containers.RepeatedCompositeFieldContainer[Branch]
    current_branch: str
    edits: _containers.RepeatedCompositeFieldContainer[Edit]
    edit_count: int
    etag: str
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    creator: str
    def __init__(self, name: _Optional[str] = ..., base_world: _Optional[str] = ..., display_name: _Optional[str] = ..., base_gaussian_count: _Optional[int] = ..., branches: _Optional[_Iterable[_Union[Branch, _Mapping]]] = ..., current_branch: _Optional[str] = ..., edits: _Optional[_Iterable[_Union[Edit, _Mapping]]] = ..., edit_count: _Optional[int] = ..., etag: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., creator: _Optional[str] = ...) -> None: ...
