"""Assets over the database and the object store: read, change, delete, purge, derive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from library_service.adapters import postgres_assets
from library_service.core import parts
from library_service.core.errors import (
    AssetNotDeletedError,
    EtagMismatchError,
    FileNotInVersionError,
    FilePathNeededError,
    ObjectMissingError,
    WrongChecksumError,
)
from library_service.core.filters import Condition
from library_service.core.types import Asset, DerivedObject, LineageEdge, StoredFile, Version
from praxiscope_common import names
from praxiscope_common.database import Connection, Database
from praxiscope_common.jobs.operations import RequestIdReusedError
from praxiscope_common.server.stages import ResourceNotFoundError, resource_not_found
from praxiscope_common.storage.port import ObjectNotFoundError, ObjectStore


@dataclass(frozen=True, kw_only=True)
class Assets:
    """Assets of all projects.

    Attributes:
        database: Where their rows are.
        store: Where their bytes are.
        kept_deleted: How long deleted assets are kept.
    """

    database: Database
    store: ObjectStore
    kept_deleted: timedelta

    async def find(self, project_id: str, asset_id: str) -> Asset:
        """Returns an asset, deleted or not."""
        async with self.database.transaction() as connection:
            return await self._find(connection, project_id, asset_id)

    async def list(
        self,
        project_id: str,
        *,
        conditions: Sequence[Condition],
        show_deleted: bool,
        limit: int,
        before: tuple[str, ...] | None,
    ) -> Sequence[Asset]:
        """Returns assets, newest first."""
        async with self.database.transaction() as connection:
            return await postgres_assets.list_assets(
                connection, project_id, conditions=conditions, show_deleted=show_deleted, limit=limit, before=before
            )

    async def change(
        self, project_id: str, asset_id: str, *, etag: str, display_name: str | None, labels: dict[str, str] | None
    ) -> Asset:
        """Changes what is not None; an etag that is not empty must be the asset's."""
        async with self.database.transaction() as connection:
            asset = await self._find(connection, project_id, asset_id, etag=etag, for_update=True)
            await postgres_assets.change_asset(
                connection,
                project_id,
                asset_id,
                display_name=asset.display_name if display_name is None else display_name,
                labels=asset.labels if labels is None else labels,
            )
            return await self._find(connection, project_id, asset_id)

    async def delete(self, project_id: str, asset_id: str, *, etag: str) -> Asset:
        """Marks an asset as deleted; doing it twice changes nothing."""
        async with self.database.transaction() as connection:
            asset = await self._find(connection, project_id, asset_id, etag=etag, for_update=True)
            if asset.delete_time is None:
                await postgres_assets.mark_deleted(connection, project_id, asset_id, kept=self.kept_deleted)
            return await self._find(connection, project_id, asset_id)

    async def undelete(self, project_id: str, asset_id: str) -> Asset:
        """Takes a deletion back."""
        async with self.database.transaction() as connection:
            asset = await self._find(connection, project_id, asset_id, for_update=True)
            if asset.delete_time is None:
                raise AssetNotDeletedError(metadata={"name": names.ASSET.format(project_id, asset_id)})
            await postgres_assets.mark_deleted(connection, project_id, asset_id, kept=None)
            return await self._find(connection, project_id, asset_id)

    async def purge(self, project_id: str, asset_id: str) -> None:
        """Removes a deleted asset and its bytes for good."""
        async with self.database.transaction() as connection:
            asset = await self._find(connection, project_id, asset_id, for_update=True)
            if asset.delete_time is None:
                raise AssetNotDeletedError(metadata={"name": names.ASSET.format(project_id, asset_id)})
            await postgres_assets.remove_asset(connection, project_id, asset_id)
        await self.store.delete_prefix(f"projects/{project_id}/assets/{asset_id}/")

    async def purge_expired(self, limit: int) -> int:
        """Purges deleted assets whose time is over; returns how many there were."""
        async with self.database.transaction() as connection:
            assets = await postgres_assets.assets_to_purge(connection, limit)
        count = 0
        for asset in assets:
            try:
                await self.purge(asset.project_id, asset.asset_id)
            except (AssetNotDeletedError, ResourceNotFoundError):
                continue  # brought back, or purged by another library, in the meantime
            count += 1
        return count

    async def find_version(self, name: str) -> Version:
        """Returns the version of a name whose last segment is a number or `latest`."""
        project_id, asset_id, number = names.ASSET_VERSION.parse(name)
        async with self.database.transaction() as connection:
            version = await postgres_assets.find_version(
                connection, project_id, asset_id, None if number == "latest" else int(number)
            )
        if version is None:
            raise resource_not_found(name)
        return version

    async def list_versions(
        self, project_id: str, asset_id: str, *, limit: int, before: int | None
    ) -> Sequence[Version]:
        """Returns an asset's versions, newest first."""
        async with self.database.transaction() as connection:
            await self._find(connection, project_id, asset_id)
            return await postgres_assets.list_versions(connection, project_id, asset_id, limit=limit, before=before)

    async def find_file(self, version_name: str, path: str) -> tuple[Version, StoredFile]:
        """Returns a file of a version; the only one where `path` is empty."""
        version = await self.find_version(version_name)
        if not path:
            if len(version.files) != 1:
                paths = ", ".join(file.path for file in version.files[:10])
                raise FilePathNeededError(
                    f"The version has {len(version.files)} files; say which: {paths}.",
                    metadata={"name": version_name, "file_count": str(len(version.files))},
                )
            return version, version.files[0]
        for file in version.files:
            if file.path == path:
                return version, file
        raise FileNotInVersionError(
            f"{version_name} has no file {path!r}.", metadata={"name": version_name, "path": path}
        )

    async def lineage(self, name: str, depth: int) -> Sequence[LineageEdge]:
        """Returns the steps from and to a version."""
        version = await self.find_version(name)
        full_name = names.ASSET_VERSION.format(version.project_id, version.asset_id, str(version.number))
        async with self.database.transaction() as connection:
            return await postgres_assets.read_lineage(connection, version.project_id, full_name, depth)

    async def derive(
        self,
        *,
        project_id: str,
        kind: str,
        display_name: str,
        objects: Sequence[DerivedObject],
        sources: Sequence[str],
        operation: str,
        creator: str,
        request_id: str,
        request_sha256: bytes,
    ) -> Version:
        """Makes an asset of objects that a service wrote; a repeated request id gives the version it gave before."""
        async with self.database.transaction() as connection:
            made = await self._made_before(connection, project_id, request_id, request_sha256)
        if made is not None:
            return made
        # The asset's id comes from the request, so that an attempt after a crash moves to the same keys.
        asset_id = names.id_from(f"{project_id}/{request_id}")
        prefix = f"{_own_operation(project_id, operation)}/partial/"
        files = [await self._take_over(project_id, asset_id, item, prefix) for item in objects]
        async with self.database.transaction() as connection:
            number = await postgres_assets.reserve_version(
                connection,
                project_id=project_id,
                asset_id=asset_id,
                kind=kind,
                display_name=display_name,
                creator=creator,
            )
            if number > 1:  # another call with this request id was first
                made = await self._made_before(connection, project_id, request_id, request_sha256)
                if made is None:
                    raise LookupError(request_id)
                return made
            version = Version(
                project_id=project_id,
                asset_id=asset_id,
                number=number,
                creator=creator,
                operation=operation,
                create_time=datetime.now(timezone.utc),
                files=tuple(files),
                sources=tuple(sources),
            )
            await postgres_assets.add_version(connection, version, request_id=request_id, request_sha256=request_sha256)
            stored = await postgres_assets.find_version(connection, project_id, asset_id, number)
        if stored is None:
            raise LookupError(request_id)
        return stored

    async def _take_over(self, project_id: str, asset_id: str, item: DerivedObject, prefix: str) -> StoredFile:
        if not item.object_key.startswith(prefix):  # it would be taken away from whoever has it
            raise ObjectMissingError(metadata={"object_key": item.object_key})
        key = parts.file_object_key(project_id, asset_id, 1, item.path)
        try:
            await self.store.move(item.object_key, key)
            info = await self.store.stat(key)
        except ObjectNotFoundError as error:
            raise ObjectMissingError(metadata={"object_key": item.object_key}) from error
        if info.sha256 != item.sha256 or info.size_bytes != item.size_bytes:
            raise WrongChecksumError(metadata={"path": item.path, "actual_sha256": info.sha256})
        return StoredFile(
            path=item.path,
            content_type=item.content_type,
            size_bytes=info.size_bytes,
            sha256=info.sha256,
            object_key=key,
        )

    async def _made_before(
        self, connection: Connection, project_id: str, request_id: str, request_sha256: bytes
    ) -> Version | None:
        found = await postgres_assets.find_version_by_request(connection, project_id, request_id)
        if found is None:
            return None
        version, digest = found
        if digest != request_sha256:
            raise RequestIdReusedError(metadata={"request_id": request_id})
        return version

    async def _find(
        self, connection: Connection, project_id: str, asset_id: str, *, etag: str = "", for_update: bool = False
    ) -> Asset:
        asset = await postgres_assets.find_asset(connection, project_id, asset_id, for_update=for_update)
        if asset is None:
            raise resource_not_found(names.ASSET.format(project_id, asset_id))
        if etag and etag != asset.etag:
            raise EtagMismatchError(metadata={"etag": etag})
        return asset


def _own_operation(project_id: str, operation: str) -> str:
    """Returns an operation's name, which must be of the project."""
    if names.OPERATION.parse(operation)[0] != project_id:
        raise resource_not_found(operation)
    return operation
