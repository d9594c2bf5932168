"""Smooth noise over a plane or through space, from a seed and nothing else.

Source: value noise on a lattice with quintic interpolation, K. Perlin, "Improving Noise", SIGGRAPH 2002 (the curve); the lattice's values come of an integer
hash in place of a table.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

# Odd numbers with well mixed bits (from the golden ratio and square roots of primes), one an axis, and one to mix with.
_PRIMES = np.array([0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D], np.uint32)
_MIX = np.uint32(0x27D4EB2F)


def noise(points: Float[np.ndarray, "... D"], *, seed: int) -> Float[np.ndarray, ...]:
    """Noise in [-1, 1] that changes over about one unit.

    Args:
        points: In two or three dimensions.
        seed: Another seed, another noise.
    """
    base = np.floor(points)
    share = points - base
    curve = share**3 * (share * (share * 6 - 15) + 10)
    corner = base.astype(np.int64)
    total = np.zeros(points.shape[:-1])
    dimension = points.shape[-1]
    for i_corner in range(1 << dimension):
        steps = [(i_corner >> axis) & 1 for axis in range(dimension)]
        weight = np.ones(points.shape[:-1])
        code = np.full(points.shape[:-1], seed & 0xFFFFFFFF, np.uint32)
        for axis, step in enumerate(steps):
            weight = weight * (curve[..., axis] if step else 1 - curve[..., axis])
            with np.errstate(over="ignore"):  # hashes wrap around
                code = (code ^ ((corner[..., axis] + step).astype(np.uint32) * _PRIMES[axis])) * _MIX
            code = code ^ (code >> np.uint32(15))
        total += weight * (code.astype(np.float64) / 0xFFFFFFFF * 2 - 1)
    return total


def layered_noise(
    points: Float[np.ndarray, "... D"], *, seed: int, size_m: float, octave_count: int, fade: float = 0.5
) -> Float[np.ndarray, ...]:
    """Noise on noise, each layer half as wide and `fade` times as strong as the one before; about [-1, 1].

    Args:
        points: In metres.
        seed: Another seed, another noise.
        size_m: Width of the widest features.
        octave_count: Layers.
        fade: Strength from layer to layer.
    """
    total, strength, sum_of_strengths = np.zeros(points.shape[:-1]), 1.0, 0.0
    for i_octave in range(octave_count):
        total += strength * noise(points * (2.0**i_octave / size_m), seed=seed * 31 + i_octave)
        sum_of_strengths += strength
        strength *= fade
    return total / sum_of_strengths
