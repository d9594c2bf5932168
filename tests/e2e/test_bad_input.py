"""Input that is no good ends in a typed error or in a clear empty result, the same over gRPC, HTTP and the command."""

import asyncio
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
import pytest
from google.protobuf import json_format

from praxiscope.biomechanics.v1 import motion_service_pb2, motion_service_pb2_grpc
from praxiscope.client import Client, PraxiscopeError
from praxiscope.library.v1 import operation_service_pb2, operation_service_pb2_grpc
from praxiscope_common.client import call, open_channel, stream
from praxiscope_common.status import from_status
from tests.e2e.conftest import CHECKOUT, RunningStack

Outcome = dict[str, Any]


def write_video(path: Path, pictures: list[np.ndarray], *, rotation_deg: int = 0) -> None:
    height, width = pictures[0].shape[:2]
    with av.open(str(path), "w") as output:
        video = output.add_stream("libvpx-vp9", rate=30)
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        video.time_base = Fraction(1, 30)
        video.options = {"deadline": "realtime", "cpu-used": "8"}
        for index, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 30)
            output.mux(video.encode(frame))
        output.mux(video.encode())
    if rotation_deg:
        turn_flag(path, rotation_deg)


def turn_flag(path: Path, rotation_deg: int) -> None:
    """Writes the rotation into the track header's matrix, as phones do."""
    matrices = {90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}
    a, b, c, d = (value * 0x10000 for value in matrices[rotation_deg])
    content = bytearray(path.read_bytes())
    begin = content.index(b"tkhd") + 4 + 4 + 20 + 8 + 8  # version and flags, times and ids, reserved, layer to reserved
    for index, value in enumerate((a, b, 0, c, d, 0, 0, 0, 0x40000000)):
        content[begin + 4 * index : begin + 4 * index + 4] = value.to_bytes(4, "big", signed=True)
    path.write_bytes(content)


def write_sound(path: Path) -> None:
    with av.open(str(path), "w") as output:
        sound = output.add_stream("aac", rate=48_000)
        for index in range(20):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 48_000, index * 1024
            output.mux(sound.encode(frame))
        output.mux(sound.encode())


def noise(count: int) -> list[np.ndarray]:
    generator = np.random.default_rng(7)
    ground = generator.integers(90, 130, (240, 320, 3), np.uint8)
    return [np.roll(ground, index, axis=1) for index in range(count)]


