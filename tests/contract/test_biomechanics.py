"""Motion, measured end to end: library, vision with its nets, tracking and biomechanics' worker, all for real."""

from __future__ import annotations

import asyncio
import io
import json
import uuid
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from google.longrunning import operations_pb2

from biomechanics_service.adapters import observation_log
from praxiscope.biomechanics.v1 import motion_pb2, motion_service_pb2
from praxiscope.library.v1 import asset_service_pb2, operation_service_pb2
from praxiscope.type.v1 import media_pb2, operation_pb2
from praxiscope_common.jobs.operations import Operation
from praxiscope_common.status import from_status
from praxiscope_common.storage.records import decode_records
from tests.contract.test_library_assets import derive
from tests.support import media
from tests.support.calls import Answer
from tests.support.coverage import covers
from tests.support.house import VIDEO, House, Served, Tenant, working
from tests.support.operations import eventually, read
from tools.devstack.triton import RunningTriton
from vision_inference_service.api.convert import memory_from, state_from

Metadata = operation_pb2.OperationMetadata
_FRAME_COUNT = 30


@pytest.fixture(scope="module")
async def seeing(house: House, triton: RunningTriton) -> AsyncIterator[Served]:
    """Vision with its nets."""
    async with house.serve("vision_inference", {"TRITON_ADDRESS": triton.grpc_address}) as served:
        yield served


@pytest.fixture(scope="module")
def clip(sample_video: Path) -> bytes:
    """A second of the sample, in which two people are."""
    return media.encode_video(media.cut_frames(sample_video, 60, _FRAME_COUNT))


async def analyze(tenant: Tenant, version: str, path: str = "", **fields: object) -> Answer:
    """Starts an analysis without an overlay."""
    request = motion_service_pb2.AnalyzeMotionRequest(
        video=media_pb2.MediaRef(asset_version=version, path=path),
        omit_overlay=True,
        **fields,  # type: ignore[arg-type]
    )
    return await tenant.house.ask("MotionService.AnalyzeMotion", request, token=tenant.token)


async def get_motion(tenant: Tenant, version: str) -> Answer:
    """Reads a motion in short."""
    request = motion_service_pb2.GetMotionRequest(name=version)
    return await tenant.house.ask("MotionService.GetMotion", request, token=tenant.token)


async def wait(tenant: Tenant, name: str) -> operations_pb2.Operation:
    """Returns an operation when it is done."""
    request = operation_service_pb2.WaitOperationRequest(name=name, timeout={"seconds": 60})
    answer = await tenant.house.ask("OperationService.WaitOperation", request, token=tenant.token, timeout_s=65)
    assert answer.message.done
    return answer.message


async def cancel(tenant: Tenant, name: str) -> None:
    """Asks for an operation's end."""
    request = operation_service_pb2.CancelOperationRequest(name=name)
    assert (await tenant.house.ask("OperationService.CancelOperation", request, token=tenant.token)).error is None


async def row(tenant: Tenant, name: str) -> Operation:
    """Returns an operation's row."""
    _, project_id, _, operation_id = name.split("/")
    stub = type("Known", (), {"project_id": project_id, "operation_id": operation_id})
    return await read(tenant.house.served("library").app.database, stub())  # type: ignore[arg-type]


async def files_of(tenant: Tenant, version: str) -> dict[str, bytes]:
    """Returns the files of a version by their paths."""
    prefix = version.replace("/versions/", "/v") + "/"
    store = tenant.house.store
    keys = [key async for key in store.list(prefix)]
    return {key.removeprefix(prefix): b"".join([chunk async for chunk in store.read(key)]) for key in keys}


def peers(seeing: Served) -> dict[str, str]:
    """Returns where biomechanics finds vision."""
    return {"VISION_INFERENCE_ADDRESS": seeing.address}


def measured(done: operations_pb2.Operation) -> motion_service_pb2.AnalyzeMotionResponse:
    """Returns what an analysis made."""
    response = motion_service_pb2.AnalyzeMotionResponse()
    assert not done.HasField("error"), from_status(done.error).message
    assert done.response.Unpack(response)
    return response


# Accepting


