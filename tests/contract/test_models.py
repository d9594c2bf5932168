"""The registry of models, over a model server that holds good versions and bad ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import numpy as np
import pytest

from praxiscope.type.v1 import media_pb2
from praxiscope.vision.v1 import model_service_pb2, model_version_pb2, vision_service_pb2
from praxiscope_common.credentials import ServiceIdentity, read_service_key
from praxiscope_common.errors import UnauthenticatedError
from tests.support import media
from tests.support.calls import Answer
from tests.support.coverage import covers
from tests.support.house import VIDEO, House, Served, Tenant
from tests.support.model_versions import BROKEN, FAILING, MODEL, OTHER, SAME, first_day, run_versions
from tools.devstack.triton import RunningTriton

State = model_version_pb2.ModelVersion
TRAFFIC = f"models/{MODEL}/traffic"
FIRST = 1


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory, triton: RunningTriton) -> Iterator[RunningTriton]:
    """A model server with versions to try; the session's own says by its being there that models are."""
    with run_versions(tmp_path_factory.mktemp("versions")) as running:
        yield running


@pytest.fixture
async def seeing(house: House, versions: RunningTriton) -> AsyncIterator[Served]:
    """Vision over it, with a registry as on the first day."""
    async with house.serve("vision_inference", {"TRITON_ADDRESS": versions.grpc_address}) as served:
        async with first_day(served):
            yield served


@pytest.fixture
def manager(tenant: Tenant) -> str:
    """A token that may do anything with models."""
    return tenant.token_with({"vision.models.read", "vision.models.manage"})


@pytest.fixture(scope="module")
def clip(sample_video: Path) -> bytes:
    """Ten frames with two people."""
    return media.encode_video(media.cut_frames(sample_video, 60, 10))


async def ask(seeing: Served, token: str, method: str, **fields: Any) -> Answer:
    """Calls the registry."""
    request = getattr(model_service_pb2, f"{method}Request")(**fields)
    return await seeing.client.ask(f"ModelService.{method}", request, token=token, timeout_s=60)


async def deploy(seeing: Served, token: str, version: int, **fields: int) -> Any:
    """Deploys a version and returns it."""
    answer = await ask(seeing, token, "DeployModelVersion", name=f"models/{MODEL}/versions/{version}", **fields)
    return answer.message


async def share(seeing: Served, token: str, **percents: int) -> Any:
    """Gives versions their shares, as in `v2=10`."""
    etag = (await ask(seeing, token, "GetModelTraffic", name=TRAFFIC)).message.etag
    shares = [{"version": name.removeprefix("v"), "percent": percent} for name, percent in percents.items()]
    return (await ask(seeing, token, "SetModelTraffic", name=TRAFFIC, shares=shares, etag=etag)).message


def standing(traffic: Any) -> dict[int, tuple[int, int, bool]]:
    """Returns state, share and whether it is stable, by version."""
    return {
        int(item.name.rpartition("/")[2]): (item.state, item.traffic_percent, item.is_stable)
        for item in traffic.versions
    }


async def observe(seeing: Served, tenant: Tenant, video: str, **fields: Any) -> Answer:
    """Observes a stored video."""
    request = vision_service_pb2.ObserveVideoRequest(video=media_pb2.MediaRef(asset_version=video), **fields)
    return await seeing.client.ask("VisionService.ObserveVideo", request, token=tenant.token, timeout_s=60)


def frames_of(answer: Answer) -> list[bytes]:
    """Returns the frames' bytes."""
    return [frame.SerializeToString() for message in answer.messages for frame in message.frames]


