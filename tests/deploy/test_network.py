"""Who reaches whom: what NetworkPolicies let through is what the code calls, and nothing else."""

import copy
from collections.abc import Callable

import pytest

from tests.support.deploy import SERVICES, VALUES, find, rendered
from tests.support.deploy_network import CALLS, areas, expected, kubernetes_name, reachable
from tools.deploy.render import PROFILES, Manifest, of_kind
from tools.devstack.settings import PORTS

LASTING = {"auth", "library", "vision-inference"}
TRITON = VALUES["triton"]


def _all_ports(profile: str) -> list[int]:
    own = {
        port["port"] for policy in of_kind(rendered(profile), "NetworkPolicy")
        for direction in ("ingress", "egress") for rule in policy["spec"].get(direction) or [] for port in rule["ports"]
    }  # fmt: skip
    return sorted({*own, *PORTS.values(), 22, 80, 443, 5432, 8333, 15012})


@pytest.mark.parametrize("profile", PROFILES)
def test_what_is_let_through_is_what_is_called(profile: str) -> None:
    found = reachable(rendered(profile), _all_ports(profile))
    assert found - expected(profile) == set(), "these could be reached and never are"
    assert expected(profile) - found == set(), "these are called and could not be reached"


def _without_egress(manifests: list[Manifest]) -> None:
    find(manifests, "NetworkPolicy", "tracking")["spec"]["egress"].pop(0)


def _without_peers(manifests: list[Manifest]) -> None:
    del find(manifests, "NetworkPolicy", "auth")["spec"]["ingress"][1]["from"]


def _without_default(manifests: list[Manifest]) -> None:
    for name in ("default-deny", "names-and-mesh", "helm-test"):
        manifests.remove(find(manifests, "NetworkPolicy", name))


def _open_egress(manifests: list[Manifest]) -> None:
    find(manifests, "NetworkPolicy", "rendering")["spec"]["egress"].append({})


def _another_port(manifests: list[Manifest]) -> None:
    find(manifests, "NetworkPolicy", "library")["spec"]["ingress"][1]["ports"][0]["port"] = PORTS["auth"]


def _another_namespace(manifests: list[Manifest]) -> None:
    (peer,) = find(manifests, "NetworkPolicy", "auth")["spec"]["ingress"][0]["from"]
    peer["namespaceSelector"] = {}


@pytest.mark.parametrize(
    "change", [_without_egress, _without_peers, _without_default, _open_egress, _another_port, _another_namespace]
)
def test_a_policy_that_is_wrong_is_noticed(change: Callable[[list[Manifest]], None]) -> None:
    manifests = copy.deepcopy(rendered("light"))
    for policy in of_kind(manifests, "NetworkPolicy"):
        for direction in ("ingress", "egress"):
            for rule in policy["spec"].get(direction) or []:
                rule.setdefault("ports", None)
    change(manifests)
    assert reachable(manifests, _all_ports("light")) != expected("light")


@pytest.mark.parametrize("profile", PROFILES)
def test_every_rule_names_its_peers_and_its_ports(profile: str) -> None:
    for policy in of_kind(rendered(profile), "NetworkPolicy"):
        for direction, peers in (("ingress", "from"), ("egress", "to")):
            for rule in policy["spec"].get(direction) or []:
                assert rule[peers]
                assert rule["ports"]
                assert all(item for item in rule[peers])


def test_the_table_names_the_services_that_the_code_calls() -> None:
    for service, methods in CALLS.items():
        called = {areas()[method.split(".")[1]] for method in methods}
        assert set(SERVICES[kubernetes_name(service)].get("calls", [])) == called
    assert set(SERVICES["gateway"]["calls"]) == {kubernetes_name(service) for service in CALLS}
