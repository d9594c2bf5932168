"""NetworkPolicies as rules: each form of the API, and what a policy does not say."""

from typing import Any

import pytest

from tools.cluster.network_policies import PolicedPod, make_rules, matches, read_pods

CALLER = PolicedPod(namespace="home", address="10.0.0.1", labels={"app": "caller"})
SERVER = PolicedPod(namespace="home", address="10.0.0.2", labels={"app": "server"}, ports={"grpc": 7000})
GUEST = PolicedPod(namespace="away", address="10.0.0.3", labels={"app": "caller"})
LABELS = {"home": {"kubernetes.io/metadata.name": "home"}, "away": {"kubernetes.io/metadata.name": "away"}}


def _policy(
    *, types: tuple[str, ...] = ("Ingress",), selects: dict[str, Any] | None = None, **rules: Any
) -> dict[str, Any]:
    spec = {"podSelector": selects if selects is not None else {"matchLabels": {"app": "server"}}, "policyTypes": types}
    return {"metadata": {"namespace": "home", "name": "policy"}, "spec": {**spec, **rules}}


def _chain(policies: list[dict[str, Any]], chain: str) -> list[str]:
    """Returns the rules of one chain."""
    text = make_rules([CALLER, SERVER, GUEST], policies, LABELS)
    _, _, rest = text.partition(f" chain {chain} {{\n")
    return [line.strip() for line in rest.partition(" }\n")[0].splitlines()]


def test_without_a_policy_nothing_is_held() -> None:
    rules = make_rules([CALLER, SERVER], [], LABELS)
    assert "drop" not in rules
    assert "vmap" not in rules


def test_a_policy_without_rules_lets_nothing_in() -> None:
    assert _chain([_policy()], "ingress_10_0_0_2") == ["counter drop"]
    rules = make_rules([CALLER, SERVER, GUEST], [_policy()], LABELS)
    assert "ip daddr vmap { 10.0.0.2 : jump ingress_10_0_0_2 }" in rules
    assert "egress_" not in rules


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        pytest.param({"podSelector": {"matchLabels": {"app": "caller"}}}, "ip saddr { 10.0.0.1 }", id="own namespace"),
        pytest.param({"namespaceSelector": {}}, "ip saddr { 10.0.0.1, 10.0.0.2, 10.0.0.3 }", id="every namespace"),
        pytest.param(
            {"namespaceSelector": {"matchLabels": LABELS["away"]}, "podSelector": {"matchLabels": {"app": "caller"}}},
            "ip saddr { 10.0.0.3 }",
            id="pods of another namespace",
        ),
        pytest.param({"ipBlock": {"cidr": "10.1.0.0/16"}}, "ip saddr 10.1.0.0/16", id="addresses"),
        pytest.param(
            {"ipBlock": {"cidr": "10.1.0.0/16", "except": ["10.1.2.0/24"]}},
            "ip saddr 10.1.0.0/16 ip saddr != { 10.1.2.0/24 }",
            id="addresses but some",
        ),
    ],
)
def test_who_may_come(peer: dict[str, Any], expected: str) -> None:
    chain = _chain([_policy(ingress=[{"from": [peer], "ports": [{"port": 80}]}])], "ingress_10_0_0_2")
    assert chain == [f"{expected} tcp dport 80 return", "counter drop"]


@pytest.mark.parametrize(
    ("port", "expected"),
    [
        pytest.param({"port": 80}, "tcp dport 80 return", id="number"),
        pytest.param({"port": 80, "endPort": 90}, "tcp dport 80-90 return", id="range"),
        pytest.param({"port": 53, "protocol": "UDP"}, "udp dport 53 return", id="protocol"),
        pytest.param({"protocol": "UDP"}, "meta l4proto udp return", id="any of a protocol"),
        pytest.param({"port": "grpc"}, "tcp dport 7000 return", id="name"),
    ],
)
def test_which_ports(port: dict[str, Any], expected: str) -> None:
    assert _chain([_policy(ingress=[{"ports": [port]}])], "ingress_10_0_0_2") == [expected, "counter drop"]


def test_a_peer_that_is_not_there_opens_nothing() -> None:
    rule = {"from": [{"podSelector": {"matchLabels": {"app": "nobody"}}}]}
    assert _chain([_policy(ingress=[rule])], "ingress_10_0_0_2") == ["counter drop"]


def test_an_empty_rule_lets_everything_through() -> None:
    assert _chain([_policy(ingress=[{}])], "ingress_10_0_0_2") == ["return", "counter drop"]


def test_policies_add_up_and_each_direction_is_its_own() -> None:
    policies = [
        _policy(types=("Ingress", "Egress"), selects={}),
        _policy(ingress=[{"ports": [{"port": 1}]}]),
        _policy(ingress=[{"ports": [{"port": 2}]}]),
    ]
    assert _chain(policies, "ingress_10_0_0_2") == ["tcp dport 1 return", "tcp dport 2 return", "counter drop"]
    assert _chain(policies, "egress_10_0_0_2") == ["counter drop"]
    assert "chain ingress_10_0_0_3" not in make_rules([CALLER, SERVER, GUEST], policies, LABELS)


@pytest.mark.parametrize(
    ("expression", "is_match"),
    [
        pytest.param({"key": "app", "operator": "In", "values": ["a", "b"]}, True, id="in"),
        pytest.param({"key": "app", "operator": "NotIn", "values": ["a"]}, False, id="not in"),
        pytest.param({"key": "tier", "operator": "NotIn", "values": ["a"]}, True, id="not in, absent"),
        pytest.param({"key": "tier", "operator": "Exists"}, False, id="exists"),
        pytest.param({"key": "tier", "operator": "DoesNotExist"}, True, id="does not exist"),
    ],
)
def test_expressions(expression: dict[str, Any], is_match: bool) -> None:
    assert matches({"matchExpressions": [expression]}, {"app": "a"}) is is_match


def test_pods_that_have_ended_have_no_address_or_share_the_hosts_are_not_held() -> None:
    def pod(name: str, **more: Any) -> dict[str, Any]:
        spec = {"containers": [{"ports": [{"name": "grpc", "containerPort": 1}, {"containerPort": 2}]}]}
        status = {"podIP": "10.0.0.9", "phase": more.pop("phase", "Running")}
        return {
            "metadata": {"namespace": "home", "name": name, "labels": {"app": name}},
            "spec": {**spec, **more},
            "status": status if name != "new" else {"phase": "Pending"},
        }

    found = read_pods([pod("good"), pod("done", phase="Succeeded"), pod("host", hostNetwork=True), pod("new")])
    assert [(item.labels["app"], item.ports) for item in found] == [("good", {"grpc": 1})]
