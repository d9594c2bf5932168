"""The registry of model versions as values: which are loaded, who gets how much traffic, and what a change makes of that.

A version is `loading`, then `ready` or `failed`, and `retired` at its end. One is stable: a rollback goes back to it. Shares are percent of new streams
and pictures; a stream keeps the version that it began with, so that no analysis mixes two.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum

from praxiscope_common.errors import AbortedError, InvalidInputError, PreconditionError

FIRST_VERSION = 1
"""What is in service where nobody deployed anything."""

MODELS: tuple[str, ...] = ("movenet_multipose", "blazepose_full", "centernet")
"""The nets that this service asks, in the order in which results name them."""

LATENCY_BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper ends of the buckets of latencies; the last one is the longest time for an inference."""

UNLOAD_AFTER = timedelta(seconds=3)
"""How long a retired version stays loaded: others read the registry every second, and may choose it until they have."""

_POINTS = 100


class VersionState(Enum):
    """Where a version is on its way; values are the database's."""

    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"
    RETIRED = "retired"


class EtagMismatchError(AbortedError):
    """The model has changed since its etag was read; read it again."""

    reason = "ETAG_MISMATCH"


class InvalidTrafficError(InvalidInputError):
    """Shares name each version once and make a hundred together."""

    reason = "INVALID_TRAFFIC"


class ModelVersionNotReadyError(PreconditionError):
    """Only a version that is loaded and warm can get traffic; deploy it first."""

    reason = "MODEL_VERSION_NOT_READY"


class ModelVersionInUseError(PreconditionError):
    """The version gets traffic or is the stable one; give its share to another first."""

    reason = "MODEL_VERSION_IN_USE"


class NothingToRollBackError(PreconditionError):
    """The stable version has all traffic already, and none before it is still loaded."""

    reason = "NOTHING_TO_ROLL_BACK"


class ModelVersionWithdrawnError(AbortedError):
    """The model version that began this is no longer in service; begin again at the first frame."""

    reason = "MODEL_VERSION_WITHDRAWN"


