"""Assets and versions in PostgreSQL. Every statement has the project in its predicate."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import LiteralString

from psycopg.types.json import Jsonb

from library_service.core.filters import Condition
from library_service.core.types import Asset, LineageEdge, StoredFile, Version
from praxiscope_common.database import Connection

_ASSET: LiteralString = (
    "project_id, asset_id, kind, display_name, labels, creator, latest_version, size_bytes, revision,"
    " create_time, update_time, delete_time, purge_time"
)
_VERSION_NAME: LiteralString = "'projects/' || v.project_id || '/assets/' || v.asset_id || '/versions/' || v.version"


async def find_asset(
    connection: Connection, project_id: str, asset_id: str, *, for_update: bool = False
) -> Asset | None:
    """Returns an asset of a project, deleted or not; None where there is none or it has no version yet."""
    query: LiteralString = (
        f"SELECT {_ASSET} FROM library.asset WHERE project_id = %s AND asset_id = %s AND latest_version > 0"
    )
    cursor = await connection.execute(query + " FOR UPDATE" if for_update else query, [project_id, asset_id])
    row = await cursor.fetchone()
    return None if row is None else Asset(**row)


async def list_assets(
    connection: Connection,
    project_id: str,
    *,
    conditions: Sequence[Condition],
    show_deleted: bool,
    limit: int,
    before: tuple[str, ...] | None,
) -> Sequence[Asset]:
    """Returns assets, newest first, behind the position `before` (create time, id)."""
    clauses: list[LiteralString] = ["project_id = %s", "latest_version > 0"]
    values: list[object] = [project_id]
    if not show_deleted:
        clauses.append("delete_time IS NULL")
    if before:
        clauses.append("(create_time, asset_id) < (%s::timestamptz, %s)")
        values += before
    for condition in conditions:
        clause, extra = _clause(condition)
        clauses.append(clause)
        values += extra
    query: LiteralString = f"SELECT {_ASSET} FROM library.asset WHERE " + " AND ".join(clauses)
    cursor = await connection.execute(query + " ORDER BY create_time DESC, asset_id DESC LIMIT %s", [*values, limit])
    return [Asset(**row) for row in await cursor.fetchall()]


async def change_asset(
    connection: Connection, project_id: str, asset_id: str, *, display_name: str, labels: dict[str, str]
) -> None:
    """Changes an asset's words."""
    await connection.execute(
        "UPDATE library.asset SET display_name = %s, labels = %s, revision = revision + 1, update_time = now()"
        " WHERE project_id = %s AND asset_id = %s",
        [display_name, Jsonb(labels), project_id, asset_id],
    )


async def mark_deleted(connection: Connection, project_id: str, asset_id: str, *, kept: timedelta | None) -> None:
    """Marks an asset as deleted and kept for a time, or takes that back where `kept` is None."""
    await connection.execute(
        "UPDATE library.asset SET delete_time = CASE WHEN %(kept)s::interval IS NULL THEN NULL ELSE coalesce(delete_time, now()) END,"
        " purge_time = CASE WHEN %(kept)s::interval IS NULL THEN NULL ELSE coalesce(purge_time, now() + %(kept)s::interval) END,"
        " revision = revision + 1, update_time = now() WHERE project_id = %(project)s AND asset_id = %(asset)s",
        {"kept": kept, "project": project_id, "asset": asset_id},
    )


async def remove_asset(connection: Connection, project_id: str, asset_id: str) -> None:
    """Removes an asset's rows; the objects are the caller's to remove."""
    await connection.execute(
        "DELETE FROM library.asset WHERE project_id = %s AND asset_id = %s", [project_id, asset_id]
    )


async def assets_to_purge(connection: Connection, limit: int) -> Sequence[Asset]:
    """Returns deleted assets whose time is over."""
    cursor = await connection.execute(
        f"SELECT {_ASSET} FROM library.asset WHERE purge_time < now() ORDER BY purge_time LIMIT %s", [limit]
    )
    return [Asset(**row) for row in await cursor.fetchall()]


