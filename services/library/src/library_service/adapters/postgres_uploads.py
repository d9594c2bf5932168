"""Uploads in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import LiteralString

from library_service.core.types import Upload
from praxiscope_common.database import Connection
from praxiscope_common.jobs.operations import RequestIdReusedError

_COLUMNS: LiteralString = (
    "project_id, upload_id, kind, file_name, display_name, content_type, size_bytes, sha256, part_size_bytes, asset_id, is_new_asset, creator,"
    # What is too old is over, whether or not somebody has cleared it away yet.
    " CASE WHEN state = 'open' AND expire_time < now() THEN 'ended' ELSE state END AS state, version, expire_time"
)


async def add_upload(
    connection: Connection, upload: Upload, *, lifetime: timedelta, request_id: str, request_sha256: bytes
) -> Upload:
    """Writes an upload; a repeated request id gives the upload it gave before.

    Raises:
        RequestIdReusedError: If the request id came with another request before.
    """
    cursor = await connection.execute(
        "INSERT INTO library.upload (project_id, upload_id, kind, file_name, display_name, content_type, size_bytes, sha256, part_size_bytes,"
        " asset_id, is_new_asset, creator, request_id, request_sha256, expire_time)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, now() + %s)"
        " ON CONFLICT (project_id, request_id) WHERE request_id IS NOT NULL DO NOTHING"
        f" RETURNING {_COLUMNS}",
        [
            upload.project_id,
            upload.upload_id,
            upload.kind,
            upload.file_name,
            upload.display_name,
            upload.content_type,
            upload.size_bytes,
            upload.sha256,
            upload.part_size_bytes,
            upload.asset_id,
            upload.is_new_asset,
            upload.creator,
            request_id or None,
            request_sha256,
            lifetime,
        ],
    )
    row = await cursor.fetchone()
    if row is None:
        cursor = await connection.execute(
            f"SELECT {_COLUMNS}, request_sha256 FROM library.upload WHERE project_id = %s AND request_id = %s",
            [upload.project_id, request_id],
        )
        row = await cursor.fetchone()
        if row is None or row.pop("request_sha256") != request_sha256:
            raise RequestIdReusedError(metadata={"request_id": request_id})
    return Upload(**row)


async def find_upload(
    connection: Connection, project_id: str, upload_id: str, *, for_update: bool = False
) -> Upload | None:
    """Returns an upload of a project."""
    query: LiteralString = f"SELECT {_COLUMNS} FROM library.upload WHERE project_id = %s AND upload_id = %s"
    cursor = await connection.execute(query + " FOR UPDATE" if for_update else query, [project_id, upload_id])
    row = await cursor.fetchone()
    return None if row is None else Upload(**row)


async def end_upload(
    connection: Connection, project_id: str, upload_id: str, *, state: str, version: int | None = None
) -> bool:
    """Ends an open upload as `completed` or `ended`; returns whether it was open."""
    cursor = await connection.execute(
        "UPDATE library.upload SET state = %s, version = %s WHERE project_id = %s AND upload_id = %s AND state = 'open'",
        [state, version, project_id, upload_id],
    )
    return cursor.rowcount > 0


async def expired_uploads(connection: Connection, limit: int) -> Sequence[Upload]:
    """Returns open uploads whose time is over."""
    cursor = await connection.execute(
        f"SELECT {_COLUMNS} FROM library.upload WHERE state = 'open' AND expire_time < now() ORDER BY expire_time LIMIT %s",
        [limit],
    )
    return [Upload(**row) for row in await cursor.fetchall()]
