"""InferenceModels: each is looked at again and again, and one step is taken towards what it says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from operator_service.adapters.api_server import INFERENCE_MODELS, PODS, ApiServer
from operator_service.adapters.events import Events
from operator_service.adapters.registry import Registry, held_bytes, seen_in, tried_versions
from operator_service.core.documents import part, parts
from operator_service.core.placement import Instance, Placement, place
from operator_service.core.resources import (
    Owner,
    SpecError,
    owner_of,
    progress_of,
    rollout_spec,
    rollout_status,
)
from operator_service.core.rollout import Action, Decision, Phase, Progress, RolloutSpec, VersionState, decide
from praxiscope.vision.v1 import model_service_pb2
from praxiscope_common.errors import DomainError, UnavailableError

KIND = "InferenceModel"
_WARNINGS = frozenset({Phase.ROLLED_BACK, Phase.FAILED})


@dataclass(frozen=True, kw_only=True)
class Rollouts:
    """Rolls model versions out.

    Attributes:
        api: The API server.
        registry: Vision's.
        events: Where people read what was done.
        models: Every model of the registry; what they hold counts against the servers' memory.
        server_labels: Which pods are model servers.
        device_bytes: Memory of a model server's device that versions may take together.
        now: Tells the time.
    """

    api: ApiServer
    registry: Registry
    events: Events
    models: Sequence[str]
    server_labels: str
    device_bytes: int
    now: Callable[[], datetime]

    async def reconcile_all(self) -> Mapping[str, int]:
        """Takes one step with every resource; returns how many are in which phase."""
        phases: dict[str, int] = {}
        documents, _ = await self.api.list(INFERENCE_MODELS)
        # The eldest first: who waits for space longest gets it.
        for document in sorted(documents, key=lambda item: str(item["metadata"].get("creationTimestamp", ""))):
            phase = await self._reconcile(document)
            phases[phase] = phases.get(phase, 0) + 1
        return phases

    async def _reconcile(self, document: Mapping[str, Any]) -> str:
        owner = owner_of(KIND, document)
        before = part(document, "status")
        try:
            spec = rollout_spec(document)
            placement, decision, percent = await self._advance(spec, progress_of(document))
        except SpecError as error:
            failed = Progress(generation=owner.generation, phase=Phase.FAILED, reason="InvalidSpec", message=str(error))
            placement, percent = None, 0
            decision = Decision(action=Action.WAIT, progress=failed)
        except UnavailableError:
            raise
        except DomainError as error:  # what vision refuses is said, and tried again
            held = progress_of(document) or Progress(generation=owner.generation)
            placement, percent = None, int(before.get("trafficPercent", 0))
            decision = Decision(
                action=Action.WAIT, progress=replace(held, reason="Refused", message=f"{error.reason}: {error.message}")
            )
        progress = decision.progress
        holds = progress.phase in {Phase.LOADING, Phase.ROLLING_OUT, Phase.AVAILABLE}
        instances = placement.instances if placement is not None and holds else ()
        status = rollout_status(
            progress, percent=percent, instances=instances, before=before, now=self.now().strftime("%Y-%m-%dT%H:%M:%SZ")
        )
        if status != before:
            await self.api.patch_status(INFERENCE_MODELS, owner.name, status)
        await self._tell(owner, before, progress)
        return progress.phase.value

    async def _advance(self, spec: RolloutSpec, progress: Progress | None) -> tuple[Placement, Decision, int]:
        traffic = await self.registry.read(spec.model)
        seen = seen_in(traffic, spec.version)
        placement = await self._place(spec, traffic, is_held=seen.state in {VersionState.LOADING, VersionState.READY})
        others = tried_versions(traffic) - {spec.version}
        waiting_for = f"version {min(others)} of the same model is on its way" if others else ""
        if not waiting_for and not placement.instances:
            waiting_for = placement.message
        decision = decide(spec, progress, seen, waiting_for=waiting_for, now_s=self.now().timestamp())
        percent = seen.percent
        match decision.action:
            case Action.DEPLOY:
                await self.registry.deploy(spec.model, spec.version, memory_bytes=spec.memory_bytes)
            case Action.SET_TRAFFIC:
                await self.registry.set_share(traffic, spec.version, decision.percent)
                percent = decision.percent
            case Action.ROLL_BACK:
                reason = f"{decision.progress.reason}: {decision.progress.message}"
                await self.registry.roll_back(spec.model, spec.version, reason)
                percent = 0
            case Action.WAIT:
                pass
        return placement, decision, percent

    async def _place(self, spec: RolloutSpec, traffic: model_service_pb2.ModelTraffic, *, is_held: bool) -> Placement:
        pods, _ = await self.api.list(PODS, labels=self.server_labels)
        instances = [
            Instance(name=pod["metadata"]["name"], budget_bytes=self.device_bytes) for pod in pods if _is_ready(pod)
        ]
        held = held_bytes(traffic)
        for model in self.models:
            if model != spec.model:
                held += held_bytes(await self.registry.read(model))
        return place(0 if is_held else spec.memory_bytes, held, instances)

    async def _tell(self, owner: Owner, before: Mapping[str, Any], progress: Progress) -> None:
        if before.get("phase") == progress.phase.value and before.get("reason") == progress.reason:
            return
        kind = "Warning" if progress.phase in _WARNINGS else "Normal"
        await self.events.write(owner, kind=kind, reason=progress.reason, message=progress.message)


def _is_ready(pod: Mapping[str, Any]) -> bool:
    conditions = parts(part(pod, "status"), "conditions")
    return any(item.get("type") == "Ready" and item.get("status") == "True" for item in conditions)
