"""What people and operators do to models: each is a change of the registry, and the loop of `model_choice` makes it true."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from praxiscope_common.identity import current_caller
from praxiscope_common.server.stages import resource_not_found
from vision_inference_service.adapters.model_choice import ModelChoice
from vision_inference_service.adapters.registry_store import RegistryStore
from vision_inference_service.core.registry import (
    MODELS,
    ModelChange,
    ModelRecord,
    VersionState,
    deploy,
    retire,
    roll_back,
    set_traffic,
)

_WAIT_S = 20.0
_LOOK_EVERY_S = 0.2


@dataclass(frozen=True, kw_only=True)
class ModelKeeper:
    """Changes the registry.

    Attributes:
        store: The registry.
        choice: Follows it.
        wait_s: How long a deployment is waited for.
    """

    store: RegistryStore
    choice: ModelChoice
    wait_s: float = _WAIT_S

    async def get(self, model: str) -> ModelRecord:
        """Returns a model.

        Raises:
            ResourceNotFoundError: If this service asks no such net.
        """
        if model not in MODELS:
            raise resource_not_found(f"models/{model}")
        return await self.store.read(model)

    async def deploy(self, model: str, version: int, *, memory_bytes: int) -> ModelRecord:
        """Has a version loaded, and waits a while until it is."""
        await self.get(model)
        record = await self.store.change(
            model,
            partial(deploy, version=version, memory_bytes=memory_bytes, editor=current_caller().subject),
            action="deploy",
            version=version,
        )
        self.choice.nudge()
        deadline_s = asyncio.get_running_loop().time() + self.wait_s
        while record.versions[version].state is VersionState.LOADING:
            if asyncio.get_running_loop().time() > deadline_s:
                break
            await asyncio.sleep(_LOOK_EVERY_S)
            record = await self.store.read(model)
        return record

    async def set_traffic(self, model: str, percents: Sequence[tuple[int, int]], *, etag: str) -> ModelRecord:
        """Gives each version its share."""
        await self.get(model)
        return await self._changed(
            await self.store.change(
                model,
                partial(set_traffic, percents=percents, etag=etag, editor=current_caller().subject),
                action="traffic",
                detail=", ".join(f"{version}: {percent} %" for version, percent in sorted(percents)),
            )
        )

    async def roll_back(self, model: str, *, version: int | None, reason: str) -> ModelRecord:
        """Goes back to the stable version."""
        await self.get(model)
        return await self._changed(
            await self.store.change(
                model,
                partial(roll_back, version=version, reason=reason, editor=current_caller().subject),
                action="rollback",
                version=version,
                detail=reason,
            )
        )

    async def retire(self, model: str, version: int) -> ModelRecord:
        """Takes a version out of the model server.

        Raises:
            ResourceNotFoundError: If there is no such version.
        """
        if version not in (await self.get(model)).versions:
            raise resource_not_found(f"models/{model}/versions/{version}")
        return await self._changed(
            await self.store.change(
                model,
                partial(retire, version=version, editor=current_caller().subject),
                action="retire",
                version=version,
            )
        )

    async def changes(self, model: str, *, limit: int, before: tuple[str, ...] | None) -> Sequence[ModelChange]:
        """Returns what was done to a model, newest first."""
        await self.get(model)
        return await self.store.changes(model, limit=limit, before=before)

    async def _changed(self, record: ModelRecord) -> ModelRecord:
        await self.choice.refresh()  # whoever asks this process next is answered by the new shares
        self.choice.nudge()
        return record
