"""A second node, drained under load; and what a node has that others do not, as GPUs."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from tests.support.cluster import NAMESPACE, Installation, Load, note, wait_until
from tools.cluster.components import IMAGES
from tools.cluster.settings import ClusterError

pytestmark = pytest.mark.timeout(1800)
_CALLS = 3000
_SECOND = "node2"
_GPU = "nvidia.com/gpu"


@pytest.fixture(scope="module")
def two_nodes(installation: Installation) -> Iterator[Installation]:
    """The installation with two pods of every API, on two nodes; the second goes again."""
    started_s = time.monotonic()
    if not installation.cluster.second.is_up:
        installation.cluster.add_node(print)
    note("second node, with its images, s", round(time.monotonic() - started_s, 1))
    installation.cluster.kubectl("uncordon", _SECOND)
    yield installation
    installation.cluster.kubectl(
        "drain", _SECOND, "--ignore-daemonsets", "--delete-emptydir-data", "--force", "--timeout=300s"
    )
    installation.install()
    installation.cluster.kubectl("delete", "node", _SECOND)
    installation.cluster.second.stop()


def test_a_node_drained_under_load_loses_no_call(two_nodes: Installation) -> None:
    two_nodes.install("defaults.api.replicas=2")
    assert _where(two_nodes, "gateway") == _where(two_nodes, "library") == ["node1", _SECOND]
    with Load(two_nodes, at_least=_CALLS) as load:
        started_s = time.monotonic()
        two_nodes.cluster.kubectl("drain", _SECOND, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=300s")
        note("drain of a node with a pod of every API, s", round(time.monotonic() - started_s, 1))
        wait_until(lambda: _where(two_nodes, "gateway") == ["node1", "node1"], 180, two_nodes.state)
        two_nodes.wait_until_ready()
        said = load.stop()
    note("calls during the drain", said)
    assert set(said["counts"]) == {"200"}
    assert said["counts"]["200"] >= _CALLS
    two_nodes.cluster.kubectl("uncordon", _SECOND)


def test_two_gpus_carry_two_model_servers_and_the_third_waits(two_nodes: Installation) -> None:
    """A device plugin of ours offers two devices that are none: kubelet and scheduler count them as they would count GPUs."""
    two_nodes.cluster.apply([_device_plugin()])
    try:
        wait_until(lambda: _gpus(two_nodes, "node1") == "2", 60, two_nodes.state)
        two_nodes.cluster.apply([_servers(two_nodes, 3)])
        wait_until(lambda: _phases(two_nodes) == ["Pending", "Running", "Running"], 180, two_nodes.state)
        devices = {
            two_nodes.kubectl("exec", pod["metadata"]["name"], "--", "printenv", "NVIDIA_VISIBLE_DEVICES").strip()
            for pod in _server_pods(two_nodes)
            if pod["status"]["phase"] == "Running"
        }
        assert len(devices) == 2
        (waiting,) = [pod for pod in _server_pods(two_nodes) if pod["status"]["phase"] == "Pending"]
        assert any(f"Insufficient {_GPU}" in item.get("message", "") for item in waiting["status"]["conditions"])
    finally:
        two_nodes.kubectl("delete", "deployment", "gpu-test", "--ignore-not-found")
        two_nodes.cluster.kubectl("-n", "kube-system", "delete", "pod", "gpus", "--ignore-not-found")


def _servers(installation: Installation, count: int) -> Mapping[str, Any]:
    """Returns model servers like the chart's, each of which wants one device."""
    deployment = installation.get("deployment", "triton")
    labels = {"app": "gpu-test"}
    template = deployment["spec"]["template"]
    template["metadata"]["labels"] = labels
    template["spec"]["containers"][0]["resources"]["limits"][_GPU] = "1"
    template["spec"].pop("topologySpreadConstraints", None)
    template["spec"]["nodeSelector"] = {"kubernetes.io/hostname": "node1"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "gpu-test", "namespace": NAMESPACE},
        "spec": {"replicas": count, "selector": {"matchLabels": labels}, "template": template},
    }


def _device_plugin() -> Mapping[str, Any]:
    container = {
        "name": "gpus",
        "image": IMAGES["device-plugin"],
        "imagePullPolicy": "Never",
        "args": [_GPU, "2"],
        "volumeMounts": [{"name": "plugins", "mountPath": "/var/lib/kubelet/device-plugins"}],
        "securityContext": {"runAsUser": 0, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}},
    }
    folder = {"name": "plugins", "hostPath": {"path": "/var/lib/kubelet/device-plugins"}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "gpus", "namespace": "kube-system"},
        "spec": {
            "nodeName": "node1",
            "containers": [container],
            "volumes": [folder],
            "tolerations": [{"operator": "Exists"}],
        },
    }


def _server_pods(installation: Installation) -> Sequence[Mapping[str, Any]]:
    return installation.get("pods", "-l", "app=gpu-test")["items"]


def _phases(installation: Installation) -> list[str]:
    return sorted(pod["status"]["phase"] for pod in _server_pods(installation))


def _gpus(installation: Installation, node: str) -> str | None:
    try:
        return installation.get("node", node)["status"]["allocatable"].get(_GPU)
    except ClusterError:
        return None


def _where(installation: Installation, name: str) -> list[str]:
    return sorted(pod["spec"].get("nodeName", "") for pod in installation.pods(name))
