"""Who gets through to whom in a cluster on this machine, asked from pods with an application's labels."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tests.support.cluster import NAMESPACE, Installation, idle_pod, run_python
from tests.support.deploy_network import Edge
from tools.cluster.settings import ClusterError

Target = tuple[str, str, int]
"""Name, address and port of what listens."""
# Tries every address at once, on the port that listens there, and prints those that answered.
_TRY = """
import concurrent.futures, json, socket
def answers(target):
    name, address, port = target
    try:
        with socket.create_connection((address, port), timeout=2.0):
            return True
    except OSError:
        return False
targets = {targets}
with concurrent.futures.ThreadPoolExecutor(len(targets)) as pool:
    print(json.dumps([target for target, is_open in zip(targets, pool.map(answers, targets)) if is_open]))
"""


def probe(name: str, labels: Mapping[str, str]) -> Mapping[str, Any]:
    """Returns a pod with an application's labels that no Service sends calls to, since it is never ready."""
    pod = json.loads(json.dumps(idle_pod(f"probe-{name}", NAMESPACE, {**labels, "tests": "probe"})))
    pod["spec"]["containers"][0]["readinessProbe"] = {"exec": {"command": ["false"]}, "periodSeconds": 3600}
    return pod


def reached(installation: Installation, namespace: str, name: str, targets: Sequence[Target]) -> set[Edge]:
    pod = name if namespace != NAMESPACE or name.startswith("probe-") else f"probe-{name}"
    said = run_python(installation.cluster, namespace, pod, _TRY.format(targets=json.dumps(targets)))
    return {(pod.removeprefix("probe-"), target, port) for target, _, port in json.loads(said)}


def are_running(installation: Installation, count: int) -> bool:
    try:
        pods = installation.get("pods", "-l", "tests=probe")["items"]
    except ClusterError:
        return False
    return sum(pod["status"].get("phase") == "Running" for pod in pods) == count
