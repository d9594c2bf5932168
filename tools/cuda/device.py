"""Whether the driver knows a GPU; asked of the driver itself, so that it is known before anything is built."""

from __future__ import annotations

import ctypes


class NoDeviceError(Exception):
    """There is no CUDA device here; the message says how that is known."""


def count_devices() -> int:
    """Returns how many devices there are, at least one.

    Raises:
        NoDeviceError: There is none.
    """
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError as error:
        raise NoDeviceError(f"no CUDA device here: there is no driver ({error}).") from error
    count = ctypes.c_int(0)
    for name, code in (
        ("cuInit", driver.cuInit(0)),
        ("cuDeviceGetCount", driver.cuDeviceGetCount(ctypes.byref(count))),
    ):
        if code:
            raise NoDeviceError(f"no CUDA device here: the driver's {name} answered {code}.")
    if count.value == 0:
        raise NoDeviceError("no CUDA device here: the driver knows none.")
    return count.value