@covers("MotionService.AnalyzeMotion", "INVALID_MOTION_CONFIG")
async def test_nobody_is_as_tall_as_a_hand(tenant: Tenant) -> None:
    version = await tenant.upload(b"a video, said its name", "movie.mp4", VIDEO)
    for height_m in (1e-45, 0.2):
        (await analyze(tenant, version, height_m=height_m)).fails("INVALID_MOTION_CONFIG")


@covers("MotionService.AnalyzeMotion", "RESOURCE_NOT_FOUND", "FILE_NOT_FOUND", "FILE_PATH_NEEDED", "REQUEST_ID_REUSED")
async def test_what_is_wrong_is_said_before_any_work(tenant: Tenant, stranger: Tenant) -> None:
    version = await tenant.upload(b"a video, said its name", "movie.mp4", VIDEO)
    several = await derive(tenant, {"a.mp4": b"a", "b.mp4": b"b"})
    request_id = str(uuid.uuid4())
    first = (await analyze(tenant, version, request_id=request_id)).message
    assert (await analyze(tenant, version, request_id=request_id)).message.name == first.name
    (await analyze(tenant, version, request_id=request_id, height_m=1.8)).fails("REQUEST_ID_REUSED")
    (await analyze(tenant, several)).fails("FILE_PATH_NEEDED")
    (await analyze(tenant, several, "c.mp4")).fails("FILE_NOT_FOUND")
    theirs = await stranger.upload(b"x", "movie.mp4", VIDEO)
    (await analyze(tenant, theirs)).fails("RESOURCE_NOT_FOUND")
    await cancel(tenant, first.name)


@pytest.mark.parametrize("fields", [{"height_m": 3.0}, {"height_m": -1}, {"cutoff_hz": 31}, {"preset": 9}], ids=str)
async def test_an_analysis_keeps_to_the_contracts_rules(tenant: Tenant, fields: dict[str, object]) -> None:
    version = f"{tenant.name_of('assets')}/versions/1"
    (await analyze(tenant, version, **fields)).fails("INVALID_REQUEST")


@covers("MotionService.GetMotion", "NOT_A_MOTION", "RESOURCE_NOT_FOUND")
async def test_only_a_motion_is_read_as_one(tenant: Tenant) -> None:
    (await get_motion(tenant, await tenant.upload(b"x"))).fails("NOT_A_MOTION")
    (await get_motion(tenant, f"{tenant.name_of('assets')}/versions/latest")).fails("RESOURCE_NOT_FOUND")


# Measuring


@pytest.mark.triton
@covers("MotionService.AnalyzeMotion")
@covers("MotionService.GetMotion")
async def test_a_video_becomes_a_motion_with_all_its_files(
    house: House, tenant: Tenant, seeing: Served, clip: bytes
) -> None:
    version = await tenant.upload(clip, "clip.mp4", VIDEO)
    async with house.work("biomechanics", peers(seeing)):
        started = (await analyze(tenant, version, height_m=1.75)).message
        metadata = Metadata()
        assert started.metadata.Unpack(metadata)
        assert (metadata.target, metadata.creator) == (version, tenant.subject)
        response = measured(await wait(tenant, started.name))
    motion = response.motion
    assert (motion.video, motion.frame_count, len(motion.persons)) == (version, _FRAME_COUNT, 2)
    assert all(person.seen_frame_count >= 25 for person in motion.persons)
    knees = [angle for angle in motion.persons[0].angles if angle.name in {"knee_angle_r", "knee_angle_l"}]
    assert len(knees) == 2
    assert all(-20 < knee.minimum_deg < knee.maximum_deg < 180 for knee in knees)
    assert set(response.stage_elapsed_s) == {"observe", "measure", "store", "overlay"}
    assert (await get_motion(tenant, motion.asset_version)).message == motion
    files = await files_of(tenant, motion.asset_version)
    expected = {"angles.csv", "motion.json", "tracks.txt", "report.html", "motion.pb.zst", "observations.pb.zst"}
    assert expected <= set(files)
    for person in motion.persons:
        assert {f"person-{person.person_id}.trc", f"person-{person.person_id}.mot"} <= set(files)
    assert json.loads(files["motion.json"])
    assert b"<html" in files["report.html"][:500].lower()
    lineage = asset_service_pb2.GetLineageRequest(name=motion.asset_version)
    edges = (await house.ask("AssetService.GetLineage", lineage, token=tenant.token)).message.edges
    assert [(edge.source, edge.target, edge.operation) for edge in edges] == [
        (version, motion.asset_version, started.name)
    ]
    assert [key async for key in house.store.list(f"{started.name}/partial/motion/")] == [], "moved, not copied"


