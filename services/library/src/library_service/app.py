"""Where the library is put together; the only file that knows every class."""

from __future__ import annotations

import asyncio
import importlib.resources
import logging
from collections.abc import Mapping

from google.longrunning import operations_pb2_grpc

from library_service.adapters.assets import Assets
from library_service.adapters.operations import Operations
from library_service.adapters.tickets import JwsTicketSigner
from library_service.adapters.uploads import Uploads
from library_service.api.asset_servicer import AssetServicer
from library_service.api.operation_servicer import OperationServicer, StandardOperationsServicer
from library_service.api.upload_servicer import MediaServicer, UploadServicer
from library_service.config import LibraryConfig, read_config, read_migration_config
from praxiscope.library.v1 import (
    asset_service_pb2_grpc,
    media_service_pb2_grpc,
    operation_service_pb2_grpc,
    upload_service_pb2_grpc,
)
from praxiscope_common import database
from praxiscope_common.errors import DomainError
from praxiscope_common.server.runtime import Server, create_server, run_until_stopped
from praxiscope_common.service import ServiceRuntime
from praxiscope_common.storage.configuration import open_store

logger = logging.getLogger(__name__)
_RETENTION_PERIOD_S = 60.0
_RETENTION_BATCH = 100


class Library:
    """The library's parts, wired."""

    def __init__(self, config: LibraryConfig, runtime: ServiceRuntime) -> None:
        """Builds everything; nothing is opened yet."""
        self.config, self.runtime = config, runtime
        self.database = database.Database(config.database)
        self.store = open_store(config.store)
        self.operations = Operations(database=self.database, store=self.store)
        self.assets = Assets(database=self.database, store=self.store, kept_deleted=config.kept_deleted)
        self.uploads = Uploads(
            database=self.database,
            store=self.store,
            max_size_bytes=config.max_upload_bytes,
            lifetime=config.upload_lifetime,
        )

    def create_server(self) -> Server:
        """Binds the server."""
        tickets = JwsTicketSigner(private_key=self.config.ticket_key, store=self.store)
        assets, uploads = AssetServicer(self.assets, tickets), UploadServicer(self.uploads, tickets)
        media, operations = MediaServicer(self.assets), OperationServicer(self.operations)
        standard = StandardOperationsServicer(self.operations)
        return create_server(
            self.config.service.server,
            self.runtime.stages(),
            servicers={
                "praxiscope.library.v1.AssetService": lambda server: (
                    asset_service_pb2_grpc.add_AssetServiceServicer_to_server(assets, server)
                ),
                "praxiscope.library.v1.UploadService": lambda server: (
                    upload_service_pb2_grpc.add_UploadServiceServicer_to_server(uploads, server)
                ),
                "praxiscope.library.v1.MediaService": lambda server: (
                    media_service_pb2_grpc.add_MediaServiceServicer_to_server(media, server)
                ),
                "praxiscope.library.v1.OperationService": lambda server: (
                    operation_service_pb2_grpc.add_OperationServiceServicer_to_server(operations, server)
                ),
                "google.longrunning.Operations": lambda server: operations_pb2_grpc.add_OperationsServicer_to_server(
                    standard, server
                ),
            },
            probes={"database": self.database.probe, "store": self.store.probe, "auth": self.runtime.probe_keys},
        )

    async def keep_retention(self) -> None:
        """Ends old uploads, purges old deletions, clears up after operations and forgets old ones, until cancelled."""
        while True:
            try:
                ended = await self.uploads.end_expired(_RETENTION_BATCH)
                purged = await self.assets.purge_expired(_RETENTION_BATCH)
                cleared = await self.operations.clear_leftovers(_RETENTION_BATCH)
                await self.operations.forget_older_than(self.config.kept_operation_days)
                if ended or purged or cleared:
                    logger.info(
                        "retention",
                        extra={
                            "ended_upload_count": ended,
                            "purged_asset_count": purged,
                            "cleared_operation_count": cleared,
                        },
                    )
            except DomainError as error:
                logger.warning("retention waits", extra={"reason": error.reason})
            await asyncio.sleep(_RETENTION_PERIOD_S)


async def serve(environ: Mapping[str, str]) -> None:
    """Serves until SIGTERM."""
    config = read_config(environ)
    runtime = ServiceRuntime.start(config.service, role="serve")
    library = Library(config, runtime)
    server = library.create_server()
    await library.database.open()
    try:
        await run_until_stopped(
            server,
            background=[
                runtime.verifier.follow_revocations(),
                library.operations.follow_changes(),
                library.keep_retention(),
            ],
        )
    finally:
        await library.database.close()
        await runtime.stop()


async def migrate(environ: Mapping[str, str]) -> None:
    """Brings the schema `library` to its newest state."""
    chain = importlib.resources.files("library_service") / "migrations"
    await database.migrate(read_migration_config(environ), "library", chain)
