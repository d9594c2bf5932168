"""Between the contract's messages and the core's values."""

from __future__ import annotations

from praxiscope.rendering.v1 import rendering_service_pb2
from rendering_service.core.types import Still, StillQuestion, Style


def style_from(message: rendering_service_pb2.OverlayStyle) -> Style:
    """Returns what is drawn."""
    return Style(
        boxes=not message.hide_boxes,
        skeletons=not message.hide_skeletons,
        angles=not message.hide_angles,
        curve=not message.hide_curve,
    )


def question_from(request: rendering_service_pb2.RenderStillRequest) -> StillQuestion:
    """Returns which frame is drawn."""
    by_number = request.WhichOneof("frame") == "frame_index"
    return StillQuestion(
        motion=request.motion,
        frame_index=request.frame_index if by_number else None,
        offset_s=None if by_number else request.time_offset.ToNanoseconds() / 1e9,
        height=request.height_px,
        style=style_from(request.style),
    )


def still_message(still: Still) -> rendering_service_pb2.RenderStillResponse:
    """Returns a drawn frame's message."""
    return rendering_service_pb2.RenderStillResponse(
        content=still.png, frame_index=still.frame_index, width_px=still.width, height_px=still.height
    )
