"""Three journeys through the gateway: a coach in a terminal, a developer with curl, an analyst with the Python client."""

import csv
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import av
import httpx
import pytest

from praxiscope.client import Client, PraxiscopeError, Profile
from praxiscope.library.v1 import asset_pb2
from tests.e2e.conftest import CHECKOUT, RunningStack


def run_command(stack: RunningStack, *arguments: str, expected: int = 0) -> subprocess.CompletedProcess[str]:
    home = stack.state / "home"
    environment = {**os.environ, "PRAXISCOPE_HOME": str(home), "HOME": str(home)}
    command = [sys.executable, str(CHECKOUT / ".venv" / "bin" / "praxiscope"), *arguments]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert result.returncode == expected, (
        f"{arguments} ended with {result.returncode}:\n{result.stdout}\n{result.stderr}"
    )
    return result


@pytest.mark.timeout(300)
class TestCoach:
    """Uploads a video, gets angles, a report and a drawn video, in a terminal."""

    def test_from_video_to_report(self, stack: RunningStack, sample: Path, tmp_path: Path) -> None:
        result = run_command(stack, "analyze", str(sample), "--height-m", "1.65", "-o", str(tmp_path), "--json")
        document = json.loads(result.stdout)
        persons = document["motion"]["persons"]
        assert len(persons) == 2, "the sample shows a man and a woman, each with one id"
        # The woman walks into the picture near frame 38 and out of it near 200; the man is there nearly all the time.
        man, woman = sorted(persons, key=lambda person: person["first_frame"] if "first_frame" in person else 0)
        assert man["seen_frame_count"] > 200
        assert 150 <= woman["seen_frame_count"] <= 170
        names = {path.name for path in tmp_path.iterdir()}
        assert {"angles.csv", "motion.json", "report.html", "tracks.txt", "overlay.mp4"} <= names
        assert any(name.endswith(".trc") for name in names)
        assert any(name.endswith(".mot") for name in names)
        with (tmp_path / "angles.csv").open() as file:
            rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
        assert {"time_s", "person", "knee_angle_r_deg", "knee_angle_r_confidence"} <= set(rows[0])
        knees = [
            float(row["knee_angle_l_deg"])
            for row in rows
            if row["person"] == str(woman["person_id"]) and row["knee_angle_l_deg"]
        ]
        assert 55 <= max(knees) <= 100, "a walking knee bends to about 60 to 80 degrees"

    def test_the_drawn_video_plays_with_its_sound(self, stack: RunningStack, clip: Path, tmp_path: Path) -> None:
        run_command(stack, "analyze", str(clip), "-o", str(tmp_path), "--preset", "fast", "--json")
        with av.open(str(tmp_path / "overlay.mp4")) as drawn, av.open(str(clip)) as given:
            assert drawn.streams.video[0].codec_context.name in {"av1", "libdav1d"}
            assert drawn.streams.video[0].height == 720
            assert len(drawn.streams.audio) == len(given.streams.audio)
            times = [float(frame.pts * frame.time_base) for frame in drawn.decode(video=0)]
            given_times = [float(frame.pts * frame.time_base) for frame in given.decode(video=0)]
        assert len(times) == len(given_times)
        assert max(abs((a - times[0]) - (b - given_times[0])) for a, b in zip(times, given_times, strict=True)) < 0.002

    def test_broken_on_purpose_says_what_to_do(self, stack: RunningStack, tmp_path: Path) -> None:
        broken = tmp_path / "holiday.mp4"
        broken.write_text("this is no video")
        result = run_command(stack, "analyze", str(broken), expected=1)
        assert "MEDIA_UNREADABLE" in result.stderr
        assert "Play the file" in result.stderr
        assert "Traceback" not in result.stderr


@pytest.mark.timeout(300)
class TestDeveloper:
    """Copies ten lines from the docs page and runs them."""

    def quickstart(self, stack: RunningStack) -> str:
        page = httpx.get(f"{stack.url}/docs").text
        found = re.search(r'<pre id="quickstart">(.*?)</pre>', page, re.DOTALL)
        assert found, "the docs page has no quick start"
        import html

        return html.unescape(found[1])

    def test_the_ten_lines_of_the_docs_page_make_a_report(
        self, stack: RunningStack, clip: Path, tmp_path: Path
    ) -> None:
        script = self.quickstart(stack)
        assert len(script.strip().splitlines()) <= 10
        script = script.replace("http://127.0.0.1:7400", stack.url)
        script = script.replace("pxk_your_key", stack.credentials["api_key"]).replace("squat.mp4", str(clip))
        result = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=240
        )
        assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]
        assert result.stdout.count("data: ") > 3, "the progress did not stream"
        report = (tmp_path / "report.html").read_text()
        assert report.lower().startswith("<!doctype html>")
        assert "knee" in report.lower()

    def test_broken_on_purpose_a_misspelt_field_is_refused(self, stack: RunningStack) -> None:
        headers = {"authorization": f"Bearer {stack.credentials['api_key']}"}
        url = f"{stack.url}/v1/{stack.credentials['project']}/uploads"
        answer = httpx.post(url, json={"upload": {"file_nam": "x.mp4"}}, headers=headers)
        assert answer.status_code == 400
        assert "file_nam" in answer.json()["message"]

    def test_every_mapped_method_stands_in_the_openapi_document(self, stack: RunningStack) -> None:
        document = httpx.get(f"{stack.url}/openapi.json").json()
        operations = {method["operationId"] for path in document["paths"].values() for method in path.values()}
        assert {
            "MotionService_AnalyzeMotion",
            "UploadService_CreateUpload",
            "OperationService_WatchOperation",
        } <= operations


