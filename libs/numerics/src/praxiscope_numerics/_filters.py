"""Zero-lag low-pass, differentiation and spike rejection over series with gaps."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float
from scipy.signal import (  # scipy has no types of its own
    butter,  # pyright: ignore[reportUnknownVariableType]
    sosfiltfilt,  # pyright: ignore[reportUnknownVariableType]
)

from praxiscope_numerics._arrays import BoolArray, FloatArray
from praxiscope_numerics._gaps import find_runs, group_columns

# A step may differ by this share from the median step before the samples are brought onto an even grid; containers
# round times to 1 ms or so.
EVEN_STEP_TOLERANCE = 0.05
# Below this share of the Nyquist frequency a digital filter makes sense; at or above it there is nothing left to
# remove.
MAX_CUTOFF_OF_NYQUIST = 0.98
# Samples in which the answer of the filter to one spike dies away.
_SPIKE_LENGTH = 401
# The standard deviation of a normal distribution is this many times its median absolute deviation.
STD_PER_MAD = 1.4826


def filter_low_pass(
    samples: Float[FloatArray, "time ..."], time_s: Float[FloatArray, " time"], *, cutoff_hz: float, order: int = 4
) -> Float[FloatArray, "time ..."]:
    """Smooths by a Butterworth filter that is run forwards and backwards, so that nothing is delayed.

    Each run of seen samples is filtered by itself; nothing leaks over a gap. The two passes together have their -3 dB
    point at `cutoff_hz`: each pass
    is designed at a higher frequency to make up for being applied twice. Ends are padded by point reflection. Runs of
    fewer than four samples, and
    series sampled too slowly for the cut-off, come back unchanged. Unevenly sampled runs are brought onto an even grid
    by linear interpolation and back.

    Args:
        samples: Values over time, any unit, NaN where missing.
        time_s: Times in seconds, strictly increasing.
        cutoff_hz: Frequency at which the amplitude falls to 0.707.
        order: Order of both passes together; even, at least 2.

    Returns:
        Filtered values, NaN exactly where the input is.

    Raises:
        ValueError: `order` is odd or below 2, or `cutoff_hz` is not positive.

    **Source:** D. A. Winter, "Biomechanics and Motor Control of Human Movement", 4th ed. 2009, sec. 3.4.4.2: C =
    (2^(1/passes) - 1)^(1/(2 order)).
    """
    if order < 2 or order % 2:
        raise ValueError(f"order must be even and at least 2, is {order}")
    if not cutoff_hz > 0.0:
        raise ValueError(f"cutoff_hz must be positive, is {cutoff_hz}")
    columns = samples.reshape(len(samples), -1)
    filtered = columns.copy()
    for alike, is_seen in group_columns(np.isfinite(columns)):
        for start, stop in find_runs(is_seen):
            filtered[start:stop, alike] = _filter_runs(
                columns[start:stop, alike], time_s[start:stop], cutoff_hz=cutoff_hz, order=order
            )
    return filtered.reshape(samples.shape)


@lru_cache(maxsize=64)
def _design(pass_order: int, cutoff_of_nyquist: float) -> FloatArray:
    """The filter's sections; one recording asks for the same ones hundreds of times."""
    return np.asarray(butter(pass_order, cutoff_of_nyquist, output="sos"))


def _filter_runs(
    run: Float[FloatArray, "time column"], time_s: Float[FloatArray, " time"], *, cutoff_hz: float, order: int
) -> Float[FloatArray, "time column"]:
    """Filters columns that are seen at the same times."""
    if len(run) < 4:
        return run
    steps_s = np.diff(time_s)
    step_s = float(np.median(steps_s))
    pass_order = order // 2
    correction = (2.0**0.5 - 1.0) ** (1.0 / (2 * pass_order))
    cutoff_of_nyquist = cutoff_hz / correction * 2.0 * step_s
    if cutoff_of_nyquist >= MAX_CUTOFF_OF_NYQUIST:
        return run
    sections = _design(pass_order, cutoff_of_nyquist)
    # One period of the cut-off on each side is enough for the transient to die; a short run gives what it has.
    pad_length = min(len(run) - 1, int(np.ceil(2.0 / cutoff_of_nyquist)) + 3 * order)
    if np.all(np.abs(steps_s - step_s) <= EVEN_STEP_TOLERANCE * step_s):
        return np.asarray(sosfiltfilt(sections, run, axis=0, padtype="odd", padlen=pad_length), dtype=np.float64)
    grid_count = max(len(run), int(np.ceil((float(time_s[-1]) - float(time_s[0])) / step_s)) + 1)
    grid_s: FloatArray = np.linspace(float(time_s[0]), float(time_s[-1]), grid_count)
    even = _interpolate(grid_s, time_s, run)
    smooth: FloatArray = np.asarray(
        sosfiltfilt(sections, even, axis=0, padtype="odd", padlen=min(grid_count - 1, pad_length))
    )
    return _interpolate(time_s, grid_s, smooth)


