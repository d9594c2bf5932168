"""Identities over time: as they come, and over what is stored."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence

import numpy as np
import pytest
from google.longrunning import operations_pb2

from praxiscope.library.v1 import operation_service_pb2
from praxiscope.tracking.v1 import tracking_service_pb2
from praxiscope.type.v1 import media_pb2
from praxiscope_common.status import from_status
from tests.contract.test_library_assets import derive
from tests.contract.test_library_uploads import stored
from tests.support.calls import Answer
from tests.support.coverage import covers
from tests.support.house import DETECTIONS, House, Tenant

Request = tracking_service_pb2.TrackRequest
Config = tracking_service_pb2.TrackerConfig


def walkers(frame_index: int) -> tuple[list[float], list[float]]:
    """Returns two people who walk towards each other, one unseen for a while, and a doubtful third."""
    boxes, scores = [], []
    for start_px, speed_px, unseen in ((100.0, 6.0, range(0)), (900.0, -6.0, range(12, 20))):
        if frame_index not in unseen:
            left = start_px + speed_px * frame_index
            boxes += [left, 100.0, left + 80, 300.0]
            scores.append(0.9)
    boxes += [500.0, 400.0, 540.0, 500.0]
    scores.append(0.2 if frame_index % 2 else 0.7)
    return boxes, scores


def frame(index: int, *, want_resume_state: bool = False, **changes: object) -> Request:
    """Returns the request for one frame."""
    boxes, scores = walkers(index)
    fields = {"frame_index": index, "boxes_px": boxes, "scores": scores, **changes}
    return Request(frame=Request.Frame(want_resume_state=want_resume_state, **fields))  # type: ignore[arg-type]


def start(tenant: Tenant, resume_state: bytes = b"", **config: object) -> Request:
    """Returns the request that starts a stream."""
    return Request(
        start=Request.Start(
            parent=tenant.name,
            config=Config(**config),
            frame_rate_hz=30,
            resume_state=resume_state,  # type: ignore[arg-type]
        )
    )


async def track(tenant: Tenant, requests: Sequence[Request] | AsyncIterator[Request]) -> Answer:
    """Runs a stream to its end."""
    return await tenant.house.ask("TrackingService.Track", requests, token=tenant.token)


TRACKERS = (
    {"tracker": Config.TRACKER_SORT},
    {"tracker": Config.TRACKER_BYTETRACK, "preset": Config.PRESET_CROWD},
    {"tracker": Config.TRACKER_BYTETRACK, "preset": Config.PRESET_PEOPLE},
)


@covers("TrackingService.Track")
@pytest.mark.parametrize("config", TRACKERS, ids=str)
async def test_every_frame_is_answered_and_people_keep_their_number(tenant: Tenant, config: dict[str, object]) -> None:
    answer = await track(tenant, [start(tenant, **config), *(frame(index) for index in range(40))])
    assert answer.error is None
    assert [message.frame_index for message in answer.messages] == list(range(40))
    for message in answer.messages:
        assert len(message.track_ids) == len(message.detection_indices) == len(set(message.track_ids))
    first_person = {
        track_id
        for message in answer.messages
        for track_id, row in zip(message.track_ids, message.detection_indices, strict=True)
        if row == 0 and message.frame_index not in range(12, 30)
    }
    assert first_person
    assert min(first_person) >= 1


async def test_an_answer_comes_before_the_next_frame_is_sent(tenant: Tenant) -> None:
    call = tenant.house.client.stub("TrackingService.Track")(
        timeout=10, metadata=(("authorization", f"Bearer {tenant.token}"),)
    )
    await call.write(start(tenant))
    for index in range(3):
        await call.write(frame(index))
        assert (await asyncio.wait_for(call.read(), 5)).frame_index == index
    await call.done_writing()


async def test_streams_number_their_own_people(tenant: Tenant, stranger: Tenant) -> None:
    answers = await asyncio.gather(
        *(track(whose, [start(whose), *(frame(index) for index in range(10))]) for whose in (tenant, stranger, tenant))
    )
    assert len({tuple(answer.messages[-1].track_ids) for answer in answers}) == 1


@pytest.mark.parametrize("config", TRACKERS, ids=str)
@pytest.mark.parametrize("broken_after", [0, 15, 25])
async def test_a_stream_that_goes_on_gives_what_one_that_was_not_broken_off_gives(
    tenant: Tenant, config: dict[str, object], broken_after: int
) -> None:
    whole = await track(tenant, [start(tenant, **config), *(frame(index) for index in range(40))])
    before = [frame(index, want_resume_state=index == broken_after) for index in range(broken_after + 1)]
    first = await track(tenant, [start(tenant, **config), *before])
    state = first.messages[-1].resume_state
    assert state
    assert not any(message.resume_state for message in first.messages[:-1]), "only where it was asked for"
    rest = [frame(index) for index in range(broken_after + 1, 40)]
    second = await track(tenant, [start(tenant, state, **config), *rest])
    first.messages[-1].ClearField("resume_state")
    assert first.messages + second.messages == whole.messages


@covers("TrackingService.Track", "STREAM_START_NEEDED")
async def test_a_stream_starts_once_and_first(tenant: Tenant) -> None:
    for requests in ([], [frame(0)], [start(tenant), start(tenant)], [start(tenant), frame(0), start(tenant)]):
        (await track(tenant, requests)).fails("STREAM_START_NEEDED")


BAD_FRAMES: dict[str, dict[str, object]] = {
    "a number short": {"boxes_px": [0, 0, 1], "scores": [1]},
    "a score too many": {"boxes_px": [0, 0, 1, 1], "scores": [1, 1]},
    "not a number": {"boxes_px": [0, 0, float("nan"), 1], "scores": [1]},
    "without end": {"boxes_px": [0, 0, float("inf"), 1], "scores": [1]},
    "a score that is no number": {"boxes_px": [0, 0, 1, 1], "scores": [float("nan")]},
}


@covers("TrackingService.Track", "INVALID_DETECTIONS")
@pytest.mark.parametrize("what", BAD_FRAMES)
async def test_boxes_that_are_none_are_refused(tenant: Tenant, what: str) -> None:
    (await track(tenant, [start(tenant), frame(0, **BAD_FRAMES[what])])).fails("INVALID_DETECTIONS")


@covers("TrackingService.Track", "UNSORTED_FRAMES", "INVALID_TRACKER_CONFIG", "INVALID_TRACKER_SNAPSHOT")
async def test_frames_come_in_order_and_settings_and_states_are_ours(tenant: Tenant) -> None:
    for indices in ((1, 1), (5, 4)):
        (await track(tenant, [start(tenant), *map(frame, indices)])).fails("UNSORTED_FRAMES")
    sort = {"tracker": Config.TRACKER_SORT, "preset": Config.PRESET_PEOPLE}
    (await track(tenant, [start(tenant, **sort)])).fails("INVALID_TRACKER_CONFIG")
    (await track(tenant, [start(tenant, b"nonsense")])).fails("INVALID_TRACKER_SNAPSHOT")
    byte_track = await track(tenant, [start(tenant), frame(0, want_resume_state=True)])
    state = byte_track.messages[0].resume_state
    of_another = start(tenant, state, tracker=Config.TRACKER_SORT)
    (await track(tenant, [of_another, frame(1)])).fails("INVALID_TRACKER_SNAPSHOT")
    (await track(tenant, [start(tenant, state[:-1]), frame(1)])).fails("INVALID_TRACKER_SNAPSHOT")


async def test_a_state_made_by_hand_breaks_nothing(tenant: Tenant) -> None:
    answer = await track(tenant, [start(tenant), *(frame(i, want_resume_state=True) for i in range(5))])
    state = answer.messages[-1].resume_state
    random = np.random.default_rng(7)
    for _ in range(300):
        forged = bytearray(state)
        for position in random.integers(0, len(forged), 8):
            forged[position] = random.integers(0, 256)
        answer = await track(tenant, [start(tenant, bytes(forged)), *(frame(i) for i in range(5, 9))])
        assert answer.outcome != "INTERNAL"


async def test_every_message_of_a_stream_keeps_to_the_rules(tenant: Tenant) -> None:
    (await track(tenant, [start(tenant), frame(-1)])).fails("INVALID_REQUEST")
    (await track(tenant, [start(tenant), Request()])).fails("INVALID_REQUEST")
    (await track(tenant, [start(tenant, high_score=1.5)])).fails("INVALID_REQUEST")


# TrackDetections


def mot_text(count: int = 40) -> bytes:
    """Returns the walkers as MOTChallenge text."""
    lines = []
    for index in range(count):
        boxes, scores = walkers(index)
        for row, score in enumerate(scores):
            left, top, right, bottom = boxes[4 * row : 4 * row + 4]
            lines.append(f"{index + 1},-1,{left},{top},{right - left},{bottom - top},{score}")
    return "\n".join(lines).encode()


async def start_tracking(
    tenant: Tenant, version: str, path: str = "", request_id: str = "", **config: object
) -> Answer:
    """Starts tracking stored detections."""
    request = tracking_service_pb2.TrackDetectionsRequest(
        detections=media_pb2.MediaRef(asset_version=version, path=path),
        config=Config(**config),  # type: ignore[arg-type]
        request_id=request_id,
    )
    return await tenant.house.ask("TrackingService.TrackDetections", request, token=tenant.token)


async def wait(tenant: Tenant, name: str) -> operations_pb2.Operation:
    """Returns an operation when it is done."""
    request = operation_service_pb2.WaitOperationRequest(name=name, timeout={"seconds": 30})
    answer = await tenant.house.ask("OperationService.WaitOperation", request, token=tenant.token, timeout_s=40)
    assert answer.message.done
    return answer.message


@covers("TrackingService.TrackDetections")
async def test_stored_detections_become_tracks_as_a_stream_would_give_them(house: House, tenant: Tenant) -> None:
    detections = await tenant.upload(mot_text(), "det.txt", DETECTIONS)
    config = {"tracker": Config.TRACKER_BYTETRACK, "preset": Config.PRESET_PEOPLE}
    async with house.work("tracking"):
        started = (await start_tracking(tenant, detections, **config)).message
        done = await wait(tenant, started.name)
    response = tracking_service_pb2.TrackDetectionsResponse()
    assert done.response.Unpack(response)
    rows = [line.split(",") for line in (await stored(tenant, response.asset_version)).decode().splitlines()]
    stream = await track(tenant, [start(tenant, **config), *(frame(index) for index in range(40))])
    streamed = {(message.frame_index + 1, track_id) for message in stream.messages for track_id in message.track_ids}
    assert {(int(row[0]), int(row[1])) for row in rows} == streamed
    assert (response.frame_count, response.track_count) == (40, len({track_id for _, track_id in streamed}))


@covers(
    "TrackingService.TrackDetections", "REQUEST_ID_REUSED", "RESOURCE_NOT_FOUND", "FILE_NOT_FOUND", "FILE_PATH_NEEDED"
)
@covers("TrackingService.TrackDetections", "INVALID_TRACKER_CONFIG")
async def test_what_is_wrong_is_said_before_any_work(tenant: Tenant) -> None:
    detections = await tenant.upload(mot_text(2), "det.txt", DETECTIONS)
    several = await derive(tenant, {"a.txt": mot_text(1), "b.txt": mot_text(1)})
    request_id = str(uuid.uuid4())
    first = (await start_tracking(tenant, detections, request_id=request_id)).message
    assert (await start_tracking(tenant, detections, request_id=request_id)).message.name == first.name
    (await start_tracking(tenant, several, "a.txt", request_id=request_id)).fails("REQUEST_ID_REUSED")
    (await start_tracking(tenant, f"{tenant.name_of('assets')}/versions/1")).fails("RESOURCE_NOT_FOUND")
    (await start_tracking(tenant, detections, "c.txt")).fails("FILE_NOT_FOUND")
    (await start_tracking(tenant, several)).fails("FILE_PATH_NEEDED")
    bad = {"tracker": Config.TRACKER_SORT, "preset": Config.PRESET_PEOPLE}
    (await start_tracking(tenant, detections, **bad)).fails("INVALID_TRACKER_CONFIG")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"hello", "INVALID_MOTCHALLENGE_TEXT"),
        (b"1,-1,a,b,c,d,1", "INVALID_MOTCHALLENGE_TEXT"),
        (b"2,-1,0,0,10,10,1\n1,-1,0,0,10,10,1", "INVALID_MOTCHALLENGE_TEXT"),
        (b"\xff\xfe\x00", "INVALID_MOTCHALLENGE_TEXT"),
        (b"1,-1,0,0,10,10,1" + b"0" * 5000, "INVALID_MOTCHALLENGE_TEXT"),
    ],
    ids=["words", "letters", "unsorted", "no text", "endless line"],
)
async def test_text_that_is_no_detections_ends_the_operation_with_the_line(
    house: House, tenant: Tenant, content: bytes, reason: str
) -> None:
    detections = await tenant.upload(content, "det.txt", DETECTIONS)
    async with house.work("tracking"):
        started = (await start_tracking(tenant, detections)).message
        done = await wait(tenant, started.name)
    assert from_status(done.error).reason == reason


async def test_no_detections_are_no_tracks(house: House, tenant: Tenant) -> None:
    detections = await tenant.upload(b"", "det.txt", DETECTIONS)
    async with house.work("tracking"):
        started = (await start_tracking(tenant, detections)).message
        done = await wait(tenant, started.name)
    response = tracking_service_pb2.TrackDetectionsResponse()
    assert done.response.Unpack(response)
    assert await stored(tenant, response.asset_version) == b""
