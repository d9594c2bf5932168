import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operator_service.core.batch import (
    PodSettings,
    batch_spec,
    batch_status,
    child_name,
    job_document,
    results_of,
    videos_document,
)
from operator_service.core.resources import Owner, SpecError

VIDEOS = [f"projects/abc/assets/{letter * 26}/versions/1" for letter in "xyz"]
OWNER = Owner(kind="BatchAnalysis", name="gait-study", uid="0123456789abcdef", generation=4)
DOCUMENT: dict[str, Any] = {"spec": {"videos": VIDEOS, "apiKeySecret": {"name": "study"}, "heightMm": 1820}}
SETTINGS = PodSettings(image="praxiscope-operator:1", pull_policy="IfNotPresent", gateway_url="http://gateway:7400")


def pod(index: int, phase: str, message: str = "", time: str = "1") -> dict[str, Any]:
    terminated = {"terminated": {"message": message, "exitCode": 0}} if phase in {"Succeeded", "Failed"} else {}
    return {
        "metadata": {
            "annotations": {"batch.kubernetes.io/job-completion-index": str(index)},
            "creationTimestamp": time,
        },
        "status": {"phase": phase, "containerStatuses": [{"state": terminated}]},
    }


def test_a_job_has_an_index_a_video_and_belongs_to_its_resource() -> None:
    spec = batch_spec(DOCUMENT)
    job, videos = job_document(OWNER, spec, SETTINGS), videos_document(OWNER, spec)
    assert (job["spec"]["completions"], job["spec"]["completionMode"]) == (3, "Indexed")
    assert job["metadata"]["name"] == videos["metadata"]["name"] == child_name(OWNER)
    assert job["metadata"]["ownerReferences"][0]["uid"] == OWNER.uid
    content = json.loads(videos["data"]["videos.json"])
    assert (content["videos"], content["height_m"]) == (VIDEOS, 1.82)
    template = job["spec"]["template"]["spec"]
    assert template["automountServiceAccountToken"] is False
    assert "study" in str(template["volumes"]), "the key comes from its Secret"
    assert "api-key" not in str(videos)


def test_names_of_children_are_names_whatever_the_resource_is_called() -> None:
    long = Owner(kind="BatchAnalysis", name="a" * 39 + "." + "b" * 200, uid="0123456789abcdef", generation=123456)
    assert len(child_name(long)) <= 63
    assert child_name(long).replace("-", "").isalnum()
    assert child_name(long) != child_name(OWNER)


def test_results_are_what_pods_said_and_stay_when_pods_go() -> None:
    spec = batch_spec(DOCUMENT)
    good = json.dumps({"motion": "projects/abc/assets/m/versions/1", "operation": "projects/abc/operations/o"})
    first = results_of(spec, [pod(0, "Failed", "killed"), pod(0, "Succeeded", good, "2"), pod(2, "Pending")], [])
    assert [(item["index"], item["state"]) for item in first] == [(0, "Succeeded"), (2, "Running")]
    assert first[0]["motion"].endswith("/assets/m/versions/1")
    bad = json.dumps({"reason": "MEDIA_UNREADABLE", "message": "no video"})
    later = results_of(spec, [pod(2, "Failed", bad)], first)
    assert later[0] == first[0]
    assert (later[1]["state"], later[1]["reason"], later[1]["video"]) == ("Failed", "MEDIA_UNREADABLE", VIDEOS[2])


@given(st.lists(st.tuples(st.integers(-2, 5), st.sampled_from(["Failed", "Succeeded"]), st.text(max_size=50))))
def test_whatever_pods_say_results_are_of_videos_that_were_asked_for(said: list[tuple[int, str, str]]) -> None:
    results = results_of(batch_spec(DOCUMENT), [pod(index, phase, text) for index, phase, text in said], [])
    assert [item["index"] for item in results] == sorted({index for index, _, _ in said if 0 <= index < 3})
    assert all(item["video"] == VIDEOS[item["index"]] for item in results)


@pytest.mark.parametrize(
    ("status", "phase"),
    [
        pytest.param({}, "Running", id="just made"),
        pytest.param({"active": 2}, "Running", id="under way"),
        pytest.param({"succeeded": 3, "conditions": [{"type": "Complete", "status": "True"}]}, "Complete", id="done"),
        pytest.param(
            {"failedIndexes": "0,2", "conditions": [{"type": "Failed", "status": "True", "reason": "FailedIndexes"}]},
            "Failed",
            id="some failed",
        ),
    ],
)
def test_the_status_is_the_jobs(status: dict[str, Any], phase: str) -> None:
    made = batch_status(OWNER, {"status": status}, [], {}, "2026-01-01T00:00:00Z")
    assert made["phase"] == phase
    again = batch_status(OWNER, {"status": status}, [], made, "2027-01-01T00:00:00Z")
    assert again == made, "nothing changed, and since when is not told anew"


@pytest.mark.parametrize("spec", [{}, {"videos": []}, {"videos": ["x"]}, {"videos": None, "apiKeySecret": 5}], ids=str)
def test_a_spec_that_cannot_be_read_is_said(spec: dict[str, Any]) -> None:
    with pytest.raises(SpecError):
        batch_spec({"spec": spec})
