"""Where the operator is put together; the only file that knows every class."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Mapping
from datetime import datetime, timezone

from operator_service.adapters.analysis_pod import analyze as analyze_video
from operator_service.adapters.analysis_pod import read_pod_config
from operator_service.adapters.api_server import BATCH_ANALYSES, INFERENCE_MODELS, ApiServer
from operator_service.adapters.batches import Batches
from operator_service.adapters.control_loop import ControlLoop, LoopMetrics
from operator_service.adapters.events import Events
from operator_service.adapters.leadership import Leadership
from operator_service.adapters.registry import Registry
from operator_service.adapters.rollouts import Rollouts
from operator_service.config import OperatorConfig, read_config
from praxiscope_common.client import open_channel
from praxiscope_common.service import ServiceRuntime

logger = logging.getLogger(__name__)


class Operator:
    """The operator's parts, wired. Make it inside the event loop."""

    def __init__(self, config: OperatorConfig, runtime: ServiceRuntime, api: ApiServer) -> None:
        """Builds everything; nothing is sent yet."""
        self.config, self.runtime, self.api = config, runtime, api
        self.vision = open_channel(config.vision_address)
        events = Events(api=api, instance=config.pod_name, now=_now)
        rollouts = Rollouts(
            api=api,
            registry=Registry(channel=self.vision, identity=runtime.identity),
            events=events,
            models=config.models,
            server_labels=config.server_labels,
            device_bytes=config.device_bytes,
            now=_now,
        )
        batches = Batches(api=api, events=events, pods=config.pods, now=_now)
        metrics = LoopMetrics(runtime.metrics.registry)
        self.loops = [
            ControlLoop(api=api, kind=kind, reconcile=reconcile, metrics=metrics, resync_s=config.resync_s)
            for kind, reconcile in (
                (INFERENCE_MODELS, rollouts.reconcile_all),
                (BATCH_ANALYSES, batches.reconcile_all),
            )
        ]
        self.leadership = Leadership(api=api, lease=config.lease, identity=config.pod_name, now=_now)

    async def work(self) -> None:
        """Looks after every resource until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for loop in self.loops:
                tasks.create_task(loop.run())

    async def stop(self) -> None:
        """Closes what was opened."""
        await self.api.close()
        await self.vision.close()
        await self.runtime.stop()


async def work(environ: Mapping[str, str]) -> None:
    """Works, where the Lease is ours, until SIGTERM."""
    config = read_config(environ)
    api = ApiServer.from_pod(config.api_host, config.api_port)
    operator = Operator(config, ServiceRuntime.start(config.service, role="work"), api)
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    tasks = [
        asyncio.create_task(operator.leadership.lead(operator.work)),
        asyncio.create_task(operator.runtime.metrics.pulse.keep_beating()),
    ]
    stopped = asyncio.create_task(stop.wait())
    try:
        done, _ = await asyncio.wait([stopped, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            await task
    finally:
        stopped.cancel()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await operator.stop()
    logger.info("stopped")


async def analyze(environ: Mapping[str, str]) -> None:
    """Has the video of this pod's index analysed.

    Raises:
        SystemExit: With 1 if it was not; the Job tries again.
    """
    if not await asyncio.to_thread(analyze_video, read_pod_config(environ)):
        raise SystemExit(1)


def _now() -> datetime:
    return datetime.now(timezone.utc)
