"""The operator on a real Kubernetes: its two resources, and what it asks of the API server."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from praxiscope.client import Client, Profile
from tests.support import media
from tests.support.cluster import CHART, NAMESPACE, Installation, note, wait_until
from tests.support.model_versions import FAILING, MODEL, SAME, version_program
from tools.cluster.control_plane import AUDIT_LOG
from tools.demo import SAMPLE
from tools.deploy.images import image_name

pytestmark = pytest.mark.timeout(1800)
_USER = f"system:serviceaccount:{NAMESPACE}:operator"
Calls = frozenset[tuple[str, str, str]]


@pytest.fixture(scope="module")
def operated(installation: Installation) -> Iterator[Installation]:
    """The release with the operator, and a model server that has more versions than it loads."""
    installation.cluster.kubectl("apply", "-f", str(CHART / "crds"))
    installation.install("operator.enabled=true")
    installation.kubectl("patch", "deployment", "triton", "--patch", json.dumps(_more_versions()))
    installation.wait_until_ready()
    yield installation
    installation.kubectl("delete", "inferencemodels,batchanalyses", "--all")
    _back_to_the_first_version(installation)
    installation.kubectl("rollout", "undo", "deployment/triton")
    installation.wait_until_ready()
    installation.install()


def _back_to_the_first_version(installation: Installation) -> None:
    """Takes back what the tests deployed: the model server's own repository has no other version."""
    credentials = installation.credentials()
    with installation.client() as client:
        tokens = client.login(credentials["email"], credentials["password"])
        profile = Profile(url=client.profile.url, project=tokens.project, refresh_token=tokens.refresh_token)
        with Client(profile) as administrator:
            traffic = administrator.model_traffic(MODEL)
            if any(item.is_stable and not item.name.endswith("/1") for item in traffic.versions):
                administrator.roll_back_model(MODEL, reason="the tests are over")


