"""Whether the clock on the wall says anything about us."""

from __future__ import annotations

import os

# Load of others that makes the wall clock theirs as well.
MAX_LOAD = 0.5


def was_quiet() -> bool:
    """Says, and returns, whether this machine was idle before us.

    Goals are for idle cores. Where others compute too, only the CPU time over the number of threads is judged: the wall time cannot be less than that, and
    is not much more where nobody else computes.
    """
    is_quiet = os.getloadavg()[1] < MAX_LOAD
    if not is_quiet:
        print(
            "  This machine is shared: goals are held against CPU time over threads, which an idle machine's wall clock cannot go below."
        )
    return is_quiet
