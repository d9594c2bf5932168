"""Where vision is put together; the only file that knows every class."""

from __future__ import annotations

import importlib.resources
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone

from praxiscope.vision.v1 import model_service_pb2_grpc, vision_service_pb2_grpc
from praxiscope_assets import AssetFiles
from praxiscope_common import database
from praxiscope_common.client import open_channel
from praxiscope_common.server.runtime import Server, create_server, run_until_stopped
from praxiscope_common.service import ServiceRuntime
from praxiscope_common.storage.configuration import open_store
from praxiscope_common.telemetry.traces import inject_trace
from vision_inference_service.adapters.model_choice import ModelChoice
from vision_inference_service.adapters.model_keeper import ModelKeeper
from vision_inference_service.adapters.model_registry import TritonRegistry
from vision_inference_service.adapters.model_server import ModelServers
from vision_inference_service.adapters.registry_store import RegistryStore
from vision_inference_service.adapters.stored_media import StoredMedia
from vision_inference_service.adapters.triton_models import ModelServerUnavailableError, TritonModels, TritonSettings
from vision_inference_service.adapters.video_frames import VideoReading
from vision_inference_service.api.model_servicer import ModelServicer
from vision_inference_service.api.vision_servicer import VisionServicer
from vision_inference_service.config import VisionConfig, read_config, read_migration_config


class Vision:
    """Vision's parts, wired. Make it inside the event loop."""

    def __init__(self, config: VisionConfig, runtime: ServiceRuntime) -> None:
        """Builds everything; nothing is sent yet."""
        self.config, self.runtime = config, runtime
        self.executor = ThreadPoolExecutor(config.pixel_thread_count, thread_name_prefix="pixels")
        self.store = open_store(config.store)
        self.library = open_channel(config.library_address)
        settings = TritonSettings(address=config.triton_address, is_local=config.is_triton_local)
        self.triton = TritonModels(settings, metadata=lambda: dict(inject_trace()))
        self.registry = TritonRegistry(config.triton_address, config.model_cards)
        self.database = database.Database(config.database)
        store = RegistryStore(database=self.database)
        self.choice = ModelChoice(
            self.triton,
            runtime.metrics,
            store=store,
            servers=ModelServers(address=config.triton_instances_address or config.triton_address),
            now=lambda: datetime.now(timezone.utc),
        )
        self.keeper = ModelKeeper(store=store, choice=self.choice)

    def create_server(self) -> Server:
        """Binds the server."""
        media = StoredMedia(
            AssetFiles(self.library, self.store),
            self.runtime.identity,
            VideoReading(limits=self.config.limits),
            self.executor,
        )
        servicer = VisionServicer(
            self.choice,
            media,
            self.registry,
            max_observations=self.config.max_observations,
        )
        models = ModelServicer(self.keeper)
        return create_server(
            self.config.service.server,
            self.runtime.stages(),
            servicers={
                "praxiscope.vision.v1.VisionService": lambda server: (
                    vision_service_pb2_grpc.add_VisionServiceServicer_to_server(servicer, server)
                ),
                "praxiscope.vision.v1.ModelService": lambda server: (
                    model_service_pb2_grpc.add_ModelServiceServicer_to_server(models, server)
                ),
            },
            probes={"triton": self.probe_models, "store": self.store.probe, "auth": self.runtime.probe_keys},
        )

    async def probe_models(self) -> None:
        """Returns if every net answers.

        Raises:
            ModelServerUnavailableError: If one does not.
        """
        if not await self.triton.are_ready(self.choice.stable_versions()):
            raise ModelServerUnavailableError()

    async def stop(self) -> None:
        """Closes what was opened."""
        await self.triton.close()
        await self.registry.close()
        await self.library.close()
        await self.database.close()
        self.executor.shutdown(wait=False, cancel_futures=True)


async def serve(environ: Mapping[str, str]) -> None:
    """Serves until SIGTERM."""
    config = read_config(environ)
    runtime = ServiceRuntime.start(config.service, role="serve")
    vision = Vision(config, runtime)
    await vision.database.open()
    try:
        background = [runtime.verifier.follow_revocations(), vision.choice.follow()]
        await run_until_stopped(vision.create_server(), background=background)
    finally:
        await vision.stop()
        await runtime.stop()


async def migrate(environ: Mapping[str, str]) -> None:
    """Brings the schema `vision_inference` to its newest state."""
    chain = importlib.resources.files("vision_inference_service") / "migrations"
    await database.migrate(read_migration_config(environ), "vision_inference", chain)
