"""The cluster as a whole: up, down, and what it says of itself."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import yaml

from tools.cluster import host
from tools.cluster.addons import addons
from tools.cluster.components import build_components, write_images
from tools.cluster.control_plane import (
    FIRST,
    is_node_ready,
    make_identities,
    start_api_server,
    start_controllers,
    wait_for,
    wait_until_ready,
)
from tools.cluster.debian import unpack_programs
from tools.cluster.holder import HIDDEN
from tools.cluster.node import PKI, Node
from tools.cluster.settings import (
    BRIDGE,
    BRIDGE_ADDRESS,
    FOLDER,
    KUBECONFIG,
    RUN,
    ClusterError,
    NodePlace,
)
from tools.devstack.settings import CHECKOUT

KUBECTL = CHECKOUT / ".praxiscope" / "deploy" / "bin" / "kubectl"
_NEEDED = ("apt-get", "dpkg", "ip", "mount", "nsenter", "unshare")
_MIB = 1 << 20
Say = Callable[[str], None]


class Cluster:
    """A cluster on this machine."""

    def __init__(self) -> None:
        """Describes it; nothing happens yet."""
        self.first = Node(FIRST)
        self.second = Node(NodePlace(number=2))

    @property
    def is_up(self) -> bool:
        """Whether its first node is there."""
        return self.first.is_up

    def start(self, say: Say) -> None:
        """Builds what is missing and starts one node with the control plane.

        Args:
            say: Told of each step, with its time.

        Raises:
            ClusterError: This machine lacks something, or a part does not start.
        """
        check_machine()
        if self.is_up:
            raise ClusterError("The cluster is up already; `make cluster-down` ends it.")
        unpack_programs()
        build_components()
        write_images()
        self._sweep()
        host.remember()
        lap = _laps(say)
        RUN.mkdir(parents=True)
        try:
            make_identities()
            _add_bridge()
            self.first.start_runtime()
            lap("containerd answers")
            start_api_server(self.first)
            taken = self.first.import_images()
            lap(f"{taken} new images are taken in")
            wait_until_ready(self.first)
            shutil.copy(PKI / "admin.yaml", KUBECONFIG)
            lap("the API server is ready")
            start_controllers(self.first)
            self.first.start_kubelet()
            self._wait_for_node(self.first)
            lap("the node is ready")
            self.apply(addons())
            self.kubectl("-n", "kube-system", "rollout", "status", "deployment/coredns", "--timeout=120s")
            lap("names are answered")
            self.kubectl("-n", "kube-system", "rollout", "status", "deployment/metrics-server", "--timeout=120s")
            lap("metrics are served")
        except BaseException:
            self._keep_logs()
            self._sweep()
            raise

    def add_node(self, say: Say) -> None:
        """Starts the second node, beside the first."""
        lap = _laps(say)
        self.second.start_runtime()
        self.second.import_images()
        lap("the second node has the images")
        self.first.route_to(self.second.place)
        self.second.route_to(self.first.place)
        self.second.start_kubelet()
        self._wait_for_node(self.second)
        lap("the second node is ready")

    def stop(self) -> Mapping[str, tuple[object, object]]:
        """Ends everything and takes away what there was outside the nodes.

        Returns:
            What of this machine is not as it was before `start`: nothing.
        """
        self._keep_logs()
        self._sweep()
        return host.changes()

    def kubectl(self, *arguments: str, content: str | None = None) -> str:
        """Runs kubectl as the administrator and returns what it printed.

        Raises:
            ClusterError: It fails.
        """
        command = [str(KUBECTL), "--kubeconfig", str(KUBECONFIG), *arguments]
        result = subprocess.run(command, input=content, capture_output=True, text=True, check=False)
        if result.returncode:
            raise ClusterError(f"kubectl {' '.join(arguments[:6])} failed: {result.stderr.strip()[-2000:]}")
        return result.stdout

    def apply(self, objects: Sequence[Mapping[str, object]]) -> None:
        """Applies objects."""
        self.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", content=yaml.safe_dump_all(objects))

    def memory_mib(self) -> dict[str, float]:
        """Returns how much memory each of the cluster's own programs holds, and all pods together, in MiB; the most first."""
        inside = os.readlink(f"/proc/{self.first.holder.process_id}/ns/pid")
        found: dict[str, float] = {}
        for process in Path("/proc").iterdir():
            if not process.name.isdigit():
                continue
            try:
                if self.first.group in (process / "cgroup").read_text(encoding="utf-8"):
                    name = "pods"
                elif os.readlink(process / "ns" / "pid") == inside:
                    name = (process / "comm").read_text(encoding="utf-8").strip()
                else:
                    continue
                pages = int((process / "statm").read_text(encoding="ascii").split()[1])
            except OSError:
                continue  # it has ended in the meantime
            found[name] = found.get(name, 0.0) + pages * os.sysconf("SC_PAGE_SIZE") / _MIB
        return dict(sorted(found.items(), key=lambda item: -item[1]))

    def _wait_for_node(self, node: Node) -> None:
        def is_ready() -> bool:
            try:
                return is_node_ready(self.kubectl("get", "nodes", "-o", "json"), node.place.name)
            except ClusterError:
                return False

        wait_for(is_ready, node.place.name, timeout_s=120.0, log_of=(node, "kubelet"))

    def _sweep(self) -> None:
        """Takes away whatever a cluster has left, whether it ended well or not."""
        for node in (self.second, self.first):
            node.stop()
        if Path("/sys/class/net", BRIDGE).exists():
            subprocess.run(["ip", "link", "delete", BRIDGE], check=False, capture_output=True)
        shutil.rmtree(RUN, ignore_errors=True)

    def _keep_logs(self) -> None:
        """Keeps the last cluster's logs, to be read when it is gone."""
        kept = FOLDER / "logs"
        shutil.rmtree(kept, ignore_errors=True)
        for node in (self.first, self.second):
            if (node.place.run / "log").is_dir():
                shutil.copytree(node.place.run / "log", kept / node.place.name)


