"""Who reaches whom, worked out from NetworkPolicies as Kubernetes reads them: both sides must agree, and no policy at all lets everything through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import ip_address, ip_network
from typing import Any

from tests.support.deploy import PROGRAMS, labels_of, matches
from tools.deploy.render import NAMESPACE, Manifest, of_kind

Edge = tuple[str, str, int]
Peer = tuple[str, Mapping[str, str], str | None]
"""Namespace, labels, and the address of what is no pod."""
OUTSIDE: Mapping[str, tuple[str, Mapping[str, str]]] = {
    # A pod of each namespace that is spoken of, with its labels, and one of a stranger.
    "dns": ("kube-system", {"k8s-app": "kube-dns"}),
    "istiod": ("istio-system", {"app": "istiod"}),
    "ingress": ("istio-system", {"istio": "ingressgateway"}),
    "prometheus": ("monitoring", {}),
    "keda": ("keda", {}),
    "traces": ("observability", {}),
    "stranger": ("elsewhere", {}),
}
ADDRESSES: Mapping[str, str] = {
    "database": "10.20.0.5",
    "s3": "10.30.0.5",
    "api-server": "192.168.0.1",
    "internet": "93.184.216.34",
}


def pods_of(manifests: Sequence[Manifest]) -> dict[str, Mapping[str, str]]:
    """Returns the labels of one pod of each workload, by its application's name."""
    return {labels_of(item)["app.kubernetes.io/name"]: labels_of(item) for item in of_kind(manifests, *PROGRAMS, "Pod")}


def reachable(manifests: Sequence[Manifest], ports: Sequence[int]) -> set[Edge]:
    """Returns every (from, to, port) that may be: among our pods, from and to pods of other namespaces, and to addresses outside."""
    policies = of_kind(manifests, "NetworkPolicy")
    ours = pods_of(manifests)
    edges: set[Edge] = set()
    for source, labels in ours.items():
        sends = _chosen(policies, "egress", labels)
        takes = _chosen(policies, "ingress", labels)
        for target, target_labels in ours.items():
            sent = _ports(sends, "to", (NAMESPACE, target_labels, None), ports)
            if sent:
                taking = _chosen(policies, "ingress", target_labels)
                edges |= {
                    (source, target, port) for port in sent & _ports(taking, "from", (NAMESPACE, labels, None), ports)
                }
        for name, (namespace, outside) in OUTSIDE.items():
            edges |= {(source, name, port) for port in _ports(sends, "to", (namespace, outside, None), ports)}
            edges |= {(name, source, port) for port in _ports(takes, "from", (namespace, outside, None), ports)}
        for name, address in ADDRESSES.items():
            edges |= {(source, name, port) for port in _ports(sends, "to", ("", {}, address), ports)}
    return edges


def _chosen(policies: Sequence[Manifest], direction: str, pod: Mapping[str, str]) -> list[Mapping[str, Any]] | None:
    """Returns the rules of the policies that choose a pod; None where none does."""
    chosen = [
        policy["spec"]
        for policy in policies
        if direction.capitalize() in policy["spec"]["policyTypes"] and matches(policy["spec"]["podSelector"], pod)
    ]
    return [rule for spec in chosen for rule in spec.get(direction) or []] if chosen else None


def _ports(rules: Sequence[Mapping[str, Any]] | None, side: str, peer: Peer, ports: Sequence[int]) -> set[int]:
    """Returns the ports on which rules let a peer through."""
    if rules is None:
        return set(ports)
    found: set[int] = set()
    for rule in rules:
        peers = rule.get(side)
        if peers is None or any(_peer_is(item, peer) for item in peers):
            named = rule.get("ports")
            found |= set(ports) if named is None else {item["port"] for item in named}
    return found & set(ports)


def _peer_is(item: Mapping[str, Any], peer: Peer) -> bool:
    namespace, labels, address = peer
    if "ipBlock" in item:
        return address is not None and ip_address(address) in ip_network(item["ipBlock"]["cidr"])
    if address is not None:
        return False
    if "namespaceSelector" in item:
        if not matches(item["namespaceSelector"], {"kubernetes.io/metadata.name": namespace}):
            return False
    elif namespace != NAMESPACE:
        return False
    return matches(item.get("podSelector", {}), labels)
