"""The light profile on a real Kubernetes, with our images: it comes up, measures, survives, is upgraded and taken back."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from tests.support.cluster import Installation, Load, analyse, note, wait_until
from tools.cluster.settings import ClusterError
from tools.demo import SAMPLE

pytestmark = pytest.mark.timeout(1200)
_READY_WITHIN_S = 180
_CALLS = 3000


def test_it_is_ready_within_three_minutes(installation: Installation) -> None:
    assert installation.install_s <= _READY_WITHIN_S


def test_its_own_test_passes(installation: Installation) -> None:
    assert "Phase:          Succeeded" in installation.helm("test", "praxiscope")


def test_pod_security_restricted_admits_all_of_it_and_would_refuse_more(installation: Installation) -> None:
    events = installation.get("events")["items"]
    assert [item["message"] for item in events if "PodSecurity" in item.get("message", "")] == []
    assert all(pod["status"]["phase"] in ("Running", "Succeeded") for pod in installation.get("pods")["items"])
    with pytest.raises(ClusterError, match=r'violates PodSecurity "restricted'):
        installation.kubectl("run", "guest", "--image=registry.praxiscope.example/praxiscope-auth:0.1.0")


def test_an_analysis_has_the_numbers_of_the_local_stack(
    installation: Installation, local_numbers: dict[str, str], tmp_path: Path
) -> None:
    started_s = time.monotonic()
    with installation.client() as client:
        numbers = analyse(client, SAMPLE, tmp_path)
    note("the sample video through the cluster's gateway, s", round(time.monotonic() - started_s, 1))
    assert numbers == local_numbers


@pytest.mark.parametrize("victim", ["biomechanics-work", "vision-inference", "tracking-work"])
def test_a_pod_killed_in_mid_analysis_loses_nothing(
    victim: str, installation: Installation, local_numbers: dict[str, str], tmp_path: Path
) -> None:
    killed: list[str] = []

    def kill(_: str) -> None:
        time.sleep(6.0)
        names = [pod["metadata"]["name"] for pod in installation.pods(victim)]
        installation.kubectl("delete", "pod", *names, "--grace-period=0", "--force", "--wait=false")
        killed.extend(names)

    with installation.client() as client:
        numbers = analyse(
            client, SAMPLE, tmp_path, during=lambda operation: threading.Thread(target=kill, args=[operation]).start()
        )
    assert killed, "the analysis was over before the pod was killed"
    assert numbers == local_numbers
    installation.wait_until_ready()


def test_a_rolling_upgrade_and_its_rollback_lose_no_call(installation: Installation) -> None:
    before = {name: installation.pods(name)[0]["metadata"]["uid"] for name in ("gateway", "library", "auth")}
    with Load(installation, at_least=_CALLS) as load:
        upgrade_s = installation.install("defaults.logLevel=WARNING")
        assert all(installation.pods(name)[0]["metadata"]["uid"] != uid for name, uid in before.items())
        started_s = time.monotonic()
        installation.helm("rollback", "praxiscope")
        installation.wait_until_ready()
        rollback_s = time.monotonic() - started_s
        said = load.stop()
    note("rolling upgrade of every service, s", round(upgrade_s, 1))
    note("rollback, s", round(rollback_s, 1))
    note("calls during both", said)
    assert set(said["counts"]) == {"200"}
    assert said["counts"]["200"] >= _CALLS
    (container,) = installation.pods("library")[0]["spec"]["containers"]
    assert {"name": "PRAXISCOPE_LIBRARY_LOG_LEVEL", "value": "INFO"} in container["env"]


def test_migrations_run_twice(installation: Installation) -> None:
    jobs = [
        item
        for item in installation.get("jobs")["items"]
        if item["metadata"]["name"].startswith(("migrate", "database"))
    ]
    assert len(jobs) >= 4
    for job in jobs:
        for made in ("uid", "resourceVersion", "creationTimestamp", "managedFields"):
            job["metadata"].pop(made, None)
        job["metadata"]["name"] = "again-" + job["metadata"]["name"]
        del job["status"], job["spec"]["selector"]
        job["spec"]["template"]["metadata"]["labels"] = {
            key: value
            for key, value in job["spec"]["template"]["metadata"]["labels"].items()
            if "controller-uid" not in key and "job-name" not in key
        }
    installation.cluster.apply(jobs)
    try:
        installation.wait_until_ready()
        again = [item for item in installation.get("jobs")["items"] if item["metadata"]["name"].startswith("again-")]
        assert [item["status"].get("failed", 0) for item in again] == [0] * len(jobs)
    finally:
        installation.kubectl("delete", "jobs", *(job["metadata"]["name"] for job in jobs))


def test_who_eats_too_much_memory_dies_alone(installation: Installation) -> None:
    """A worker that takes more than its limit is killed by the kernel; it starts again, and its neighbours do not notice."""
    before = _restarts(installation)
    (pod,) = installation.pods("tracking-work")
    eat = "import os; os.sched_yield(); held = [bytes(1) * (64 << 20) for _ in range(1000)]; held = [bytearray(os.urandom(1 << 20) * 64) for _ in range(1000)]"
    with pytest.raises(ClusterError, match=r"137|terminated"):
        installation.kubectl("exec", pod["metadata"]["name"], "-c", "tracking", "--", "python", "-c", eat)
    installation.wait_until_ready()
    after = _restarts(installation)
    others = {name: count for name, count in after.items() if not name.startswith(pod["metadata"]["name"])}
    assert others == {name: before[name] for name in others}


def test_what_is_stored_outlives_an_upgrade_and_the_chart(installation: Installation) -> None:
    with installation.client() as client:
        asset = client.upload(SAMPLE).name
    claims = {item["metadata"]["uid"] for item in installation.get("pvc")["items"]}
    assert len(claims) == 2
    installation.install("defaults.drainS=1")
    assert {item["metadata"]["uid"] for item in installation.get("pvc")["items"]} == claims
    credentials = installation.credentials()
    installation.helm("uninstall", "praxiscope", "--wait")
    try:
        wait_until(lambda: not _running(installation), 120, installation.state)
        assert {item["metadata"]["uid"] for item in installation.get("pvc")["items"]} == claims
    finally:
        elapsed_s = installation.install()
    note("install on claims that are there, s", round(elapsed_s, 1))
    assert installation.credentials() == credentials
    with installation.client() as client:
        assert client.asset(asset).name == asset


def _running(installation: Installation) -> list[str]:
    """Returns the pods that have not ended; what Helm's hooks have run stays to be read."""
    return [
        pod["metadata"]["name"]
        for pod in installation.get("pods")["items"]
        if pod["status"]["phase"] not in ("Succeeded", "Failed")
    ]


def _restarts(installation: Installation) -> dict[str, int]:
    return {
        f"{pod['metadata']['name']}/{status['name']}": status["restartCount"]
        for pod in installation.get("pods")["items"]
        for status in pod["status"].get("containerStatuses", [])
    }
