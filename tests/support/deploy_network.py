"""Who reaches whom, worked out from NetworkPolicies as Kubernetes reads them: both sides must agree, and no policy at all lets everything through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import ip_address, ip_network
from typing import Any

from praxiscope_common.service_calls import CALLS as ALL_CALLS
from tests.support.deploy import PROGRAMS, SERVICES, labels_of, matches, rendered
from tools.deploy.render import NAMESPACE, Manifest, of_kind
from tools.devstack.settings import PORTS

DNS = 53
# No profile has the operator by itself; tests/deploy/test_operator.py is about it.
CALLS = {service: methods for service, methods in ALL_CALLS.items() if service != "operator"}
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
    "backup": "10.40.0.5",
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


def kubernetes_name(name: str) -> str:
    """Returns a service's name as Kubernetes has it."""
    return name.replace("_", "-")


def areas() -> dict[str, str]:
    """Returns which service answers each area of the contracts."""
    return {area: service for service, row in SERVICES.items() for area in row["areas"]}


def calls_between_services() -> set[Edge]:
    """Returns the edges that the code's own table of calls makes, with the ports of the local stack."""
    edges: set[Edge] = set()
    for service, methods in CALLS.items():
        targets = {areas()[method.split(".")[1]] for method in methods} | ({"auth"} - {service})
        for name in (kubernetes_name(service), f"{kubernetes_name(service)}-work"):
            edges |= {(name, target, PORTS[target]) for target in targets}
    edges |= {("gateway", kubernetes_name(service), PORTS[kubernetes_name(service)]) for service in CALLS}
    workers = {f"{name}-work" for name, row in SERVICES.items() if "work" in row}
    return {edge for edge in edges if not edge[0].endswith("-work") or edge[0] in workers}


def expected(profile: str, manifests: Sequence[Manifest] | None = None) -> set[Edge]:
    """Returns every edge there should be in a profile, by the code's table of calls and by what parts are for.

    Args:
        profile: A profile.
        manifests: What it renders with other values; without them, with its own.
    """
    manifests = manifests or rendered(profile)
    pods = set(pods_of(manifests))
    jobs = {name for name in pods if name.startswith(("migrate-", "database-roles", "bootstrap", "make-secrets"))}
    is_inside = profile == "light"
    edges = calls_between_services() | {("helm-test", "gateway", PORTS["gateway"])}
    edges |= {("vision-inference", "triton", PORTS["triton-grpc"])}
    edges |= {(name, "dns", DNS) for name in pods}
    for service, row in SERVICES.items():
        names = [service, *([f"{service}-work"] if "work" in row else [])]
        for name in names:
            edges |= (
                {(name, *(("postgres", 5432) if is_inside else ("database", 5432)))} if row.get("database") else set()
            )
            edges |= {(name, *(("object-store", 8333) if is_inside else ("s3", 443)))} if row.get("store") else set()
    edges |= {(name, *(("postgres", 5432) if is_inside else ("database", 5432))) for name in jobs - {"make-secrets"}}
    keepers = jobs & {"make-secrets", "bootstrap"}
    for port in (443, 6443):
        # The addresses of an API server may be any private ones; that of the store and the database are too, on these ports alone.
        edges |= {(name, address, port) for name in keepers for address in ("api-server", "database", "s3", "backup")}
    if "backup-objects" in pods:
        edges |= {(name, "backup", 443) for name in pods if name.startswith("backup-")}
        edges |= {
            (name, *(("object-store", 8333) if is_inside else ("s3", 443)))
            for name in ("backup-objects", "backup-prune")
        }
        if is_inside:
            edges |= {("backup-database", "postgres", 5432), ("postgres", "backup", 443)}
    metrics = {name.removesuffix("-metrics"): port for name, port in PORTS.items() if name.endswith("-metrics")}
    edges |= {("prometheus", name, port) for name, port in metrics.items()}
    edges |= {("ingress", "gateway", PORTS["gateway"]), ("ingress", "gateway", PORTS["gateway-grpc"])}
    if profile != "prod":
        edges |= {("istiod", "gateway", PORTS["gateway"]), ("istiod", "gateway", PORTS["gateway-grpc"])}
    if is_inside:
        edges |= {("keda", "postgres", 5432)}
    else:
        edges |= {("triton", "s3", 443)}
    if profile == "prod":
        edges |= {(name, "istiod", 15012) for name in pods}
        senders = {
            name
            for name in pods
            if name not in jobs and not name.startswith("backup-") and name not in {"helm-test", "otel-collector"}
        }
        edges |= {(name, "otel-collector", port) for name in senders for port in (4317, 4318)}
        edges |= {("otel-collector", "traces", 4317), ("prometheus", "otel-collector", 8888)}
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
