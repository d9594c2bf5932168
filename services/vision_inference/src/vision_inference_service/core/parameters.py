"""What can be tuned about seeing, with unit and reason."""

from __future__ import annotations

import math
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class ZoomParameters:
    """The closer look at a remembered region.

    Attributes:
        size_px: Side of the crop that the detector sees, a multiple of 32. 256 costs 0.75 of the whole-frame search.
        scale: Side of the upright crop, as a multiple of the expected box's longer side.
        turned_scale: The same for the second try: whoever turns over in the air also moves far.
        turns_rad: Turns of the second try, against the first one's, when that shows nobody; the detector knows hardly
            any people who stand on their heads.
        min_turned_lean_rad: Turned views only where the body leaned by more than this when its landmarks were last
            seen.
        proof_interval_s: Somebody whom the search sees weakly, or not at all while the landmark net still follows, is
            looked at closer when the last proof and the last look are older than this. In every frame it costs a third
            of the whole observation on the sample video and finds nobody more.
        min_turned_share: Turned views only where at least this share of the expected box lies inside the frame:
            whoever is leaving does not turn over first.
        turned_views_at_once: Turned views of one region that are looked at at the same time, one per instance of the
            detector, since the frames after this one wait; the next ones are looked at only when these show nobody.
        max_regions_per_frame: At most so many regions are looked at in one frame, those seen last first.
        eager_miss_count: After so many frames without success only every `patient_interval`-th frame is tried.
        patient_interval: In frames.
        strong_score: A find of this score proves that the person is there.
        weak_score: A find of this score is believed while the proof is not older than `weak_limit_s` ...
        weak_min_overlap: ... and it overlaps the expected box by this much (intersection over union).
        weak_limit_s: Seconds.
        min_overlap: A find must overlap the expected box by this much (intersection over union) ...
        max_distance: ... or its centre must lie this close to the expected centre, as a share of the expected box's
            longer side.
        max_distance_growth_per_s: By how much `max_distance` grows per second without a sight.
    """

    size_px: int = 256
    scale: float = 1.6
    turned_scale: float = 1.9
    turns_rad: tuple[float, ...] = (math.pi / 4, -math.pi / 4, math.pi / 2, -math.pi / 2)
    min_turned_lean_rad: float = math.pi / 8
    proof_interval_s: float = 0.2
    min_turned_share: float = 0.6
    turned_views_at_once: int = 2
    max_regions_per_frame: int = 2
    eager_miss_count: int = 6
    patient_interval: int = 4
    strong_score: float = 0.30
    weak_score: float = 0.18
    weak_min_overlap: float = 0.45
    weak_limit_s: float = 0.7
    min_overlap: float = 0.30
    max_distance: float = 0.35
    max_distance_growth_per_s: float = 0.5


@dataclass(frozen=True, kw_only=True)
class CarryParameters:
    """Following somebody by the landmark net alone, from its own circle in the frame before.

    Attributes:
        min_presence: Of the pose, 0..1. The net is near 1 even when wrong, so less than this is a no.
        min_visibility: Mean visibility, 0..1, of shoulders, hips, knees and ankles.
        max_distance: Of the circle's centre from where it was expected, in radii.
        max_growth: Of the radius, either way, as a ratio.
        limit_s: Seconds since the detector last proved that the person is there.
    """

    min_presence: float = 0.6
    min_visibility: float = 0.7
    max_distance: float = 0.4
    max_growth: float = 1.4
    limit_s: float = 0.5


