"""The operator with real parts: vision, its registry in PostgreSQL, the model server, and analyses under way. Only the API server is in memory."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from operator_service.app import Operator
from operator_service.config import OperatorConfig, read_config
from praxiscope.biomechanics.v1 import motion_service_pb2
from praxiscope.library.v1 import operation_service_pb2
from praxiscope.type.v1 import media_pb2
from praxiscope_common.service import ServiceRuntime
from tests.support import media
from tests.support.api_server import MemoryCluster
from tests.support.house import VIDEO, House, Served, Tenant
from tests.support.model_versions import BROKEN, FAILING, MODEL, SAME, SLOW, first_day, run_versions
from tools.devstack.triton import RunningTriton

GOOD, BAD = "Available", "RolledBack"


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory, triton: RunningTriton) -> Iterator[RunningTriton]:
    """A model server with good versions and bad ones."""
    with run_versions(tmp_path_factory.mktemp("versions")) as running:
        yield running


@pytest.fixture
async def seeing(house: House, versions: RunningTriton) -> AsyncIterator[Served]:
    """Vision over it, with a registry as on the first day."""
    async with house.serve("vision_inference", {"TRITON_ADDRESS": versions.grpc_address}) as served:
        async with first_day(served):
            yield served


@pytest.fixture
def cluster(tmp_path: Path) -> MemoryCluster:
    """An API server with a model server's pod that is ready."""
    made = MemoryCluster(account=tmp_path)
    made.put(
        "pods",
        {
            "metadata": {"name": "triton-0", "labels": {"app.kubernetes.io/name": "triton"}},
            "status": {"conditions": [{"type": "Ready", "status": "True"}]},
        },
    )
    return made


def configured(house: House, seeing: Served, **settings: str) -> OperatorConfig:
    """Returns the operator's settings."""
    told = {
        "AUTH_ADDRESS": house.served("auth").address,
        "PRIVATE_KEY_FILE": str(house.postgres.secrets.rsa_key("operator")),
        "VISION_INFERENCE_ADDRESS": seeing.address,
        "POD_NAME": "operator-0",
        "BATCH_IMAGE": "operator:1",
        "BATCH_GATEWAY_URL": "http://gateway:7400",
        "RESYNC_S": "1",
        "DEVICE_MEMORY_MIB": "1000",
        **settings,
    }
    environ = {f"PRAXISCOPE_OPERATOR_{key}": value for key, value in told.items()}
    return read_config(environ | {"KUBERNETES_SERVICE_HOST": "cluster.test"})


@contextlib.asynccontextmanager
async def operating(house: House, seeing: Served, cluster: MemoryCluster, **settings: str) -> AsyncIterator[Operator]:
    """Runs the operator until the end of the block."""
    config = configured(house, seeing, **settings)
    operator = Operator(config, ServiceRuntime.start(config.service, role="work"), cluster.api())
    task = asyncio.create_task(operator.leadership.lead(operator.work))
    try:
        yield operator
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await operator.stop()


def wanted(cluster: MemoryCluster, version: int, name: str = "people", memory: int = 100, **rollout: Any) -> None:
    """Asks for a version."""
    steps = {"stepsPercent": [50, 100], "stepRequests": 20, "stepSeconds": 1, "maxLatencyPercent": 400, **rollout}
    spec = {"model": MODEL, "version": version, "memoryMiB": memory, "rollout": steps}
    cluster.put("inferencemodels", {"metadata": {"name": name}, "spec": spec})


async def until(cluster: MemoryCluster, *phases: str, name: str = "people", timeout_s: float = 90.0) -> dict[str, Any]:
    """Waits until a rollout is in one of some phases and returns its status."""
    async with asyncio.timeout(timeout_s):
        while True:
            status = cluster.status("inferencemodels", name)
            generation = cluster.objects["inferencemodels", name]["metadata"]["generation"]
            if status.get("phase") in phases and status["observedGeneration"] == generation:
                return status
            await asyncio.sleep(0.05)


@pytest.fixture(scope="module")
def clip(sample_video: Path) -> bytes:
    """Twelve frames with two people."""
    return media.encode_video(media.cut_frames(sample_video, 60, 12))


async def wait_for(house: House, name: str, *, token: str) -> Any:
    """Returns an operation once it is done."""
    async with asyncio.timeout(90):
        while True:
            request = operation_service_pb2.GetOperationRequest(name=name)
            operation = (await house.ask("OperationService.GetOperation", request, token=token)).message
            if operation.done:
                return operation
            await asyncio.sleep(0.1)


