"""UploadService and MediaService: bytes in from people, and from services."""

from __future__ import annotations

import grpc
from google.protobuf import empty_pb2

from library_service.api import convert
from library_service.api.ports import AssetKeeper, TicketSigner, UploadKeeper
from library_service.core import parts
from library_service.core.errors import UploadNotOpenError
from library_service.core.types import DerivedObject
from praxiscope.library.v1 import (
    asset_pb2,
    media_service_pb2,
    media_service_pb2_grpc,
    upload_service_pb2,
    upload_service_pb2_grpc,
)
from praxiscope_common import names
from praxiscope_common.identity import current_caller

_TICKETS_AT_ONCE = 100
Context = grpc.aio.ServicerContext


class UploadServicer(upload_service_pb2_grpc.UploadServiceServicer):
    """Answers for uploads."""

    def __init__(self, uploads: UploadKeeper, tickets: TicketSigner) -> None:
        """Uses the uploads and a signer of parts' addresses."""
        self._uploads = uploads
        self._tickets = tickets

    async def CreateUpload(
        self, request: upload_service_pb2.CreateUploadRequest, context: Context
    ) -> upload_service_pb2.Upload:
        """Starts an upload."""
        upload = await self._uploads.start(
            convert.upload_from(request, creator=current_caller().subject),
            request_id=request.request_id,
            request_sha256=convert.request_digest(request),
        )
        return convert.upload_message(upload, list(await self._uploads.received(upload)))

    async def GetUpload(
        self, request: upload_service_pb2.GetUploadRequest, context: Context
    ) -> upload_service_pb2.Upload:
        """Reads an upload."""
        upload = await self._uploads.find(*names.UPLOAD.parse(request.name))
        return convert.upload_message(upload, list(await self._uploads.received(upload)))

    async def CreatePartTickets(
        self, request: upload_service_pb2.CreatePartTicketsRequest, context: Context
    ) -> upload_service_pb2.CreatePartTicketsResponse:
        """Signs the addresses to which parts are put."""
        upload = await self._uploads.find(*names.UPLOAD.parse(request.name))
        if upload.state != "open":
            raise UploadNotOpenError(metadata={"state": upload.state})
        numbers = list(request.part_numbers)
        if not numbers:
            received = set(await self._uploads.received(upload))
            missing = (part.number for part in parts.parts_of(upload) if part.number not in received)
            numbers = [number for number, _ in zip(missing, range(_TICKETS_AT_ONCE), strict=False)]
        response = upload_service_pb2.CreatePartTicketsResponse()
        for part in [parts.part_of(upload, number) for number in numbers]:
            uri, expire_time = await self._tickets.sign_put(object_key=part.object_key, size_bytes=part.size_bytes)
            ticket = response.tickets.add(
                part_number=part.number, uri=uri, offset_bytes=part.offset_bytes, size_bytes=part.size_bytes
            )
            ticket.expire_time.FromDatetime(expire_time)
        return response

    async def CompleteUpload(
        self, request: upload_service_pb2.CompleteUploadRequest, context: Context
    ) -> asset_pb2.Asset:
        """Checks the bytes and makes the asset."""
        return convert.asset_message(await self._uploads.complete(*names.UPLOAD.parse(request.name)))

    async def DeleteUpload(self, request: upload_service_pb2.DeleteUploadRequest, context: Context) -> empty_pb2.Empty:
        """Gives an upload up."""
        await self._uploads.give_up(*names.UPLOAD.parse(request.name))
        return empty_pb2.Empty()


class MediaServicer(media_service_pb2_grpc.MediaServiceServicer):
    """Answers to services."""

    def __init__(self, assets: AssetKeeper) -> None:
        """Uses the assets."""
        self._assets = assets

    async def ResolveMedia(
        self, request: media_service_pb2.ResolveMediaRequest, context: Context
    ) -> media_service_pb2.ResolveMediaResponse:
        """Says where a file's bytes are."""
        version, file = await self._assets.find_file(request.media.asset_version, request.media.path)
        asset = await self._assets.find(version.project_id, version.asset_id)
        return media_service_pb2.ResolveMediaResponse(
            object_key=file.object_key,
            file=convert.file_message(file),
            asset_version=convert.version_name(version),
            kind=asset.kind,
        )

    async def CreateDerivedAsset(
        self, request: media_service_pb2.CreateDerivedAssetRequest, context: Context
    ) -> asset_pb2.AssetVersion:
        """Makes an asset of objects that a service has written."""
        version = await self._assets.derive(
            project_id=names.PROJECT.parse(request.parent)[0],
            kind=asset_pb2.Asset.Kind.Name(request.kind),
            display_name=request.display_name,
            objects=[
                DerivedObject(
                    path=item.path,
                    content_type=item.content_type,
                    object_key=item.object_key,
                    size_bytes=item.size_bytes,
                    sha256=item.sha256,
                )
                for item in request.objects
            ],
            sources=tuple(request.sources),
            operation=request.operation,
            creator=current_caller().subject,
            request_id=request.request_id,
            request_sha256=convert.request_digest(request),
        )
        return convert.version_message(version)
