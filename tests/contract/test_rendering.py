"""What was measured, drawn: single frames and whole videos, over motions that are written here."""

from __future__ import annotations

import asyncio
import io
import uuid

import av
import numpy as np

from fuzz.media_files import CORPUS
from praxiscope.biomechanics.v1 import motion_pb2
from praxiscope.library.v1 import operation_service_pb2
from praxiscope.rendering.v1 import rendering_service_pb2
from praxiscope.type.v1 import geometry_pb2
from praxiscope_common.storage.records import encode_records
from tests.contract.test_library_assets import derive
from tests.contract.test_library_uploads import stored
from tests.support import media
from tests.support.calls import Answer, Client
from tests.support.coverage import covers
from tests.support.house import VIDEO, House, Tenant

_FRAME_COUNT = 12


def motion_of(video: str, frame_count: int = _FRAME_COUNT) -> bytes:
    """Returns the records of somebody with one bent knee, who walks to the right."""
    header = motion_pb2.MotionHeader(
        format_version=1,
        video=video,
        video_path="movie.mp4",
        angle_names=["knee_angle_r"],
        joint_names=["hip", "knee", "ankle"],
        bones=[0, 1, 1, 2],
        angle_joints=[0, 1, 2],
    )
    records: list[motion_pb2.MotionHeader | motion_pb2.FrameMotion] = [header]
    for index in range(frame_count):
        left = 20.0 + index
        record = motion_pb2.FrameMotion(frame_index=index)
        record.time_offset.FromNanoseconds(index * 1_000_000_000 // 30)
        record.persons.add(
            person_id=1,
            box=geometry_pb2.BoundingBox(left_px=left, top_px=20, width_px=60, height_px=180),
            joints=[left + 30, 60, 0.9, left + 40, 120, 0.9, left + 30, 180, 0.9],
            angles_rad=[0.5],
            angle_confidences=[0.9],
        )
        records.append(record)
    return encode_records(records)


async def a_motion(tenant: Tenant, frames: list[np.ndarray] | None = None, content: bytes | None = None) -> str:
    """Makes a video and a motion in it; returns the motion's version."""
    pictures = frames or list(media.grey_frames(_FRAME_COUNT, width_px=320, height_px=240))
    video = await tenant.upload(media.encode_video(pictures) if content is None else content, "movie.mp4", VIDEO)
    return await derive(tenant, {"motion.pb.zst": motion_of(video), "other.txt": b"x"}, sources=[video])


async def still(client: Client, tenant: Tenant, motion: str, **fields: object) -> Answer:
    """Asks for one drawn frame."""
    fields = fields if {"frame_index", "time_offset"} & set(fields) else {"frame_index": 3, **fields}
    request = rendering_service_pb2.RenderStillRequest(motion=motion, **fields)  # type: ignore[arg-type]
    return await client.ask("RenderingService.RenderStill", request, token=tenant.token)


async def overlay(tenant: Tenant, motion: str, **fields: object) -> Answer:
    """Starts drawing over a whole video."""
    request = rendering_service_pb2.RenderOverlayRequest(motion=motion, **fields)  # type: ignore[arg-type]
    return await tenant.house.ask("RenderingService.RenderOverlay", request, token=tenant.token)


@covers("RenderingService.RenderStill")
async def test_a_frame_is_drawn_by_its_number_or_by_its_time(house: House, tenant: Tenant) -> None:
    motion = await a_motion(tenant)
    by_number = (await still(house.client, tenant, motion, frame_index=6)).message
    assert by_number.content.startswith(b"\x89PNG")
    assert (by_number.frame_index, by_number.width_px, by_number.height_px) == (6, 320, 240)
    by_time = (await still(house.client, tenant, motion, time_offset={"nanos": 201_000_000})).message
    assert by_time == by_number
    small = (await still(house.client, tenant, motion, frame_index=6, height_px=120)).message
    assert (small.width_px, small.height_px) == (160, 120)
    with av.open(io.BytesIO(by_number.content)) as opened:
        picture = next(opened.decode(video=0)).to_ndarray(format="rgb24")
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 20, "something is drawn over the grey"


@covers(
    "RenderingService.RenderStill", "RESOURCE_NOT_FOUND", "FILE_NOT_FOUND", "START_OUT_OF_RANGE", "MEDIA_UNREADABLE"
)
@covers("RenderingService.RenderOverlay", "RESOURCE_NOT_FOUND", "FILE_NOT_FOUND")
async def test_only_a_motion_and_a_frame_that_are_there_are_drawn(
    house: House, tenant: Tenant, stranger: Tenant
) -> None:
    theirs = await a_motion(stranger)
    for name, reason in (
        (theirs, "RESOURCE_NOT_FOUND"),
        (f"{tenant.name_of('assets')}/versions/latest", "RESOURCE_NOT_FOUND"),
        (await tenant.upload(b"no motion"), "FILE_NOT_FOUND"),
    ):
        (await still(house.client, tenant, name)).fails(reason)
        (await overlay(tenant, name)).fails(reason)
    motion = await a_motion(tenant)
    (await still(house.client, tenant, motion, frame_index=_FRAME_COUNT)).fails("START_OUT_OF_RANGE")
    (await still(house.client, tenant, motion, time_offset={"seconds": 60})).fails("START_OUT_OF_RANGE")
    unreadable = await a_motion(tenant, content=b"hello, this is text")
    (await still(house.client, tenant, unreadable)).fails("MEDIA_UNREADABLE")


@covers(
    "RenderingService.RenderStill",
    *("INVALID_MOTION", "MEDIA_TRUNCATED", "MEDIA_HAS_NO_VIDEO", "MEDIA_TOO_LARGE", "MEDIA_TOO_LONG"),
)
async def test_files_that_lie_are_said_to(house: House, tenant: Tenant) -> None:
    pictures = list(media.grey_frames(_FRAME_COUNT, width_px=320, height_px=240))
    for content, reason in (
        (media.encode_video(pictures)[:200], "MEDIA_TRUNCATED"),
        (media.encode_sound(), "MEDIA_HAS_NO_VIDEO"),
        ((CORPUS / "video" / "more-pixels-than-allowed").read_bytes(), "MEDIA_TOO_LARGE"),
        ((CORPUS / "video" / "more-frames-than-allowed").read_bytes(), "MEDIA_TOO_LONG"),
    ):
        (await still(house.client, tenant, await a_motion(tenant, content=content))).fails(reason)
    for content in (
        b"no motion",
        motion_of("projects/p")[:-5],
        encode_records([motion_pb2.MotionHeader(bones=[7, 8])]),
    ):
        video = await tenant.upload(media.encode_video(pictures), "movie.mp4", VIDEO)
        motion = await derive(tenant, {"motion.pb.zst": content, "other.txt": b"x"}, sources=[video])
        (await still(house.client, tenant, motion)).fails("INVALID_MOTION")


@covers("RenderingService.RenderStill", "STILL_TOO_LARGE")
async def test_a_picture_larger_than_an_answer_is_refused_with_what_to_do(house: House, tenant: Tenant) -> None:
    random = np.random.default_rng(3)
    noise = [random.integers(0, 256, (480, 640, 3), np.uint8) for _ in range(4)]
    motion = await a_motion(tenant, noise)
    error = (await still(house.client, tenant, motion, height_px=4320)).fails("STILL_TOO_LARGE")
    assert "height_px" in error.message


@covers("RenderingService.RenderStill", "QUEUE_FULL")
async def test_no_more_is_drawn_at_once_than_was_allowed(house: House, tenant: Tenant) -> None:
    motion = await a_motion(tenant)
    async with house.serve("rendering", {"MAX_STILLS": "1"}) as small:
        answers = await asyncio.gather(*(still(small.client, tenant, motion) for _ in range(6)))
    assert {answer.outcome for answer in answers} == {"OK", "QUEUE_FULL"}


@covers("RenderingService.RenderOverlay")
async def test_a_drawn_video_has_every_frame_and_knows_what_it_was_made_from(house: House, tenant: Tenant) -> None:
    motion = await a_motion(tenant)
    async with house.work("rendering"):
        codec = rendering_service_pb2.RenderOverlayRequest.CODEC_VP9
        started = (await overlay(tenant, motion, codec=codec)).message
        request = operation_service_pb2.WaitOperationRequest(name=started.name, timeout={"seconds": 60})
        answer = await house.ask("OperationService.WaitOperation", request, token=tenant.token, timeout_s=65)
    response = rendering_service_pb2.RenderOverlayResponse()
    assert answer.message.response.Unpack(response), answer.message.error
    assert response.frame_count == _FRAME_COUNT
    with av.open(io.BytesIO(await stored(tenant, response.asset_version))) as opened:
        frames = [frame.to_ndarray(format="rgb24") for frame in opened.decode(video=0)]
        assert opened.streams.video[0].codec_context.name in {"vp9", "libvpx-vp9"}
    assert len(frames) == _FRAME_COUNT
    assert frames[0].shape == (240, 320, 3)


@covers("RenderingService.RenderOverlay", "REQUEST_ID_REUSED")
async def test_a_repeated_request_draws_once(tenant: Tenant) -> None:
    motion, other = await a_motion(tenant), await a_motion(tenant)
    request_id = str(uuid.uuid4())
    first = (await overlay(tenant, motion, request_id=request_id)).message
    assert (await overlay(tenant, motion, request_id=request_id)).message.name == first.name
    (await overlay(tenant, other, request_id=request_id)).fails("REQUEST_ID_REUSED")
    cancelling = operation_service_pb2.CancelOperationRequest(name=first.name)
    await tenant.house.ask("OperationService.CancelOperation", cancelling, token=tenant.token)
