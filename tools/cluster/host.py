"""What of this machine must be as it was when the cluster is gone."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tools.cluster.cgroups import hierarchies
from tools.cluster.holder import SETTINGS
from tools.cluster.settings import BRIDGE, FOLDER

_RECORD = FOLDER / "host.json"
# Folders that kubelet, containerd or the network plugins would make if they were not kept from it.
_PLACES = (
    "/var/lib/kubelet",
    "/var/lib/cni",
    "/var/lib/containerd",
    "/var/log/pods",
    "/var/log/containers",
    "/run/containerd",
    "/run/netns",
    "/etc/cni",
    "/etc/kubernetes",
    "/opt/cni",
    "/opt/containerd",
    "/usr/libexec/kubernetes",
)


def look() -> dict[str, object]:
    """Returns the state of this machine, as far as a cluster could change it."""
    listed = json.loads(subprocess.run(["ip", "-j", "link"], check=True, capture_output=True, text=True).stdout)
    rules = subprocess.run(["ip", "-j", "route"], check=True, capture_output=True, text=True).stdout
    return {
        "settings": {name: Path("/proc/sys", name).read_text(encoding="ascii").strip() for name in SETTINGS},
        "forwarding": Path("/proc/sys/net/ipv4/ip_forward").read_text(encoding="ascii").strip(),
        "links": sorted(link["ifname"] for link in listed),
        "routes": sorted(route["dst"] for route in json.loads(rules)),
        "groups": sorted(
            str(group)
            for hierarchy in hierarchies()
            for group in hierarchy.iterdir()
            if group.is_dir() and group.name.startswith((BRIDGE, "kubepods"))
        ),
        "mounts": sorted({line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()}),
        "places": [place for place in _PLACES if os.path.lexists(place)],
    }


def remember() -> None:
    """Keeps what is to be found again."""
    _RECORD.parent.mkdir(parents=True, exist_ok=True)
    _RECORD.write_text(json.dumps(look(), indent=1), encoding="utf-8")


def changes() -> Mapping[str, tuple[object, object]]:
    """Returns what is not as it was: before and now, by what; all of it where nothing was remembered."""
    if not _RECORD.is_file():
        return {}
    before, now = json.loads(_RECORD.read_text(encoding="utf-8")), look()
    return {name: (before.get(name), now[name]) for name in now if before.get(name) != now[name]}