_LOADED = frozenset({VersionState.LOADING, VersionState.READY})


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What calls of a version were like.

    Attributes:
        request_count: How often it was asked.
        error_count: How often it did not answer as agreed.
        latency_total_s: Seconds of all answers together.
        latency_counts: Answers by bucket of `LATENCY_BOUNDS_S`, and those that took longer.
    """

    request_count: int = 0
    error_count: int = 0
    latency_total_s: float = 0.0
    latency_counts: tuple[int, ...] = (0,) * (len(LATENCY_BOUNDS_S) + 1)

    def observe(self, latency_s: float, *, is_error: bool) -> Figures:
        """The figures with one more call."""
        i_bucket = next((i for i, bound_s in enumerate(LATENCY_BOUNDS_S) if latency_s <= bound_s), -1)
        counts = list(self.latency_counts)
        counts[i_bucket] += 1
        return Figures(
            request_count=self.request_count + 1,
            error_count=self.error_count + is_error,
            latency_total_s=self.latency_total_s + latency_s,
            latency_counts=tuple(counts),
        )


@dataclass(frozen=True, kw_only=True)
class ModelVersion:
    """One version of a model.

    Attributes:
        version: Its number, the name of its folder.
        state: Where it is on its way.
        traffic_percent: Of a hundred new streams, how many it gets.
        memory_bytes: What it was said to need on the model server; 0 where nobody said.
        message: What went wrong, or why it was taken back.
        editor: Who last changed it.
        update_time: When that was.
        figures: What its calls were like.
    """

    version: int
    state: VersionState
    traffic_percent: int = 0
    memory_bytes: int = 0
    message: str = ""
    editor: str = ""
    update_time: datetime | None = None
    figures: Figures = field(default_factory=Figures)


@dataclass(frozen=True, kw_only=True)
class ModelRecord:
    """A model.

    Attributes:
        model: Its name.
        stable_version: Where a rollback goes.
        previous_version: What was stable before; None where nothing was.
        revision: Grows with every change.
        versions: By number.
    """

    model: str
    stable_version: int
    previous_version: int | None = None
    revision: int = 1
    versions: Mapping[int, ModelVersion]

    @property
    def etag(self) -> str:
        """What a caller who changes it must have read."""
        return f'"{self.revision}"'

    def with_versions(self, changed: Sequence[ModelVersion]) -> ModelRecord:
        """The record with some versions as they are now."""
        return replace(self, versions={**self.versions, **{item.version: item for item in changed}})


@dataclass(frozen=True, kw_only=True)
class ModelChange:
    """What was done to a model.

    Attributes:
        change_id: Its id.
        action: What was done.
        version: To which version; None where all were meant.
        detail: What it was changed to, or why.
        editor: Who did it.
        request_id: The request, as in logs.
        change_time: When.
    """

    change_id: str
    action: str
    version: int | None
    detail: str
    editor: str
    request_id: str
    change_time: datetime


def first_record(model: str) -> ModelRecord:
    """The record of a model for which nobody deployed anything."""
    first = ModelVersion(version=FIRST_VERSION, state=VersionState.READY, traffic_percent=100)
    return ModelRecord(model=model, stable_version=FIRST_VERSION, versions={FIRST_VERSION: first})


def choose_version(record: ModelRecord, key: str) -> int:
    """The version that answers a stream.

    The same key gets the same version as long as shares stay, and a version whose share grows keeps the keys that it had: newer versions stand first.

    Args:
        record: The model.
        key: Names the stream: its operation, or what is looked at.
    """
    digest = hashlib.sha256(f"{record.model}\n{key}".encode()).digest()
    point = int.from_bytes(digest[:8], "big") % _POINTS
    end = 0
    for version in sorted(record.versions, reverse=True):
        end += record.versions[version].traffic_percent
        if point < end:
            return version
    return record.stable_version


def is_served(record: ModelRecord, version: int) -> bool:
    """Whether a stream that began with a version may go on with it."""
    found = record.versions.get(version)
    return found is not None and found.state is VersionState.READY


def deploy(record: ModelRecord, version: int, *, memory_bytes: int, editor: str) -> ModelRecord:
    """The record after somebody asked for a version; one that is loaded or being loaded is left as it is."""
    known = record.versions.get(version)
    if known is not None and known.state in _LOADED:
        return record
    fresh = ModelVersion(
        version=version,
        state=VersionState.LOADING,
        memory_bytes=memory_bytes,
        editor=editor,
        figures=known.figures if known is not None else Figures(),
    )
    return record.with_versions([fresh])


def finish_loading(record: ModelRecord, version: int, *, problem: str) -> ModelRecord:
    """The record after the model server loaded a version, or could not; nothing changes if nobody waits for it any more."""
    known = record.versions.get(version)
    if known is None or known.state is not VersionState.LOADING:
        return record
    state = VersionState.FAILED if problem else VersionState.READY
    return record.with_versions([replace(known, state=state, message=problem)])


def set_traffic(record: ModelRecord, percents: Sequence[tuple[int, int]], *, etag: str, editor: str) -> ModelRecord:
    """The record with other shares; who gets everything becomes stable.

    Args:
        record: The model.
        percents: Version and share, for each version that gets one.
        etag: What the caller read.
        editor: Who wants it.

    Raises:
        EtagMismatchError: The model has changed since.
        InvalidTrafficError: A version is named twice, or the shares do not make a hundred.
        ModelVersionNotReadyError: A version that is to get traffic is not loaded.
    """
    if etag != record.etag:
        raise EtagMismatchError(metadata={"etag": etag, "current_etag": record.etag})
    shares = dict(percents)
    total = sum(shares.values())
    if len(shares) != len(percents) or total != _POINTS:
        raise InvalidTrafficError(
            f"The shares make {total}, not 100, or name a version twice.", metadata={"total": str(total)}
        )
    for version, percent in shares.items():
        known = record.versions.get(version)
        if percent and (known is None or known.state is not VersionState.READY):
            state = known.state.value if known is not None else "unknown"
            raise ModelVersionNotReadyError(
                f"Version {version} of {record.model} is {state}; only one that is ready can get traffic.",
                metadata={"version": str(version), "state": state},
            )
    changed = [
        replace(known, traffic_percent=shares.get(version, 0), editor=editor)
        for version, known in record.versions.items()
        if known.traffic_percent != shares.get(version, 0)
    ]
    moved = record.with_versions(changed)
    whole = next((version for version, percent in shares.items() if percent == _POINTS), None)
    if whole is not None and whole != record.stable_version:
        moved = replace(moved, stable_version=whole, previous_version=record.stable_version)
    return moved


def roll_back(record: ModelRecord, *, version: int | None, reason: str, editor: str) -> ModelRecord:
    """The record after something was taken back; see `RollBackModel` in the contract.

    Args:
        record: The model.
        version: What to take back; None means whatever is being tried. One that is out already changes nothing.
        reason: Why; kept with what is taken back.
        editor: Who wants it.

    Raises:
        NothingToRollBackError: There is nothing else to take back, and nothing before it to go to.
    """
    stable = record.stable_version
    loaded = {number: item for number, item in record.versions.items() if item.state in _LOADED}
    if version is not None and version not in loaded:
        return record
    if version is not None:
        taken = [loaded[version]]
    else:
        # The one before the stable one is kept for a rollback, and is not what is being tried.
        taken = [
            item
            for number, item in loaded.items()
            if number != stable and (item.traffic_percent or number != record.previous_version)
        ] or [record.versions[stable]]
    gone = {item.version for item in taken}
    target, before = stable, record.previous_version
    if stable in gone:
        if before is None or not is_served(record, before):
            raise NothingToRollBackError(metadata={"stable_version": str(stable)})
        target, before = before, None
    freed_percent = sum(item.traffic_percent for item in taken)
    back = record.versions[target]
    changed = [
        replace(item, state=VersionState.RETIRED, traffic_percent=0, message=reason, editor=editor) for item in taken
    ]
    changed.append(replace(back, traffic_percent=back.traffic_percent + freed_percent, editor=editor))
    return replace(
        record.with_versions(changed), stable_version=target, previous_version=None if before in gone else before
    )


def retire(record: ModelRecord, version: int, *, editor: str) -> ModelRecord:
    """The record without a version in the model server.

    Raises:
        ModelVersionInUseError: It gets traffic or is stable.
    """
    known = record.versions[version]
    if known.traffic_percent or version == record.stable_version:
        raise ModelVersionInUseError(metadata={"version": str(version), "percent": str(known.traffic_percent)})
    if known.state in {VersionState.RETIRED, VersionState.FAILED}:
        return record
    return replace(
        record.with_versions([replace(known, state=VersionState.RETIRED, editor=editor)]),
        previous_version=None if record.previous_version == version else record.previous_version,
    )


def wanted_versions(record: ModelRecord, now: datetime) -> frozenset[int]:
    """The versions that the model server should hold.

    Args:
        record: The model.
        now: The time; what was retired a moment ago is still wanted.
    """
    return frozenset(
        version
        for version, item in record.versions.items()
        if item.state in _LOADED
        or (
            item.state is VersionState.RETIRED
            and item.update_time is not None
            and now - item.update_time < UNLOAD_AFTER
        )
    )
