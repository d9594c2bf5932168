"""NetworkPolicies as a real network sees them: what the code calls gets through, nothing else does, and without the enforcer everything would."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.support.cluster import NAMESPACE, Installation, idle_pod, note, wait_until
from tests.support.cluster_network import Target, are_running, probe, reached
from tests.support.deploy import SERVICES, rendered
from tests.support.deploy_network import expected, pods_of
from tools.cluster.control_plane import FIRST
from tools.cluster.settings import API_PORT
from tools.devstack.settings import PORTS

pytestmark = pytest.mark.timeout(900)
_STRANGERS = "elsewhere"


def test_what_the_code_calls_gets_through_and_nothing_else(installation: Installation) -> None:
    sources = _sources()
    targets = _targets(installation)
    wanted = {(source, target, port) for source, target, port in expected("light") if source in sources}
    wanted = {edge for edge in wanted if edge[1:] in {(name, port) for name, _, port in targets}}
    probes = [probe(name, labels) for name, labels in sources.items()]
    installation.cluster.apply(probes)
    try:
        wait_until(lambda: are_running(installation, len(probes)), 120, installation.state)
        found = {edge for name in sources for edge in reached(installation, NAMESPACE, name, targets)}
        assert found - wanted == set(), "these are reached and never called"
        assert wanted - found == set(), "these are called and not reached"
        note("pairs of pod and port that were tried, and let through", [len(sources) * len(targets), len(found)])
        _assert_that_without_an_enforcer_everything_passes(installation, targets)
    finally:
        installation.kubectl("delete", "pods", "-l", "tests=probe", "--wait=false")


def test_a_stranger_reaches_nothing(installation: Installation) -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": _STRANGERS}}
    installation.cluster.apply([namespace, idle_pod("stranger", _STRANGERS, {})])
    try:
        installation.cluster.kubectl("-n", _STRANGERS, "wait", "--for=condition=Ready", "pod/stranger", "--timeout=60s")
        ours = [target for target in _targets(installation) if target[0] != "api-server"]
        assert reached(installation, _STRANGERS, "stranger", ours) == set()
    finally:
        installation.cluster.kubectl("delete", "namespace", _STRANGERS, "--wait=false")


def _assert_that_without_an_enforcer_everything_passes(installation: Installation, targets: list[Target]) -> None:
    """The control: the same questions, with nobody to hold the pods to their policies, are all answered."""
    node = installation.cluster.first
    node.restart_agent(is_enforcing=False)
    try:
        wait_until(
            lambda: (
                reached(installation, NAMESPACE, "probe-postgres", targets) >= {("postgres", *_end(targets, "auth"))}
            ),
            30,
            installation.state,
        )
        everything = {("postgres", name, port) for name, _, port in targets}
        assert reached(installation, NAMESPACE, "probe-postgres", targets) == everything
    finally:
        node.restart_agent(is_enforcing=True)
    wait_until(lambda: reached(installation, NAMESPACE, "probe-postgres", targets) == set(), 30, installation.state)


def _end(targets: list[Target], name: str) -> tuple[str, int]:
    return next((target, port) for target, _, port in targets if target == name)


def _sources() -> dict[str, Mapping[str, str]]:
    """Returns the labels of one pod of each application and each Job."""
    return {name: labels for name, labels in pods_of(rendered("light")).items() if name != "helm-test"}


def _targets(installation: Installation) -> list[Target]:
    """Returns name, address and port of everything that listens: pods' own addresses, so that no name has to be asked for."""
    ports = {name: [row["port"], row["metricsPort"]] for name, row in SERVICES.items()}
    ports["gateway"].append(SERVICES["gateway"]["grpcPort"])
    for name, row in SERVICES.items():
        if "work" in row:
            ports[f"{name}-work"] = [row["work"]["metricsPort"]]
    ports["triton"] = [PORTS["triton-grpc"], PORTS["triton-http"], PORTS["triton-metrics"]]
    ports |= {"postgres": [5432], "object-store": [8333]}
    found = [
        (name, pod["status"]["podIP"], port)
        for name, numbers in ports.items()
        for pod in installation.pods(name)[:1]
        for port in numbers
    ]
    return [*found, ("api-server", FIRST.address, API_PORT)]
