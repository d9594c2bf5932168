"""Where the mesh keeps its things, which addresses it has, and what a machine must have for it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence

from tools.devstack.settings import CHECKOUT

FOLDER = CHECKOUT / ".praxiscope" / "mesh"
PROGRAMS = FOLDER / "bin"
SHARED = FOLDER / "share"  # Istio's definitions of its objects, and its template of Envoy's start
RUN = FOLDER / "run"  # of the mesh that is up, or was last
KUBECTL = CHECKOUT / ".praxiscope" / "deploy" / "bin" / "kubectl"
ENVOY = CHECKOUT / ".venv-mesh" / "lib" / "python3.11" / "site-packages" / "envoy" / "_bin" / "envoy"

BRIDGE = "mesh"
MAIN_ADDRESS = "10.244.0.1"  # of what is outside the mesh: the control plane, the database, whoever calls in
SERVICE_RANGE = "10.96.0.0/16"
ISTIO_NAMESPACE = "istio-system"
ISTIOD = f"istiod.{ISTIO_NAMESPACE}.svc"
COVERED = ("/run", "/tmp")  # noqa: S108  folders that programs write to; ours are laid over them
PROXY_USER_ID = 1337  # whose traffic Istio's rules leave alone
_NEEDED = ("ip", "mount", "nsenter", "unshare")


class MeshError(Exception):
    """The mesh cannot do what was asked; the message says why and what to do."""


def missing_here() -> Sequence[str]:
    """Returns what this machine lacks, in words; nothing where a mesh can be tried here."""
    lacks: list[str] = []
    if os.geteuid():
        lacks.append("root is needed: network namespaces, redirection of traffic and users for proxies are made")
    lacks += [f"the program {name} is missing" for name in _NEEDED if shutil.which(name) is None]
    if not lacks:
        command = ["unshare", "--mount", "--net", "--pid", "--fork", "true"]
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        if made.returncode:
            lacks.append(f"the kernel makes no namespaces for us: {made.stderr.strip()}")
    closed = [str(parent) for parent in (CHECKOUT, *CHECKOUT.parents) if not parent.stat().st_mode & 0o001]
    if closed:
        lacks.append(f"proxies run as another user, who cannot enter {', '.join(closed)}")
    covered = [place for place in COVERED if CHECKOUT.is_relative_to(place)]
    if covered:
        lacks.append(f"{covered[0]} is covered for what runs here, and this checkout lies below it")
    return lacks
