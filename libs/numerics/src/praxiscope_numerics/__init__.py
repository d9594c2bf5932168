"""Pure numerics of Praxiscope: angles, gaps, filters, rotations, shortest paths. See README.md for the list."""

from praxiscope_numerics._angles import angle_between, signed_angle_2d, unwrap_angle, wrap_angle
from praxiscope_numerics._arrays import BoolArray, FloatArray, IntArray
from praxiscope_numerics._filters import differentiate, filter_low_pass, measure_jitter, measure_noise, reject_spikes
from praxiscope_numerics._gaps import fill_gaps, find_runs
from praxiscope_numerics._paths import find_cheapest_path
from praxiscope_numerics._rotations import build_frame, cardan_angles_from_rotation, rotation_from_cardan_angles

__all__ = [
    "BoolArray",
    "FloatArray",
    "IntArray",
    "angle_between",
    "build_frame",
    "cardan_angles_from_rotation",
    "differentiate",
    "fill_gaps",
    "filter_low_pass",
    "find_cheapest_path",
    "find_runs",
    "measure_jitter",
    "measure_noise",
    "reject_spikes",
    "rotation_from_cardan_angles",
    "signed_angle_2d",
    "unwrap_angle",
    "wrap_angle",
]
