"""Events: what was done to a resource and why, where `kubectl describe` shows it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from operator_service.adapters.api_server import EVENTS, ApiServer
from operator_service.core.resources import GROUP, VERSION, Owner
from praxiscope_common import names
from praxiscope_common.errors import DomainError

logger = logging.getLogger(__name__)
_COMPONENT = "praxiscope-operator"
_MAX_MESSAGE = 1000


@dataclass(frozen=True, kw_only=True)
class Events:
    """Writes events.

    Attributes:
        api: The API server.
        instance: Our pod.
        now: Tells the time.
    """

    api: ApiServer
    instance: str
    now: Callable[[], datetime]

    async def write(self, owner: Owner, *, kind: str, reason: str, message: str) -> None:
        """Writes one; one that cannot be written stops nothing.

        Args:
            owner: What it is about.
            kind: `Normal` or `Warning`.
            reason: One word.
            message: For people.
        """
        time = self.now().strftime("%Y-%m-%dT%H:%M:%SZ")
        document = {
            "metadata": {"name": f"{owner.name}.{names.new_id()[:16]}"},
            "involvedObject": {
                "apiVersion": f"{GROUP}/{VERSION}",
                "kind": owner.kind,
                "name": owner.name,
                "namespace": self.api.namespace,
                "uid": owner.uid,
            },
            "type": kind,
            "reason": reason or "Unknown",
            "message": message[:_MAX_MESSAGE],
            "firstTimestamp": time,
            "lastTimestamp": time,
            "count": 1,
            "source": {"component": _COMPONENT},
            "reportingComponent": _COMPONENT,
            "reportingInstance": self.instance,
        }
        try:
            await self.api.create(EVENTS, document)
        except DomainError as error:
            logger.warning("event not written", extra={"why": error.message})
