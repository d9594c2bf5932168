"""Where biomechanics is put together; the only file that knows every class."""

from __future__ import annotations

from collections.abc import Mapping

from biomechanics_service.adapters.jobs import MotionJobs
from biomechanics_service.adapters.peers import Peers
from biomechanics_service.api.convert import config_from
from biomechanics_service.api.motion_servicer import MotionServicer
from biomechanics_service.config import BiomechanicsConfig, read_config
from praxiscope.biomechanics.v1 import motion_service_pb2_grpc
from praxiscope_assets import AssetFiles
from praxiscope_common.client import open_channel
from praxiscope_common.database import Database
from praxiscope_common.jobs.worker import Worker
from praxiscope_common.memory import give_back_large_blocks
from praxiscope_common.server.runtime import Server, create_server, run_until_stopped
from praxiscope_common.service import ServiceRuntime
from praxiscope_common.storage.configuration import open_store


class Biomechanics:
    """The parts of biomechanics, wired. Make it inside the event loop."""

    def __init__(self, config: BiomechanicsConfig, runtime: ServiceRuntime) -> None:
        """Builds everything; nothing is opened yet."""
        self.config, self.runtime = config, runtime
        self.database = Database(config.database)
        self.store = open_store(config.store)
        self.peers = Peers(
            library=open_channel(config.library_address),
            vision=open_channel(config.vision_address),
            tracking=open_channel(config.tracking_address),
            rendering=open_channel(config.rendering_address),
        )
        self.files = AssetFiles(self.peers.library, self.store)

    def create_server(self) -> Server:
        """Binds the server."""
        servicer = MotionServicer(MotionJobs(database=self.database, files=self.files, identity=self.runtime.identity))
        return create_server(
            self.config.service.server,
            self.runtime.stages(),
            servicers={
                "praxiscope.biomechanics.v1.MotionService": lambda server: (
                    motion_service_pb2_grpc.add_MotionServiceServicer_to_server(servicer, server)
                )
            },
            probes={"database": self.database.probe, "store": self.store.probe, "auth": self.runtime.probe_keys},
        )

    def create_worker(self) -> Worker:
        """Makes the worker."""
        # Here, since a server that starts need not wait for the numerics that only a worker needs.
        from biomechanics_service.adapters.analysis_job import AnalysisWork

        analyses = AnalysisWork(
            files=self.files, peers=self.peers, identity=self.runtime.identity, config_from=config_from
        )
        return Worker(
            service="biomechanics",
            database=self.database,
            handlers=analyses.handlers(),
            metrics=self.runtime.metrics,
            concurrency=self.config.concurrency,
        )

    async def stop(self) -> None:
        """Closes what was opened."""
        for channel in (self.peers.library, self.peers.vision, self.peers.tracking, self.peers.rendering):
            await channel.close()
        await self.database.close()
        await self.runtime.stop()


async def serve(environ: Mapping[str, str]) -> None:
    """Serves until SIGTERM."""
    config = read_config(environ)
    runtime = ServiceRuntime.start(config.service, role="serve")
    biomechanics = Biomechanics(config, runtime)
    await biomechanics.database.open()
    try:
        await run_until_stopped(biomechanics.create_server(), background=[runtime.verifier.follow_revocations()])
    finally:
        await biomechanics.stop()


async def work(environ: Mapping[str, str]) -> None:
    """Works until SIGTERM."""
    give_back_large_blocks()
    config = read_config(environ)
    biomechanics = Biomechanics(config, ServiceRuntime.start(config.service, role="work"))
    await biomechanics.database.open()
    try:
        await biomechanics.create_worker().run()
    finally:
        await biomechanics.stop()
