"""BatchAnalyses: each gets an indexed Job, and its status says what became of every video."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from operator_service.adapters.api_server import (
    BATCH_ANALYSES,
    CONFIG_MAPS,
    JOBS,
    PODS,
    ApiServer,
    ObjectExistsError,
)
from operator_service.adapters.events import Events
from operator_service.core.batch import (
    PodSettings,
    batch_spec,
    batch_status,
    child_name,
    job_document,
    results_of,
    videos_document,
)
from operator_service.core.documents import part, parts
from operator_service.core.resources import Owner, SpecError, conditions_of, owner_of

KIND = "BatchAnalysis"
_FINAL = frozenset({"Complete", "Failed"})


@dataclass(frozen=True, kw_only=True)
class Batches:
    """Runs analyses of many videos.

    Attributes:
        api: The API server.
        events: Where people read what was done.
        pods: What their pods are given.
        now: Tells the time.
    """

    api: ApiServer
    events: Events
    pods: PodSettings
    now: Callable[[], datetime]

    async def reconcile_all(self) -> Mapping[str, int]:
        """Takes one step with every resource; returns how many are in which phase."""
        phases: dict[str, int] = {}
        documents, _ = await self.api.list(BATCH_ANALYSES)
        for document in documents:
            phase = await self._reconcile(document)
            phases[phase] = phases.get(phase, 0) + 1
        return phases

    async def _reconcile(self, document: Mapping[str, Any]) -> str:
        owner, before = owner_of(KIND, document), part(document, "status")
        if before.get("observedGeneration") == owner.generation and before.get("phase") in _FINAL:
            return str(before["phase"])
        status = await self._status(owner, document, before)
        if status != before:
            await self.api.patch_status(BATCH_ANALYSES, owner.name, status)
        if before.get("phase") != status["phase"]:
            condition = status["conditions"][0]
            kind = "Warning" if status["phase"] == "Failed" else "Normal"
            await self.events.write(owner, kind=kind, reason=condition["reason"], message=condition["message"])
        return str(status["phase"])

    async def _status(self, owner: Owner, document: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
        now = self.now().strftime("%Y-%m-%dT%H:%M:%SZ")
        try:
            spec = batch_spec(document)
        except SpecError as error:
            wanted = {"Complete": "False", "Failed": "True"}
            conditions = conditions_of(wanted, "InvalidSpec", str(error), owner.generation, before, now)
            return {"observedGeneration": owner.generation, "phase": "Failed", "conditions": conditions}
        job = await self.api.find(JOBS, child_name(owner))
        if job is None:
            with contextlib.suppress(ObjectExistsError):
                await self.api.create(CONFIG_MAPS, videos_document(owner, spec))
            with contextlib.suppress(ObjectExistsError):
                await self.api.create(JOBS, job_document(owner, spec, self.pods))
        is_same = before.get("observedGeneration") == owner.generation
        pods, _ = await self.api.list(PODS, labels=f"batch.kubernetes.io/job-name={child_name(owner)}")
        results = results_of(spec, pods, parts(before, "results") if is_same else ())
        return batch_status(owner, job, results, before, now)
