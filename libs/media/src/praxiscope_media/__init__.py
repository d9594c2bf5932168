"""Reads and writes the videos and pictures that Praxiscope works on."""

from praxiscope_media._encoding import VideoCodec, VideoEncoding
from praxiscope_media._errors import (
    MediaChangesSizeError,
    MediaHasNoVideoError,
    MediaTooLargeError,
    MediaTooLongError,
    MediaTruncatedError,
    MediaUnreadableError,
)
from praxiscope_media._frame import Frame
from praxiscope_media._image import ImageHeader, decode_image, decode_reduced_image, read_image_header
from praxiscope_media._source import MediaLimits, ReadSummary, VideoInfo, VideoSource
from praxiscope_media._writer import VideoWriter

__all__ = [
    "Frame",
    "ImageHeader",
    "MediaChangesSizeError",
    "MediaHasNoVideoError",
    "MediaLimits",
    "MediaTooLargeError",
    "MediaTooLongError",
    "MediaTruncatedError",
    "MediaUnreadableError",
    "ReadSummary",
    "VideoCodec",
    "VideoEncoding",
    "VideoInfo",
    "VideoSource",
    "VideoWriter",
    "decode_image",
    "decode_reduced_image",
    "read_image_header",
]
