"""What the servicers need; `adapters` gives it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Protocol

from library_service.core.filters import Condition
from library_service.core.types import Asset, DerivedObject, LineageEdge, StoredFile, Upload, Version
from praxiscope_common.jobs.operations import Operation


class TicketSigner(Protocol):
    """Signs what the gateway's blob handler may do for whoever holds the ticket."""

    async def sign_put(self, *, object_key: str, size_bytes: int) -> tuple[str, datetime]:
        """Returns the address to which an object's bytes are put, and when it stops working."""
        ...

    async def sign_get(
        self, *, object_key: str, size_bytes: int, sha256: str, content_type: str, file_name: str, attachment: bool
    ) -> tuple[str, datetime]:
        """Returns the address under which an object is fetched, and when it stops working."""
        ...


class AssetKeeper(Protocol):
    """Assets of all projects."""

    async def find(self, project_id: str, asset_id: str) -> Asset: ...
    async def list(
        self,
        project_id: str,
        *,
        conditions: Sequence[Condition],
        show_deleted: bool,
        limit: int,
        before: tuple[str, ...] | None,
    ) -> Sequence[Asset]: ...
    async def change(
        self, project_id: str, asset_id: str, *, etag: str, display_name: str | None, labels: dict[str, str] | None
    ) -> Asset: ...
    async def delete(self, project_id: str, asset_id: str, *, etag: str) -> Asset: ...
    async def undelete(self, project_id: str, asset_id: str) -> Asset: ...
    async def purge(self, project_id: str, asset_id: str) -> None: ...
    async def find_version(self, name: str) -> Version: ...
    async def list_versions(
        self, project_id: str, asset_id: str, *, limit: int, before: int | None
    ) -> Sequence[Version]: ...
    async def find_file(self, version_name: str, path: str) -> tuple[Version, StoredFile]: ...
    async def lineage(self, name: str, depth: int) -> Sequence[LineageEdge]: ...
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
    ) -> Version: ...


class UploadKeeper(Protocol):
    """Uploads of all projects."""

    async def start(self, upload: Upload, *, request_id: str, request_sha256: bytes) -> Upload: ...
    async def find(self, project_id: str, upload_id: str) -> Upload: ...
    async def received(self, upload: Upload) -> Sequence[int]: ...
    async def complete(self, project_id: str, upload_id: str) -> Asset: ...
    async def give_up(self, project_id: str, upload_id: str) -> None: ...


class OperationKeeper(Protocol):
    """Operations of all services and projects."""

    async def find(self, name: str) -> Operation: ...
    async def list(
        self, project_id: str, *, limit: int, before: tuple[str, str] | None, only_running: bool
    ) -> Sequence[Operation]: ...
    def watch(self, name: str) -> AsyncIterator[Operation]: ...
    async def wait(self, name: str, timeout_s: float) -> Operation: ...
    async def cancel(self, name: str) -> Operation: ...
    async def retry(self, name: str) -> Operation: ...
    async def delete(self, name: str) -> None: ...
