"""Handing over what an operation made: objects under its partial results first, then one asset of them."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Sequence

import grpc

from praxiscope.library.v1 import asset_pb2, media_service_pb2, media_service_pb2_grpc
from praxiscope_common import names
from praxiscope_common.client import call
from praxiscope_common.storage.port import ObjectInfo, ObjectStore

# Namespace of request ids that are made from an operation's name, so that an attempt after a crash asks for the same asset.
_NAMESPACE = uuid.UUID("6d0f6a0e-6b1b-4d3e-9a53-5b1f4a0f8c11")


class OutputFolder:
    """What one operation writes.

    Args:
        channel: A channel to the library.
        store: The object store.
        operation: `projects/{project}/operations/{operation}`.
        name: Tells the outputs of one operation apart.
    """

    def __init__(self, channel: grpc.aio.Channel, store: ObjectStore, *, operation: str, name: str) -> None:
        """Begins an empty folder."""
        self._stub = media_service_pb2_grpc.MediaServiceStub(channel)
        self._store, self._operation, self._name = store, operation, name
        self._objects: list[media_service_pb2.CreateDerivedAssetRequest.Object] = []

    @property
    def prefix(self) -> str:
        """Where the objects lie until they are committed; ends with a slash."""
        return f"{self._operation}/partial/{self._name}/"

    async def put(self, path: str, content_type: str, content: bytes | AsyncIterator[bytes]) -> None:
        """Writes one file."""
        self.add(path, content_type, await self._store.put(self.prefix + path, content))

    def add(self, path: str, content_type: str, info: ObjectInfo) -> None:
        """Adds a file whose object lies under the prefix already."""
        self._objects.append(
            media_service_pb2.CreateDerivedAssetRequest.Object(
                path=path,
                content_type=content_type,
                object_key=info.key,
                sha256=info.sha256,
                size_bytes=info.size_bytes,
            )
        )

    async def commit(
        self, *, kind: str, display_name: str, sources: Sequence[str], token: str
    ) -> asset_pb2.AssetVersion:
        """Makes an asset of all files; doing it again for the same operation gives the same asset.

        Args:
            kind: What it is, as the contract's enum names it.
            display_name: Its name for people.
            sources: The versions it was made from.
            token: A token that holds `library.assets.derive`.
        """
        request = media_service_pb2.CreateDerivedAssetRequest(
            parent=names.PROJECT.format(names.OPERATION.parse(self._operation)[0]),
            kind=kind,
            display_name=display_name,
            objects=sorted(self._objects, key=lambda item: item.path),
            sources=sources,
            operation=self._operation,
            request_id=str(uuid.uuid5(_NAMESPACE, f"{self._operation}/{self._name}")),
        )
        return await call(self._stub.CreateDerivedAsset, request, token=token, timeout_s=60, is_repeatable=True)
