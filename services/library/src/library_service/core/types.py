"""Assets, versions, files and uploads as plain values. Ids are the last segments of resource names."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class Asset:
    """Something a project keeps.

    Attributes:
        project_id: Whose it is.
        asset_id: Its id.
        kind: What it is, as the contract's enum names it.
        display_name: Its name for people.
        labels: The owner's words.
        creator: Who made it.
        latest_version: Number of its newest version; 0 before there is one.
        size_bytes: Bytes of all versions.
        revision: Grows with every change.
        create_time: When it was made.
        update_time: When it last changed.
        delete_time: When it was deleted, if it was.
        purge_time: When its bytes go, if it was deleted.
    """

    project_id: str
    asset_id: str
    kind: str
    display_name: str
    labels: dict[str, str]
    creator: str
    latest_version: int
    size_bytes: int
    revision: int
    create_time: datetime
    update_time: datetime
    delete_time: datetime | None
    purge_time: datetime | None

    @property
    def etag(self) -> str:
        """Changes with every change."""
        return f'"{self.revision}"'


@dataclass(frozen=True, kw_only=True)
class StoredFile:
    """One file of a version.

    Attributes:
        path: Its path inside the version.
        content_type: Its media type.
        size_bytes: Its length.
        sha256: SHA-256 of its bytes, hexadecimal.
        object_key: Where it is in the object store.
    """

    path: str
    content_type: str
    size_bytes: int
    sha256: str
    object_key: str


@dataclass(frozen=True, kw_only=True)
class Version:
    """One immutable state of an asset.

    Attributes:
        project_id: Whose it is.
        asset_id: The asset.
        number: Counts from 1.
        creator: Who made it.
        operation: The operation that made it, or empty.
        create_time: When it was made.
        files: Its files, in the order of their paths.
        sources: The versions it was made from.
    """

    project_id: str
    asset_id: str
    number: int
    creator: str
    operation: str
    create_time: datetime
    files: tuple[StoredFile, ...] = ()
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Upload:
    """Bytes on their way in.

    Attributes:
        project_id: Whose it is.
        upload_id: Its id.
        kind: What the asset will be.
        file_name: The file's name.
        display_name: The asset's name for people.
        content_type: The bytes' media type.
        size_bytes: How many bytes there will be.
        sha256: What their SHA-256 will be, hexadecimal.
        part_size_bytes: Every part but the last has this many.
        asset_id: The asset that the upload will make, or give a version to.
        is_new_asset: Whether it will make it.
        creator: Who started it.
        state: `open`, `completed` or `ended`.
        version: The version it made, once completed.
        expire_time: When it is given up.
    """

    project_id: str
    upload_id: str
    kind: str
    file_name: str
    display_name: str
    content_type: str
    size_bytes: int
    sha256: str
    part_size_bytes: int
    asset_id: str
    is_new_asset: bool
    creator: str
    state: str = "open"
    version: int | None = None
    expire_time: datetime = field(default=datetime.min)  # noqa: DTZ901  set by the store


@dataclass(frozen=True, kw_only=True)
class LineageEdge:
    """`target` was made from `source`.

    Attributes:
        source: A version's name.
        target: A version's name.
        operation: The operation that made it, or empty.
    """

    source: str
    target: str
    operation: str


@dataclass(frozen=True, kw_only=True)
class DerivedObject:
    """An object that a service wrote and that becomes a file.

    Attributes:
        path: Its path inside the version.
        content_type: Its media type.
        object_key: Where the service wrote it.
        size_bytes: Its length.
        sha256: SHA-256 of its bytes, hexadecimal.
    """

    path: str
    content_type: str
    object_key: str
    size_bytes: int
    sha256: str
