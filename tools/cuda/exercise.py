"""Calls every function of the CUDA kernels on a small world: for `compute-sanitizer`, which slows all down. `python -m tools.cuda.exercise`."""

from __future__ import annotations

import numpy as np

from praxiscope_worlds.kernels import AdamSettings, CudaKernels, PictureGradients, RenderOptions
from tests.support.worlds import make_camera, make_world
from tools.cuda.toolkit import KERNELS


def main() -> None:
    """Draws, differentiates, compares and steps; with depth and normals, and without."""
    kernels = CudaKernels(KERNELS)
    world, camera = make_world(300, sh_degree=3), make_camera(70, 50)
    for has_geometry in (False, True):
        options = RenderOptions(has_geometry=has_geometry, is_antialiased=has_geometry)
        drawn = kernels.render(world, camera, options, has_gradients=True)
        ones = np.ones_like(drawn.color_rgb)
        normals = ones if has_geometry else None
        found = kernels.differentiate(drawn, PictureGradients(color_rgb=ones, alpha=drawn.alpha, normals=normals))
        loss = kernels.compare(drawn.color_rgb, ones, ssim_share=0.2)
        values, first, second = (np.zeros((len(world), 3), np.float32) for _ in range(3))
        kernels.step_adam(
            values,
            found.means_m,
            first,
            second,
            learning_rates=np.ones(3, np.float32),
            step=1,
            settings=AdamSettings(),
            is_moved=found.is_seen,
        )
        print(f"{kernels.device_name}: {drawn.intersection_count} intersections, loss {loss.value:.6f}")


if __name__ == "__main__":
    main()
