"""The registry of models in PostgreSQL: read whole, changed under a lock, and every change kept with who made it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from praxiscope_common import names
from praxiscope_common.database import Connection, Database
from praxiscope_common.identity import current_call
from vision_inference_service.core.registry import (
    FIRST_VERSION,
    MODELS,
    Figures,
    ModelChange,
    ModelRecord,
    ModelVersion,
    VersionState,
    first_record,
)

_SELF = "services/vision_inference"
_LOAD_LOCK = 0x6D6F64656C  # one number for all: model servers are told by one of us at a time


@dataclass(frozen=True, kw_only=True)
class RegistryStore:
    """Models, their versions and what was done to them.

    Attributes:
        database: Where they are.
    """

    database: Database

    async def prepare(self) -> None:
        """Writes the models for which there is no row yet, with their first version in service."""
        empty = list(Figures().latency_counts)
        async with self.database.transaction() as connection:
            for model in MODELS:
                await connection.execute(
                    "INSERT INTO vision_inference.model (model_id, stable_version) VALUES (%s, %s) ON CONFLICT DO NOTHING",
                    [model, FIRST_VERSION],
                )
                await connection.execute(
                    "INSERT INTO vision_inference.model_version (model_id, version, state, traffic_percent, latency_counts, editor)"
                    " SELECT %s, %s, 'ready', 100, %s, %s WHERE NOT EXISTS"
                    " (SELECT 1 FROM vision_inference.model_version WHERE model_id = %s) ON CONFLICT DO NOTHING",
                    [model, FIRST_VERSION, empty, _SELF, model],
                )

    async def read_all(self) -> Mapping[str, ModelRecord]:
        """Returns every model of this service."""
        async with self.database.transaction() as connection:
            return {model: await _read(connection, model) for model in MODELS}

    async def read(self, model: str) -> ModelRecord:
        """Returns one model."""
        async with self.database.transaction() as connection:
            return await _read(connection, model)

    async def change(
        self,
        model: str,
        alter: Callable[[ModelRecord], ModelRecord],
        *,
        action: str,
        version: int | None = None,
        detail: str = "",
    ) -> ModelRecord:
        """Changes a model while nobody else does.

        Args:
            model: Its name.
            alter: Makes the new record of the one that stands there; the same record changes nothing.
            action: What is done, for the record of changes.
            version: To which version.
            detail: What it is changed to, or why.

        Returns:
            The model as it is now.
        """
        async with self.database.transaction() as connection:
            before = await _read(connection, model, for_update=True)
            after = alter(before)
            if after == before:
                return before
            await _write(connection, before, after)
            call = current_call()
            await connection.execute(
                "INSERT INTO vision_inference.model_change (change_id, model_id, version, action, detail, editor, request_id)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s)",
                [
                    names.new_id(),
                    model,
                    version,
                    action,
                    detail[:1000],
                    call.caller.subject if call.caller else _SELF,
                    call.request_id,
                ],
            )
            return await _read(connection, model)

    async def add_figures(self, figures: Mapping[tuple[str, int], Figures]) -> None:
        """Adds what calls were like to what is known of their versions."""
        async with self.database.transaction() as connection:
            for (model, version), more in sorted(figures.items()):
                await connection.execute(
                    "UPDATE vision_inference.model_version SET request_count = request_count + %s, error_count = error_count + %s,"
                    " latency_total_s = latency_total_s + %s, latency_counts = ARRAY(SELECT old + new"
                    " FROM unnest(latency_counts, %s::bigint[]) WITH ORDINALITY AS pair(old, new, place) ORDER BY place)"
                    " WHERE model_id = %s AND version = %s",
                    [
                        more.request_count,
                        more.error_count,
                        more.latency_total_s,
                        list(more.latency_counts),
                        model,
                        version,
                    ],
                )

    async def changes(self, model: str, *, limit: int, before: tuple[str, ...] | None) -> Sequence[ModelChange]:
        """Returns what was done to a model, newest first, behind the position `before` (time, id)."""
        async with self.database.transaction() as connection:
            cursor = await connection.execute(
                "SELECT change_id, action, version, detail, editor, request_id, change_time FROM vision_inference.model_change"
                " WHERE model_id = %s AND (%s::timestamptz IS NULL OR (change_time, change_id) < (%s::timestamptz, %s))"
                " ORDER BY change_time DESC, change_id DESC LIMIT %s",
                [model, *((before[0], *before) if before else (None, None, None)), limit],
            )
            return [ModelChange(**row) for row in await cursor.fetchall()]

    async def alone(self, work: Callable[[], Any]) -> bool:
        """Does something while nobody else of us does the like; returns False at once where somebody does."""
        async with self.database.transaction() as connection:
            cursor = await connection.execute("SELECT pg_try_advisory_xact_lock(%s) AS is_mine", [_LOAD_LOCK])
            row = await cursor.fetchone()
            if row is None or not row["is_mine"]:
                return False
            await work()
            return True


async def _read(connection: Connection, model: str, *, for_update: bool = False) -> ModelRecord:
    suffix = " FOR UPDATE" if for_update else ""
    cursor = await connection.execute(
        "SELECT stable_version, previous_version, revision FROM vision_inference.model WHERE model_id = %s" + suffix,  # type: ignore[arg-type]
        [model],
    )
    row = await cursor.fetchone()
    if row is None:
        return first_record(model)
    cursor = await connection.execute(
        "SELECT version, state, traffic_percent, memory_bytes, message, request_count, error_count, latency_total_s, latency_counts, editor, update_time"
        " FROM vision_inference.model_version WHERE model_id = %s",
        [model],
    )
    return ModelRecord(
        model=model, **row, versions={item["version"]: _version(item) for item in await cursor.fetchall()}
    )


def _version(row: Mapping[str, Any]) -> ModelVersion:
    return ModelVersion(
        version=row["version"],
        state=VersionState(row["state"]),
        traffic_percent=row["traffic_percent"],
        memory_bytes=row["memory_bytes"],
        message=row["message"],
        editor=row["editor"],
        update_time=row["update_time"],
        figures=Figures(
            request_count=row["request_count"],
            error_count=row["error_count"],
            latency_total_s=row["latency_total_s"],
            latency_counts=tuple(row["latency_counts"]),
        ),
    )


async def _write(connection: Connection, before: ModelRecord, after: ModelRecord) -> None:
    await connection.execute(
        "UPDATE vision_inference.model SET stable_version = %s, previous_version = %s, revision = revision + 1 WHERE model_id = %s",
        [after.stable_version, after.previous_version, after.model],
    )
    for number, item in sorted(after.versions.items()):
        if item == before.versions.get(number):
            continue
        # Figures are never written here: they only grow, in `add_figures`.
        await connection.execute(
            "INSERT INTO vision_inference.model_version"
            " (model_id, version, state, traffic_percent, memory_bytes, message, latency_counts, editor)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (model_id, version) DO UPDATE SET state = excluded.state,"
            " traffic_percent = excluded.traffic_percent, memory_bytes = excluded.memory_bytes, message = excluded.message,"
            " editor = excluded.editor, update_time = now()",
            [
                after.model,
                number,
                item.state.value,
                item.traffic_percent,
                item.memory_bytes,
                item.message[:1000],
                list(Figures().latency_counts),
                item.editor or _SELF,
            ],
        )
