"""One node: containerd, kubelet, kube-proxy and our agent, in namespaces of their own on a bridge of the machine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import yaml

from tools.cluster import oci
from tools.cluster.cgroups import make_groups, remove_groups
from tools.cluster.components import IMAGES
from tools.cluster.debian import program_environment
from tools.cluster.holder import Holder
from tools.cluster.settings import (
    BRIDGE,
    BRIDGE_ADDRESS,
    DEBIAN,
    DNS_SERVICE,
    LAYOUT,
    POD_RANGE,
    PROGRAMS,
    RUN,
    ClusterError,
    NodePlace,
)
from tools.devstack.settings import CHECKOUT

PKI = RUN / "pki"
_RUNTIME_TIMEOUT_S = 30.0


class Node:
    """A node that can be started, given images, and ended.

    Attributes:
        place: Where it is.
        group: The control group that its pods are in.
    """

    def __init__(self, place: NodePlace) -> None:
        """Describes it; nothing happens yet.

        Args:
            place: Where it is.
        """
        self.place = place
        self.group = f"{BRIDGE}-{place.name}"
        self._holder: Holder | None = None

    @property
    def holder(self) -> Holder:
        """Who owns its namespaces.

        Raises:
            ClusterError: It is not up.
        """
        if self._holder is None:
            self._holder = Holder.find(self.place.run)
        if self._holder is None:
            raise ClusterError(f"{self.place.name} is not up; `make cluster` starts the cluster.")
        return self._holder

    @property
    def is_up(self) -> bool:
        """Whether its namespaces are there."""
        return Holder.find(self.place.run) is not None

    def start_runtime(self) -> None:
        """Makes its namespaces and its cable, and starts containerd.

        Raises:
            ClusterError: Something does not start; the message says what it said.
        """
        for name in ("config", "volumes"):
            (self.place.run / name).mkdir(parents=True, exist_ok=True)
        self.place.store.mkdir(parents=True, exist_ok=True)
        self._holder = Holder.start(self.place.run)
        self._connect()
        self._write_runtime_config()
        process_id = self._start_containerd()
        # Killed, it leaves records of containers that are no more; kubelet must not meet them.
        if self._ctr("container", "ls", "-q").strip():
            names = self._ctr("container", "ls", "-q").split()
            self._ctr("container", "rm", *names)
            self._end(process_id)
            self._start_containerd()

    def start_kubelet(self) -> None:
        """Starts what makes it a node; the API server must answer."""
        make_groups(self.group)
        self._write_kubelet_config()
        config = self.place.run / "config"
        self._spawn(
            "kubelet",
            str(PROGRAMS / "kubelet"),
            f"--config={config / 'kubelet.yaml'}",
            f"--kubeconfig={PKI / f'{self.place.name}.yaml'}",
            f"--hostname-override={self.place.name}",
            f"--node-ip={self.place.address}",
        )
        self._spawn(
            "kube-proxy",
            str(PROGRAMS / "kube-proxy"),
            f"--config={config / 'kube-proxy.yaml'}",
            f"--hostname-override={self.place.name}",
        )
        self.start_agent()

    def restart_agent(self, *, is_enforcing: bool) -> None:
        """Ends our agent and starts it again; tests start it without its policies, to see what they are for."""
        self._end(int((self.place.run / "agent").read_text(encoding="ascii")))
        self.start_agent(is_enforcing=is_enforcing)

    def start_agent(self, *, is_enforcing: bool = True) -> None:
        """Starts our agent, which enforces NetworkPolicies and makes volumes."""
        process_id = self._spawn(
            "agent",
            *("env", f"PYTHONPATH={CHECKOUT}", sys.executable, "-m", "tools.cluster.agent"),
            *(self.place.name, str(PKI / "admin.yaml"), str(self.place.run / "volumes")),
            *(() if is_enforcing else ("--no-policies",)),
        )
        (self.place.run / "agent").write_text(str(process_id), encoding="ascii")

    def import_images(self, names: list[str] | None = None) -> int:
        """Takes images out of the layout that it does not have in that version.

        Args:
            names: Which; all where there are none.

        Returns:
            How many were taken.
        """
        images = oci.read_layout(LAYOUT)
        listed = [line.split() for line in self._ctr("image", "ls").splitlines()[1:]]
        have = {fields[0]: fields[2] for fields in listed}  # name, type, digest, …
        wanted = [name for name in names or images if have.get(name) != images[name].digest]
        if not wanted:
            return 0
        command = ["nsenter", "--target", str(self.holder.process_id), "--mount", "--net", "--pid", "--"]
        command += [str(DEBIAN / "usr/bin/ctr"), *self._namespace(), "image", "import", "--snapshotter=overlayfs", "-"]
        log = self.place.run / "log" / "images.log"
        with log.open("wb") as output:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=output)
            try:
                with process:
                    assert process.stdin is not None
                    oci.write_archive(LAYOUT, wanted, process.stdin)
            except BrokenPipeError:
                pass  # it has ended early; what it said is in its log
        if process.returncode:
            said = log.read_text(encoding="utf-8", errors="replace").strip()
            raise ClusterError(f"{self.place.name} does not take images: {said[-1000:]}")
        return len(wanted)

    def stop(self) -> None:
        """Ends it, at once, and takes away what it had outside its namespaces."""
        if (holder := Holder.find(self.place.run)) is not None:
            holder.stop()
        self._holder = None
        if Path("/sys/class/net", self.place.link).exists():
            subprocess.run(["ip", "link", "delete", self.place.link], check=False, capture_output=True)
        remove_groups(self.group)

    def route_to(self, other: NodePlace) -> None:
        """Says where another node's pods are."""
        self.holder.run(["ip", "route", "replace", other.pod_range, "via", other.address])

    def _connect(self) -> None:
        link, peer = self.place.link, str(self.holder.process_id)
        for command in (
            ["ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", peer],
            ["ip", "link", "set", link, "master", BRIDGE, "up"],
        ):
            result = subprocess.run(command, capture_output=True, text=True, check=False)
            if result.returncode:
                raise ClusterError(f"{' '.join(command)} failed: {result.stderr.strip()}")
        for inside in (
            ["ip", "link", "set", "lo", "up"],
            ["ip", "address", "add", f"{self.place.address}/24", "dev", "eth0"],
            ["ip", "link", "set", "eth0", "up"],
            ["ip", "route", "add", "default", "via", BRIDGE_ADDRESS],
            ["sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"],
        ):
            self.holder.run(inside)

    def _start_containerd(self) -> int:
        config = self.place.run / "config" / "containerd.toml"
        process_id = self._spawn("containerd", str(DEBIAN / "usr/bin/containerd"), "--config", str(config))
        deadline_s = time.monotonic() + _RUNTIME_TIMEOUT_S
        while time.monotonic() < deadline_s:
            try:
                self._ctr("version")
            except ClusterError:
                time.sleep(0.05)
                continue
            return process_id
        log = self.place.run / "log" / "containerd.log"
        raise ClusterError(f"containerd does not answer:\n{log.read_text(errors='replace')[-2000:]}")

    def _end(self, process_id: int) -> None:
        """Asks a program that was spawned to end, and waits until it has."""
        children = Path(f"/proc/{process_id}/task/{process_id}/children").read_text(encoding="ascii").split()
        for child in children:
            os.kill(int(child), signal.SIGTERM)
        deadline_s = time.monotonic() + _RUNTIME_TIMEOUT_S
        while any(Path(f"/proc/{child}").exists() for child in children):
            if time.monotonic() > deadline_s:
                raise ClusterError(f"Process {children} of {self.place.name} does not end.")
            time.sleep(0.05)

    def _ctr(self, *arguments: str) -> str:
        return self.holder.run([str(DEBIAN / "usr/bin/ctr"), *self._namespace(), *arguments])

    def _namespace(self) -> list[str]:
        return ["--address", "/run/containerd/containerd.sock", "--namespace", "k8s.io"]

    def _spawn(self, name: str, *command: str) -> int:
        return self.holder.spawn(name, command, environment=self._environment())

    def _environment(self) -> Mapping[str, str]:
        return program_environment({"HOME": str(self.place.run)})

    def _write_runtime_config(self) -> None:
        config = self.place.run / "config"
        (config / "cni").mkdir(exist_ok=True)
        (config / "containerd.toml").write_text(_containerd_config(self.place, config / "cni"), encoding="utf-8")
        network = {
            "cniVersion": "0.4.0",
            "name": "praxiscope",
            "plugins": [
                {
                    # A cable to each pod and no bridge between them: every packet is routed, and so passes the policies.
                    "type": "ptp",
                    "ipMasq": False,
                    "ipam": {
                        "type": "host-local",
                        "ranges": [[{"subnet": self.place.pod_range}]],
                        "routes": [{"dst": "0.0.0.0/0"}],
                    },
                }
            ],
        }
        (config / "cni" / "10-praxiscope.conflist").write_text(json.dumps(network), encoding="utf-8")

    def _write_kubelet_config(self) -> None:
        config = self.place.run / "config"
        # No names from outside: pods have no way out.
        (config / "resolv.conf").write_text("nameserver 192.0.2.1\n", encoding="ascii")
        kubelet = {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{self.group}",
            "failCgroupV1": False,
            "failSwapOn": False,
            "enforceNodeAllocatable": [],
            "makeIPTablesUtilChains": False,
            "oomScoreAdj": 0,
            "tlsCertFile": str(PKI / f"{self.place.name}.crt"),
            "tlsPrivateKeyFile": str(PKI / f"{self.place.name}.key"),
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": str(PKI / "ca.crt")},
            },
            "authorization": {"mode": "Webhook"},
            "clusterDNS": [DNS_SERVICE],
            "clusterDomain": "cluster.local",
            "resolvConf": str(config / "resolv.conf"),
            "volumePluginDir": "/var/lib/kubelet/volume-plugins",
            "imageGCHighThresholdPercent": 100,
            "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
            "nodeStatusUpdateFrequency": "5s",
            "maxPods": 80,
        }
        (config / "kubelet.yaml").write_text(yaml.safe_dump(kubelet), encoding="utf-8")
        proxy = {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "nftables",
            "clientConnection": {"kubeconfig": str(PKI / "proxy.yaml")},
            "clusterCIDR": POD_RANGE,
            "conntrack": {"maxPerCore": 0, "min": 0},
            "metricsBindAddress": "127.0.0.1:10249",
            "healthzBindAddress": "127.0.0.1:10256",
        }
        (config / "kube-proxy.yaml").write_text(yaml.safe_dump(proxy), encoding="utf-8")


def _containerd_config(place: NodePlace, networks: Path) -> str:
    """Returns containerd's configuration, without what it would only complain about here."""
    return f"""\
version = 2
root = "{place.store / "containerd"}"
state = "/run/containerd"
oom_score = 0
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs", "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing",
]
[grpc]
  address = "/run/containerd/containerd.sock"
[ttrpc]
  address = "/run/containerd/containerd.sock.ttrpc"
[plugins."io.containerd.internal.v1.opt"]
  path = "{place.store / "opt"}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{IMAGES["pause"]}"
  restrict_oom_score_adj = true
  disable_apparmor = true
  disable_hugetlb_controller = true
  tolerate_missing_hugetlb_controller = true
  enable_unprivileged_ports = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        BinaryName = "{DEBIAN / "usr/sbin/runc"}"
        SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{DEBIAN / "usr/lib/cni"}"
    conf_dir = "{networks}"
"""
