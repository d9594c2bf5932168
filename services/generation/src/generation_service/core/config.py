"""How a world is trained: one frozen value with a unit, a range and a source for each number, and three named tiers.

"3DGS" is B. Kerbl et al., "3D Gaussian Splatting for Real-Time Radiance Field Rendering", SIGGRAPH 2023; "MCMC" is S. Kheradmand et al., "3D Gaussian
Splatting as Markov Chain Monte Carlo", NeurIPS 2024. "Measured": on the fox; docs/worlds-kernels.md says what the other values gave.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Literal

from generation_service.core.errors import InvalidTrainingConfigError

Density = Literal["gradient", "mcmc"]


def _parameter(default: float, low: float, high: float) -> float:
    return field(default=default, metadata={"low": low, "high": high})


def _count(default: int, low: int, high: int) -> int:
    return field(default=default, metadata={"low": low, "high": high})


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """All numbers of a training.

    Attributes:
        step_count: Steps in all, one view each, [1, 1000000].
        budget: Most Gaussians, [16, 20000000].
        density: What decides where Gaussians are added: "gradient" clones and splits where the picture pulls at places (3DGS, with a budget); "mcmc" moves
            the faint ones to where others are, and shakes all (MCMC).
        density_from: Share of the steps after which Gaussians are first added, [0, 1].
        density_to: Share of the steps after which none are, [0, 1].
        density_every: Steps between two changes, [1, 10000]. 100: 3DGS's and MCMC's.
        growth: Most that one change adds, as a share of the Gaussians there are, [0, 10]. MCMC adds 0.05; short trainings have few changes.
        split_share: Standard deviation, in extents of the scene, above which a Gaussian is split and not cloned, [0, 1]. 0.01: 3DGS's.
        split_shrink: What a half's scale is divided by, [1, 10]. 1.6: 3DGS's.
        min_opacity: Fainter Gaussians are dropped or moved, [0, 1]. 0.005: 3DGS's and MCMC's.
        opacity_pull: Weight of the mean opacity in the loss, [0, 1]. 0.01: MCMC's; with it and the next, held-out views gained 0.25 dB.
        scale_pull: Weight of the mean standard deviation in the loss, [0, 1], per metre. 0.01: MCMC's; 0.03 for both lost what 0.01 had won.
        noise: Strength of MCMC's shaking, with either kind of density, [0, 10000000]. 5e5: MCMC's, whose rate of the means is half of ours.
        sh_degree: Highest degree of the harmonics, [0, 3].
        sh_every: Share of the steps after which a degree is added, [0, 1]. 3DGS's is 1/30, 1,000 of 30,000; short trainings place things first.
        ssim_share: Weight of 1 - similarity against the absolute difference, [0, 1]. 0.2: 3DGS's.
        edge_px: Outer pixels of a picture that are not compared, as they are not measured (`metrics.CROP_PX`), [0, 4]. A photo without distortion may have
            pixels at its edge that were outside and are black; trained on, they hang a black curtain before every camera. Measured: 1.0 and 2.7 dB.
        half_size_until: Share of the steps done on pictures of half the size, [0, 1]. Less time each; large things come first.
        means_rate: Step of the centres at the start, in extents of the scene, [0, 1]. Twice 3DGS's, as are the rates of scales and colours: with a tenth of
            its steps, 0.9 dB more.
        means_rate_end: The same at the end, by geometric decay, [0, 1]. 3DGS's.
        scales_rate: Step of the scales' logarithms, [0, 1]. Twice 3DGS's.
        quaternions_rate: Step of the quaternions, [0, 1]. 0.001: 3DGS's.
        opacities_rate: Step of the opacities' logits, [0, 1]. 0.05: 3DGS's.
        colors_rate: Step of the constant colour's coefficient, [0, 1]. Twice 3DGS's.
        harmonics_rate: Step of the other coefficients, [0, 1]. A twentieth of the former, as 3DGS's.
        rates_until: Share of the steps up to which the four rates before stay, [0, 1].
        rates_end: What they are multiplied by at the end, by geometric decay from there, [0, 1].
        exposures_rate: Step of each view's colour correction, [0, 1], falling to a tenth. 0: none is made. A view has its turn a few dozen times, so small
            steps do not get anywhere.
        start_opacity: Opacity of the first Gaussians, [0, 1]. 0.1: 3DGS's.
        start_scale: Their standard deviation, in mean distances to the three nearest points, [0, 10]. 1: 3DGS's.
        is_antialiased: Draw with Mip-Splatting's opacity compensation; 0.3 dB on held-out views. Whoever draws the world later must do so too.
        has_random_background: Draw each step before a colour of chance instead of black. Photos have no holes; before black, fog and gaps pass for dark
            things, and are seen through from other places. Measured: 0.4 and 0.8 dB.
        near_share: Nearest depth that is drawn, in extents of the scene, [0, 1].
    """

    step_count: int = _count(2000, 1, 1_000_000)
    budget: int = _count(40_000, 16, 20_000_000)
    density: Density = "gradient"
    density_from: float = _parameter(0.03, 0.0, 1.0)
    density_to: float = _parameter(0.6, 0.0, 1.0)
    density_every: int = _count(100, 1, 10_000)
    growth: float = _parameter(0.3, 0.0, 10.0)
    split_share: float = _parameter(0.01, 0.0, 1.0)
    split_shrink: float = _parameter(1.6, 1.0, 10.0)
    min_opacity: float = _parameter(0.005, 0.0, 1.0)
    opacity_pull: float = _parameter(0.01, 0.0, 1.0)
    scale_pull: float = _parameter(0.01, 0.0, 1.0)
    noise: float = _parameter(0.0, 0.0, 1e7)
    sh_degree: int = _count(2, 0, 3)
    sh_every: float = _parameter(0.15, 0.0, 1.0)
    ssim_share: float = _parameter(0.2, 0.0, 1.0)
    edge_px: int = _count(4, 0, 4)
    half_size_until: float = _parameter(0.2, 0.0, 1.0)
    means_rate: float = _parameter(3.2e-4, 0.0, 1.0)
    means_rate_end: float = _parameter(1.6e-6, 0.0, 1.0)
    scales_rate: float = _parameter(0.01, 0.0, 1.0)
    quaternions_rate: float = _parameter(1e-3, 0.0, 1.0)
    opacities_rate: float = _parameter(0.05, 0.0, 1.0)
    colors_rate: float = _parameter(5e-3, 0.0, 1.0)
    harmonics_rate: float = _parameter(2.5e-4, 0.0, 1.0)
    rates_until: float = _parameter(0.6, 0.0, 1.0)
    rates_end: float = _parameter(0.1, 0.0, 1.0)
    exposures_rate: float = _parameter(0.02, 0.0, 1.0)
    start_opacity: float = _parameter(0.1, 0.0, 1.0)
    start_scale: float = _parameter(1.0, 0.0, 10.0)
    is_antialiased: bool = True
    has_random_background: bool = True
    near_share: float = _parameter(0.01, 0.0, 1.0)

    def __post_init__(self) -> None:
        """Checks the ranges.

        Raises:
            InvalidTrainingConfigError: A number is outside its range.
        """
        for entry in fields(self):
            if "low" not in entry.metadata:
                continue
            value, low, high = getattr(self, entry.name), entry.metadata["low"], entry.metadata["high"]
            if not low <= value <= high:
                raise InvalidTrainingConfigError(
                    f"{entry.name} must be from {low} to {high}, is {value}",
                    metadata={"parameter": entry.name, "value": str(value)},
                )
        if self.density not in ("gradient", "mcmc"):
            raise InvalidTrainingConfigError(
                f'density must be "gradient" or "mcmc", is {self.density!r}', metadata={"parameter": "density"}
            )


# A look after a thousand steps, whose rates do not fall: there is no time to settle.
DRAFT = TrainingConfig(step_count=1000, half_size_until=0.3, sh_degree=1, sh_every=0.2, rates_end=1.0)
STANDARD = TrainingConfig()
# Smaller steps of the exposures, since views have more turns.
HIGH = TrainingConfig(step_count=2600, exposures_rate=0.005)
TIERS: dict[str, TrainingConfig] = {"draft": DRAFT, "standard": STANDARD, "high": HIGH}