@contextlib.asynccontextmanager
async def analyses(house: House, tenant: Tenant, clip: bytes, seeing: Served) -> AsyncIterator[list[Any]]:
    """Has the same video analysed over and over until the end of the block; then every analysis has ended, and the list says how."""
    video = await tenant.upload(clip, "clip.mp4", VIDEO)
    started: list[str] = []
    stopping = asyncio.Event()

    async def keep_asking() -> None:
        while not stopping.is_set():
            request = motion_service_pb2.AnalyzeMotionRequest(
                video=media_pb2.MediaRef(asset_version=video), omit_overlay=True
            )
            answer = await house.ask("MotionService.AnalyzeMotion", request, token=tenant.token)
            started.append(answer.message.name)
            await wait_for(house, answer.message.name, token=tenant.token)

    ended: list[Any] = []
    peers = {"VISION_INFERENCE_ADDRESS": seeing.address, "CONCURRENCY": "2"}
    async with house.work("biomechanics", peers):
        asking = [asyncio.create_task(keep_asking()) for _ in range(2)]
        try:
            yield ended
        finally:
            stopping.set()
            await asyncio.gather(*asking)
        for name in started:
            operation = await wait_for(house, name, token=tenant.token)
            response = motion_service_pb2.AnalyzeMotionResponse()
            assert operation.response.Unpack(response), operation.error
            response.motion.asset_version = ""
            response.stage_elapsed_s.clear()
            ended.append(response)


async def test_a_bad_version_is_taken_back_under_traffic_and_costs_no_analysis_its_result(
    house: House, seeing: Served, cluster: MemoryCluster, tenant: Tenant, clip: bytes
) -> None:
    async with operating(house, seeing, cluster), analyses(house, tenant, clip, seeing) as ended:
        wanted(cluster, FAILING)
        failing = await until(cluster, GOOD, BAD)
        assert (failing["phase"], failing["reason"], failing["trafficPercent"]) == (BAD, "TooManyErrors", 0)
        wanted(cluster, SLOW, stepRequests=200)
        slow = await until(cluster, GOOD, BAD)
        assert (slow["phase"], slow["reason"]) == (BAD, "TooSlow")
        wanted(cluster, BROKEN)
        assert (await until(cluster, "Failed"))["reason"] == "LoadFailed"
        wanted(cluster, SAME)
        good = await until(cluster, GOOD, BAD, "Failed")
        assert good["phase"] == GOOD, good
        assert [item["status"] for item in good["conditions"]] == ["True", "True", "True"]
        assert good["instances"] == ["triton-0"]
    assert len(ended) >= 4
    names = {tuple(response.model_versions) for response in ended}
    assert {f"{MODEL}/1", f"{MODEL}/{SAME}"} == {name[0] for name in names} - {f"{MODEL}/{SLOW}"}
    for response in ended:
        response.ClearField("model_versions")
    assert len({response.SerializeToString(deterministic=True) for response in ended}) == 1, "all the same numbers"
    assert ("Warning", "TooManyErrors") in cluster.events()


async def test_what_does_not_fit_waits_and_goes_on_when_there_is_room(
    house: House, seeing: Served, cluster: MemoryCluster
) -> None:
    wanted(cluster, SAME, memory=1200)
    async with operating(house, seeing, cluster):
        waiting = await until(cluster, "Pending")
        assert waiting["reason"] == "WaitingForSpace"
        assert waiting["conditions"][0]["status"] == "False"
    async with operating(house, seeing, cluster, DEVICE_MEMORY_MIB="1200"):
        assert (await until(cluster, "RollingOut"))["trafficPercent"] == 50


async def test_of_two_operators_one_works_and_the_other_takes_over(
    house: House, seeing: Served, cluster: MemoryCluster
) -> None:
    async with operating(house, seeing, cluster) as first:
        first.leadership.renew_s = 0.1
        async with operating(house, seeing, cluster, POD_NAME="operator-1") as second:
            second.leadership.renew_s = 0.1
            await asyncio.sleep(0.3)
            assert cluster.objects["leases", "praxiscope-operator"]["spec"]["holderIdentity"] == "operator-0"
            assert not await second.leadership.try_to_hold()
        # The second ended without the lease; a third one that starts when the first has given it up gets it at once.
    assert cluster.objects["leases", "praxiscope-operator"]["spec"]["holderIdentity"] == ""
    async with operating(house, seeing, cluster, POD_NAME="operator-2"):
        async with asyncio.timeout(5):
            while cluster.objects["leases", "praxiscope-operator"]["spec"]["holderIdentity"] != "operator-2":
                await asyncio.sleep(0.05)
