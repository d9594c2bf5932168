"""What is seen in pictures, videos and live frames, by the real nets in the real model server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from praxiscope.type.v1 import media_pb2
from praxiscope.vision.v1 import vision_service_pb2
from tests.contract.test_library_assets import derive
from tests.support import media
from tests.support.calls import Answer, Client
from tests.support.coverage import covers
from tests.support.house import IMAGE, VIDEO, House, Served, Tenant
from tools.devstack.triton import RunningTriton

Config = vision_service_pb2.ObservationConfig
Source = vision_service_pb2.ImageSource
Live = vision_service_pb2.ObserveLiveRequest


@pytest.fixture(scope="module")
async def seeing(house: House, triton: RunningTriton) -> AsyncIterator[Served]:
    """Vision with its nets."""
    async with house.serve("vision_inference", {"TRITON_ADDRESS": triton.grpc_address}) as served:
        yield served


@pytest.fixture(scope="module")
def people(sample_video: Path) -> list[np.ndarray]:
    """Twenty-four frames of the sample, in which two people are."""
    return media.cut_frames(sample_video, 60, 24)


@pytest.fixture(scope="module")
def clip(people: list[np.ndarray]) -> bytes:
    """The frames as a video."""
    return media.encode_video(people)


async def find_poses(client: Client, tenant: Tenant, source: Source, **config: object) -> Answer:
    """Looks for people in a picture."""
    request = vision_service_pb2.DetectPosesRequest(parent=tenant.name, image=source, config=Config(**config))  # type: ignore[arg-type]
    return await client.ask("VisionService.DetectPoses", request, token=tenant.token)


async def find_objects(client: Client, tenant: Tenant, source: Source, minimum_score: float = 0) -> Answer:
    """Looks for things in a picture."""
    request = vision_service_pb2.DetectObjectsRequest(parent=tenant.name, image=source, minimum_score=minimum_score)
    return await client.ask("VisionService.DetectObjects", request, token=tenant.token)


async def observe(client: Client, tenant: Tenant, version: str, path: str = "", **fields: object) -> Answer:
    """Observes a stored video."""
    request = vision_service_pb2.ObserveVideoRequest(
        video=media_pb2.MediaRef(asset_version=version, path=path),
        **fields,  # type: ignore[arg-type]
    )
    return await client.ask("VisionService.ObserveVideo", request, token=tenant.token, timeout_s=60)


def start(tenant: Tenant, **config: object) -> Live:
    """Returns the request that starts a live stream."""
    return Live(start=Live.Start(parent=tenant.name, config=Config(**config)))  # type: ignore[arg-type]


def live_frame(picture: bytes, number: int) -> Live:
    """Returns the request for one live frame."""
    return Live(frame=Live.Frame(content=picture, time_offset={"nanos": number * 33_000_000}))


def frames_of(answer: Answer) -> list[object]:
    """Returns the frames of an observed video."""
    return [frame for message in answer.messages for frame in message.frames]


# Without the model server


GREY = media.encode_picture(np.full((48, 64, 3), 128, np.uint8))


@covers("VisionService.DetectPoses", "MEDIA_UNREADABLE", "MODEL_SERVER_UNAVAILABLE", "INVALID_OBSERVATION_CONFIG")
@covers("VisionService.DetectObjects", "MEDIA_UNREADABLE", "MODEL_SERVER_UNAVAILABLE")
async def test_a_picture_that_is_none_and_nets_that_are_away_are_told_apart(house: House, tenant: Tenant) -> None:
    for look in (find_poses, find_objects):
        for content in (b"hello", GREY[:40], media.encode_sound()):
            (await look(house.client, tenant, Source(content=content))).fails("MEDIA_UNREADABLE")
        error = (await look(house.client, tenant, Source(content=GREY))).fails("MODEL_SERVER_UNAVAILABLE")
        assert error.retry_after_s is not None
    odd = await find_poses(house.client, tenant, Source(content=GREY), search_long_side_px=100)
    odd.fails("INVALID_OBSERVATION_CONFIG")


@covers("VisionService.DetectPoses", "RESOURCE_NOT_FOUND", "FILE_NOT_FOUND", "FILE_PATH_NEEDED")
@covers("VisionService.DetectObjects", "RESOURCE_NOT_FOUND", "FILE_NOT_FOUND", "FILE_PATH_NEEDED")
@covers("VisionService.ObserveVideo", "RESOURCE_NOT_FOUND", "FILE_NOT_FOUND", "FILE_PATH_NEEDED")
async def test_stored_media_must_be_there_and_ones_own(house: House, tenant: Tenant, stranger: Tenant) -> None:
    several = await derive(tenant, {"a.png": GREY, "b.png": GREY})
    theirs = await stranger.upload(GREY, "a.png", IMAGE)
    for name, path, reason in (
        (several, "", "FILE_PATH_NEEDED"),
        (several, "c.png", "FILE_NOT_FOUND"),
        (theirs, "", "RESOURCE_NOT_FOUND"),
        (f"{tenant.name_of('assets')}/versions/latest", "", "RESOURCE_NOT_FOUND"),
    ):
        source = Source(media=media_pb2.MediaRef(asset_version=name, path=path))
        (await find_poses(house.client, tenant, source)).fails(reason)
        (await find_objects(house.client, tenant, source)).fails(reason)
        (await observe(house.client, tenant, name, path)).fails(reason)


@covers("VisionService.DetectPoses", "MEDIA_TOO_LARGE")
@covers("VisionService.DetectObjects", "MEDIA_TOO_LARGE")
@covers("VisionService.ObserveVideo", "MEDIA_TOO_LARGE", "MEDIA_TOO_LONG")
@covers("VisionService.ObserveLive", "MEDIA_TOO_LARGE")
async def test_what_would_cost_too_much_is_refused(house: House, tenant: Tenant) -> None:
    large = media.encode_video(media.grey_frames(2, width_px=80, height_px=60))
    videos = [await tenant.upload(large, "a.mp4", VIDEO)]
    videos.append(await tenant.upload(media.encode_video(media.grey_frames(9)), "b.mp4", VIDEO))
    limits = {"MAX_PIXELS": str(64 * 48), "MAX_FRAMES": "8"}
    picture = media.encode_picture(np.zeros((60, 80, 3), np.uint8))
    async with house.serve("vision_inference", limits) as small:
        for look in (find_poses, find_objects):
            (await look(small.client, tenant, Source(content=picture))).fails("MEDIA_TOO_LARGE")
        (await observe(small.client, tenant, videos[0])).fails("MEDIA_TOO_LARGE")
        (await observe(small.client, tenant, videos[1])).fails("MEDIA_TOO_LONG")
        live = [start(tenant), live_frame(picture, 0)]
        (await small.client.ask("VisionService.ObserveLive", live, token=tenant.token)).fails("MEDIA_TOO_LARGE")


BAD_VIDEOS = {
    "nothing": (b"", "MEDIA_UNREADABLE"),
    "text": (b"hello, this is text\n" * 50, "MEDIA_UNREADABLE"),
    "sound": (media.encode_sound(), "MEDIA_HAS_NO_VIDEO"),
    "its first bytes": (media.encode_video(media.grey_frames(10))[:300], "MEDIA_TRUNCATED"),
}


@covers("VisionService.ObserveVideo", "MEDIA_UNREADABLE", "MEDIA_HAS_NO_VIDEO", "MEDIA_TRUNCATED")
async def test_a_file_that_is_no_video_says_what_it_is(house: House, tenant: Tenant) -> None:
    for content, reason in BAD_VIDEOS.values():
        version = await tenant.upload(content, "movie.mp4", VIDEO)
        (await observe(house.client, tenant, version)).fails(reason)


@covers("VisionService.ObserveVideo", "INVALID_OBSERVATION_CONFIG", "INVALID_RESUME_STATE", "MODEL_SERVER_UNAVAILABLE")
async def test_settings_and_states_of_a_video_are_checked_first(house: House, tenant: Tenant) -> None:
    version = await tenant.upload(media.encode_video(media.grey_frames(3)), "a.mp4", VIDEO)
    odd = await observe(house.client, tenant, version, config=Config(search_long_side_px=100))
    odd.fails("INVALID_OBSERVATION_CONFIG")
    (await observe(house.client, tenant, version, resume_state=b"nonsense!")).fails("INVALID_RESUME_STATE")
    away = await observe(house.client, tenant, version)
    away.fails("MODEL_SERVER_UNAVAILABLE")
    assert away.messages[0].video_info.width_px == 64, "what the header says comes before the nets are asked"


@covers("VisionService.ObserveLive", "STREAM_START_NEEDED", "INVALID_OBSERVATION_CONFIG", "MEDIA_UNREADABLE")
@covers("VisionService.ObserveLive", "MODEL_SERVER_UNAVAILABLE")
async def test_a_live_stream_starts_once_and_carries_pictures(house: House, tenant: Tenant) -> None:
    for requests, reason in (
        ([], "STREAM_START_NEEDED"),
        ([live_frame(GREY, 0)], "STREAM_START_NEEDED"),
        ([start(tenant), start(tenant)], "STREAM_START_NEEDED"),
        ([start(tenant, search_long_side_px=100)], "INVALID_OBSERVATION_CONFIG"),
        ([start(tenant), live_frame(b"hello", 0)], "MEDIA_UNREADABLE"),
        ([start(tenant), live_frame(GREY, 0)], "MODEL_SERVER_UNAVAILABLE"),
    ):
        (await house.ask("VisionService.ObserveLive", requests, token=tenant.token)).fails(reason)


@covers("VisionService.DetectPoses", "QUEUE_FULL")
@covers("VisionService.DetectObjects", "QUEUE_FULL")
@covers("VisionService.ObserveVideo", "QUEUE_FULL")
@covers("VisionService.ObserveLive", "QUEUE_FULL")
async def test_no_more_is_looked_at_at_once_than_was_allowed(house: House, tenant: Tenant) -> None:
    video = await tenant.upload(media.encode_video(media.grey_frames(2)), "a.mp4", VIDEO)
    async with house.serve("vision_inference", {"MAX_OBSERVATIONS": "1"}) as small:
        call = small.client.stub("VisionService.ObserveLive")(
            timeout=20, metadata=(("authorization", f"Bearer {tenant.token}"),)
        )
        await call.write(start(tenant))
        await asyncio.sleep(0.3)
        error = (await find_poses(small.client, tenant, Source(content=GREY))).fails("QUEUE_FULL")
        assert error.retry_after_s == 2
        (await find_objects(small.client, tenant, Source(content=GREY))).fails("QUEUE_FULL")
        (await observe(small.client, tenant, video)).fails("QUEUE_FULL")
        (await small.client.ask("VisionService.ObserveLive", [start(tenant)], token=tenant.token)).fails("QUEUE_FULL")
        call.cancel()
        await asyncio.sleep(0.3)
        (await find_poses(small.client, tenant, Source(content=GREY))).fails("MODEL_SERVER_UNAVAILABLE")


# With the nets


@pytest.mark.triton
@covers("VisionService.ListModels")
async def test_every_net_is_in_service_and_has_a_card(seeing: Served, tenant: Tenant) -> None:
    request = vision_service_pb2.ListModelsRequest()
    models = (await seeing.client.ask("VisionService.ListModels", request, token=tenant.token)).message.models
    assert [model.name for model in models] == [f"models/{name}" for name in _NETS]
    for model in models:
        assert model.is_ready
        assert list(model.versions) == ["1"]
        assert model.licence
        assert model.card.startswith("#")


_NETS = ("blazepose_full", "centernet", "movenet_multipose")


@pytest.mark.triton
@covers("VisionService.DetectPoses")
async def test_two_people_are_found_in_a_frame_of_the_sample_sent_or_stored(
    seeing: Served, tenant: Tenant, people: list[np.ndarray]
) -> None:
    picture = media.encode_picture(people[0])
    sent = (await find_poses(seeing.client, tenant, Source(content=picture))).message
    assert (sent.width_px, sent.height_px, len(sent.persons)) == (884, 496, 2)
    for person in sent.persons:
        assert (len(person.keypoints), len(person.landmarks), len(person.world_landmarks_m)) == (51, 165, 99)
        assert person.box.height_px > 150
        nose_x, nose_y = person.landmarks[0:2]
        assert person.box.left_px < nose_x < person.box.left_px + person.box.width_px
        assert nose_y < person.box.top_px + person.box.height_px / 3
    version = await tenant.upload(picture, "a.png", IMAGE)
    stored = Source(media=media_pb2.MediaRef(asset_version=version))
    assert (await find_poses(seeing.client, tenant, stored)).message == sent


@pytest.mark.triton
async def test_landmarks_that_were_not_asked_for_are_not_there(
    seeing: Served, tenant: Tenant, people: list[np.ndarray]
) -> None:
    source = Source(content=media.encode_picture(people[0]))
    without = (await find_poses(seeing.client, tenant, source, omit_landmarks=True)).message
    assert [len(person.landmarks) for person in without.persons] == [0, 0]


@pytest.mark.triton
async def test_people_are_searched_for_as_often_as_was_asked_for(seeing: Served, tenant: Tenant, clip: bytes) -> None:
    version = await tenant.upload(clip, "clip.mp4", VIDEO)
    answer = await observe(seeing.client, tenant, version, config=Config(search_interval_frames=4))
    frames = frames_of(answer)
    assert [frame.frame_index for frame in frames if frame.was_searched] == list(range(0, len(frames), 4))  # type: ignore[attr-defined]
    followed = [frame for frame in frames if not frame.was_searched]  # type: ignore[attr-defined]
    assert sum(len(frame.persons) > 0 for frame in followed) > len(followed) / 2  # type: ignore[attr-defined]


@pytest.mark.triton
async def test_nobody_can_be_followed_without_landmarks(seeing: Served, tenant: Tenant, clip: bytes) -> None:
    version = await tenant.upload(clip, "clip.mp4", VIDEO)
    refused = await observe(
        seeing.client, tenant, version, config=Config(search_interval_frames=4, omit_landmarks=True)
    )
    refused.fails("INVALID_OBSERVATION_CONFIG")


@pytest.mark.triton
@covers("VisionService.DetectObjects")
async def test_people_are_among_the_things_of_a_frame(seeing: Served, tenant: Tenant, people: list[np.ndarray]) -> None:
    picture = media.encode_picture(people[0])
    found = (await find_objects(seeing.client, tenant, Source(content=picture))).message.objects
    scores = [item.score for item in found]
    assert scores == sorted(scores, reverse=True)
    assert sum(item.label == "person" for item in found) >= 2
    assert min(scores) >= 0.3
    sure = (await find_objects(seeing.client, tenant, Source(content=picture), 0.6)).message.objects
    assert all(item.score >= 0.6 for item in sure)
    assert 0 < len(sure) <= len(found)


@pytest.mark.triton
async def test_nobody_is_found_where_nobody_is(seeing: Served, tenant: Tenant) -> None:
    answer = (await find_poses(seeing.client, tenant, Source(content=GREY))).message
    assert (len(answer.persons), answer.may_be_incomplete) == (0, False)


@pytest.mark.triton
@covers("VisionService.ObserveVideo")
async def test_a_video_is_observed_frame_by_frame_and_goes_on_where_it_was_broken_off(
    seeing: Served, tenant: Tenant, clip: bytes
) -> None:
    version = await tenant.upload(clip, "clip.mp4", VIDEO)
    whole = await observe(seeing.client, tenant, version)
    assert whole.error is None
    info, summary = whole.messages[0].video_info, whole.messages[-1].summary
    assert (info.width_px, info.height_px, info.frame_rate_hz, info.codec) == (884, 496, 30, "h264")
    assert (summary.frame_count, summary.was_truncated) == (24, False)
    frames = frames_of(whole)
    assert [frame.frame_index for frame in frames] == list(range(24))  # type: ignore[attr-defined]
    assert [frame.time_offset.ToMilliseconds() for frame in frames] == [index * 1000 // 30 for index in range(24)]  # type: ignore[attr-defined]
    assert sum(len(frame.persons) == 2 for frame in frames) >= 22  # type: ignore[attr-defined]
    broken_off = next(message for message in whole.messages if message.frames)
    next_frame = broken_off.frames[-1].frame_index + 1
    assert 0 < next_frame < 24
    rest = await observe(seeing.client, tenant, version, start_frame=next_frame, resume_state=broken_off.resume_state)
    again = frames_of(rest)
    assert (
        [frame.SerializeToString() for frame in again]
        == [  # type: ignore[attr-defined]
            frame.SerializeToString()
            for frame in frames[next_frame:]  # type: ignore[attr-defined]
        ]
    )


@pytest.mark.triton
@covers("VisionService.ObserveVideo", "MEDIA_CHANGES_SIZE")
async def test_a_broadcast_that_changes_its_size_is_refused_at_that_frame(seeing: Served, tenant: Tenant) -> None:
    version = await tenant.upload(media.size_changing_video(), "a.ts", VIDEO)
    (await observe(seeing.client, tenant, version)).fails("MEDIA_CHANGES_SIZE")


@pytest.mark.triton
async def test_a_cut_off_video_gives_what_it_has_and_says_so(seeing: Served, tenant: Tenant, clip: bytes) -> None:
    matroska = media.encode_video(media.grey_frames(40, width_px=320, height_px=240), container="matroska", quality=2)
    version = await tenant.upload(matroska[: len(matroska) * 6 // 10], "a.mkv", VIDEO)
    answer = await observe(seeing.client, tenant, version)
    assert answer.error is None
    assert 0 < len(frames_of(answer)) < 40
    assert answer.messages[-1].summary.was_truncated


@pytest.mark.triton
@covers("VisionService.ObserveLive")
async def test_live_frames_that_come_too_fast_are_dropped_and_counted(
    seeing: Served, tenant: Tenant, people: list[np.ndarray]
) -> None:
    pictures = [media.encode_picture(picture) for picture in people]
    requests = [start(tenant), *(live_frame(picture, number) for number, picture in enumerate(pictures))]
    answer = await seeing.client.ask("VisionService.ObserveLive", requests, token=tenant.token, timeout_s=60)
    assert answer.error is None
    seen = [message.observations.frame_index for message in answer.messages]
    dropped = sum(message.dropped_frame_count for message in answer.messages)
    assert len(seen) + dropped == len(pictures)
    assert dropped > 0, "frames were sent as fast as the network takes them"
    assert seen == sorted(seen)
    assert seen[-1] == len(pictures) - 1, "the newest is never dropped"
    assert len(answer.messages[-1].observations.persons) == 2


@pytest.mark.triton
@covers("VisionService.ObserveLive", "UNSORTED_FRAMES")
async def test_live_frames_come_in_the_order_of_their_times(seeing: Served, tenant: Tenant) -> None:
    requests = [start(tenant), live_frame(GREY, 2), live_frame(GREY, 1)]
    answer = await seeing.client.ask("VisionService.ObserveLive", requests, token=tenant.token)
    answer.fails("UNSORTED_FRAMES")


@pytest.mark.triton
async def test_a_caller_who_leaves_frees_the_place(
    house: House, triton: RunningTriton, tenant: Tenant, clip: bytes
) -> None:
    version = await tenant.upload(clip, "clip.mp4", VIDEO)
    told = {"TRITON_ADDRESS": triton.grpc_address, "MAX_OBSERVATIONS": "1"}
    async with house.serve("vision_inference", told) as small:
        request = vision_service_pb2.ObserveVideoRequest(video=media_pb2.MediaRef(asset_version=version))
        call = small.client.stub("VisionService.ObserveVideo")(
            request, metadata=(("authorization", f"Bearer {tenant.token}"),)
        )
        assert (await call.read()).HasField("video_info")
        call.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await call.read()
        await asyncio.sleep(1)
        assert (await observe(small.client, tenant, version)).error is None
