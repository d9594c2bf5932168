"""The contract's codecs as the library of media has them."""

from __future__ import annotations

from collections.abc import Mapping

from praxiscope.rendering.v1 import rendering_service_pb2
from praxiscope_media import VideoCodec

_Request = rendering_service_pb2.RenderOverlayRequest
CODECS: Mapping[int, VideoCodec] = {
    _Request.CODEC_UNSPECIFIED: VideoCodec.AV1,
    _Request.CODEC_AV1: VideoCodec.AV1,
    _Request.CODEC_VP9: VideoCodec.VP9,
    _Request.CODEC_H264: VideoCodec.H264,
}
