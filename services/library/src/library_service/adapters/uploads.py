"""The life of an upload: started, parts put, completed into a version of an asset, or given up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from library_service.adapters import postgres_assets, postgres_uploads
from library_service.core import parts
from library_service.core.errors import (
    UploadIncompleteError,
    UploadNotOpenError,
    UploadTooLargeError,
    WrongChecksumError,
)
from library_service.core.types import Asset, StoredFile, Upload, Version
from praxiscope_common import names
from praxiscope_common.database import Connection, Database
from praxiscope_common.errors import DomainError
from praxiscope_common.server.stages import resource_not_found
from praxiscope_common.storage.port import ObjectNotFoundError, ObjectStore


@dataclass(frozen=True, kw_only=True)
class Uploads:
    """Uploads over the database and the object store.

    Attributes:
        database: Where their rows are.
        store: Where their parts are.
        max_size_bytes: The largest upload taken.
        lifetime: How long an upload may stay open.
    """

    database: Database
    store: ObjectStore
    max_size_bytes: int
    lifetime: timedelta

    async def start(self, upload: Upload, *, request_id: str, request_sha256: bytes) -> Upload:
        """Starts an upload; a repeated request id gives the upload it gave before."""
        if upload.size_bytes > self.max_size_bytes:
            raise UploadTooLargeError(
                f"The upload has {upload.size_bytes} bytes; at most {self.max_size_bytes} are taken.",
                metadata={"size_bytes": str(upload.size_bytes), "max_size_bytes": str(self.max_size_bytes)},
            )
        async with self.database.transaction() as connection:
            if not upload.is_new_asset:
                asset = await postgres_assets.find_asset(connection, upload.project_id, upload.asset_id)
                if asset is None or asset.delete_time:
                    raise resource_not_found(names.ASSET.format(upload.project_id, upload.asset_id))
            return await postgres_uploads.add_upload(
                connection, upload, lifetime=self.lifetime, request_id=request_id, request_sha256=request_sha256
            )

    async def find(self, project_id: str, upload_id: str) -> Upload:
        """Returns an upload of a project."""
        async with self.database.transaction() as connection:
            return await self._find(connection, project_id, upload_id)

    async def received(self, upload: Upload) -> Sequence[int]:
        """Returns the numbers of the parts that have arrived."""
        if upload.state != "open":
            return range(1, parts.part_count(upload) + 1) if upload.state == "completed" else ()
        return parts.received_numbers(upload, [key async for key in self.store.list(parts.parts_prefix(upload))])

    async def complete(self, project_id: str, upload_id: str) -> Asset:
        """Joins the parts, checks the whole, and makes the version; doing it twice gives the same asset."""
        upload = await self.find(project_id, upload_id)
        if upload.state == "open":
            try:
                await self._publish(upload, await self._join(upload))
            except DomainError:
                # A call beside this one may have completed it and taken the parts away while this one read them.
                if (await self.find(project_id, upload_id)).state != "completed":
                    raise
            await self.store.delete_prefix(f"projects/{project_id}/uploads/{upload_id}/")
        elif upload.state != "completed":
            raise UploadNotOpenError(metadata={"state": upload.state})
        async with self.database.transaction() as connection:
            asset = await postgres_assets.find_asset(connection, project_id, upload.asset_id)
        if asset is None:
            raise UploadNotOpenError(metadata={"state": "purged"})
        return asset

    async def give_up(self, project_id: str, upload_id: str) -> None:
        """Ends an open upload and frees its parts."""
        async with self.database.transaction() as connection:
            upload = await self._find(connection, project_id, upload_id, for_update=True)
            if upload.state != "open":
                raise UploadNotOpenError(metadata={"state": upload.state})
            await postgres_uploads.end_upload(connection, project_id, upload_id, state="ended")
        await self.store.delete_prefix(f"projects/{project_id}/uploads/{upload_id}/")

    async def end_expired(self, limit: int) -> int:
        """Gives up open uploads whose time is over; returns how many there were."""
        async with self.database.transaction() as connection:
            expired = await postgres_uploads.expired_uploads(connection, limit)
        count = 0
        for upload in expired:
            project_id, upload_id = upload.project_id, upload.upload_id
            async with self.database.transaction() as connection:
                was_open = await postgres_uploads.end_upload(connection, project_id, upload_id, state="ended")
            await self.store.delete_prefix(f"projects/{project_id}/uploads/{upload_id}/")
            count += was_open  # or another library was first
        return count

    async def _find(
        self, connection: Connection, project_id: str, upload_id: str, *, for_update: bool = False
    ) -> Upload:
        upload = await postgres_uploads.find_upload(connection, project_id, upload_id, for_update=for_update)
        if upload is None:
            raise resource_not_found(names.UPLOAD.format(project_id, upload_id))
        return upload

    async def _join(self, upload: Upload) -> str:
        """Returns the key of the whole, whose checksum is right."""
        whole_key = f"projects/{upload.project_id}/uploads/{upload.upload_id}/whole"
        wanted = parts.parts_of(upload)
        missing = sorted({part.number for part in wanted} - set(await self.received(upload)))
        if missing:
            raise UploadIncompleteError(
                f"{len(missing)} of {len(wanted)} parts have not arrived, the first is {missing[0]}; put them, then complete the upload.",
                metadata={"missing_count": str(len(missing)), "first_missing": str(missing[0])},
            )
        for part in wanted:
            info = await self.store.stat(part.object_key)
            if info.size_bytes != part.size_bytes:
                raise UploadIncompleteError(
                    f"Part {part.number} has {info.size_bytes} bytes instead of {part.size_bytes}; put it again.",
                    metadata={"part_number": str(part.number), "size_bytes": str(info.size_bytes)},
                )
        whole = await self.store.compose([part.object_key for part in wanted], whole_key)
        if whole.sha256 != upload.sha256:
            await self.store.delete(whole_key)
            raise WrongChecksumError(metadata={"expected_sha256": upload.sha256, "actual_sha256": whole.sha256})
        return whole_key

    async def _publish(self, upload: Upload, whole_key: str) -> None:
        async with self.database.transaction() as connection:
            current = await self._find(connection, upload.project_id, upload.upload_id, for_update=True)
            if current.state != "open":
                return  # another call completed it in the meantime
            number = await postgres_assets.reserve_version(
                connection,
                project_id=upload.project_id,
                asset_id=upload.asset_id,
                kind=upload.kind,
                display_name=upload.display_name,
                creator=upload.creator,
            )
            key = parts.file_object_key(upload.project_id, upload.asset_id, number, upload.file_name)
            try:
                await self.store.move(whole_key, key)
            except ObjectNotFoundError:  # an attempt before this one moved it and then lost its race
                await self.store.move(await self._join(upload), key)
            file = StoredFile(
                path=upload.file_name,
                content_type=upload.content_type,
                size_bytes=upload.size_bytes,
                sha256=upload.sha256,
                object_key=key,
            )
            version = Version(
                project_id=upload.project_id,
                asset_id=upload.asset_id,
                number=number,
                creator=upload.creator,
                operation="",
                create_time=upload.expire_time,  # the database writes its own
                files=(file,),
            )
            await postgres_assets.add_version(connection, version)
            await postgres_uploads.end_upload(
                connection, upload.project_id, upload.upload_id, state="completed", version=number
            )