@dataclass(frozen=True, kw_only=True)
class LegParameters:
    """The closer look at legs of which one hides the other.

    On the sample video it is 171 looks in 230 frames, nearly all at the small man (390 of 994 pixels high), of about
    13 ms each, half of what squares of 256 pixels cost; it sets his legs right while he turns. Widths of 1.2 to 2 boxes
    do as well for that, squares do so at some scales only; a visibility of 0.75 does not: fewer looks leave holes that
    the solver of sides fills wrongly (tests/golden/motion/README.md).

    Attributes:
        max_visibility: Where the landmark net's mean visibility of knee and ankle, 0..1, is below this for one leg ...
        max_score: ... and so is the detector's mean score of one leg, there is a look.
        body_px: How long the box's longer side is in the crop.
        margin_along: Height of the crop, along the body, as a multiple of the box's.
        margin_across: Width of the crop as a multiple of the box's.
        min_side_px: Of the crop, a multiple of 32.
        max_side_px: Of the crop, a multiple of 32.
        min_overlap: What is found must overlap the person's box by this much (intersection over union).
        max_persons_per_frame: At most so many people are looked at in one frame, one per instance of the detector.
    """

    max_visibility: float = 0.85
    max_score: float = 0.6
    body_px: float = 171.0
    margin_along: float = 1.25
    margin_across: float = 1.5
    min_side_px: int = 96
    max_side_px: int = 256
    min_overlap: float = 0.4
    max_persons_per_frame: int = 2


@dataclass(frozen=True, kw_only=True)
class ObserverParameters:
    """How people are found in a video's frames.

    Attributes:
        search_long_side_px: Longer side of the frame in the whole-frame search, a multiple of 32. 384 finds people of a
            tenth of the frame's height; 256 costs half and loses them (measured on the sample video).
        keep_score: The search's answers from this score on are kept where somebody is expected.
        new_score: Elsewhere they need this score. Two thresholds, so that a person is neither lost nor invented in a
            single bad frame.
        zoom_below_score: Where the search's answer is weaker than this, the zoom looks too, and the better answer is
            taken.
        duplicate_overlap: See `suppression.is_same_body`.
        duplicate_distance: See `suppression.is_same_body`.
        keypoint_score: From this score on a keypoint counts for crops and comparisons.
        region_match_overlap: An answer belongs to a region when their boxes overlap by this much ...
        region_match_distance: ... or their centres lie this close, as a share of the region's longer side.
        forget_after_s: Seconds without a sight after which a region is given up.
        min_visible_share: A region is given up when less than this share of its expected box lies inside the frame.
        velocity_smoothing: Weight 0..1 of the newest displacement.
        velocity_memory_s: See `Region.predict_box`.
        crop_scale: Side of the landmark net's square, as a multiple of the longer side of the person's box and
            keypoints; the net was trained at 1.25 (model card of BlazePose GHUM).
        upright_limit_rad: The landmark net's crop is turned along the trunk when the trunk leans by more than this.
        search_interval_frames: The whole frame is searched in every frame whose index this divides; in the frames
            between, the landmark net alone follows the people who are known, and nobody new is found.
        are_landmarks_wanted: Without them nobody can be followed, so every frame must be searched.
        max_persons: The landmark net's batch; further persons of a frame get no landmarks.
        zoom: The closer look.
        carry: The last resort.
        legs: The closer look at legs; None does without.
    """

    search_long_side_px: int = 384
    keep_score: float = 0.12
    new_score: float = 0.30
    zoom_below_score: float = 0.25
    duplicate_overlap: float = 0.65
    duplicate_distance: float = 0.1
    keypoint_score: float = 0.2
    region_match_overlap: float = 0.2
    region_match_distance: float = 0.35
    forget_after_s: float = 1.5
    min_visible_share: float = 0.25
    velocity_smoothing: float = 0.4
    velocity_memory_s: float = 0.3
    crop_scale: float = 1.25
    upright_limit_rad: float = math.pi / 4
    search_interval_frames: int = 1
    are_landmarks_wanted: bool = True
    max_persons: int = 8
    zoom: ZoomParameters = field(default_factory=ZoomParameters)
    carry: CarryParameters = field(default_factory=CarryParameters)
    legs: LegParameters | None = field(default_factory=LegParameters)


@dataclass(frozen=True, kw_only=True)
class ObjectParameters:
    """How objects are found in a picture.

    Attributes:
        min_score: 0..1.
        max_overlap: Of two boxes of one class, intersection over union.
    """

    min_score: float = 0.3
    max_overlap: float = 0.6
