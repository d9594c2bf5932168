"""AssetService: convert, call, convert."""

from __future__ import annotations

import grpc
from google.protobuf import empty_pb2

from library_service.api import convert
from library_service.api.ports import AssetKeeper, TicketSigner
from library_service.core.errors import InvalidUpdateMaskError
from library_service.core.filters import parse_filter
from praxiscope.library.v1 import asset_pb2, asset_service_pb2, asset_service_pb2_grpc
from praxiscope_common import names, paging

_CHANGEABLE = frozenset({"display_name", "labels"})
_DEFAULT_DEPTH = 3
Context = grpc.aio.ServicerContext


class AssetServicer(asset_service_pb2_grpc.AssetServiceServicer):
    """Answers for assets."""

    def __init__(self, assets: AssetKeeper, tickets: TicketSigner) -> None:
        """Uses the assets and a signer of downloads."""
        self._assets = assets
        self._tickets = tickets

    async def GetAsset(self, request: asset_service_pb2.GetAssetRequest, context: Context) -> asset_pb2.Asset:
        """Reads one asset."""
        return convert.asset_message(await self._assets.find(*names.ASSET.parse(request.name)))

    async def ListAssets(
        self, request: asset_service_pb2.ListAssetsRequest, context: Context
    ) -> asset_service_pb2.ListAssetsResponse:
        """Lists assets, newest first."""
        question = f"assets|{request.parent}|{request.filter}|{request.show_deleted}"
        limit = paging.page_size_of(request.page_size)
        found = await self._assets.list(
            names.PROJECT.parse(request.parent)[0],
            conditions=parse_filter(request.filter),
            show_deleted=request.show_deleted,
            limit=limit + 1,
            before=paging.decode_page_token(request.page_token, question),
        )
        response = asset_service_pb2.ListAssetsResponse(assets=[convert.asset_message(item) for item in found[:limit]])
        if len(found) > limit:
            last = found[limit - 1]
            response.next_page_token = paging.encode_page_token((last.create_time.isoformat(), last.asset_id), question)
        return response

    async def UpdateAsset(self, request: asset_service_pb2.UpdateAssetRequest, context: Context) -> asset_pb2.Asset:
        """Changes an asset's words."""
        given = {field.name for field, _ in request.asset.ListFields()} & _CHANGEABLE
        changed = set(request.update_mask.paths) or given
        if unknown := changed - _CHANGEABLE:
            raise InvalidUpdateMaskError(
                f"{', '.join(sorted(unknown))} cannot be changed; display_name and labels can.",
                metadata={"paths": ",".join(sorted(unknown))},
            )
        asset = await self._assets.change(
            *names.ASSET.parse(request.asset.name),
            etag=request.asset.etag,
            display_name=request.asset.display_name if "display_name" in changed else None,
            labels=dict(request.asset.labels) if "labels" in changed else None,
        )
        return convert.asset_message(asset)

    async def DeleteAsset(self, request: asset_service_pb2.DeleteAssetRequest, context: Context) -> asset_pb2.Asset:
        """Marks an asset as deleted."""
        return convert.asset_message(await self._assets.delete(*names.ASSET.parse(request.name), etag=request.etag))

    async def UndeleteAsset(self, request: asset_service_pb2.UndeleteAssetRequest, context: Context) -> asset_pb2.Asset:
        """Takes a deletion back."""
        return convert.asset_message(await self._assets.undelete(*names.ASSET.parse(request.name)))

    async def PurgeAsset(self, request: asset_service_pb2.PurgeAssetRequest, context: Context) -> empty_pb2.Empty:
        """Removes a deleted asset for good."""
        await self._assets.purge(*names.ASSET.parse(request.name))
        return empty_pb2.Empty()

    async def GetAssetVersion(
        self, request: asset_service_pb2.GetAssetVersionRequest, context: Context
    ) -> asset_pb2.AssetVersion:
        """Reads one version."""
        return convert.version_message(await self._assets.find_version(request.name))

    async def ListAssetVersions(
        self, request: asset_service_pb2.ListAssetVersionsRequest, context: Context
    ) -> asset_service_pb2.ListAssetVersionsResponse:
        """Lists versions, newest first."""
        question = f"versions|{request.parent}"
        limit = paging.page_size_of(request.page_size)
        position = paging.decode_page_token(request.page_token, question, paging.NUMBER)
        found = await self._assets.list_versions(
            *names.ASSET.parse(request.parent), limit=limit + 1, before=int(position[0]) if position else None
        )
        response = asset_service_pb2.ListAssetVersionsResponse(
            versions=[convert.version_message(item) for item in found[:limit]]
        )
        if len(found) > limit:
            response.next_page_token = paging.encode_page_token((str(found[limit - 1].number),), question)
        return response

    async def GetLineage(
        self, request: asset_service_pb2.GetLineageRequest, context: Context
    ) -> asset_service_pb2.GetLineageResponse:
        """Says what a version was made from and what was made from it."""
        edges = await self._assets.lineage(request.name, request.depth or _DEFAULT_DEPTH)
        return asset_service_pb2.GetLineageResponse(edges=[convert.edge_message(edge) for edge in edges])

    async def CreateDownload(
        self, request: asset_service_pb2.CreateDownloadRequest, context: Context
    ) -> asset_service_pb2.Download:
        """Signs an address under which a file can be fetched."""
        _, file = await self._assets.find_file(request.media.asset_version, request.media.path)
        uri, expire_time = await self._tickets.sign_get(
            object_key=file.object_key,
            size_bytes=file.size_bytes,
            sha256=file.sha256,
            content_type=file.content_type,
            file_name=file.path.rpartition("/")[2],
            attachment=request.attachment,
        )
        download = asset_service_pb2.Download(uri=uri, file=convert.file_message(file))
        download.expire_time.FromDatetime(expire_time)
        return download
