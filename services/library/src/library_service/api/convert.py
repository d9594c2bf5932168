"""Between the contract's messages and the library's values; nowhere else."""

from __future__ import annotations

import hashlib

from google.protobuf.message import Message

from library_service.core import parts
from library_service.core.media_types import media_type_of
from library_service.core.types import Asset, LineageEdge, StoredFile, Upload, Version
from praxiscope.library.v1 import asset_pb2, asset_service_pb2, upload_service_pb2
from praxiscope_common import names
from praxiscope_common.server.stages import resource_not_found

_UPLOAD_STATES = {
    "open": upload_service_pb2.Upload.STATE_OPEN,
    "completed": upload_service_pb2.Upload.STATE_COMPLETED,
    "ended": upload_service_pb2.Upload.STATE_ENDED,
}


def asset_message(asset: Asset) -> asset_pb2.Asset:
    """Returns an asset's message."""
    message = asset_pb2.Asset(
        name=names.ASSET.format(asset.project_id, asset.asset_id),
        kind=asset.kind,
        display_name=asset.display_name,
        labels=asset.labels,
        state=asset_pb2.Asset.STATE_DELETED if asset.delete_time else asset_pb2.Asset.STATE_ACTIVE,
        latest_version=names.ASSET_VERSION.format(asset.project_id, asset.asset_id, str(asset.latest_version)),
        size_bytes=asset.size_bytes,
        creator=asset.creator,
        etag=asset.etag,
    )
    message.create_time.FromDatetime(asset.create_time)
    message.update_time.FromDatetime(asset.update_time)
    if asset.delete_time:
        message.delete_time.FromDatetime(asset.delete_time)
    if asset.purge_time:
        message.purge_time.FromDatetime(asset.purge_time)
    return message


def file_message(file: StoredFile) -> asset_pb2.File:
    """Returns a file's message."""
    return asset_pb2.File(
        path=file.path, content_type=file.content_type, size_bytes=file.size_bytes, sha256=file.sha256
    )


def version_name(version: Version) -> str:
    """Returns a version's resource name."""
    return names.ASSET_VERSION.format(version.project_id, version.asset_id, str(version.number))


def version_message(version: Version) -> asset_pb2.AssetVersion:
    """Returns a version's message."""
    message = asset_pb2.AssetVersion(
        name=version_name(version),
        files=[file_message(file) for file in version.files],
        sources=version.sources,
        operation=version.operation,
        creator=version.creator,
    )
    message.create_time.FromDatetime(version.create_time)
    return message


def edge_message(edge: LineageEdge) -> asset_service_pb2.GetLineageResponse.Edge:
    """Returns a lineage step's message."""
    return asset_service_pb2.GetLineageResponse.Edge(source=edge.source, target=edge.target, operation=edge.operation)


def upload_from(request: upload_service_pb2.CreateUploadRequest, *, creator: str) -> Upload:
    """Returns the upload that a request asks for.

    Raises:
        ResourceNotFoundError: If it is for an asset of another project.
    """
    message = request.upload
    project_id = names.PROJECT.parse(request.parent)[0]
    owner_id, asset_id = names.ASSET.parse(message.asset) if message.asset else (project_id, names.new_id())
    if owner_id != project_id:
        raise resource_not_found(message.asset)
    return Upload(
        project_id=project_id,
        upload_id=names.new_id(),
        kind=asset_pb2.Asset.Kind.Name(message.kind),
        file_name=message.file_name,
        display_name=message.display_name or message.file_name,
        content_type=message.content_type or media_type_of(message.file_name),
        size_bytes=message.size_bytes,
        sha256=message.sha256,
        part_size_bytes=parts.part_size_bytes(message.size_bytes),
        asset_id=asset_id,
        is_new_asset=not message.asset,
        creator=creator,
    )


def upload_message(upload: Upload, received: list[int]) -> upload_service_pb2.Upload:
    """Returns an upload's message."""
    message = upload_service_pb2.Upload(
        name=names.UPLOAD.format(upload.project_id, upload.upload_id),
        kind=upload.kind,
        file_name=upload.file_name,
        display_name=upload.display_name,
        content_type=upload.content_type,
        size_bytes=upload.size_bytes,
        sha256=upload.sha256,
        part_size_bytes=upload.part_size_bytes,
        part_count=parts.part_count(upload),
        received_parts=received,
        state=_UPLOAD_STATES[upload.state],
    )
    if not upload.is_new_asset or upload.state == "completed":
        message.asset = names.ASSET.format(upload.project_id, upload.asset_id)
    message.expire_time.FromDatetime(upload.expire_time)
    return message


def request_digest(request: Message) -> bytes:
    """Returns what two requests share only if they ask for the same."""
    return hashlib.sha256(request.SerializeToString(deterministic=True)).digest()
