"""Rows as a page draws them: 32 bytes each, as in a .splat file, but in the world's frame."""

from __future__ import annotations

import numpy as np

from editing_service.core.state import EditState
from praxiscope_worlds import SH_C0

_ROW = np.dtype([("mean", "<f4", 3), ("scale", "<f4", 3), ("rgba", "u1", 4), ("quaternion", "u1", 4)])


def rows_as_drawn(state: EditState, start: int, end: int) -> bytes:
    """Returns rows from `start` up to `end`; what was taken away has no opacity."""
    part = slice(start, end)
    rows = np.zeros(max(0, end - start), _ROW)
    if not len(rows):
        return b""
    world = state.rows
    rows["mean"] = world.means_m[part]
    rows["scale"] = np.exp(np.minimum(world.log_scales[part], 40.0))
    rows["rgba"][:, :3] = _levels((0.5 + SH_C0 * world.sh[part, 0]) * 255)
    opacity = 0.5 * (1.0 + np.tanh(0.5 * world.opacity_logits[part]))
    rows["rgba"][:, 3] = np.where(state.is_alive[part], _levels(opacity * 255), 0)
    lengths = np.linalg.norm(world.quaternions_wxyz[part], axis=1, keepdims=True)
    rows["quaternion"] = _levels(world.quaternions_wxyz[part] / lengths * 128 + 128)
    return rows.tobytes()


def _levels(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
