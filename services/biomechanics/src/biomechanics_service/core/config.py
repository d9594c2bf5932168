"""The parameters of the motion analysis: unit, range and reason of each."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from biomechanics_service.core.errors import InvalidMotionConfigError

# Grows whenever a default or the meaning of a field changes, so that a stored result says how it was made.
MOTION_CONFIG_VERSION = 1


def _parameter(default: float, low: float, high: float) -> float:
    """Declares a number with its allowed range, which `_check_ranges` enforces."""
    return field(default=default, metadata={"low": low, "high": high})


def _check_ranges(config: object) -> None:
    for item in fields(config):  # pyright: ignore[reportArgumentType]
        value = getattr(config, item.name)
        if "low" not in item.metadata or value is None:
            continue
        low, high = item.metadata["low"], item.metadata["high"]
        if not low <= value <= high:
            raise InvalidMotionConfigError(
                f"{item.name} must be in [{low}, {high}], is {value}",
                metadata={"parameter": item.name, "low": str(low), "high": str(high), "value": str(value)},
            )


@dataclass(frozen=True, kw_only=True)
class SeenConfig:
    """When a net's point counts as seen.

    Attributes:
        min_coco_score: Least MoveNet score, [0, 1]. 0.1: below, its points are scattered.
        min_visibility: Least BlazePose visibility, [0, 1]. 0.2: hidden limbs of a person in profile have 0.3 to 0.6
            and are still useful.
        min_presence: Least presence of a whole BlazePose pose, [0, 1]. A low presence is telling; a high one is not,
            it stays near 1 on wrong poses.
        min_single_coco_score: Least MoveNet score where BlazePose does not see the point, [0, 1]: one witness must be
            surer than two.
        min_single_visibility: Least BlazePose visibility where MoveNet does not see the point, [0, 1].
        border_px: How far inside the picture a point must lie, pixels, [0, 100]: nets put points of cut-off limbs onto
            the border.
    """

    min_coco_score: float = _parameter(0.1, 0.0, 1.0)
    min_visibility: float = _parameter(0.2, 0.0, 1.0)
    min_presence: float = _parameter(0.5, 0.0, 1.0)
    min_single_coco_score: float = _parameter(0.35, 0.0, 1.0)
    min_single_visibility: float = _parameter(0.5, 0.0, 1.0)
    border_px: float = _parameter(12.0, 0.0, 100.0)

    def __post_init__(self) -> None:
        """Checks the ranges."""
        _check_ranges(self)


@dataclass(frozen=True, kw_only=True)
class SidesConfig:
    """Costs of the left/right repair; the cheapest explanation of the whole recording wins.

    Distances are shares of the body's size in the picture.

    Attributes:
        agreement_scale: Distance between the two nets' points that costs 1, [0.001, 1]. 0.03: their usual disagreement
            (13 px of 430).
        continuity_scale: Second difference per frame that costs 1, [0.001, 1]. 0.02: the usual one of a walking foot.
        max_cost: Most that one point may cost, [0.1, 100], so that one wild point does not decide.
        coco_swap_cost: Cost of saying that MoveNet mixed the sides up, [0, 100]. 1.5: -log of the odds (1 in 6 around
            leg crossings).
        blazepose_swap_cost: Same for BlazePose, [0, 100]. 3.5: it does so five times more rarely.
        usual_score: MoveNet's score at which its exchange costs just that, [0.01, 1]; more at higher ones. 0.5: the
            middle of its scores of limbs.
        hidden_visibility: BlazePose's visibility of a limb that it only guesses, [0, 0.9]; contradicting it costs
            nothing there and the full price at visibility 1. 0.3: what it says of a leg behind the other one.
        min_trust: Least share of a price, [0, 1]. Not 0, so that of two explanations that are as good the one that
            exchanges nothing wins.
        max_trust: Largest multiple of a price, [1, 10].
    """

    agreement_scale: float = _parameter(0.03, 0.001, 1.0)
    continuity_scale: float = _parameter(0.02, 0.001, 1.0)
    max_cost: float = _parameter(4.0, 0.1, 100.0)
    coco_swap_cost: float = _parameter(1.5, 0.0, 100.0)
    blazepose_swap_cost: float = _parameter(3.5, 0.0, 100.0)
    usual_score: float = _parameter(0.5, 0.01, 1.0)
    hidden_visibility: float = _parameter(0.3, 0.0, 0.9)
    min_trust: float = _parameter(0.05, 0.0, 1.0)
    max_trust: float = _parameter(3.0, 1.0, 10.0)

    def __post_init__(self) -> None:
        """Checks the ranges."""
        _check_ranges(self)


@dataclass(frozen=True, kw_only=True)
class FusionConfig:
    """How the points of two nets become one. Distances are shares of the body's size in the picture.

    Attributes:
        half_window: Frames on each side that say where a point should be, [1, 30]. 5 (a sixth of a second at 30 Hz):
            short against a step, longer than a flicker.
        offset_half_window: Frames on each side over which the nets' usual offset is taken, [1, 300]. 20 (two thirds of
            a second): joints are placed a little differently by the nets, and the difference changes with the pose,
            not from frame to frame.
        max_offset: Largest offset that passes for a matter of definition, [0, 1]. 0.12: hips of a crouching body
            differ by so much.
        distance_scale: Distance from the movement of the neighbours at which a sample counts half in finding that
            movement, [0.001, 1]. 0.02 (8 px of 380): half the usual disagreement of the nets.
        tie_distance: Nets closer to each other than this are merged by `blazepose_share` alone, [0.0001, 1].
        reject_distance: Distance from there beyond which a net's point counts as not seen, [0.001, 1]. 0.08 (30 px of
            380) is twice the usual disagreement of the nets.
        blazepose_share: Weight of BlazePose where both agree with the movement, [0, 1]. 0.7: inverse variances of the
            flicker of knee angles (MoveNet 2.5 to 5 degrees, BlazePose full 1.5 to 4). One weight for all points: a
            net's errors go together along a limb, and mixing weights within it would take that apart.
    """

    half_window: int = field(default=5, metadata={"low": 1, "high": 30})
    offset_half_window: int = field(default=20, metadata={"low": 1, "high": 300})
    max_offset: float = _parameter(0.12, 0.0, 1.0)
    distance_scale: float = _parameter(0.02, 0.001, 1.0)
    tie_distance: float = _parameter(0.01, 0.0001, 1.0)
    reject_distance: float = _parameter(0.08, 0.001, 1.0)
    blazepose_share: float = _parameter(0.7, 0.0, 1.0)

    def __post_init__(self) -> None:
        """Checks the ranges."""
        _check_ranges(self)


@dataclass(frozen=True, kw_only=True)
class ViewConfig:
    """From where the camera sees the body.

    Attributes:
        max_sagittal_width: Shoulder width over trunk length, below which the view is from the side, [0, 2]. 0.4 is a
            turn of about 55 degrees of a body
            whose shoulders are 0.7 trunks wide.
        min_frontal_width: Same, above which it is from the front or the back, [0, 2].
        window_s: Time over which the view is decided, seconds, [0, 10].
    """

    max_sagittal_width: float = _parameter(0.4, 0.0, 2.0)
    min_frontal_width: float = _parameter(0.5, 0.0, 2.0)
    window_s: float = _parameter(0.5, 0.0, 10.0)

    def __post_init__(self) -> None:
        """Checks the ranges."""
        _check_ranges(self)


@dataclass(frozen=True, kw_only=True)
class ConfidenceConfig:
    """How the signs become one confidence.

    Attributes:
        agreement_deg: Difference of the two nets' angles, less their usual offset, that halves this sign, degrees, [1,
            180].
        agreement_distance: Distance of the two nets' points that halves this sign, body sizes, [0.001, 2]. 0.12 is a
            hand's length on a body.
        min_agreement: Least that this sign can be, [0, 1]: one net's contradiction makes an angle doubtful, not void,
            where all else supports it.
        continuity_deg: Distance from the movement of the neighbouring frames that halves this sign, degrees, [1, 180].
        min_bone_ratio: A limb drawn shorter than this share of its usual length is foreshortened or wrong, [0, 1].
        max_bone_ratio: A limb drawn longer than this many usual lengths is wrong, [1, 5].
        single_net_factor: Factor where only one net sees a point (the feet), [0, 1].
        disputed_factor: Factor where the nets disagreed on which side is which and the repair had to choose, [0, 1].
        sides_deg: Difference of the two sides' angles at which half of that factor counts, degrees, [1, 180].
        filled_factor: Factor on values that were put into a gap, [0, 1].
        min_confidence: An angle below is a guess and is left out, [0, 1].
    """

    agreement_deg: float = _parameter(30.0, 1.0, 180.0)
    agreement_distance: float = _parameter(0.12, 0.001, 2.0)
    min_agreement: float = _parameter(0.2, 0.0, 1.0)
    continuity_deg: float = _parameter(15.0, 1.0, 180.0)
    min_bone_ratio: float = _parameter(0.6, 0.0, 1.0)
    max_bone_ratio: float = _parameter(1.25, 1.0, 5.0)
    single_net_factor: float = _parameter(0.7, 0.0, 1.0)
    disputed_factor: float = _parameter(0.4, 0.0, 1.0)
    sides_deg: float = _parameter(10.0, 1.0, 180.0)
    filled_factor: float = _parameter(0.5, 0.0, 1.0)
    min_confidence: float = _parameter(0.15, 0.0, 1.0)

    def __post_init__(self) -> None:
        """Checks the ranges."""
        _check_ranges(self)


@dataclass(frozen=True, kw_only=True)
class MotionConfig:
    """Everything that can be set about a motion analysis.

    Attributes:
        height_m: Height of the persons in metres, [0.5, 2.6]; None: lengths are those that BlazePose estimates. One
            height for all persons.
        max_gap_s: Longest gap in a point's path that is filled, seconds, [0, 2]. 0.2 s: a third of a swing phase; what
            happens in longer ones is not known.
        cutoff_hz: Cut-off of the zero-lag Butterworth filter, Hz, [0.5, 50]. 6 Hz: usual for gait (Winter 2009);
            sprints and throws need 10 to 15.
        filter_order: Order of both passes together, even, [2, 8].
        min_seen_s: A person seen for less than this is listed, not analysed, seconds, [0, 60].
        seen: When a point counts as seen.
        sides: Left/right repair.
        fusion: Merging of the two nets.
        view: From where the camera sees the body.
        confidence: How sure an angle is.
        version: Version of these parameters.
    """

    height_m: float | None = field(default=None, metadata={"low": 0.5, "high": 2.6})
    max_gap_s: float = _parameter(0.2, 0.0, 2.0)
    cutoff_hz: float = _parameter(6.0, 0.5, 50.0)
    filter_order: int = field(default=4, metadata={"low": 2, "high": 8})
    min_seen_s: float = _parameter(0.3, 0.0, 60.0)
    seen: SeenConfig = SeenConfig()
    sides: SidesConfig = SidesConfig()
    fusion: FusionConfig = FusionConfig()
    view: ViewConfig = ViewConfig()
    confidence: ConfidenceConfig = ConfidenceConfig()
    version: int = MOTION_CONFIG_VERSION

    def __post_init__(self) -> None:
        """Checks the ranges."""
        _check_ranges(self)
        if self.filter_order % 2:
            raise InvalidMotionConfigError(
                f"filter_order must be even, is {self.filter_order}", metadata={"parameter": "filter_order"}
            )
        if self.version != MOTION_CONFIG_VERSION:
            raise InvalidMotionConfigError(
                f"version must be {MOTION_CONFIG_VERSION}, is {self.version}", metadata={"parameter": "version"}
            )
