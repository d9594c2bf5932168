"""Whether an event loop still moves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

_PERIOD_S = 1.0


class Pulse:
    """When the event loop last moved; read by other threads.

    Args:
        clock_s: Tells seconds that never go back.
    """

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        """Has not beaten yet."""
        self._clock_s = clock_s
        self._last_s: float | None = None

    @property
    def age_s(self) -> float | None:
        """Seconds since the last beat; None where there was none."""
        return None if self._last_s is None else self._clock_s() - self._last_s

    def beat(self) -> None:
        """Says that the loop moves."""
        self._last_s = self._clock_s()

    async def keep_beating(self) -> None:
        """Beats every second for as long as the loop comes to it."""
        while True:
            self.beat()
            await asyncio.sleep(_PERIOD_S)
