"""What a stream of views is asked for, and its pictures."""

from __future__ import annotations

from dataclasses import dataclass

from rendering_service.core.frame_budget import Detail


@dataclass(frozen=True, kw_only=True)
class LiveStart:
    """How a stream starts.

    Attributes:
        world: The asset's version.
        width_px: Width of a picture in full.
        height_px: Height of a picture in full.
        frame_time_ms: What a picture may take while poses come.
        is_png: Whether pictures are PNGs; else JPEGs.
        jpeg_quality: Their quality, 1 to 100.
    """

    world: str
    width_px: int = 960
    height_px: int = 540
    frame_time_ms: float = 50.0
    is_png: bool = False
    jpeg_quality: int = 85


@dataclass(frozen=True, kw_only=True)
class LiveFrame:
    """One picture.

    Attributes:
        content: The file.
        content_type: What it is.
        width_px: Width.
        height_px: Height.
        detail: How much of it was drawn.
        elapsed_ms: What it took.
    """

    content: bytes
    content_type: str
    width_px: int
    height_px: int
    detail: Detail
    elapsed_ms: float