@pytest.fixture(scope="session")
def files(sample: Path, clip: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("bad")
    (folder / "empty.mp4").write_bytes(b"")
    (folder / "text.mp4").write_text("I am a letter, not a video.\n" * 50)
    write_sound(folder / "sound.mp4")
    write_video(folder / "one.mp4", noise(1))
    write_video(folder / "nobody.mp4", noise(40))
    content = clip.read_bytes()
    (folder / "headless.mp4").write_bytes(content[: len(content) // 3])
    with av.open(str(sample)) as given:
        pictures = [
            frame.to_ndarray(format="rgb24") for _, frame in zip(range(45), given.decode(video=0), strict=False)
        ]
    # The man stands upright in the stored picture turned a quarter to the left; the flag turns it back.
    small = [np.ascontiguousarray(np.rot90(picture[:600:2, 300:1100:2])) for picture in pictures]
    write_video(folder / "phone.mp4", small, rotation_deg=90)
    return {path.stem: path for path in folder.iterdir()}


def over_grpc(stack: RunningStack, path: Path) -> Outcome:
    async def analyse() -> Outcome:
        with Client(stack.profile) as client:
            version = client.upload(path).latest_version
        channel, token = open_channel(stack.url.removeprefix("http://")), stack.credentials["api_key"]
        motions = motion_service_pb2_grpc.MotionServiceStub(channel)
        request = motion_service_pb2.AnalyzeMotionRequest(video={"asset_version": version}, omit_overlay=True)
        started = await call(motions.AnalyzeMotion, request, token=token)
        watch = operation_service_pb2.WatchOperationRequest(name=started.name)
        operations = operation_service_pb2_grpc.OperationServiceStub(channel)
        state = started
        async for latest in stream(operations.WatchOperation, watch, token=token):
            state = latest
        await channel.close()
        if state.HasField("error"):
            return {"reason": from_status(state.error).reason}
        response = motion_service_pb2.AnalyzeMotionResponse()
        state.response.Unpack(response)
        return {"motion": json_format.MessageToDict(response.motion, preserving_proto_field_name=True)}

    return asyncio.run(analyse())


def over_http(stack: RunningStack, path: Path) -> Outcome:
    with Client(stack.profile) as client:
        version = client.upload(path).latest_version
        try:
            response = client.wait(client.analyze_motion(version, omit_overlay=True))
        except PraxiscopeError as error:
            return {"reason": error.reason}
        return {"motion": json_format.MessageToDict(response.motion, preserving_proto_field_name=True)}


def by_command(stack: RunningStack, path: Path) -> Outcome:
    home = stack.state / "home"
    command = [
        sys.executable,
        str(CHECKOUT / ".venv" / "bin" / "praxiscope"),
        "analyze",
        str(path),
        "--no-overlay",
        "--json",
    ]
    result = subprocess.run(
        command, env={**os.environ, "PRAXISCOPE_HOME": str(home)}, capture_output=True, text=True, timeout=120
    )
    assert "Traceback" not in result.stderr
    document = json.loads(result.stdout)
    assert (result.returncode == 0) == ("error" not in document)
    return {"reason": document["error"]["reason"]} if "error" in document else {"motion": document["motion"]}


WAYS: list[Callable[[RunningStack, Path], Outcome]] = [over_grpc, over_http, by_command]


@pytest.mark.timeout(180)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("empty", "MEDIA_UNREADABLE"),
        ("text", "MEDIA_UNREADABLE"),
        ("sound", "MEDIA_HAS_NO_VIDEO"),
    ],
)
def test_what_is_no_video_ends_in_a_typed_error(
    stack: RunningStack, files: dict[str, Path], way: Callable[[RunningStack, Path], Outcome], name: str, reason: str
) -> None:
    assert way(stack, files[name]) == {"reason": reason}


@pytest.mark.timeout(180)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_a_video_cut_off_is_measured_as_far_as_it_goes_or_refused(
    stack: RunningStack, files: dict[str, Path], way: Callable[[RunningStack, Path], Outcome]
) -> None:
    outcome = way(stack, files["headless"])
    if "motion" in outcome:
        assert any("ends before its video does" in note for note in outcome["motion"]["notes"])
    else:
        assert outcome["reason"] in {"MEDIA_TRUNCATED", "MEDIA_UNREADABLE"}


@pytest.mark.timeout(180)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize(("name", "frame_count"), [("one", 1), ("nobody", 40)])
def test_nobody_in_view_is_a_result_that_says_so(
    stack: RunningStack,
    files: dict[str, Path],
    way: Callable[[RunningStack, Path], Outcome],
    name: str,
    frame_count: int,
) -> None:
    motion = way(stack, files[name])["motion"]
    assert motion["frame_count"] == frame_count
    assert motion.get("persons", []) == []
    assert any("Nobody was seen" in note for note in motion["notes"])


@pytest.mark.timeout(180)
def test_a_phone_video_is_seen_upright(stack: RunningStack, files: dict[str, Path], tmp_path: Path) -> None:
    with Client(stack.profile) as client:
        version = client.upload(files["phone"]).latest_version
        response = client.wait(client.analyze_motion(version, omit_overlay=True))
        assert len(response.motion.persons) == 1
        client.download(response.motion.asset_version, "tracks.txt", tmp_path / "tracks.txt")
    rows = [[float(cell) for cell in line.split(",")] for line in (tmp_path / "tracks.txt").read_text().splitlines()]
    sizes = [(width, height) for _, _, _, _, width, height, *_ in rows]
    assert all(height > width for width, height in sizes[5:10]), "somebody who stands is taller than wide"
    assert all(left + width <= 405 and top + height <= 305 for _, _, left, top, width, height, *_ in rows)


def test_a_wrong_checksum_makes_no_asset(stack: RunningStack, files: dict[str, Path]) -> None:
    content = files["text"].read_bytes()
    headers = {"authorization": f"Bearer {stack.credentials['api_key']}"}
    with httpx.Client(base_url=stack.url, headers=headers) as http:
        upload = {
            "kind": "KIND_VIDEO",
            "file_name": "text.mp4",
            "size_bytes": str(len(content)),
            "sha256": hashlib.sha256(b"other").hexdigest(),
        }
        started = http.post(f"/v1/{stack.credentials['project']}/uploads", json={"upload": upload}).json()
        incomplete = http.post(f"/v1/{started['name']}:complete", json={})
        assert incomplete.json()["details"][0]["reason"] == "UPLOAD_INCOMPLETE"
        for ticket in http.post(f"/v1/{started['name']}:createPartTickets", json={}).json()["tickets"]:
            assert httpx.put(stack.url + ticket["uri"], content=content).status_code == 200
        refused = http.post(f"/v1/{started['name']}:complete", json={})
        assert refused.status_code == 400
        details = refused.json()["details"][0]
        assert details["reason"] == "CHECKSUM_MISMATCH"
        assert details["metadata"]["actual_sha256"] == hashlib.sha256(content).hexdigest()
