"""Finding an asset's bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

import grpc

from praxiscope.library.v1 import asset_pb2, media_service_pb2, media_service_pb2_grpc
from praxiscope.type.v1 import media_pb2
from praxiscope_common.client import call
from praxiscope_common.storage.port import ObjectStore


@dataclass(frozen=True, kw_only=True)
class AssetFile:
    """One stored file.

    Attributes:
        asset_version: The version it belongs to, with its number.
        path: Its path inside the version.
        kind: What the asset is, as the contract's enum names it.
        object_key: Where it is in the store.
        size_bytes: Its length.
        sha256: SHA-256 of its bytes, hexadecimal.
    """

    asset_version: str
    path: str
    kind: str
    object_key: str
    size_bytes: int
    sha256: str


class AssetFiles:
    """Files of assets, as a service with a token of its own sees them.

    Args:
        channel: A channel to the library.
        store: The object store.
    """

    def __init__(self, channel: grpc.aio.Channel, store: ObjectStore) -> None:
        """Uses the channel and the store."""
        self._stub = media_service_pb2_grpc.MediaServiceStub(channel)
        self.store = store

    async def resolve(self, asset_version: str, path: str, *, token: str) -> AssetFile:
        """Returns where a file is.

        Args:
            asset_version: The version's name; its last segment may be `latest`.
            path: The file's path; empty where the version has one file.
            token: A token that holds `library.media.resolve`.

        Raises:
            NotFoundError: If there is no such version or file for this token's project.
        """
        request = media_service_pb2.ResolveMediaRequest(
            media=media_pb2.MediaRef(asset_version=asset_version, path=path)
        )
        answer = await call(self._stub.ResolveMedia, request, token=token, is_repeatable=True)
        return AssetFile(
            asset_version=answer.asset_version,
            path=answer.file.path,
            kind=asset_pb2.Asset.Kind.Name(answer.kind),
            object_key=answer.object_key,
            size_bytes=answer.file.size_bytes,
            sha256=answer.file.sha256,
        )

    def open(self, file: AssetFile) -> BinaryIO:
        """Returns the file to read from and seek in, for code in a thread of its own."""
        return self.store.open_seekable(file.object_key)
