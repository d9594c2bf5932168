"""WebSockets, streams and native gRPC on the one port; health; limits; and one trace through the house."""

import asyncio
import json
from pathlib import Path

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from praxiscope.client import Client
from praxiscope.rendering.v1 import world_rendering_service_pb2
from praxiscope.tracking.v1 import tracking_service_pb2
from tests.e2e.conftest import PORT_OFFSET, RunningStack
from tests.support.contracts import AREAS
from tests.support.world_files import make_world, world_file


def frame(index: int) -> bytes:
    carried = tracking_service_pb2.TrackRequest.Frame(frame_index=index, boxes_px=[10, 10, 50, 90], scores=[0.9])
    return tracking_service_pb2.TrackRequest(frame=carried).SerializeToString()


def start(stack: RunningStack, project: str = "") -> bytes:
    begun = tracking_service_pb2.TrackRequest.Start(parent=project or stack.credentials["project"])
    return tracking_service_pb2.TrackRequest(start=begun).SerializeToString()


async def test_a_websocket_tracks(stack: RunningStack) -> None:
    from tests.e2e.websocket import connect

    async with connect(stack.url, "/v1/live:track", stack.credentials["api_key"]) as socket:
        await socket.send(start(stack))
        ids = []
        for index in range(3):
            await socket.send(frame(index))
            answer = tracking_service_pb2.TrackResponse.FromString(await socket.receive())
            ids.append(list(answer.track_ids))
        await socket.send(b"")
        assert await socket.closed() == 1000
    assert ids == [[1], [1], [1]]


async def test_a_websocket_draws_a_world_for_who_moves_through_it(stack: RunningStack, tmp_path: Path) -> None:
    from tests.e2e.websocket import connect

    (tmp_path / "garden.ply").write_bytes(world_file(make_world(2000)))

    def upload() -> str:
        with Client(stack.profile) as client:
            return client.upload(tmp_path / "garden.ply", kind="KIND_WORLD").latest_version

    world = await asyncio.to_thread(upload)
    request = world_rendering_service_pb2.StreamViewRequest
    async with connect(stack.url, "/v1/live:view", stack.credentials["api_key"]) as socket:
        begun = request.Start(world=world, width_px=320, height_px=180, frame_time_ms=1000)
        await socket.send(request(start=begun).SerializeToString())
        for number in (1, 2):
            orbit = world_rendering_service_pb2.OrbitView(azimuth_rad=0.1 * number)
            await socket.send(request(pose=request.Pose(number=number, orbit=orbit)).SerializeToString())
            frame = world_rendering_service_pb2.StreamViewResponse.FromString(await socket.receive())
            assert frame.pose_number == number
            assert frame.content.startswith(b"\xff\xd8")
        await socket.send(b"")
        assert await socket.closed() == 1000


@pytest.mark.parametrize(
    ("messages", "code"),
    [([frame(0)], 4003), ([b"\xff\xff"], 4003)],
    ids=["without a start", "no protobuf"],
)
async def test_a_websocket_ends_with_the_errors_code(stack: RunningStack, messages: list[bytes], code: int) -> None:
    from tests.e2e.websocket import connect

    async with connect(stack.url, "/v1/live:track", stack.credentials["api_key"]) as socket:
        for message in messages:
            await socket.send(message)
        assert await socket.closed() == code


@pytest.mark.parametrize("credential", ["", "a.b.c"], ids=["none", "broken"])
async def test_a_websocket_without_a_credential_that_holds_is_not_opened(stack: RunningStack, credential: str) -> None:
    from tests.e2e.websocket import RefusedError, connect

    with pytest.raises(RefusedError, match=" 401 "):
        async with connect(stack.url, "/v1/live:track", credential):
            pass


async def test_a_websocket_for_a_project_that_is_not_the_callers_is_refused_in_its_first_message(
    stack: RunningStack,
) -> None:
    from tests.e2e.websocket import connect

    async with connect(stack.url, "/v1/live:track", stack.credentials["api_key"]) as socket:
        await socket.send(start(stack, "projects/aaaaaaaaaaaaaaaaaaaaaaaaaa"))
        assert await socket.closed() == 4000 + grpc.StatusCode.NOT_FOUND.value[0]


async def test_native_grpc_has_health_and_reflection_on_the_same_port(stack: RunningStack) -> None:
    address = stack.url.removeprefix("http://")
    async with grpc.aio.insecure_channel(address) as channel:
        answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        assert answer.status == health_pb2.HealthCheckResponse.SERVING

    def list_services() -> list[str]:
        with grpc.insecure_channel(address) as channel:
            return list(ProtoReflectionDescriptorDatabase(channel).get_services())

    services = await asyncio.to_thread(list_services)
    assert {"praxiscope.biomechanics.v1.MotionService", "praxiscope.library.v1.AssetService"} <= set(services)


def test_readiness_names_every_service(stack: RunningStack) -> None:
    document = httpx.get(f"{stack.url}/readyz").json()
    assert document["ready"]
    assert set(document["services"]) == {"google.longrunning", *(f"praxiscope.{area}.v1" for area in AREAS)}


def test_json_is_compressed_for_those_who_take_it(stack: RunningStack) -> None:
    for encoding, expected in (("gzip", "gzip"), ("identity", None)):
        answer = httpx.get(f"{stack.url}/openapi.json", headers={"accept-encoding": encoding})
        assert answer.headers.get("content-encoding") == expected
        assert answer.json()["swagger"] == "2.0"


def test_streams_come_as_lines_or_events(stack: RunningStack, tmp_path: Path) -> None:
    headers = {"authorization": f"Bearer {stack.credentials['api_key']}"}
    (tmp_path / "detections.txt").write_text("".join(f"{index},-1,10,10,40,80,0.9\n" for index in range(1, 20)))
    with Client(stack.profile) as client:
        detections = client.upload(tmp_path / "detections.txt", kind="KIND_DETECTIONS")
        name = client.track_detections(detections.latest_version)
    lines = httpx.get(f"{stack.url}/v1/{name}:watch", headers={**headers, "accept": "application/x-ndjson"}, timeout=60)
    assert lines.headers["content-type"].startswith("application/x-ndjson")
    assert all(json.loads(line)["result"]["name"] == name for line in lines.text.splitlines() if line)
    events = httpx.get(f"{stack.url}/v1/{name}:watch", headers={**headers, "accept": "text/event-stream"}, timeout=60)
    assert events.headers["content-type"].startswith("text/event-stream")
    assert events.text.startswith("data: {")
    assert events.text.endswith("\n\n")


def test_metrics_have_the_seeds_names(stack: RunningStack) -> None:
    httpx.get(f"{stack.url}/v1/auth/keys")
    ports = {"gateway": 7401, "auth": 7411, "vision": 7431, "worker": 7452}
    texts = {name: httpx.get(f"http://127.0.0.1:{port + PORT_OFFSET}/metrics").text for name, port in ports.items()}
    assert "api_requests_total" in texts["gateway"]
    assert "api_requests_total" in texts["auth"]
    assert "inference_latency_seconds" in texts["vision"]
    assert 'queue_length{priority="0",queue="biomechanics"}' in texts["worker"]
    assert stack.credentials["project"].removeprefix("projects/") not in "".join(texts.values())
