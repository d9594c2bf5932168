"""Stills and overlays over HTTP, and every error that rendering declares there."""

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import httpx
import pytest

from praxiscope.client import Client
from tests.e2e.conftest import RunningStack


@pytest.fixture(scope="module")
def http(stack: RunningStack) -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {stack.credentials['api_key']}"}
    with httpx.Client(base_url=stack.url, headers=headers, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def motion(stack: RunningStack, clip: Path) -> dict[str, str]:
    with Client(stack.profile) as client:
        video = client.upload(clip).latest_version
        response = client.wait(client.analyze_motion(video, omit_overlay=True))
    return {"video": video, "motion": response.motion.asset_version}


def still(http: httpx.Client, motion: str, body: dict[str, Any]) -> httpx.Response:
    return http.post(f"/v1/{motion}:renderStill", json=body)


def reason(answer: httpx.Response) -> str:
    return str(answer.json()["details"][0]["reason"])


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("body", "index"), [({"frame_index": 30}, 30), ({"time_offset": "1s"}, 30), ({"time_offset": "0.99s"}, 29)]
)
def test_a_still_is_the_frame_that_was_asked_for(
    http: httpx.Client, motion: dict[str, str], body: dict[str, Any], index: int
) -> None:
    answer = still(http, motion["motion"], {**body, "height_px": 360})
    assert answer.status_code == 200, answer.text
    document = answer.json()
    assert document["frameIndex"] == index
    with av.open(io.BytesIO(base64.b64decode(document["content"]))) as picture:
        frame = next(picture.decode(video=0))
        assert (frame.width, frame.height) == (document["widthPx"], document["heightPx"]) == (640, 360)


def test_what_is_hidden_is_not_drawn(http: httpx.Client, motion: dict[str, str]) -> None:
    hidden = {"hide_boxes": True, "hide_skeletons": True, "hide_angles": True, "hide_curve": True}
    pictures = [
        still(http, motion["motion"], {"frame_index": 20, "height_px": 240, "style": style}).json()["content"]
        for style in ({}, hidden)
    ]
    assert pictures[0] != pictures[1]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"frame_index": 100_000}, "START_OUT_OF_RANGE"),
        ({"time_offset": "3600s"}, "START_OUT_OF_RANGE"),
        ({"frame_index": 10, "height_px": 4320}, "STILL_TOO_LARGE"),
        ({}, "INVALID_REQUEST"),
        ({"frame_index": -1}, "INVALID_REQUEST"),
    ],
)
def test_a_still_that_cannot_be_drawn_says_why(
    http: httpx.Client, motion: dict[str, str], body: dict[str, Any], expected: str
) -> None:
    answer = still(http, motion["motion"], body)
    assert answer.status_code == 400
    assert reason(answer) == expected


def test_a_video_is_no_motion(http: httpx.Client, motion: dict[str, str]) -> None:
    for verb, body in (("renderStill", {"frame_index": 0}), ("renderOverlay", {})):
        answer = http.post(f"/v1/{motion['video']}:{verb}", json=body)
        assert (answer.status_code, reason(answer)) == (404, "FILE_NOT_FOUND")
    assert reason(http.get(f"/v1/{motion['video']}:motion")) == "NOT_A_MOTION"


@pytest.mark.timeout(180)
def test_an_overlay_can_be_drawn_again_in_another_codec(
    stack: RunningStack, motion: dict[str, str], tmp_path: Path
) -> None:
    request_id = "7b9f1a60-8c1e-4a51-9d05-3f1f2f0f7a22"
    with Client(stack.profile) as client:
        headers = {"authorization": f"Bearer {stack.credentials['api_key']}", "idempotency-key": request_id}
        body = {"codec": "CODEC_VP9", "height_px": 240}
        url = f"{stack.url}/v1/{motion['motion']}:renderOverlay"
        names = {httpx.post(url, json=body, headers=headers).json()["name"] for _ in range(2)}
        assert len(names) == 1, "the same Idempotency-Key gave two operations"
        other = httpx.post(url, json={"codec": "CODEC_AV1"}, headers=headers)
        assert (other.status_code, reason(other)) == (409, "REQUEST_ID_REUSED")
        response = client.wait(names.pop())
        path = client.download(response.asset_version, "overlay.mp4", tmp_path / "overlay.mp4")
        sources = {edge.source for edge in client.lineage(response.asset_version).edges}
    assert {motion["video"], motion["motion"]} <= sources
    with av.open(str(path)) as video:
        assert video.streams.video[0].codec_context.name in {"vp9", "libvpx-vp9"}
        assert video.streams.video[0].height == 240


def test_a_motion_in_short_is_read(http: httpx.Client, motion: dict[str, str]) -> None:
    document = http.get(f"/v1/{motion['motion']}:motion").json()
    assert document["frameCount"] == 60
    assert document["video"] == motion["video"]
    assert {person["personId"] for person in document["persons"]} >= {1}
