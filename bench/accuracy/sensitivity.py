"""Prints how far the accuracy figures of the sample video depend on the last digits of what the nets say.

    python bench/accuracy/sensitivity.py [--noise 1e-6] [--runs 4]

Each run asks the real nets, in the real model server, adds noise far below a pixel to every answer, as another processor
or another version of the runtime would, and measures the figures of `motion_sample.py`: in how many runs each reaches its
goal, and what it was. A figure that is reached in one run and missed in the next was luck. Wants what `make setup` makes;
half a minute a run.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import motion_sample
import numpy as np
import observe_sample

from tools.devstack.triton import run_triton
from vision_inference_service.core.ports import PoseModels
from vision_inference_service.core.types import FloatArray, ImageArray

CROP_SIDE_PX = 256.0


class NoisyModels:
    """The nets, with noise on every number that they say.

    Args:
        models: The nets.
        noise: Largest change, as a share of the side of what a net looks at.
        seed: Of the noise.
    """

    def __init__(self, models: PoseModels, *, noise: float, seed: int) -> None:
        """Keeps them."""
        self._models, self._noise, self._random = models, noise, np.random.default_rng(seed)

    async def detect_persons(self, image_rgb: ImageArray) -> FloatArray:
        """See `PoseModels`."""
        return self._shake(await self._models.detect_persons(image_rgb), 1.0)

    async def estimate_landmarks(self, crops_rgb: ImageArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """See `PoseModels`."""
        landmarks, world, presence = await self._models.estimate_landmarks(crops_rgb)
        return self._shake(landmarks, CROP_SIDE_PX), self._shake(world, 1.0), self._shake(presence, 1.0)

    def _shake(self, values: FloatArray, scale: float) -> FloatArray:
        change = self._random.uniform(-self._noise * scale, self._noise * scale, values.shape)
        return np.asarray(values + change, np.float32)


def measure(noise: float, seeds: Sequence[int]) -> list[list[motion_sample.Figure]]:
    """Measures all figures once a seed."""
    runs: list[list[motion_sample.Figure]] = []
    state, environment = observe_sample.STATE, observe_sample.CHECKOUT / ".venv-models"
    with tempfile.TemporaryDirectory() as folder:
        log, path = Path(folder) / "triton.log", Path(folder) / "observations.npz"
        with run_triton(environment, state / "triton", state / "models", log=log) as triton:
            for seed in seeds:

                def shake(models: PoseModels, seed: int = seed) -> PoseModels:
                    return NoisyModels(models, noise=noise, seed=seed)

                video = state / "samples" / "demo.mp4"
                frames, size_px = asyncio.run(observe_sample.observe(triton.grpc_address, video, wrap=shake))
                observe_sample.write(path, frames, size_px)
                runs.append(motion_sample.measure_figures(path)[0])
    return runs


def main(arguments: Sequence[str]) -> int:
    """Prints every figure."""
    parser = argparse.ArgumentParser(prog="python bench/accuracy/sensitivity.py", description=__doc__)
    parser.add_argument("--noise", type=float, default=1e-6)
    parser.add_argument("--runs", type=int, default=4)
    options = parser.parse_args(arguments)
    runs = measure(options.noise, range(options.runs))
    print(f"noise of {options.noise:g} of a side, {len(runs)} runs")
    for figures in zip(*runs, strict=True):
        reached = sum(figure.is_reached for figure in figures)
        print(f"{reached} of {len(runs)}  {figures[0].name} (goal: {figures[0].goal})")
        for value in dict.fromkeys(figure.value for figure in figures):
            print(f"          {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
