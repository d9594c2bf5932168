"""What a stack is told that is shot at: callers may do so much that they see more than RATE_LIMITED."""

from __future__ import annotations

from collections.abc import Mapping

_CLASSES = ("READ", "WRITE", "COMPUTE", "STREAM", "LOGIN")
_RATE = 20_000

RAISED_LIMITS: Mapping[str, str] = {
    f"PRAXISCOPE_GATEWAY_RATE_{name}_{part}": str(_RATE) for name in _CLASSES for part in ("PER_SECOND", "BURST")
}
