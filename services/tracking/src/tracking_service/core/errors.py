"""What can be wrong with what is to be tracked."""

from __future__ import annotations

from praxiscope_common.errors import InvalidInputError


class InvalidDetectionsError(InvalidInputError):
    """The detections of a frame are not usable."""

    reason = "INVALID_DETECTIONS"


class UnsortedFramesError(InvalidInputError):
    """Frames must come in increasing order."""

    reason = "UNSORTED_FRAMES"


class InvalidTrackerConfigError(InvalidInputError):
    """A tracker parameter is outside its range."""

    reason = "INVALID_TRACKER_CONFIG"


class InvalidSnapshotError(InvalidInputError):
    """The saved state does not belong to this tracker."""

    reason = "INVALID_TRACKER_SNAPSHOT"


class InvalidMotChallengeTextError(InvalidInputError):
    """A line of the MOTChallenge text cannot be read."""

    reason = "INVALID_MOTCHALLENGE_TEXT"
