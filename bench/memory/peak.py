"""The most memory that the stack's processes hold together while something goes on."""

from __future__ import annotations

import threading
from collections import Counter
from types import TracebackType

from bench import stack

_PERIOD_S = 0.5


class Peak:
    """Looks twice a second as long as the block lasts.

    Attributes:
        total_bytes: The most that all parts held together, what they share counted once.
        by_part: The most that each held, which need not have been at the same time.
    """

    def __init__(self) -> None:
        """Nothing is known yet."""
        self.total_bytes = 0
        self.by_part: Counter[str] = Counter()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="peak", daemon=True)

    def __enter__(self) -> Peak:
        """Begins."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends."""
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(_PERIOD_S):
            held = stack.resident_bytes()
            self.total_bytes = max(self.total_bytes, sum(held.values()))
            self.by_part |= Counter(held)