def _more_versions() -> Mapping[str, Any]:
    """Returns a change to the model server: an init step copies the models and puts versions beside them."""
    image = image_name({}, "triton")
    security = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "capabilities": {"drop": ["ALL"]},
    }
    init = {
        "name": "more-versions",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-c", version_program("/opt/praxiscope/models", "/models/all")],
        "resources": {"requests": {"cpu": "20m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
        "securityContext": security,
        "volumeMounts": [{"name": "more-models", "mountPath": "/models"}],
    }
    # A path that is mounted over: the server's own arguments stay as the chart has them.
    server = {
        "name": "triton",
        "volumeMounts": [{"name": "more-models", "mountPath": "/opt/praxiscope/models", "subPath": "all"}],
    }
    volumes = [{"name": "more-models", "emptyDir": {}}]
    return {"spec": {"template": {"spec": {"initContainers": [init], "containers": [server], "volumes": volumes}}}}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve frames with two people."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    path.write_bytes(media.encode_video(media.cut_frames(SAMPLE, 60, 12)))
    return path


class Analyses:
    """Has a video analysed over and over, for as long as a block lasts."""

    def __init__(self, client: Client, video: str) -> None:
        self._client, self._video = client, video
        self.responses: list[Any] = []
        self.errors: list[str] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Analyses:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(180)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                operation = self._client.analyze_motion(self._video, omit_overlay=True)
                self.responses.append(self._client.wait(operation))
            except Exception as error:
                self.errors.append(str(error))


def _model(name: str, version: int) -> Mapping[str, Any]:
    rollout = {"stepsPercent": [50, 100], "stepRequests": 20, "stepSeconds": 2, "maxLatencyPercent": 1000}
    return {
        "apiVersion": "praxiscope.dev/v1alpha1",
        "kind": "InferenceModel",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"model": MODEL, "version": version, "memoryMiB": 200, "rollout": rollout},
    }


def _wait_for_phase(operated: Installation, kind: str, name: str, phases: Sequence[str], timeout_s: float) -> Any:
    def status() -> dict[str, Any]:
        return operated.get(kind, name).get("status", {})

    def said() -> str:
        return json.dumps(status(), indent=1) + operated.kubectl("logs", "deployment/operator", "--tail=20")

    wait_until(lambda: status().get("phase") in phases, timeout_s, said)
    return status()


def test_a_bad_version_is_rolled_back_and_a_good_one_takes_over_under_traffic(
    operated: Installation, clip: Path
) -> None:
    with operated.client() as client:
        video = client.upload(clip).latest_version
        with Analyses(client, video) as traffic:
            operated.cluster.apply([_model("failing", FAILING)])
            ends = ("RolledBack", "Available", "Failed")
            failing = _wait_for_phase(operated, "inferencemodel", "failing", ends, 300)
            assert (failing["phase"], failing["reason"]) == ("RolledBack", "TooManyErrors")
            operated.cluster.apply([_model("good", SAME)])
            good = _wait_for_phase(operated, "inferencemodel", "good", ends, 300)
            assert good["phase"] == "Available", good
            assert good["instances"] == [pod["metadata"]["name"] for pod in operated.pods("triton")]
    assert traffic.errors == [], "no analysis failed"
    persons = {response.motion.persons[0].SerializeToString(deterministic=True) for response in traffic.responses}
    assert len(persons) == 1, "and none has other numbers"
    note("operator: analyses during a rollback and a rollout, all with the same numbers", len(traffic.responses))
    events = [item["reason"] for item in operated.get("events")["items"] if item["involvedObject"]["name"] == "failing"]
    assert "TooManyErrors" in events
    waiting = _model("huge", FAILING)
    waiting["spec"]["memoryMiB"] = 1 << 20
    operated.cluster.apply([waiting])
    assert _wait_for_phase(operated, "inferencemodel", "huge", ("Pending",), 60)["reason"] == "WaitingForSpace"


def test_a_batch_analyses_every_video_and_says_what_became_of_each(
    operated: Installation, clip: Path, tmp_path: Path
) -> None:
    key = base64.b64encode(operated.credentials()["api_key"].encode()).decode()
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "study", "namespace": NAMESPACE},
        "data": {"api-key": key},
    }
    broken = tmp_path / "notes.mp4"
    broken.write_bytes(b"no video at all")
    with operated.client() as client:
        videos = [client.upload(path).latest_version for path in (clip, broken, clip)]
    batch = {
        "apiVersion": "praxiscope.dev/v1alpha1",
        "kind": "BatchAnalysis",
        "metadata": {"name": "gait-study", "namespace": NAMESPACE},
        "spec": {"videos": videos, "apiKeySecret": {"name": "study"}, "parallelism": 2},
    }
    operated.cluster.apply([secret, batch])
    status = _wait_for_phase(operated, "batchanalysis", "gait-study", ("Complete", "Failed"), 400)
    assert (status["phase"], status["succeeded"], status["failed"]) == ("Failed", 2, 1)
    results = {item["index"]: item for item in status["results"]}
    assert [results[index]["state"] for index in range(3)] == ["Succeeded", "Failed", "Succeeded"]
    assert results[1]["reason"] == "MEDIA_UNREADABLE"
    assert [results[index]["video"] for index in range(3)] == videos
    with operated.client() as client:
        assert client.asset_version(results[0]["motion"]).files


def test_the_operator_asks_for_what_its_role_allows_and_all_of_it(operated: Installation) -> None:
    """After the two tests above: what stands in the API server's audit log, against the Role."""
    allowed = _allowed(operated.get("role", "operator")["rules"])
    made, refused = _made(AUDIT_LOG)
    assert refused == frozenset(), "nothing was refused"
    assert made - allowed == frozenset(), "nothing else allows it anything"
    assert allowed - made == frozenset(), "and nothing is allowed that it does not need"
    note("operator: kinds of calls to the API server, all of its Role", len(made))


def _allowed(rules: Sequence[Mapping[str, Any]]) -> Calls:
    return frozenset(
        (verb, group, resource)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    )


def _made(log: Path) -> tuple[Calls, Calls]:
    made, refused = set[tuple[str, str, str]](), set[tuple[str, str, str]]()
    for line in log.read_text(encoding="utf-8").splitlines():
        event = json.loads(line)
        if event["user"]["username"] != _USER:
            continue
        target = event.get("objectRef") or {}
        name = "/".join(part for part in (target.get("resource", ""), target.get("subresource", "")) if part)
        call = (event["verb"], target.get("apiGroup", ""), name)
        made.add(call)
        if event.get("responseStatus", {}).get("code") == 403:
            refused.add(call)
    return frozenset(made), frozenset(refused)
