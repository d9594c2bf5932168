"""How a process deals with the memory it no longer needs."""

from __future__ import annotations

import ctypes

_M_MMAP_THRESHOLD = -3  # glibc's malloc.h
_LARGE_BYTES = 128 << 10


def give_back_large_blocks() -> bool:
    """Has large arrays returned to the system as soon as they are freed; call it once, at the start.

    glibc does so by itself until it has freed a large block: from then on blocks of that size stay in its heap, whose holes grow with the longest
    recording that was ever measured (21 instead of 16 MiB at 3,000 frames). It costs page faults, so it is not for
    whoever works on frame after frame.

    Returns:
        Whether the C library knows how.
    """
    try:
        return bool(ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES))
    except AttributeError:
        return False
