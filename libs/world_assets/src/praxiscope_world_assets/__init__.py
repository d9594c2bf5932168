"""Worlds in the library: how services read them, and how they hand over what they made of them."""

from praxiscope_world_assets._errors import PictureNotFoundError
from praxiscope_world_assets._outputs import draw_preview, draw_thumbnail, encode_png, put_world
from praxiscope_world_assets._reader import (
    CAMERAS_PATH,
    DESCRIPTION_PATH,
    LIT_SOLIDS_PATH,
    MESH_PATH,
    SOLIDS_PATH,
    WORLD_PATH,
    OpenMesh,
    OpenWorld,
    WorldReader,
)

__all__ = [
    "CAMERAS_PATH",
    "DESCRIPTION_PATH",
    "LIT_SOLIDS_PATH",
    "MESH_PATH",
    "SOLIDS_PATH",
    "WORLD_PATH",
    "OpenMesh",
    "OpenWorld",
    "PictureNotFoundError",
    "WorldReader",
    "draw_preview",
    "draw_thumbnail",
    "encode_png",
    "put_world",
]
