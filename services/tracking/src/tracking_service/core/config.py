"""The parameters of the trackers, with unit, range and source; and the presets that have a name."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from tracking_service.core.errors import InvalidTrackerConfigError


def _parameter(default: float, low: float, high: float) -> float:
    """Declares a number with its allowed range, which `_check_ranges` enforces."""
    return field(default=default, metadata={"low": low, "high": high})


def _check_ranges(config: object) -> None:
    for item in fields(config):  # pyright: ignore[reportArgumentType]
        if "low" not in item.metadata:
            continue
        value, low, high = getattr(config, item.name), item.metadata["low"], item.metadata["high"]
        if not low <= value <= high:
            raise InvalidTrackerConfigError(
                f"{item.name} must be in [{low}, {high}], is {value}",
                metadata={"parameter": item.name, "low": str(low), "high": str(high), "value": str(value)},
            )


@dataclass(frozen=True, kw_only=True)
class KalmanConfig:
    """Noise of the constant-velocity filter of one box, as shares of the box's height.

    Attributes:
        position_noise: Standard deviation of what a frame may add to centre and size beside the velocity, heights,
            [0.001, 1]. 1/20: DeepSORT (Wojke et
            al. 2017), authors' settings, kept by ByteTrack.
        velocity_noise: Standard deviation of the change of velocity per frame, heights per frame, [0.0001, 1]. 1/160:
            same source.
        measurement_noise: Standard deviation of a detected box's centre and size, heights, [0.001, 1]. 1/20: same
            source.
    """

    position_noise: float = _parameter(1 / 20, 0.001, 1.0)
    velocity_noise: float = _parameter(1 / 160, 0.0001, 1.0)
    measurement_noise: float = _parameter(1 / 20, 0.001, 1.0)

    def __post_init__(self) -> None:
        """Checks the ranges."""
        _check_ranges(self)


@dataclass(frozen=True, kw_only=True)
class SortConfig:
    """SORT: one association by overlap per frame.

    **Source:** A. Bewley et al., "Simple Online and Realtime Tracking", ICIP 2016.

    Attributes:
        min_score: Detections below this score are not looked at, [0, 1]. 0.4: lower ones are often doubles with YOLOX on
            MOT17 halves; a detector whose low scores mean hidden people wants less (docs/benchmarks-tracking.md).
        new_track_score: Least score that starts a track, [0, 1]. 0.7, as ByteTrack's: the paper has one score for both,
            and with 0.5 for both, MOT17 has more identity switches (203).
        unsure_noise: How much shakier a box is that would start no track, [0, 10]: its measurement noise is (1 + this x
            (1 - score / new_track_score)) times that of a sure one. 0 in the paper.
        min_iou: Least overlap of a predicted and a detected box that may match, [0, 1]. 0.3: the paper's IoU_min.
        confirm_hits: Frames in a row in which a new track must be matched before it is reported, [1, 100]. 3: the
            authors' min_hits.
        lost_buffer_frames: Frames for which an unmatched track is kept, [0, 10000]. The paper's T_lost is 1; 30 keeps
            identities through occlusions and
            scores 3.4 HOTA more on MOT17.
        kalman: Noise of the motion model.
    """

    min_score: float = _parameter(0.4, 0.0, 1.0)
    new_track_score: float = _parameter(0.7, 0.0, 1.0)
    unsure_noise: float = _parameter(3.0, 0.0, 10.0)
    min_iou: float = _parameter(0.3, 0.0, 1.0)
    confirm_hits: int = field(default=3, metadata={"low": 1, "high": 100})
    lost_buffer_frames: int = field(default=30, metadata={"low": 0, "high": 10_000})
    kalman: KalmanConfig = KalmanConfig()

    def __post_init__(self) -> None:
        """Checks the ranges and their order."""
        _check_ranges(self)
        if self.min_score > self.new_track_score:
            raise InvalidTrackerConfigError(
                f"scores must be in order min_score <= new_track_score, are {self.min_score}, {self.new_track_score}",
                metadata={"parameter": "min_score, new_track_score"},
            )


@dataclass(frozen=True, kw_only=True)
class RelinkConfig:
    """Linking a new detection to a track lost for long, without looking at the person: could they have got there?

    Ours. A lost person is looked for in a circle around where they were last seen, which grows with the time that has
    passed.

    Attributes:
        base_reach_heights: Radius right after the loss, in body heights, [0, 10]. Half a height: the box centre of
            someone who crouches moves by as much.
        reach_heights_per_s: Growth of the radius, body heights per second, [0, 20]. 3 (about 5 m/s) covers a run and a
            fall; sprinters need more.
        max_size_ratio: Largest ratio of box diagonals, either way, [1, 10]. Diagonals, because a height halves when a
            person crouches.
        frame_rate_hz: Frames per second of the stream, [1, 1000].
    """

    base_reach_heights: float = _parameter(0.5, 0.0, 10.0)
    reach_heights_per_s: float = _parameter(3.0, 0.0, 20.0)
    max_size_ratio: float = _parameter(2.0, 1.0, 10.0)
    frame_rate_hz: float = _parameter(30.0, 1.0, 1000.0)

    def __post_init__(self) -> None:
        """Checks the ranges."""
        _check_ranges(self)


@dataclass(frozen=True, kw_only=True)
class ByteTrackConfig:
    """ByteTrack: sure detections first, then unsure ones for the tracks that are left.

    **Source:** Y. Zhang et al., "ByteTrack: Multi-Object Tracking by Associating Every Detection Box", ECCV 2022;
    thresholds from its section 4.1 unless
    said otherwise.

    Attributes:
        high_score: Detections at or above are sure, [0, 1].
        low_score: Detections below are not looked at, [0, 1]. Letting lower ones in costs 1.9 HOTA on MOT17.
        new_track_score: Least score that starts a track, [0, 1]; the authors add 0.1 to `high_score`.
        max_high_cost: Largest cost 1 - IoU x score of the first association, [0, 1].
        max_low_cost: Largest cost 1 - IoU of the second association, [0, 1].
        max_tentative_cost: Largest cost 1 - IoU x score for tracks seen once, [0, 1].
        lost_buffer_frames: Frames for which a lost track is kept, [0, 10000].
        coast_frames: Frames for which a lost track's predicted box takes part in the associations by overlap, [0,
            10000]. Equal to the buffer in the
            paper; shorter where people turn and stop, because a box that coasts for seconds is a wrong box.
        unsure_coast_frames: Frames for which a lost track may take an unsure detection that overlaps its predicted box,
            [0, 10000]. 0 in the paper; a few where the detector's scores fall just when somebody moves fast.
        unsure_noise: How much shakier an unsure box is than a sure one, [0, 10]: its measurement noise is (1 + this x
            (1 - score / high_score)) times that of a sure one. 0 in the paper. Boxes of people half hidden are often
            those of their visible half; 2 (of 0.5, 1, 2, 4) lost the fewest identities on a made crowd.
        relink: How tracks that no longer coast are found again; None: not at all, as in the paper.
        kalman: Noise of the motion model. The velocity's is 1/200 for the paper's 1/160: boxes that are looked for where
            somebody walked to, rather than where the last shake pointed, lose fewer identities (docs/benchmarks-tracking.md).
    """

    high_score: float = _parameter(0.6, 0.0, 1.0)
    low_score: float = _parameter(0.1, 0.0, 1.0)
    new_track_score: float = _parameter(0.7, 0.0, 1.0)
    max_high_cost: float = _parameter(0.9, 0.0, 1.0)
    max_low_cost: float = _parameter(0.5, 0.0, 1.0)
    max_tentative_cost: float = _parameter(0.7, 0.0, 1.0)
    lost_buffer_frames: int = field(default=30, metadata={"low": 0, "high": 10_000})
    coast_frames: int = field(default=30, metadata={"low": 0, "high": 10_000})
    unsure_coast_frames: int = field(default=0, metadata={"low": 0, "high": 10_000})
    unsure_noise: float = _parameter(2.0, 0.0, 10.0)
    relink: RelinkConfig | None = None
    kalman: KalmanConfig = KalmanConfig(velocity_noise=1 / 200)

    def __post_init__(self) -> None:
        """Checks the ranges and their order."""
        _check_ranges(self)
        if not self.low_score <= self.high_score <= self.new_track_score:
            raise InvalidTrackerConfigError(
                "scores must be in order low_score <= high_score <= new_track_score, are "
                f"{self.low_score}, {self.high_score}, {self.new_track_score}",
                metadata={"parameter": "low_score, high_score, new_track_score"},
            )


TrackerConfig = SortConfig | ByteTrackConfig

SORT_PRESET = SortConfig()
BYTETRACK_PRESET = ByteTrackConfig()
# A few people in a sport video, seen by MoveNet: its person scores are lower than YOLOX's (0.2 to 0.8 on a person in
# full view), people turn and jump, and
# a person who comes back is far more often the one who left than somebody new.
PEOPLE_PRESET = ByteTrackConfig(
    high_score=0.2,
    low_score=0.1,
    new_track_score=0.3,
    max_low_cost=0.7,
    max_tentative_cost=0.9,
    lost_buffer_frames=150,
    coast_frames=10,
    unsure_coast_frames=3,
    unsure_noise=0.0,
    relink=RelinkConfig(),
    kalman=KalmanConfig(velocity_noise=1 / 40),
)
PRESETS: dict[str, TrackerConfig] = {"sort": SORT_PRESET, "bytetrack": BYTETRACK_PRESET, "people": PEOPLE_PRESET}
