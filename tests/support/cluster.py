"""Our chart, installed into a cluster on this machine: what tests do with it and what they ask it."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from praxiscope.client import Client, Profile
from tools.cluster.cluster import KUBECTL, Cluster
from tools.cluster.settings import FOLDER, KUBECONFIG, ClusterError
from tools.devstack.settings import CHECKOUT

HELM = CHECKOUT / ".praxiscope" / "deploy" / "bin" / "helm"
CHART = CHECKOUT / "deploy" / "helm" / "praxiscope"
LIGHT = CHART / "profiles" / "light.yaml"
NAMESPACE = "praxiscope"
# Where the chart expects what brings calls in; tests call from a pod there.
CALLER_NAMESPACE = "istio-system"
NUMBERS = ("angles.csv", "angles_raw.csv", "motion.json", "tracks.txt")
HEIGHT_M = 1.65
_AUTH_IMAGE = "registry.praxiscope.example/praxiscope-auth:0.1.0"
_NOTES = FOLDER / "proof.json"
_LOAD_TIMEOUT_S = 300.0


# Calls until it is told to stop: through the gateway to the library and its database, each on a connection of its own as far as the gateway.
_LOAD = """
import collections, http.client, json, os, threading, time
counts, times, lock = collections.Counter(), [], threading.Lock()
def call():
    while not (os.path.exists('/tmp/stop') and sum(counts.values()) >= {at_least}):
        begun = time.monotonic()
        try:
            connection = http.client.HTTPConnection('gateway.{namespace}', 7400, timeout=10)
            connection.request('GET', '/v1/{project}/assets?pageSize=1', headers={{'Authorization': 'Bearer {key}'}})
            answer = connection.getresponse()
            answer.read()
            said = str(answer.status)
            connection.close()
        except OSError as error:
            said = type(error).__name__ + ' ' + str(error)
        with lock:
            counts[said] += 1
            times.append(time.monotonic() - begun)
        time.sleep(0.06)