@covers("ModelService.GetModelTraffic", "OK", "RESOURCE_NOT_FOUND")
@covers("ModelService.DeployModelVersion", "OK", "RESOURCE_NOT_FOUND")
@covers("ModelService.SetModelTraffic", "OK", "RESOURCE_NOT_FOUND")
@covers("ModelService.RollBackModel", "OK", "RESOURCE_NOT_FOUND")
@covers("ModelService.RetireModelVersion", "OK", "RESOURCE_NOT_FOUND", "MODEL_VERSION_IN_USE")
@covers("ModelService.ListModelChanges", "OK", "RESOURCE_NOT_FOUND", "INVALID_PAGE_TOKEN")
async def test_a_version_is_deployed_tried_taken_over_and_taken_back(seeing: Served, manager: str) -> None:
    before = (await ask(seeing, manager, "GetModelTraffic", name=TRAFFIC)).message
    assert standing(before) == {FIRST: (State.STATE_READY, 100, True)}
    made = await deploy(seeing, manager, SAME, memory_bytes=1 << 20)
    assert (made.state, made.traffic_percent, made.memory_bytes) == (State.STATE_READY, 0, 1 << 20)
    assert await deploy(seeing, manager, SAME) == made, "again changes nothing"
    tried = await share(seeing, manager, v1=90, v2=10)
    assert standing(tried)[SAME] == (State.STATE_READY, 10, False)
    in_use = await ask(seeing, manager, "RetireModelVersion", name=f"models/{MODEL}/versions/{SAME}")
    in_use.fails("MODEL_VERSION_IN_USE")
    taken = await share(seeing, manager, v2=100)
    assert standing(taken) == {SAME: (State.STATE_READY, 100, True), FIRST: (State.STATE_READY, 0, False)}
    back = (await ask(seeing, manager, "RollBackModel", name=TRAFFIC, reason="a whim")).message
    assert standing(back) == {SAME: (State.STATE_RETIRED, 0, False), FIRST: (State.STATE_READY, 100, True)}
    assert back.versions[0].message == "a whim"
    again = (await ask(seeing, manager, "RollBackModel", name=TRAFFIC, version=str(SAME))).message
    assert again.etag == back.etag, "what is out already changes nothing"
    retired = await ask(seeing, manager, "RetireModelVersion", name=f"models/{MODEL}/versions/{SAME}")
    assert retired.message.state == State.STATE_RETIRED

    page = (await ask(seeing, manager, "ListModelChanges", parent=f"models/{MODEL}", page_size=2)).message
    assert [change.action for change in page.changes] == ["rollback", "traffic"]
    assert page.changes[0].editor.startswith("users/")
    rest = await ask(
        seeing, manager, "ListModelChanges", parent=f"models/{MODEL}", page_size=9, page_token=page.next_page_token
    )
    assert [change.action for change in rest.message.changes] == ["traffic", "ready", "deploy"]
    assert rest.message.next_page_token == ""
    wrong = await ask(seeing, manager, "ListModelChanges", parent="models/centernet", page_token=page.next_page_token)
    wrong.fails("INVALID_PAGE_TOKEN")

    for method, fields in (
        ("GetModelTraffic", {"name": "models/nothing/traffic"}),
        ("DeployModelVersion", {"name": "models/nothing/versions/1"}),
        ("SetModelTraffic", {"name": "models/nothing/traffic", "etag": "x", "shares": [{"version": "1"}]}),
        ("RollBackModel", {"name": "models/nothing/traffic"}),
        ("RetireModelVersion", {"name": "models/centernet/versions/77"}),
        ("ListModelChanges", {"parent": "models/nothing"}),
    ):
        (await ask(seeing, manager, method, **fields)).fails("RESOURCE_NOT_FOUND")


@covers("ModelService.SetModelTraffic", "ETAG_MISMATCH", "INVALID_TRAFFIC", "MODEL_VERSION_NOT_READY")
@covers("ModelService.RollBackModel", "NOTHING_TO_ROLL_BACK")
async def test_shares_must_add_up_and_go_to_what_is_there(seeing: Served, manager: str) -> None:
    etag = (await ask(seeing, manager, "GetModelTraffic", name=TRAFFIC)).message.etag

    async def refused(reason: str, *shares: tuple[str, int], stale: bool = False) -> None:
        given = [{"version": version, "percent": percent} for version, percent in shares]
        answer = await ask(
            seeing, manager, "SetModelTraffic", name=TRAFFIC, shares=given, etag='"0"' if stale else etag
        )
        answer.fails(reason)

    await refused("INVALID_TRAFFIC", ("1", 60), ("2", 30))
    await refused("INVALID_TRAFFIC", ("1", 60), ("1", 40))
    await refused("MODEL_VERSION_NOT_READY", ("1", 60), ("2", 40))
    await refused("ETAG_MISMATCH", ("1", 100), stale=True)
    (await ask(seeing, manager, "RollBackModel", name=TRAFFIC)).fails("NOTHING_TO_ROLL_BACK")


async def test_a_version_that_cannot_be_loaded_fails_and_the_others_answer_on(
    seeing: Served, manager: str, tenant: Tenant, clip: bytes, versions: RunningTriton
) -> None:
    video = await tenant.upload(clip, "clip.mp4", VIDEO)
    before = frames_of(await observe(seeing, tenant, video))
    looking = asyncio.create_task(observe(seeing, tenant, video))
    broken = await deploy(seeing, manager, BROKEN)
    assert broken.state == State.STATE_FAILED
    assert "Protobuf parsing failed" in broken.message
    assert frames_of(await looking) == before
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{versions.http_port}") as server:
        assert (await server.get("/v2/health/ready")).status_code == 200, "or Kubernetes would take it out of service"
    absent = await deploy(seeing, manager, 99)
    assert absent.state == State.STATE_FAILED


