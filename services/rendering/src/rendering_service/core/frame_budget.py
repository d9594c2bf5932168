"""How coarse the pictures of a stream are, so that each keeps to its time.

detail ─► picture ─► how long it took ─► the next detail
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from praxiscope_worlds import Camera, GaussianWorld


@dataclass(frozen=True, kw_only=True)
class Detail:
    """How much of a picture is drawn.

    Attributes:
        scale: Its sides over those in full.
        gaussian_share: Share of the Gaussians, grown so that they cover as much.
    """

    scale: float
    gaussian_share: float

    @property
    def cost(self) -> float:
        """What it costs of the picture in full.

        Six tenths of that is blending, by pixels, and the rest placing and ordering, by Gaussians (`perf` of 100,000 at 800 x 600).
        """
        return 0.6 * self.scale**2 + 0.4 * self.gaussian_share


# Pixels go before Gaussians: a smaller picture is blurred, in a picture of fewer Gaussians things are not where they were.
DETAILS = tuple(
    Detail(scale=scale, gaussian_share=share)
    for scale, share in ((1.0, 1.0), (0.75, 1.0), (0.5, 1.0), (0.5, 0.5), (0.375, 0.5), (0.25, 0.25))
)
# The newest picture's weight in what a full one is thought to take.
_WEIGHT = 0.4
# A finer picture is tried where it would take so much of the budget, so that details do not change with every picture.
_ROOM = 0.85
_SEED = 0


class FrameBudget:
    """Chooses the finest detail that keeps to the budget.

    Args:
        budget_ms: What a picture may take.
    """

    def __init__(self, budget_ms: float) -> None:
        """Begins in the middle: nothing is known yet, and the first picture shall come soon."""
        self._budget_ms = budget_ms
        self._place = 2
        self._full_ms: float | None = None

    @property
    def detail(self) -> Detail:
        """How the next picture is to be drawn."""
        return DETAILS[self._place]

    def note(self, detail: Detail, elapsed_ms: float) -> None:
        """Learns what a picture took."""
        full_ms = elapsed_ms / detail.cost
        self._full_ms = full_ms if self._full_ms is None else self._full_ms + _WEIGHT * (full_ms - self._full_ms)
        self._place = next(
            (
                place
                for place, finer in enumerate(DETAILS)
                if self._full_ms * finer.cost <= self._budget_ms * (1.0 if place >= self._place else _ROOM)
            ),
            len(DETAILS) - 1,
        )


def scaled_camera(camera: Camera, scale: float) -> Camera:
    """Returns a camera that sees the same in a smaller picture; its sides are whole pixels, at least one."""
    width_px, height_px = (max(1, round(side * scale)) for side in (camera.width_px, camera.height_px))
    across, down = width_px / camera.width_px, height_px / camera.height_px
    return replace(
        camera,
        width_px=width_px,
        height_px=height_px,
        focal_px=(camera.focal_px[0] * across, camera.focal_px[1] * down),
        centre_px=(camera.centre_px[0] * across, camera.centre_px[1] * down),
    )


def thinned(world: GaussianWorld, share: float) -> GaussianWorld:
    """Returns a share of a world's Gaussians, drawn at random and grown so that they cover as much as all of them did; the same ones each time.

    Those that cover most would leave gaps that are seen. `make bench PART=worlds:` prints how far each part is from the whole.
    Source: R. L. Cook et al., "Stochastic Simplification of Aggregate Detail", SIGGRAPH 2007.
    """
    count = max(1, round(share * len(world)))
    chosen = np.sort(np.random.default_rng(_SEED).permutation(len(world))[:count])
    part = world.select(chosen)
    return replace(part, log_scales=part.log_scales - np.float32(0.5 * np.log(share)))
