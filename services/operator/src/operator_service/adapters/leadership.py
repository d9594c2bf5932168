"""One operator works, the others wait: a Lease that its holder renews, and that anybody takes over whose holder has not for a while."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from operator_service.adapters.api_server import LEASES, ApiServer, ObjectChangedError, ObjectExistsError
from operator_service.core.documents import part
from praxiscope_common.errors import DomainError

logger = logging.getLogger(__name__)
_TIME_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"


@dataclass(kw_only=True)
class Leadership:
    """Holds the Lease, or tries to.

    Attributes:
        api: The API server.
        lease: The Lease's name.
        identity: Ours; the pod's name.
        now: Tells the time that is written.
        duration_s: How long a holder may be silent. Silence is measured by our own clock, from when we saw the Lease change: clocks of machines differ.
        renew_s: How often the holder renews it.
    """

    api: ApiServer
    lease: str
    identity: str
    now: Callable[[], datetime]
    duration_s: float = 15.0
    renew_s: float = 5.0
    _seen: tuple[str, float] = field(default=("", 0.0))

    async def lead(self, work: Callable[[], Awaitable[None]]) -> None:
        """Runs `work` while we hold the Lease, again whenever we get it, until cancelled."""
        loop = asyncio.get_running_loop()
        task: asyncio.Task[None] | None = None
        held_until_s = 0.0
        try:
            while True:
                try:
                    if await self.try_to_hold():
                        held_until_s = loop.time() + self.duration_s - self.renew_s
                except (ObjectChangedError, ObjectExistsError):
                    held_until_s = 0.0  # somebody else was first
                except DomainError as error:
                    logger.warning("lease not renewed", extra={"why": error.message})
                holds = loop.time() < held_until_s
                if holds and (task is None or task.done()):
                    if task is not None:
                        await task  # what ended it is raised here
                    logger.info("leading", extra={"identity": self.identity})
                    task = asyncio.ensure_future(work())
                elif not holds and task is not None:
                    logger.info("leading no more", extra={"identity": self.identity})
                    await _end(task)
                    task = None
                await asyncio.sleep(self.renew_s)
        finally:
            if task is not None:
                await _end(task)
                await self._give_up()

    async def try_to_hold(self) -> bool:
        """Takes the Lease, or renews it; returns whether it is ours.

        Raises:
            ObjectChangedError, ObjectExistsError: If somebody else was first.
        """
        loop_s = asyncio.get_running_loop().time()
        found = await self.api.find(LEASES, self.lease)
        if found is None:
            metadata = {"name": self.lease}
            await self.api.create(LEASES, {"metadata": metadata, "spec": self._spec(0)})
            return True
        spec = part(found, "spec")
        holder, renewed = str(spec.get("holderIdentity") or ""), str(spec.get("renewTime", ""))
        if self._seen[0] != f"{holder} {renewed}":
            self._seen = (f"{holder} {renewed}", loop_s)
        is_silent = loop_s - self._seen[1] > self.duration_s
        if holder not in {"", self.identity} and not is_silent:
            return False
        changes = int(spec.get("leaseTransitions") or 0) + (holder != self.identity)
        await self.api.replace(LEASES, {**found, "spec": {**spec, **self._spec(changes)}})
        return True

    async def _give_up(self) -> None:
        """Lets the next one take over at once."""
        try:
            found = await self.api.find(LEASES, self.lease)
            if found is not None and part(found, "spec").get("holderIdentity") == self.identity:
                await self.api.replace(LEASES, {**found, "spec": {**found["spec"], "holderIdentity": ""}})
        except DomainError as error:
            logger.info("lease not given up", extra={"why": error.message})

    def _spec(self, transitions: int) -> dict[str, Any]:
        return {
            "holderIdentity": self.identity,
            "leaseDurationSeconds": int(self.duration_s),
            "renewTime": self.now().strftime(_TIME_FORMAT),
            "leaseTransitions": transitions,
        }


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