@covers("VisionService.ObserveVideo", "MODEL_VERSION_WITHDRAWN")
async def test_a_stream_keeps_its_versions_or_is_told_to_begin_anew(
    seeing: Served, manager: str, tenant: Tenant, clip: bytes
) -> None:
    video = await tenant.upload(clip, "clip.mp4", VIDEO)
    first = await observe(seeing, tenant, video)
    assert first.messages[-1].summary.model_versions[0] == f"{MODEL}/1"
    await deploy(seeing, manager, OTHER)
    await share(seeing, manager, v6=100)
    other = await observe(seeing, tenant, video)
    assert other.messages[-1].summary.model_versions[0] == f"{MODEL}/{OTHER}"
    assert frames_of(other) != frames_of(first)

    # Whoever began with one goes on with it, whatever the shares are now.
    old = await observe(seeing, tenant, video, start_frame=8, resume_state=first.messages[1].resume_state)
    assert frames_of(old) == frames_of(first)[8:]
    await share(seeing, manager, v1=100)
    new = await observe(seeing, tenant, video, start_frame=8, resume_state=other.messages[1].resume_state)
    assert frames_of(new) == frames_of(other)[8:]
    assert new.messages[-1].summary.model_versions == other.messages[-1].summary.model_versions

    await ask(seeing, manager, "RollBackModel", name=TRAFFIC, version=str(OTHER), reason="enough")
    gone = await observe(seeing, tenant, video, start_frame=8, resume_state=other.messages[1].resume_state)
    gone.fails("MODEL_VERSION_WITHDRAWN")
    assert gone.code is grpc.StatusCode.ABORTED
    assert frames_of(await observe(seeing, tenant, video)) == frames_of(first)


async def test_a_tried_version_that_fails_costs_a_stream_one_attempt(
    seeing: Served, manager: str, tenant: Tenant, clip: bytes
) -> None:
    video = await tenant.upload(clip, "clip.mp4", VIDEO)
    first = frames_of(await observe(seeing, tenant, video))
    await deploy(seeing, manager, FAILING)
    await share(seeing, manager, v1=1, v4=99)
    answers = [await observe(seeing, tenant, video) for _ in range(2)]
    answers[0].fails("MODEL_SERVER_UNAVAILABLE")
    assert frames_of(answers[1]) == first, "and is answered by the stable one from then on"
    for _ in range(50):
        traffic = (await ask(seeing, manager, "GetModelTraffic", name=TRAFFIC)).message
        if traffic.versions[0].figures.request_count:
            break
        await asyncio.sleep(0.1)
    figures = traffic.versions[0].figures
    assert (figures.error_count, sum(figures.latency_counts)) == (figures.request_count, figures.request_count)
    assert len(figures.latency_counts) == len(figures.latency_bounds_s) + 1
    assert traffic.versions[1].figures.error_count == 0


async def test_results_name_the_versions_that_looked(seeing: Served, tenant: Tenant) -> None:
    grey = vision_service_pb2.ImageSource(content=media.encode_picture(np.full((48, 64, 3), 128, np.uint8)))
    poses = vision_service_pb2.DetectPosesRequest(parent=tenant.name, image=grey)
    answer = (await seeing.client.ask("VisionService.DetectPoses", poses, token=tenant.token)).message
    assert list(answer.model_versions) == [f"{MODEL}/1", "blazepose_full/1", "centernet/1"]
    things = vision_service_pb2.DetectObjectsRequest(parent=tenant.name, image=grey)
    answer = (await seeing.client.ask("VisionService.DetectObjects", things, token=tenant.token)).message
    assert list(answer.model_versions) == ["centernet/1"]


async def test_the_operator_and_no_other_service_acts_in_its_own_name(house: House, seeing: Served) -> None:
    auth = house.served("auth")

    def identity(service: str) -> ServiceIdentity:
        key = house.postgres.secrets.rsa_key(service)
        return ServiceIdentity(service=service, private_key=read_service_key(key), channel=auth.channel)

    token = await identity("operator").token_for_self()
    traffic = (await ask(seeing, token, "GetModelTraffic", name=TRAFFIC)).message
    assert standing(traffic)[FIRST][1] == 100
    request = model_service_pb2.ListModelChangesRequest(parent=f"models/{MODEL}")
    answer = await seeing.client.ask("ModelService.ListModelChanges", request, token=token)
    answer.fails("SERVICE_NOT_ALLOWED")
    with pytest.raises(UnauthenticatedError, match="not known or no longer allowed"):
        await identity("tracking").token_for_self()