@pytest.mark.triton
async def test_cancelling_midway_ends_the_analysis_and_makes_nothing(
    house: House, tenant: Tenant, seeing: Served, clip: bytes
) -> None:
    version = await tenant.upload(clip, "clip.mp4", VIDEO)
    async with house.work("biomechanics", peers(seeing)):
        started = (await analyze(tenant, version)).message

        async def is_midway() -> bool:
            return (await row(tenant, started.name)).progress > 0

        await eventually(is_midway, "the analysis is under way")
        await cancel(tenant, started.name)
        done = await wait(tenant, started.name)
    metadata = Metadata()
    assert done.metadata.Unpack(metadata)
    assert from_status(done.error).reason == "OPERATION_CANCELLED"
    assert metadata.state == Metadata.STATE_CANCELLED
    assert 0 < metadata.progress < 1
    listing = asset_service_pb2.ListAssetsRequest(parent=tenant.name, filter="kind = KIND_MOTION")
    assert len((await house.ask("AssetService.ListAssets", listing, token=tenant.token)).message.assets) == 0


async def broken_off(
    house: House, tenant: Tenant, seeing: Served, version: str, monkeypatch: pytest.MonkeyPatch
) -> str:
    """Returns the name of an analysis whose worker was stopped behind its first checkpoint."""
    monkeypatch.setattr(observation_log, "CHUNK_FRAMES", 8)  # or a clip of a second would have no checkpoint
    started = (await analyze(tenant, version)).message

    async def has_checkpoint() -> bool:
        return bool((await row(tenant, started.name)).checkpoint)

    app = house.build("biomechanics", peers(seeing))
    await app.database.open()
    try:
        worker = app.create_worker()
        worker._grace_s = 0.0
        async with working(worker):
            await eventually(has_checkpoint, "the first chunk is written")
    finally:
        await house.close(app)
    stopped = await row(tenant, started.name)
    assert stopped.state == "retrying"
    assert 1 <= len(stopped.checkpoint["keys"]) < _FRAME_COUNT // 8
    return str(started.name)


