"""The array types that signatures of this package name.

jaxtyping wants the plain class at run time, a strict type checker wants its parameters: hence two spellings of one
thing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    FloatArray = npt.NDArray[np.float64]
    BoolArray = npt.NDArray[np.bool_]
    IntArray = npt.NDArray[np.int64]
else:
    FloatArray = np.ndarray
    BoolArray = np.ndarray
    IntArray = np.ndarray