async def reserve_version(
    connection: Connection,
    *,
    project_id: str,
    asset_id: str,
    kind: str,
    display_name: str,
    creator: str,
) -> int:
    """Makes the asset where it is new, locks it, and returns the number that its next version will have."""
    await connection.execute(
        "INSERT INTO library.asset (project_id, asset_id, kind, display_name, creator) VALUES (%s, %s, %s, %s, %s)"
        " ON CONFLICT (project_id, asset_id) DO NOTHING",
        [project_id, asset_id, kind, display_name, creator],
    )
    cursor = await connection.execute(
        "SELECT latest_version + 1 AS number FROM library.asset WHERE project_id = %s AND asset_id = %s FOR UPDATE",
        [project_id, asset_id],
    )
    row = await cursor.fetchone()
    if row is None:
        raise LookupError(asset_id)
    return int(row["number"])


async def add_version(
    connection: Connection,
    version: Version,
    *,
    request_id: str | None = None,
    request_sha256: bytes | None = None,
) -> None:
    """Writes a version whose number was reserved in the same transaction."""
    key = [version.project_id, version.asset_id, version.number]
    await connection.execute(
        "INSERT INTO library.asset_version (project_id, asset_id, version, creator, operation, request_id, request_sha256)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s)",
        [*key, version.creator, version.operation, request_id, request_sha256],
    )
    async with connection.cursor() as cursor:
        await cursor.executemany(
            "INSERT INTO library.asset_file (project_id, asset_id, version, path, content_type, size_bytes, sha256, object_key)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
            [
                [*key, file.path, file.content_type, file.size_bytes, file.sha256, file.object_key]
                for file in version.files
            ],
        )
        await cursor.executemany(
            "INSERT INTO library.asset_source (project_id, asset_id, version, source) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
            [[*key, source] for source in version.sources],
        )
    await connection.execute(
        "UPDATE library.asset SET latest_version = %s, size_bytes = size_bytes + %s, revision = revision + 1, update_time = now()"
        " WHERE project_id = %s AND asset_id = %s",
        [version.number, sum(file.size_bytes for file in version.files), version.project_id, version.asset_id],
    )


async def find_version(connection: Connection, project_id: str, asset_id: str, number: int | None) -> Version | None:
    """Returns a version of an asset that is not deleted; the newest where `number` is None."""
    cursor = await connection.execute(
        "SELECT v.version FROM library.asset_version v JOIN library.asset a USING (project_id, asset_id)"
        " WHERE project_id = %s AND asset_id = %s AND a.delete_time IS NULL AND v.version = coalesce(%s, a.latest_version)",
        [project_id, asset_id, number],
    )
    row = await cursor.fetchone()
    if row is None:
        return None
    versions = await _read_versions(connection, project_id, asset_id, [row["version"]])
    return versions[0]


async def find_version_by_request(
    connection: Connection, project_id: str, request_id: str
) -> tuple[Version, bytes | None] | None:
    """Returns the version that a request id made, and the digest of that request."""
    cursor = await connection.execute(
        "SELECT asset_id, version, request_sha256 FROM library.asset_version WHERE project_id = %s AND request_id = %s",
        [project_id, request_id],
    )
    row = await cursor.fetchone()
    if row is None:
        return None
    versions = await _read_versions(connection, project_id, row["asset_id"], [row["version"]])
    return versions[0], row["request_sha256"]


async def list_versions(
    connection: Connection, project_id: str, asset_id: str, *, limit: int, before: int | None
) -> Sequence[Version]:
    """Returns versions, newest first, behind the number `before`."""
    cursor = await connection.execute(
        "SELECT version FROM library.asset_version WHERE project_id = %s AND asset_id = %s AND (%s::int IS NULL OR version < %s::int)"
        " ORDER BY version DESC LIMIT %s",
        [project_id, asset_id, before, before, limit],
    )
    numbers = [row["version"] for row in await cursor.fetchall()]
    return await _read_versions(connection, project_id, asset_id, numbers)


