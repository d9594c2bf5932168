"""Where tracking is put together; the only file that knows every class."""

from __future__ import annotations

from collections.abc import Mapping

from praxiscope.tracking.v1 import tracking_service_pb2_grpc
from praxiscope_assets import AssetFiles
from praxiscope_common.client import open_channel
from praxiscope_common.database import Database
from praxiscope_common.jobs.worker import Worker
from praxiscope_common.server.runtime import Server, create_server, run_until_stopped
from praxiscope_common.service import ServiceRuntime
from praxiscope_common.storage.configuration import open_store
from tracking_service.adapters.jobs import TrackJobs, TrackWork
from tracking_service.api.convert import config_from
from tracking_service.api.tracking_servicer import TrackingServicer
from tracking_service.config import TrackingConfig, read_config


class Tracking:
    """Tracking's parts, wired. Make it inside the event loop."""

    def __init__(self, config: TrackingConfig, runtime: ServiceRuntime) -> None:
        """Builds everything; nothing is opened yet."""
        self.config, self.runtime = config, runtime
        self.database = Database(config.database)
        self.store = open_store(config.store)
        self.library = open_channel(config.library_address)
        self.files = AssetFiles(self.library, self.store)

    def create_server(self) -> Server:
        """Binds the server."""
        jobs = TrackJobs(database=self.database, files=self.files, identity=self.runtime.identity)
        servicer = TrackingServicer(jobs)
        return create_server(
            self.config.service.server,
            self.runtime.stages(),
            servicers={
                "praxiscope.tracking.v1.TrackingService": lambda server: (
                    tracking_service_pb2_grpc.add_TrackingServiceServicer_to_server(servicer, server)
                )
            },
            probes={"database": self.database.probe, "auth": self.runtime.probe_keys},
        )

    def create_worker(self) -> Worker:
        """Makes the worker."""
        work_ = TrackWork(
            files=self.files, library=self.library, identity=self.runtime.identity, config_from=config_from
        )
        return Worker(
            service="tracking",
            database=self.database,
            handlers=work_.handlers(),
            metrics=self.runtime.metrics,
            concurrency=self.config.concurrency,
        )

    async def stop(self) -> None:
        """Closes what was opened."""
        await self.library.close()
        await self.database.close()
        await self.runtime.stop()


async def serve(environ: Mapping[str, str]) -> None:
    """Serves until SIGTERM."""
    config = read_config(environ)
    runtime = ServiceRuntime.start(config.service, role="serve")
    tracking = Tracking(config, runtime)
    await tracking.database.open()
    try:
        await run_until_stopped(tracking.create_server(), background=[runtime.verifier.follow_revocations()])
    finally:
        await tracking.stop()


async def work(environ: Mapping[str, str]) -> None:
    """Works until SIGTERM."""
    config = read_config(environ)
    tracking = Tracking(config, ServiceRuntime.start(config.service, role="work"))
    await tracking.database.open()
    try:
        await tracking.create_worker().run()
    finally:
        await tracking.stop()
