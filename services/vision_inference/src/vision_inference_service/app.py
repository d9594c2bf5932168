"""Where vision is put together; the only file that knows every class."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from praxiscope.vision.v1 import vision_service_pb2_grpc
from praxiscope_assets import AssetFiles
from praxiscope_common.client import open_channel
from praxiscope_common.server.runtime import Server, create_server, run_until_stopped
from praxiscope_common.service import ServiceRuntime
from praxiscope_common.storage.configuration import open_store
from praxiscope_common.telemetry.traces import inject_trace
from vision_inference_service.adapters.measured_models import MeasuredModels
from vision_inference_service.adapters.model_registry import TritonRegistry
from vision_inference_service.adapters.stored_media import StoredMedia
from vision_inference_service.adapters.triton_models import ModelServerUnavailableError, TritonModels, TritonSettings
from vision_inference_service.adapters.video_frames import VideoReading
from vision_inference_service.api.vision_servicer import VisionServicer
from vision_inference_service.config import VisionConfig, read_config

_MODEL_VERSIONS = ("movenet_multipose/1", "blazepose_full/1", "centernet/1")


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

    def create_server(self) -> Server:
        """Binds the server."""
        media = StoredMedia(
            AssetFiles(self.library, self.store),
            self.runtime.identity,
            VideoReading(limits=self.config.limits),
            self.executor,
        )
        servicer = VisionServicer(
            MeasuredModels(self.triton, self.runtime.metrics),
            media,
            self.registry,
            max_observations=self.config.max_observations,
            model_versions=_MODEL_VERSIONS,
        )
        return create_server(
            self.config.service.server,
            self.runtime.stages(),
            servicers={
                "praxiscope.vision.v1.VisionService": lambda server: (
                    vision_service_pb2_grpc.add_VisionServiceServicer_to_server(servicer, server)
                )
            },
            probes={"triton": self.probe_models, "store": self.store.probe, "auth": self.runtime.probe_keys},
        )

    async def probe_models(self) -> None:
        """Returns if every net answers.

        Raises:
            ModelServerUnavailableError: If one does not.
        """
        if not await self.triton.are_ready():
            raise ModelServerUnavailableError()

    async def stop(self) -> None:
        """Closes what was opened."""
        await self.triton.close()
        await self.registry.close()
        await self.library.close()
        self.executor.shutdown(wait=False, cancel_futures=True)


async def serve(environ: Mapping[str, str]) -> None:
    """Serves until SIGTERM."""
    config = read_config(environ)
    runtime = ServiceRuntime.start(config.service, role="serve")
    vision = Vision(config, runtime)
    try:
        await run_until_stopped(vision.create_server(), background=[runtime.verifier.follow_revocations()])
    finally:
        await vision.stop()
        await runtime.stop()