async def read_lineage(connection: Connection, project_id: str, name: str, depth: int) -> Sequence[LineageEdge]:
    """Returns the steps from and to a version, at most `depth` in each direction."""
    edges: dict[tuple[str, str], LineageEdge] = {}
    for column, other in (("target", "source"), ("source", "target")):
        frontier = {name}
        for _ in range(depth):
            found = await _edges(connection, project_id, column, sorted(frontier))
            frontier = {getattr(edge, other) for edge in found if (edge.source, edge.target) not in edges}
            edges.update({(edge.source, edge.target): edge for edge in found})
            if not frontier:
                break
    return list(edges.values())


async def _edges(connection: Connection, project_id: str, column: str, names: Sequence[str]) -> Sequence[LineageEdge]:
    query: LiteralString = (
        f"SELECT * FROM (SELECT s.source, {_VERSION_NAME} AS target, v.operation FROM library.asset_source s"
        " JOIN library.asset_version v USING (project_id, asset_id, version) WHERE project_id = %s) AS edge"
    )
    query += " WHERE target = ANY(%s)" if column == "target" else " WHERE source = ANY(%s)"
    cursor = await connection.execute(query + " ORDER BY source, target LIMIT 1000", [project_id, list(names)])
    return [LineageEdge(**row) for row in await cursor.fetchall()]


async def _read_versions(
    connection: Connection, project_id: str, asset_id: str, numbers: Sequence[int]
) -> Sequence[Version]:
    key = [project_id, asset_id, list(numbers)]
    cursor = await connection.execute(
        "SELECT project_id, asset_id, version AS number, creator, operation, create_time FROM library.asset_version"
        " WHERE project_id = %s AND asset_id = %s AND version = ANY(%s) ORDER BY version DESC",
        key,
    )
    rows = await cursor.fetchall()
    cursor = await connection.execute(
        "SELECT version, path, content_type, size_bytes, sha256, object_key FROM library.asset_file"
        " WHERE project_id = %s AND asset_id = %s AND version = ANY(%s) ORDER BY path",
        key,
    )
    files: dict[int, list[StoredFile]] = {}
    for row in await cursor.fetchall():
        files.setdefault(row.pop("version"), []).append(StoredFile(**row))
    cursor = await connection.execute(
        "SELECT version, source FROM library.asset_source WHERE project_id = %s AND asset_id = %s AND version = ANY(%s) ORDER BY source",
        key,
    )
    sources: dict[int, list[str]] = {}
    for row in await cursor.fetchall():
        sources.setdefault(row["version"], []).append(row["source"])
    return [
        Version(**row, files=tuple(files.get(row["number"], ())), sources=tuple(sources.get(row["number"], ())))
        for row in rows
    ]


def _clause(condition: Condition) -> tuple[LiteralString, list[object]]:
    operators: dict[str, LiteralString] = {"=": "=", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
    if condition.field == "labels":
        if condition.operator == ":":
            return ("labels ? %s" if condition.value == "*" else "labels ->> %s ILIKE '%%' || %s || '%%'"), (
                [condition.key] if condition.value == "*" else [condition.key, _escaped(condition.value)]
            )
        return f"labels ->> %s IS {'NOT ' if condition.operator == '=' else ''}DISTINCT FROM %s", [
            condition.key,
            condition.value,
        ]
    columns: dict[str, LiteralString] = {"kind": "kind", "display_name": "display_name", "create_time": "create_time"}
    column = columns[condition.field]
    if condition.operator == ":":
        return column + " ILIKE '%%' || %s || '%%'", [_escaped(condition.value)]
    return column + " " + operators[condition.operator] + " %s", [condition.value]


def _escaped(value: object) -> str:
    return str(value).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