@pytest.mark.triton
async def test_an_analysis_that_was_broken_off_goes_on_and_measures_the_same(
    house: House, tenant: Tenant, seeing: Served, clip: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = await tenant.upload(clip, "clip.mp4", VIDEO)
    async with house.work("biomechanics", peers(seeing)):
        whole = measured(await wait(tenant, (await analyze(tenant, version)).message.name))
    started = await broken_off(house, tenant, seeing, version, monkeypatch)
    async with house.work("biomechanics", peers(seeing)):
        again = measured(await wait(tenant, started))
    assert (await row(tenant, started)).attempt_count == 2
    one, two = await files_of(tenant, whole.motion.asset_version), await files_of(tenant, again.motion.asset_version)
    assert set(one) == set(two)
    for path in ("angles.csv", "tracks.txt"):
        assert one[path] == two[path]
    assert observations(one["observations.pb.zst"]) == observations(two["observations.pb.zst"])
    for motion in (whole.motion, again.motion):
        motion.ClearField("asset_version")
    assert whole.motion == again.motion


@pytest.mark.triton
async def test_an_analysis_whose_models_are_gone_begins_anew(
    house: House, tenant: Tenant, seeing: Served, clip: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frames that a version saw which is in service no more are never mixed with what others see."""
    version = await tenant.upload(clip, "clip.mp4", VIDEO)
    async with house.work("biomechanics", peers(seeing)):
        whole = measured(await wait(tenant, (await analyze(tenant, version)).message.name))
    started = await broken_off(house, tenant, seeing, version, monkeypatch)
    checkpoint = dict((await row(tenant, started)).checkpoint)
    memory, versions = memory_from(b64decode(checkpoint["vision_state"]))
    assert versions == {}, "there never was any version but the first"
    checkpoint["vision_state"] = b64encode(state_from(memory, {"movenet_multipose": 9})).decode("ascii")
    async with house.served("library").app.database.transaction() as connection:
        await connection.execute(
            "UPDATE jobs.operation SET checkpoint = %s WHERE operation_id = %s",
            [json.dumps(checkpoint), started.rpartition("/")[2]],
        )
    async with house.work("biomechanics", peers(seeing)):
        again = measured(await wait(tenant, started))
    assert again.model_versions == whole.model_versions == ["movenet_multipose/1", "blazepose_full/1", "centernet/1"]
    one, two = await files_of(tenant, whole.motion.asset_version), await files_of(tenant, again.motion.asset_version)
    assert one["angles.csv"] == two["angles.csv"]
    assert observations(one["observations.pb.zst"]) == observations(two["observations.pb.zst"])


def observations(content: bytes) -> list[bytes]:
    """Returns the records of a file of observations."""
    records = decode_records(io.BytesIO(content), None, motion_pb2.ObservedFrame)
    return [record.SerializeToString(deterministic=True) for record in records]


BAD_VIDEOS = {
    "nothing": (b"", "MEDIA_UNREADABLE"),
    "text": (b"hello, this is text\n" * 50, "MEDIA_UNREADABLE"),
    "sound": (media.encode_sound(), "MEDIA_HAS_NO_VIDEO"),
    "its first bytes": (media.encode_video(media.grey_frames(10))[:300], "MEDIA_TRUNCATED"),
}


async def test_a_file_that_is_no_video_ends_the_analysis_with_what_it_is(house: House, tenant: Tenant) -> None:
    async with house.work("biomechanics"):
        for content, reason in BAD_VIDEOS.values():
            version = await tenant.upload(content, "movie.mp4", VIDEO)
            done = await wait(tenant, (await analyze(tenant, version)).message.name)
            assert from_status(done.error).reason == reason
            assert (await row(tenant, done.name)).attempt_count == 1, "trying again would not help"


@pytest.mark.triton
@pytest.mark.parametrize("frame_count", [1, 12])
async def test_a_video_of_one_frame_or_of_nobody_is_an_empty_motion_that_says_so(
    house: House, tenant: Tenant, seeing: Served, frame_count: int
) -> None:
    content = media.encode_video(media.grey_frames(frame_count, width_px=320, height_px=240))
    version = await tenant.upload(content, "empty.mp4", VIDEO)
    async with house.work("biomechanics", peers(seeing)):
        response = measured(await wait(tenant, (await analyze(tenant, version)).message.name))
    assert (response.motion.frame_count, len(response.motion.persons)) == (frame_count, 0)
    assert any("Nobody" in note for note in response.motion.notes)
    assert "report.html" in await files_of(tenant, response.motion.asset_version)


@pytest.mark.triton
async def test_a_phones_turned_video_is_measured_upright(
    house: House, tenant: Tenant, seeing: Served, sample_video: Path
) -> None:
    pictures = [np.ascontiguousarray(np.rot90(picture)) for picture in media.cut_frames(sample_video, 60, 12)]
    content = media.turned(media.encode_video(pictures), 90)
    version = await tenant.upload(content, "phone.mp4", VIDEO)
    async with house.work("biomechanics", peers(seeing)):
        response = measured(await wait(tenant, (await analyze(tenant, version)).message.name))
    files = await files_of(tenant, response.motion.asset_version)
    boxes = np.loadtxt(files["tracks.txt"].decode().splitlines(), delimiter=",")
    assert len(np.unique(boxes[:, 1])) == 2
    assert (boxes[:, 5] > boxes[:, 4]).all(), "people stand"


async def test_an_analysis_whose_vision_is_away_waits_for_it(house: House, tenant: Tenant) -> None:
    version = await tenant.upload(media.encode_video(media.grey_frames(3)), "a.mp4", VIDEO)
    async with house.work("biomechanics", {"VISION_INFERENCE_ADDRESS": "127.0.0.1:9"}):
        started = (await analyze(tenant, version)).message

        async def is_retrying() -> bool:
            return (await row(tenant, started.name)).state == "retrying"

        await eventually(is_retrying, "the analysis waits for its next attempt")
    await asyncio.sleep(0)
    await cancel(tenant, started.name)
