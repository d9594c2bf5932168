"""Where the cluster keeps its things, which addresses it has, and what it is made of."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tools.devstack.settings import CHECKOUT

FOLDER = CHECKOUT / ".praxiscope" / "cluster"
PROGRAMS = FOLDER / "bin"  # what is built from Go modules
DEBIAN = FOLDER / "debian"  # what is unpacked from Debian's packages
LAYOUT = FOLDER / "images"  # images as files, for containerd
RUN = FOLDER / "run"  # of the cluster that is up; thrown away with it
KUBECONFIG = RUN / "kubeconfig.yaml"

KUBERNETES_VERSION = "1.35.4"
BRIDGE = "praxiscope"
BRIDGE_ADDRESS = "10.199.0.1"
API_PORT = 6443
SERVICE_RANGE = "10.96.0.0/16"
API_SERVICE = "10.96.0.1"
DNS_SERVICE = "10.96.0.10"
POD_RANGE = "10.244.0.0/16"


class ClusterError(Exception):
    """The cluster cannot do what was asked; the message says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class NodePlace:
    """Where a node lives.

    Attributes:
        number: 1 for the one with the control plane.
    """

    number: int

    @property
    def name(self) -> str:
        """Its name in Kubernetes."""
        return f"node{self.number}"

    @property
    def address(self) -> str:
        """Its address on the bridge."""
        return f"10.199.0.{self.number + 1}"

    @property
    def pod_range(self) -> str:
        """Addresses of its pods."""
        return f"10.244.{self.number}.0/24"

    @property
    def link(self) -> str:
        """The machine's end of its cable to the bridge."""
        return f"{BRIDGE}{self.number}"

    @property
    def run(self) -> Path:
        """What it writes while it is up."""
        return RUN / self.name

    @property
    def store(self) -> Path:
        """Its images, which are kept from one time to the next."""
        return FOLDER / "store" / self.name
