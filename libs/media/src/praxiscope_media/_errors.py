"""What can be wrong with a media file.

InvalidInputError
├── MediaUnreadableError     no media file, or one that nothing here can decode    MEDIA_UNREADABLE
├── MediaTruncatedError      the file ends before its first frame                  MEDIA_TRUNCATED
├── MediaHasNoVideoError     sound or subtitles only                               MEDIA_HAS_NO_VIDEO
├── MediaTooLargeError       more pixels a frame than allowed                      MEDIA_TOO_LARGE
├── MediaTooLongError        more frames than allowed                              MEDIA_TOO_LONG
└── MediaChangesSizeError    frames of different sizes in one video                MEDIA_CHANGES_SIZE
"""

from __future__ import annotations

from praxiscope_common.errors import InvalidInputError


class MediaUnreadableError(InvalidInputError):
    """The file is not a video or picture that can be read; send MP4, WebM, MOV or MKV, or JPEG or PNG."""

    reason = "MEDIA_UNREADABLE"


class MediaTruncatedError(InvalidInputError):
    """The file ends before its first frame; upload it again, completely."""

    reason = "MEDIA_TRUNCATED"


class MediaHasNoVideoError(InvalidInputError):
    """The file holds no video, only other streams."""

    reason = "MEDIA_HAS_NO_VIDEO"


class MediaTooLargeError(InvalidInputError):
    """The picture has more pixels than allowed; send it smaller."""

    reason = "MEDIA_TOO_LARGE"


class MediaTooLongError(InvalidInputError):
    """The video has more frames than allowed; cut it."""

    reason = "MEDIA_TOO_LONG"


class MediaChangesSizeError(InvalidInputError):
    """The video's frames change their size on the way; encode it at one size."""

    reason = "MEDIA_CHANGES_SIZE"