threads = [threading.Thread(target=call) for _ in range({threads})]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
times.sort()
print(json.dumps({{'counts': counts, 'p50_ms': times[len(times) // 2] * 1e3, 'p99_ms': times[int(len(times) * 0.99)] * 1e3}}))
"""


@dataclass(kw_only=True)
class Installation:
    """The release `praxiscope` in the namespace `praxiscope`.

    Attributes:
        cluster: Where it is.
        folder: For files of the tests.
        install_s: How long the first installation took.
    """

    cluster: Cluster
    folder: Path
    install_s: float = float("nan")

    def kubectl(self, *arguments: str, content: str | None = None) -> str:
        """Runs kubectl in the release's namespace."""
        return self.cluster.kubectl("-n", NAMESPACE, *arguments, content=content)

    def get(self, *arguments: str) -> dict[str, Any]:
        """Returns what `kubectl get` finds, as JSON."""
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    def helm(self, *arguments: str, timeout_s: float = 600.0) -> str:
        """Runs helm and returns what it printed.

        Raises:
            AssertionError: It fails.
        """
        result = subprocess.run(
            [str(HELM), "--namespace", NAMESPACE, *arguments],
            check=False,
            capture_output=True,
            text=True,
            env=self.environment(),
            timeout=timeout_s,
        )
        assert result.returncode == 0, f"helm {arguments}: {result.stderr}\n{self.state()}"
        return result.stdout

    def environment(self) -> dict[str, str]:
        """Returns the variables with which a shell has kubectl and helm, and both have the cluster."""
        home = self.folder / "helm"
        return {
            **os.environ,
            "KUBECONFIG": str(KUBECONFIG),
            "PATH": f"{HELM.parent}{os.pathsep}{os.environ['PATH']}",
            **{f"HELM_{name}_HOME": str(home / name.lower()) for name in ("CACHE", "CONFIG", "DATA")},
        }

    def secret(self, name: str, key: str) -> str:
        """Returns what a Secret holds."""
        return base64.b64decode(self.get("secret", name)["data"][key]).decode()

    def install(self, *settings: str) -> float:
        """Installs or upgrades to the light profile and these settings, waits until all is ready, and returns how long that took."""
        started_s = time.monotonic()
        values = [item for setting in settings for item in ("--set", setting)]
        self.helm("upgrade", "--install", "praxiscope", str(CHART), "-f", str(LIGHT), *values)
        self.wait_until_ready()
        return time.monotonic() - started_s

    def wait_until_ready(self, timeout_s: float = 300.0) -> None:
        """Waits until every workload has all its pods ready in its newest form, and every Job is done."""
        wait_until(self._is_ready, timeout_s, self.state)

    def pods(self, name: str) -> list[dict[str, Any]]:
        """Returns the pods of one of our applications that are not on their way out."""
        found = self.get("pods", "-l", f"app.kubernetes.io/name={name}")["items"]
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def state(self) -> str:
        """Returns what a person would look at first when something is wrong."""
        said = [self.cluster.kubectl("-n", NAMESPACE, "get", "pods", "-o", "wide")]
        events = ["get", "events", "--field-selector", "type!=Normal", "--sort-by", ".lastTimestamp"]
        said.append("\n".join(self.cluster.kubectl("-n", NAMESPACE, *events).splitlines()[-25:]))
        return "\n".join(said)

    def credentials(self) -> dict[str, str]:
        """Returns what the Job `bootstrap` made: the first project and its key."""
        return json.loads(self.secret("credentials", "credentials.json"))

    @contextlib.contextmanager
    def forwarded(self, service: str, port: int) -> Iterator[int]:
        """Has a Service's port answer on this machine, by `kubectl port-forward`; yields the port here."""
        here = _free_port()
        command = [str(KUBECTL), "--kubeconfig", str(KUBECONFIG), "-n", NAMESPACE, "port-forward", f"svc/{service}"]
        log = self.folder / f"port-forward-{service}.log"
        with log.open("wb") as output:
            process = subprocess.Popen([*command, f"{here}:{port}"], stdout=output, stderr=output)
        try:
            wait_until(lambda: _answers(here), 30.0, log.read_text)
            yield here
        finally:
            process.terminate()
            process.wait()

    @contextlib.contextmanager
    def client(self) -> Iterator[Client]:
        """A client that comes in as the documentation says: by `kubectl port-forward`."""
        with self.forwarded("gateway", 7400) as port:
            credentials = self.credentials()
            profile = Profile(
                url=f"http://127.0.0.1:{port}",
                project=credentials["project"],
                api_key=credentials["api_key"],
                api_key_expire_time=credentials["api_key_expire_time"],
            )
            with Client(profile) as client:
                yield client

    def _is_ready(self) -> bool:
        listed = self.get("deployments,statefulsets,jobs")["items"]
        return bool(listed) and all(_is_done(item) for item in listed) and not self._is_leaving()

    def _is_leaving(self) -> bool:
        """Whether pods of an earlier form are still there."""
        return any("deletionTimestamp" in pod["metadata"] for pod in self.get("pods")["items"])


def analyse(client: Client, video: Path, folder: Path, during: Callable[[str], None] | None = None) -> dict[str, str]:
    """Analyses a video and returns the digest of each file of numbers.

    Args:
        client: Who asks.
        video: What.
        folder: Where the files go.
        during: Called once, with the operation, when it has begun.
    """
    asset = client.upload(video)
    operation = client.analyze_motion(asset.latest_version, height_m=HEIGHT_M, preset="PRESET_ACCURATE")
    if during is not None:
        during(operation)
    response = client.wait(operation)
    folder.mkdir(parents=True, exist_ok=True)
    client.download_all(response.motion.asset_version, folder)
    return digests(folder)


def digests(folder: Path) -> dict[str, str]:
    """Returns the digest of each file of numbers in a folder."""
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in NUMBERS}


def caller_manifests() -> list[Mapping[str, Any]]:
    """Returns a namespace and a pod in it that calls in, as an ingress would."""
    return [
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": CALLER_NAMESPACE, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
        },
        idle_pod("caller", CALLER_NAMESPACE, {"app": "caller"}),
    ]


def idle_pod(name: str, namespace: str, labels: Mapping[str, str]) -> Mapping[str, Any]:
    """Returns a pod that does nothing until it is told to, with Python in it."""
    container = {
        "name": "python",
        "image": _AUTH_IMAGE,
        "command": ["sleep", "infinity"],
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "256Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "temporary", "mountPath": "/tmp"}],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": dict(labels)},
        "spec": {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "securityContext": {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [container],
            "volumes": [{"name": "temporary", "emptyDir": {}}],
        },
    }


def run_python(cluster: Cluster, namespace: str, pod: str, program: str) -> str:
    """Runs a program in a pod and returns what it printed."""
    return cluster.kubectl("-n", namespace, "exec", "-i", pod, "--", "python", "-", content=program)


class Load:
    """Calls from a pod outside the namespace, as through an ingress, for as long as a block lasts."""

    def __init__(self, installation: Installation, *, at_least: int = 0, threads: int = 4) -> None:
        """Says whom to call.

        Args:
            installation: Whom.
            at_least: How many calls there are to be, however soon it is stopped.
            threads: How many at a time.
        """
        self._cluster = installation.cluster
        credentials = installation.credentials()
        self._program = _LOAD.format(
            project=credentials["project"],
            key=credentials["api_key"],
            at_least=at_least,
            threads=threads,
            namespace=NAMESPACE,
        )
        self._said: list[str] = []
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Load:
        """Begins."""
        self._exec("rm", "-f", "/tmp/stop")
        self._thread.start()
        time.sleep(2.0)
        return self

    def __exit__(self, *_: object) -> None:
        """Ends, however the block does."""
        self._exec("touch", "/tmp/stop")
        self._thread.join(_LOAD_TIMEOUT_S)

    def stop(self) -> dict[str, Any]:
        """Ends when there are enough calls, and returns what became of them."""
        self._exec("touch", "/tmp/stop")
        self._thread.join(_LOAD_TIMEOUT_S)
        return json.loads(self._said[0])

    def _run(self) -> None:
        self._said.append(run_python(self._cluster, CALLER_NAMESPACE, "caller", self._program))

    def _exec(self, *command: str) -> None:
        self._cluster.kubectl("-n", CALLER_NAMESPACE, "exec", "caller", "--", *command)


def note(name: str, value: object) -> None:
    """Writes down a measurement, for docs/kubernetes-proof.md, and prints it."""
    record(_NOTES, name, value)


def record(notes: Path, name: str, value: object) -> None:
    """Adds a measurement to a file of them, and prints it."""
    held = json.loads(notes.read_text(encoding="utf-8")) if notes.is_file() else {}
    held[name] = value
    notes.write_text(json.dumps(held, indent=1), encoding="utf-8")
    print(f"\n  {name}: {value}", flush=True)


def wait_until(is_so: Callable[[], bool], timeout_s: float, state: Callable[[], str]) -> None:
    """Waits until something is so, or fails with what there is instead."""
    deadline_s = time.monotonic() + timeout_s
    while True:
        with contextlib.suppress(ClusterError):  # a question to an object that is just being replaced
            if is_so():
                return
        assert time.monotonic() < deadline_s, f"not so after {timeout_s:.0f} s\n{state()}"
        time.sleep(0.5)


def _is_done(item: Mapping[str, Any]) -> bool:
    status = item.get("status", {})
    if item["kind"] == "Job":
        return bool(status.get("succeeded"))
    wanted = item["spec"].get("replicas", 1)
    return (
        status.get("observedGeneration") == item["metadata"]["generation"]
        and status.get("readyReplicas", 0) == wanted
        and status.get("updatedReplicas", 0) == wanted
        and status.get("replicas", 0) == wanted
    )


def _free_port() -> int:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return int(opened.getsockname()[1])


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