def _interpolate(wanted_s: FloatArray, known_s: FloatArray, values: FloatArray) -> FloatArray:
    found = np.empty((len(wanted_s), values.shape[1]))
    for i_column in range(values.shape[1]):
        found[:, i_column] = np.interp(wanted_s, known_s, values[:, i_column])
    return found


def differentiate(
    samples: Float[FloatArray, "time ..."], time_s: Float[FloatArray, " time"]
) -> Float[FloatArray, "time ..."]:
    """Takes the rate of change by central differences, one-sided at the ends of each run.

    Args:
        samples: Values over time, NaN where missing.
        time_s: Times in seconds, strictly increasing; need not be even.

    Returns:
        Change per second; NaN where the input is and in runs of a single sample.
    """
    columns = samples.reshape(len(samples), -1)
    rates = np.full_like(columns, np.nan)
    for i_column in range(columns.shape[1]):
        for start, stop in find_runs(np.isfinite(columns[:, i_column])):
            if stop - start > 1:
                rates[start:stop, i_column] = np.gradient(columns[start:stop, i_column], time_s[start:stop])
    return rates.reshape(samples.shape)


def reject_spikes(
    samples: Float[FloatArray, " time"], *, half_window: int, threshold: float, floor: float
) -> Bool[BoolArray, " time"]:
    """Finds samples far from the running median of their neighbours (a Hampel identifier).

    Args:
        samples: Values over time, NaN where missing.
        half_window: Number of neighbours looked at on each side.
        threshold: Robust standard deviations that make a spike.
        floor: Smallest deviation, in the unit of the samples, that may count as a spike at all.

    Returns:
        True at the spikes; never at a missing sample.

    **Source:** F. R. Hampel, "The influence curve and its role in robust estimation", JASA 69, 1974.
    """
    padded = np.concatenate([np.full(half_window, np.nan), samples, np.full(half_window, np.nan)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half_window + 1)  # [time, window]
    is_seen = np.isfinite(samples)
    is_spike = np.zeros(len(samples), dtype=np.bool_)
    if not is_seen.any():
        return is_spike
    seen_windows = windows[is_seen]
    medians = np.nanmedian(seen_windows, axis=1)
    deviations = STD_PER_MAD * np.nanmedian(np.abs(seen_windows - medians[:, None]), axis=1)
    is_spike[is_seen] = np.abs(samples[is_seen] - medians) > np.maximum(threshold * deviations, floor)
    return is_spike


def measure_jitter(samples: Float[FloatArray, " time"]) -> float:
    """Estimates the standard deviation of frame-to-frame noise from second differences, robustly.

    A second difference removes slow movement, and that of white noise has sqrt(6) times its deviation; the median
    absolute value keeps single jumps out.

    Args:
        samples: Values over evenly spaced time, NaN where missing.

    Returns:
        Noise in the unit of the samples; NaN with fewer than three samples in a row.
    """
    second = samples[2:] - 2.0 * samples[1:-1] + samples[:-2]
    second = second[np.isfinite(second)]
    if not len(second):
        return float("nan")
    return float(STD_PER_MAD * np.median(np.abs(second)) / np.sqrt(6.0))


def measure_noise(
    samples: Float[FloatArray, " time"], time_s: Float[FloatArray, " time"], *, movement_hz: float
) -> float:
    """Estimates the standard deviation of frame-to-frame noise of something that moves.

    `measure_jitter` takes a quick movement for noise: its second difference is not small. Here what is slower than
    `movement_hz` is taken out first, and what the filter takes out of the noise by that is made up for.

    Args:
        samples: Values over evenly spaced time, NaN where missing.
        time_s: Times in seconds, strictly increasing.
        movement_hz: Frequency up to which a change is movement.

    Returns:
        Noise in the unit of the samples, as if it were white; NaN with fewer than three samples in a row.
    """
    rest = samples - filter_low_pass(samples, time_s, cutoff_hz=movement_hz)
    # What is left of white noise, by what is left of a single spike in the middle of nothing.
    spike = np.zeros(_SPIKE_LENGTH)
    spike[_SPIKE_LENGTH // 2] = 1.0
    step_s = float(np.median(np.diff(time_s)))
    spike_s: FloatArray = np.linspace(0.0, step_s * (_SPIKE_LENGTH - 1), _SPIKE_LENGTH)
    left = spike - filter_low_pass(spike, spike_s, cutoff_hz=movement_hz)
    kept = float(np.sum(np.diff(left, 2) ** 2)) / 6.0
    return measure_jitter(rest) / float(np.sqrt(kept)) if kept > 0.0 else float("nan")