def check_machine() -> None:
    """Asks for what is needed.

    Raises:
        ClusterError: With everything that this machine lacks.
    """
    lacks = missing_here()
    if lacks:
        raise ClusterError(f"No Kubernetes can be started here: {'; '.join(lacks)}.")


def missing_here() -> list[str]:
    """Returns what this machine lacks for a cluster of its own, in words."""
    lacks = [f"the program {name} is missing" for name in _NEEDED if shutil.which(name) is None]
    if os.geteuid():
        lacks.append("it needs root")
    elif not lacks:
        command = ["unshare", "--mount", "--net", "--pid", "--fork", "--mount-proc", "true"]
        tried = subprocess.run(command, capture_output=True, text=True, check=False)
        if tried.returncode:
            lacks.append(f"namespaces are not allowed ({tried.stderr.strip()})")
    if any(CHECKOUT.is_relative_to(place) for place in HIDDEN):
        lacks.append(
            f"this checkout lies in {CHECKOUT}, which is hidden inside a node; move it out of {', '.join(HIDDEN)}"
        )
    if not KUBECTL.exists():
        lacks.append("kubectl and helm are not there: `python3 -m tools.setup deploy` fetches them")
    return lacks


def ours_with_docker() -> str | None:
    """Returns the command that gives a cluster in docker's containers, where docker runs and kind or k3d is there."""
    if shutil.which("docker") is None or subprocess.run(["docker", "info"], capture_output=True).returncode:
        return None
    if shutil.which("kind"):
        return "kind create cluster --name praxiscope"
    if shutil.which("k3d"):
        return "k3d cluster create praxiscope"
    return None


def status(cluster: Cluster) -> str:
    """Returns what is up, as text."""
    if not cluster.is_up:
        return "The cluster is not up.\n"
    listed = json.loads(cluster.kubectl("get", "nodes", "-o", "json"))["items"]
    nodes = ", ".join(item["metadata"]["name"] for item in listed)
    memory = cluster.memory_mib()
    lines = [f"{name:28} {mib:7.0f} MiB" for name, mib in memory.items() if mib >= 1]
    return "\n".join(
        [f"Up: {nodes}; KUBECONFIG={KUBECONFIG}", *lines, f"{'in all':28} {sum(memory.values()):7.0f} MiB", ""]
    )


def _add_bridge() -> None:
    for command in (
        ["ip", "link", "add", BRIDGE, "type", "bridge"],
        ["ip", "address", "add", f"{BRIDGE_ADDRESS}/24", "dev", BRIDGE],
        ["ip", "link", "set", BRIDGE, "up"],
    ):
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode:
            raise ClusterError(f"{' '.join(command)} failed: {result.stderr.strip()}")


def _laps(say: Say) -> Callable[[str], None]:
    started_s = time.monotonic()

    def lap(text: str) -> None:
        say(f"[{time.monotonic() - started_s:5.1f} s] {text}")

    return lap


def print_line(text: str) -> None:
    """Says one line, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
