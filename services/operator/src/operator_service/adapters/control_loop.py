"""Looks at every resource whenever one has changed and every few seconds anyway: what was missed once is seen the next time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Gauge

from operator_service.adapters.api_server import ApiServer, Kind
from praxiscope_common.errors import DomainError

logger = logging.getLogger(__name__)
_WATCH_S = 60
_PAUSE_S = 1.0
Reconcile = Callable[[], Awaitable[Mapping[str, int]]]


class LoopMetrics:
    """How many resources are where, and how looking at them went."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Registers them."""
        self.resources = Gauge(
            "operator_resources", "Resources, by kind and phase.", ["kind", "phase"], registry=registry
        )
        self.rounds = Counter(
            "operator_rounds_total", "Rounds, by kind and outcome.", ["kind", "outcome"], registry=registry
        )


@dataclass(frozen=True, kw_only=True)
class ControlLoop:
    """One kind of resources.

    Attributes:
        api: The API server.
        kind: The kind.
        reconcile: Takes one step with each of them.
        metrics: Where it is counted.
        resync_s: How often they are looked at when nothing changes.
    """

    api: ApiServer
    kind: Kind
    reconcile: Reconcile
    metrics: LoopMetrics
    resync_s: float
    _phases: set[str] = field(default_factory=set)

    async def run(self) -> None:
        """Goes round until cancelled."""
        changed = asyncio.Event()
        watching = asyncio.create_task(self._watch(changed))
        try:
            while True:
                changed.clear()
                await self.round()
                await asyncio.sleep(_PAUSE_S)
                try:
                    async with asyncio.timeout(self.resync_s):
                        await changed.wait()
                except TimeoutError:
                    continue
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def round(self) -> None:
        """Looks at everything once; what cannot be done now is tried the next time."""
        plural = self.kind.plural
        try:
            phases = await self.reconcile()
        except DomainError as error:
            self.metrics.rounds.labels(plural, error.reason).inc()
            logger.warning("round not finished", extra={"kind": plural, "reason": error.reason, "why": error.message})
        except Exception:  # one round must not end the loop; the log says what nobody foresaw
            self.metrics.rounds.labels(plural, "INTERNAL").inc()
            logger.exception("round not finished", extra={"kind": plural})
        else:
            self.metrics.rounds.labels(plural, "OK").inc()
            for phase in self._phases | set(phases):
                self.metrics.resources.labels(plural, phase).set(phases.get(phase, 0))
            self._phases.update(phases)

    async def _watch(self, changed: asyncio.Event) -> None:
        while True:
            try:
                async for _ in self.api.watch(self.kind, "", timeout_s=_WATCH_S):
                    changed.set()
            except DomainError as error:
                logger.info("watch ended", extra={"kind": self.kind.plural, "why": error.message})
            await asyncio.sleep(_PAUSE_S)
