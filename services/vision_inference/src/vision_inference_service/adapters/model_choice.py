"""Which versions answer a stream, and the loop that keeps the registry, the model servers and this process of one mind."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial

from praxiscope_common.database import DatabaseUnavailableError
from praxiscope_common.errors import DomainError
from praxiscope_common.telemetry.metrics import Metrics
from vision_inference_service.adapters.measured_models import MeasuredModels
from vision_inference_service.adapters.model_server import LoadFailedError, ModelServers
from vision_inference_service.adapters.registry_store import RegistryStore
from vision_inference_service.adapters.triton_models import ModelServerUnavailableError, TritonModels
from vision_inference_service.core.registry import (
    FIRST_VERSION,
    MODELS,
    Figures,
    ModelRecord,
    ModelVersionWithdrawnError,
    VersionState,
    choose_version,
    finish_loading,
    first_record,
    is_served,
    wanted_versions,
)

logger = logging.getLogger(__name__)
_INTERVAL_S = 1.0
_REMEMBERED_FAILURES = 10_000


class ModelChoice:
    """Chooses versions by what the registry said last.

    A registry that does not answer stops no stream: what was read last stands, and before anything was read the first version of each net.

    Args:
        models: The nets.
        metrics: Where times go.
        store: The registry.
        servers: The model servers.
        now: Tells the time.
    """

    def __init__(
        self,
        models: TritonModels,
        metrics: Metrics,
        *,
        store: RegistryStore,
        servers: ModelServers,
        now: Callable[[], datetime],
    ) -> None:
        """Keeps what it needs; nothing is read yet."""
        self._models, self._metrics, self._store, self._servers, self._now = models, metrics, store, servers, now
        self._records: Mapping[str, ModelRecord] = {model: first_record(model) for model in MODELS}
        self._figures: dict[tuple[str, int], Figures] = {}
        # Streams that a tried version failed; they begin anew with the stable one.
        self._failed: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._nudged = asyncio.Event()

    def stable_versions(self) -> Mapping[str, str]:
        """Returns the version of each net that must answer for this service to be ready."""
        return {model: str(record.stable_version) for model, record in self._records.items()}

    def begin(self, key: str) -> MeasuredModels:
        """Returns the nets for a new stream; the same key gets the same versions as long as shares stay."""
        return self._with(
            key,
            {
                model: record.stable_version if (model, key) in self._failed else choose_version(record, key)
                for model, record in self._records.items()
            },
        )

    def resume(self, key: str, versions: Mapping[str, int]) -> MeasuredModels:
        """Returns the nets with which a stream began.

        Args:
            key: Names the stream.
            versions: The versions with which it began; empty where it began with the first ones, when there were no others.

        Raises:
            ModelVersionWithdrawnError: If one of them is no longer in service, or failed this stream.
        """
        if not versions:
            first = dict.fromkeys(MODELS, FIRST_VERSION)
            # Without them it can only be somebody who passes over the first frames of a video.
            return self._with(key, first) if self._are_served(first) else self.begin(key)
        for model, version in versions.items():
            record = self._records[model]
            has_failed = (model, key) in self._failed and version != record.stable_version
            if has_failed or not is_served(record, version):
                raise ModelVersionWithdrawnError(metadata={"model": model, "version": str(version)})
        return self._with(key, {**dict.fromkeys(MODELS, FIRST_VERSION), **versions})

    def _are_served(self, versions: Mapping[str, int]) -> bool:
        return all(is_served(self._records[model], version) for model, version in versions.items())

    def nudge(self) -> None:
        """Has the loop look at once."""
        self._nudged.set()

    async def refresh(self) -> None:
        """Reads the registry now."""
        self._records = await self._store.read_all()

    async def follow(self) -> None:
        """Reads the registry, writes figures and tells model servers what to hold, until it is cancelled."""
        is_prepared, last_reason = False, ""
        while True:
            self._nudged.clear()
            try:
                if not is_prepared:
                    await self._store.prepare()
                    is_prepared = True
                await self._write_figures()
                await self.refresh()
                await self._align()
                last_reason = ""
            except (DatabaseUnavailableError, ModelServerUnavailableError) as error:
                if error.reason != last_reason:  # once, not every second
                    logger.info("models not looked after", extra={"reason": error.reason})
                last_reason = error.reason
            except Exception:  # the loop must outlive what nobody foresaw; the log says it
                logger.exception("models not looked after")
            try:
                async with asyncio.timeout(_INTERVAL_S):
                    await self._nudged.wait()
            except TimeoutError:
                continue

    def _with(self, key: str, versions: Mapping[str, int]) -> MeasuredModels:
        return MeasuredModels(
            self._models,
            self._metrics,
            versions=versions,
            is_plain=all(set(record.versions) == {FIRST_VERSION} for record in self._records.values()),
            observe=self._observe,
            on_error=partial(self._on_error, key),
        )

    def _observe(self, model: str, version: int, latency_s: float, is_error: bool) -> None:
        place = (model, version)
        self._figures[place] = self._figures.get(place, Figures()).observe(latency_s, is_error=is_error)

    def _on_error(self, key: str, model: str, version: int, error: DomainError) -> DomainError:
        """Remembers that a version that is only tried failed a stream; whoever asked for it is told to try again."""
        if version == self._records[model].stable_version:
            return error
        self._failed[(model, key)] = None
        if len(self._failed) > _REMEMBERED_FAILURES:
            self._failed.popitem(last=False)
        return ModelServerUnavailableError(metadata={"model": model, "version": str(version)}, retry_after_s=1.0)

    async def _write_figures(self) -> None:
        figures, self._figures = self._figures, {}
        try:
            if figures:
                await self._store.add_figures(figures)
        except DatabaseUnavailableError:
            for place, held in figures.items():  # they are written with what comes meanwhile
                self._figures[place] = _sum(held, self._figures.get(place, Figures()))
            raise

    async def _align(self) -> None:
        """Has every model server hold what the registry wants; one of us at a time."""
        for address in await self._servers.addresses():
            ready = await self._servers.ready_versions(address)
            for model, record in self._records.items():
                wanted = wanted_versions(record, self._now())
                is_loading = any(item.state is VersionState.LOADING for item in record.versions.values())
                if is_loading or wanted != ready.get(model, frozenset()):
                    await self._store.alone(partial(self._load, model))
                    break

    async def _load(self, model: str) -> None:
        record = await self._store.read(model)
        wanted = wanted_versions(record, self._now())
        new = {version for version, item in record.versions.items() if item.state is VersionState.LOADING}
        problems = dict.fromkeys(new, "")
        for address in await self._servers.addresses():
            held = (await self._servers.ready_versions(address)).get(model, frozenset())
            # One after another: what cannot be loaded then stops nothing else.
            for version in sorted(wanted - held):
                problem = await self._load_one(address, model, version, (held & wanted) | {version})
                if not problem:
                    held |= {version}
                elif version in new:
                    problems[version] = problems[version] or problem
            keep = wanted - {version for version, problem in problems.items() if problem}
            held = (await self._servers.ready_versions(address)).get(model, frozenset())
            if held - keep and held & keep:
                await self._servers.hold(address, model, held & keep)
        for version, problem in problems.items():
            await self._store.change(
                model,
                partial(finish_loading, version=version, problem=problem),
                action="fail" if problem else "ready",
                version=version,
                detail=problem,
            )
        await self.refresh()

    async def _load_one(self, address: str, model: str, version: int, together: frozenset[int]) -> str:
        """Loads a version beside others and asks it its first question; returns what went wrong, or nothing."""
        try:
            await self._servers.hold(address, model, together)
            await self._servers.warm_up(address, model, version)
        except LoadFailedError as error:
            logger.warning("version not loaded", extra={"model": model, "version": version, "why": str(error)})
            return str(error)
        return ""


def _sum(first: Figures, second: Figures) -> Figures:
    return Figures(
        request_count=first.request_count + second.request_count,
        error_count=first.error_count + second.error_count,
        latency_total_s=first.latency_total_s + second.latency_total_s,
        latency_counts=tuple(a + b for a, b in zip(first.latency_counts, second.latency_counts, strict=True)),
    )
