"""`python -m tools.cluster.agent NODE KUBECONFIG FOLDER [--no-policies]`: what a node needs besides Kubernetes' own programs.

It holds the pods of its node to the NetworkPolicies and makes volumes out of folders. It looks at everything anew whenever something has changed.
"""

from __future__ import annotations

import argparse
import http.client
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from tools.cluster.api import Api, ApiError
from tools.cluster.network_policies import make_rules, read_pods
from tools.cluster.volumes import make_folder, remove_folder, volumes_released, volumes_wanted

_NAMESPACES = "/api/v1/namespaces"
_PODS = "/api/v1/pods"
_POLICIES = "/apis/networking.k8s.io/v1/networkpolicies"
_CLAIMS = "/api/v1/persistentvolumeclaims"
_VOLUMES = "/api/v1/persistentvolumes"
_SETTLE_S = 0.05  # changes come in showers
_AGAIN_S = 30.0  # also without any change


def main(arguments: Sequence[str]) -> int:
    """Runs until it is killed."""
    parser = argparse.ArgumentParser(prog="python -m tools.cluster.agent", description=__doc__)
    parser.add_argument("node")
    parser.add_argument("kubeconfig", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--no-policies", action="store_true", help="lets everything pass; for the tests' control")
    options = parser.parse_args(arguments)
    steps = [lambda api: _keep_volumes(api, options.node, options.folder)]
    paths = [_CLAIMS, _VOLUMES]
    if options.no_policies:
        _load(make_rules([], [], {}))
    else:
        steps.append(_Policies().enforce)
        paths += [_NAMESPACES, _PODS, _POLICIES]
    changed = threading.Event()
    for path in paths:
        Api(options.kubeconfig).watch(path, changed.set)
    api = Api(options.kubeconfig)
    while True:
        changed.wait(_AGAIN_S)
        time.sleep(_SETTLE_S)
        changed.clear()
        for step in steps:
            try:
                step(api)
            except (ApiError, OSError, http.client.HTTPException, subprocess.CalledProcessError) as error:
                _say(f"{type(error).__name__}: {error}")
                changed.set()
                time.sleep(0.3)


class _Policies:
    """Enforces policies; remembers what it has told the kernel, so as to say it once."""

    def __init__(self) -> None:
        self._rules = ""

    def enforce(self, api: Api) -> None:
        labels = {item["metadata"]["name"]: item["metadata"].get("labels", {}) for item in api.items(_NAMESPACES)}
        rules = make_rules(read_pods(api.items(_PODS)), api.items(_POLICIES), labels)
        if rules != self._rules:
            _load(rules)
            self._rules = rules
            _say(
                f"holds {rules.count('chain ingress_')} pods' calls in, {rules.count('chain egress_')} pods' calls out"
            )


def _keep_volumes(api: Api, node: str, folder: Path) -> None:
    for volume in volumes_wanted(api.items(_CLAIMS), node, folder):
        make_folder(volume)
        api.create(_VOLUMES, volume)
        _say(f"made {volume['metadata']['name']}")
    for volume in volumes_released(api.items(_VOLUMES), folder):
        remove_folder(volume)
        api.delete(f"{_VOLUMES}/{volume['metadata']['name']}")
        _say(f"removed {volume['metadata']['name']}")


def _load(rules: str) -> None:
    result = subprocess.run(["nft", "-f", "-"], input=rules, text=True, capture_output=True, check=False)
    if result.returncode:
        _say(f"{result.stderr}\n{rules}")
        result.check_returncode()


def _say(text: str) -> None:
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
