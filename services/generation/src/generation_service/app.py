"""Where generation is put together; the only file that knows every class."""

from __future__ import annotations

from collections.abc import Mapping

from generation_service.adapters.jobs import GenerationJobs
from generation_service.api.convert import check_model, training_config_from
from generation_service.api.generation_servicer import GenerationServicer
from generation_service.config import GenerationConfig, read_config
from praxiscope.generation.v1 import generation_service_pb2_grpc
from praxiscope_assets import AssetFiles
from praxiscope_common.client import open_channel
from praxiscope_common.database import Database
from praxiscope_common.jobs.worker import Worker
from praxiscope_common.server.runtime import Server, create_server, run_until_stopped
from praxiscope_common.service import ServiceRuntime
from praxiscope_common.storage.configuration import open_store
from praxiscope_world_assets import WorldReader
from praxiscope_worlds.kernels import open_kernels


class Generation:
    """Generation's parts, wired. Make it inside the event loop."""

    def __init__(self, config: GenerationConfig, runtime: ServiceRuntime) -> None:
        """Builds everything; nothing is opened yet."""
        self.config, self.runtime = config, runtime
        self.database = Database(config.database)
        self.store = open_store(config.store)
        self.library = open_channel(config.library_address)
        self.files = AssetFiles(self.library, self.store)
        self.worlds = WorldReader(self.files, kept_count=1)

    def create_server(self) -> Server:
        """Binds the server."""
        jobs = GenerationJobs(
            database=self.database, files=self.files, worlds=self.worlds, identity=self.runtime.identity
        )
        servicer = GenerationServicer(jobs, check_model=check_model)
        return create_server(
            self.config.service.server,
            self.runtime.stages(),
            servicers={
                "praxiscope.generation.v1.GenerationService": lambda server: (
                    generation_service_pb2_grpc.add_GenerationServiceServicer_to_server(servicer, server)
                )
            },
            probes={"database": self.database.probe, "auth": self.runtime.probe_keys},
        )

    def create_worker(self) -> Worker:
        """Makes the worker."""
        # Here, since a server that starts need not wait for what only a worker needs.
        from generation_service.adapters.mesh_job import MeshWork
        from generation_service.adapters.procedural_job import ProceduralWork
        from generation_service.adapters.reconstruction_job import ReconstructionWork

        kernels = open_kernels(self.config.kernels_folder, thread_count=self.config.thread_count)
        reconstruction = ReconstructionWork(
            files=self.files,
            library=self.library,
            identity=self.runtime.identity,
            kernels=kernels,
            pose_python=self.config.pose_python,
            thread_count=self.config.thread_count,
            checkpoint_period_s=self.config.checkpoint_period_s,
            config_from=training_config_from,
        )
        procedural = ProceduralWork(
            files=self.files, library=self.library, identity=self.runtime.identity, kernels=kernels
        )
        meshes = MeshWork(
            worlds=self.worlds, library=self.library, store=self.store, identity=self.runtime.identity, kernels=kernels
        )
        return Worker(
            service="generation",
            database=self.database,
            handlers={**reconstruction.handlers(), **procedural.handlers(), **meshes.handlers()},
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
    generation = Generation(config, runtime)
    await generation.database.open()
    try:
        await run_until_stopped(generation.create_server(), background=[runtime.verifier.follow_revocations()])
    finally:
        await generation.stop()


async def work(environ: Mapping[str, str]) -> None:
    """Works until SIGTERM."""
    config = read_config(environ)
    generation = Generation(config, ServiceRuntime.start(config.service, role="work"))
    await generation.database.open()
    try:
        await generation.create_worker().run()
    finally:
        await generation.stop()