@pytest.mark.timeout(300)
class TestAnalyst:
    """Works in Python: finds what was measured, follows where it came from, opens the curves."""

    def test_from_lineage_to_curves(self, stack: RunningStack, clip: Path, tmp_path: Path) -> None:
        with Client(stack.profile) as client:
            video = client.upload(clip, display_name="a clip for the analyst")
            operation = client.analyze_motion(video.latest_version, omit_overlay=True)
            seen: list[float] = []
            response = client.wait(operation, on_progress=lambda progress: seen.append(progress.progress))
            assert seen == sorted(seen)
            assert seen[-1] == 1.0
            motion = response.motion.asset_version
            listed = client.assets(filter='kind = KIND_MOTION AND display_name : "clip"').assets
            assert any(motion.startswith(asset.name) for asset in listed)
            edges = [(edge.source, edge.target) for edge in client.lineage(motion).edges]
            assert (video.latest_version, motion) in edges
            files = {path.name: path for path in client.download_all(motion, tmp_path)}
        document = json.loads(files["motion.json"].read_text())
        angle = document["persons"][0]["angles"]["knee_angle_r"]
        assert len(angle["filtered_deg"]) == len(angle["confidence"])
        trc = next(path for name, path in files.items() if name.endswith(".trc")).read_text().splitlines()
        assert trc[0].startswith("PathFileType")
        tracks = list(csv.reader(io.StringIO(files["tracks.txt"].read_text())))
        assert {len(row) for row in tracks} == {10}

    def test_the_same_request_id_gives_the_same_operation(self, stack: RunningStack, clip: Path) -> None:
        request_id = "1b0f7a34-55c7-4df8-9f6f-2f6a1e3b8c11"
        with Client(stack.profile) as client:
            video = client.upload(clip)
            first = client.analyze_motion(video.latest_version, omit_overlay=True, request_id=request_id)
            assert client.analyze_motion(video.latest_version, omit_overlay=True, request_id=request_id) == first
            with pytest.raises(PraxiscopeError) as caught:
                client.analyze_motion(video.latest_version, height_m=1.8, request_id=request_id)
            assert caught.value.reason == "REQUEST_ID_REUSED"
            client.wait(first)

    def test_broken_on_purpose_cancelled_half_way(self, stack: RunningStack, sample: Path) -> None:
        with Client(stack.profile) as client:
            video = client.upload(sample)
            operation = client.analyze_motion(video.latest_version, omit_overlay=True)
            for progress in client.watch(operation):
                if progress.progress >= 0.3:
                    client.operation(operation, "cancel")
                    break
            with pytest.raises(PraxiscopeError) as caught:
                client.wait(operation)
            assert caught.value.reason == "OPERATION_CANCELLED"
            assert client.operation(operation).state == "STATE_CANCELLED"

    def test_another_project_sees_nothing(self, stack: RunningStack, clip: Path) -> None:
        credentials = stack.credentials
        with Client(stack.profile) as client:
            asset: asset_pb2.Asset = client.upload(clip)
        with httpx.Client(base_url=stack.url) as http:
            login = {"email": credentials["email"], "password": credentials["password"]}
            token = http.post("/v1/auth:login", json=login).json()["accessToken"]
            other = http.post(
                "/v1/projects",
                json={"project": {"display_name": "another"}},
                headers={"authorization": f"Bearer {token}"},
            ).json()["name"]
            tokens = http.post("/v1/auth:login", json={**login, "project": other}).json()
        foreign = Profile(url=stack.url, project=other, refresh_token=tokens["refreshToken"])
        with Client(foreign) as stranger:
            for name in (asset.name, f"{asset.name[:-3]}aaa"):
                with pytest.raises(PraxiscopeError) as caught:
                    stranger.asset(name)
                assert caught.value.reason == "RESOURCE_NOT_FOUND"
                assert caught.value.message == f"{name} was not found."
