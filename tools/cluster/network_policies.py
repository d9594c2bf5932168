"""NetworkPolicies as rules of nftables: what the cluster's pods may say to each other.

A reading of its own of the API's documentation (Kubernetes 1.35, `networking.k8s.io/v1`): a pod that some policy selects for a direction has, in this
direction, only what these policies' rules allow; answers to what is allowed pass. Traffic between a node and its own pods is let in, as kubelet's probes
must be. IPv4; pods of the host's network are not held.

Every packet between pods is routed, since each pod has a cable of its own (`ptp`), and so passes the hook `forward`; what goes to the node
itself passes `input`.
Until a new pod's address is known nothing holds it: that is a moment, and a production network plugin has none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

TABLE = "praxiscope_policies"


@dataclass(frozen=True, kw_only=True)
class PolicedPod:
    """A pod as policies see it.

    Attributes:
        namespace: Its namespace.
        address: Its IPv4 address.
        labels: Its labels.
        ports: Its ports that have names, by name.
    """

    namespace: str
    address: str
    labels: Mapping[str, str]
    ports: Mapping[str, int] = field(default_factory=dict)


def read_pods(items: Sequence[Mapping[str, Any]]) -> list[PolicedPod]:
    """Returns the pods of a list that have an address of their own and still run."""
    return [
        PolicedPod(
            namespace=item["metadata"]["namespace"],
            address=item["status"]["podIP"],
            labels=item["metadata"].get("labels", {}),
            ports={
                port["name"]: port["containerPort"]
                for container in item["spec"]["containers"]
                for port in container.get("ports", [])
                if "name" in port
            },
        )
        for item in items
        if item["status"].get("podIP")
        and not item["spec"].get("hostNetwork")
        and item["status"].get("phase") in ("Pending", "Running")
    ]


def matches(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Says whether a label selector takes an object; an empty one takes everything."""
    if any(labels.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    return all(_holds(expression, labels) for expression in selector.get("matchExpressions", []))


def make_rules(
    pods: Sequence[PolicedPod],
    policies: Sequence[Mapping[str, Any]],
    namespace_labels: Mapping[str, Mapping[str, str]],
) -> str:
    """Returns one table that replaces the one before, as `nft -f` reads it.

    Args:
        pods: All pods of the cluster.
        policies: All its NetworkPolicies.
        namespace_labels: Its namespaces' labels.
    """
    chains: list[str] = []
    held: dict[str, list[str]] = {"Ingress": [], "Egress": []}
    for pod in pods:
        for direction, key, side in (("Ingress", "ingress", "from"), ("Egress", "egress", "to")):
            mine = [policy for policy in policies if _selects(policy, pod, direction)]
            if not mine:
                continue
            chain = f"{key}_{pod.address.replace('.', '_')}"
            held[direction].append(f"{pod.address} : jump {chain}")
            rules = {
                f"{peer} {port} return".strip()
                for policy in mine
                for rule in policy["spec"].get(key) or []
                for peer in _peers(rule, side, policy["metadata"]["namespace"], pods, namespace_labels)
                for port in _ports(rule, [pod] if direction == "Ingress" else pods)
            }
            chains.append(
                "\n".join([f" chain {chain} {{", *(f"  {rule}" for rule in sorted(rules)), "  counter drop", " }"])
            )
    answers = "  ct state established,related accept"
    out, into = _jumps("saddr", held["Egress"]), _jumps("daddr", held["Ingress"])
    forward = ["  type filter hook forward priority -5; policy accept;", answers, *out, *into]
    own = ["  type filter hook input priority -5; policy accept;", answers, *out]
    lines = [f"table inet {TABLE}", f"delete table inet {TABLE}", f"table inet {TABLE} {{", *sorted(chains)]
    return "\n".join([*lines, " chain forward {", *forward, " }", " chain input {", *own, " }", "}", ""])


def _selects(policy: Mapping[str, Any], pod: PolicedPod, direction: str) -> bool:
    return (
        policy["metadata"]["namespace"] == pod.namespace
        and direction in policy["spec"]["policyTypes"]
        and matches(policy["spec"].get("podSelector") or {}, pod.labels)
    )


def _peers(
    rule: Mapping[str, Any],
    side: str,
    namespace: str,
    pods: Sequence[PolicedPod],
    namespace_labels: Mapping[str, Mapping[str, str]],
) -> list[str]:
    """Returns what a packet's other end may be; one empty text where it may be anything."""
    if not rule.get(side):
        return [""]
    end = "saddr" if side == "from" else "daddr"
    found: list[str] = []
    for peer in rule[side]:
        if "ipBlock" in peer:
            block = peer["ipBlock"]
            excepted = f" ip {end} != {{ {', '.join(block['except'])} }}" if block.get("except") else ""
            found.append(f"ip {end} {block['cidr']}{excepted}")
            continue
        addresses = [
            pod.address
            for pod in pods
            if _is_in_namespace(peer, pod, namespace, namespace_labels)
            and matches(peer.get("podSelector") or {}, pod.labels)
        ]
        if addresses:
            found.append(f"ip {end} {{ {', '.join(sorted(addresses))} }}")
    return found


def _is_in_namespace(
    peer: Mapping[str, Any], pod: PolicedPod, own: str, namespace_labels: Mapping[str, Mapping[str, str]]
) -> bool:
    if peer.get("namespaceSelector") is None:
        return pod.namespace == own
    return matches(peer["namespaceSelector"], namespace_labels.get(pod.namespace, {}))


def _ports(rule: Mapping[str, Any], targets: Sequence[PolicedPod]) -> list[str]:
    """Returns which ports a packet may go to; one empty text where any. A port's name is what the targets say it is."""
    if not rule.get("ports"):
        return [""]
    found: list[str] = []
    for port in rule["ports"]:
        protocol, number = port.get("protocol", "TCP").lower(), port.get("port")
        if number is None:
            found.append(f"meta l4proto {protocol}")
        elif isinstance(number, str):
            numbers = {target.ports[number] for target in targets if number in target.ports}
            found += [f"{protocol} dport {value}" for value in sorted(numbers)]
        else:
            found.append(f"{protocol} dport {number}" + (f"-{port['endPort']}" if port.get("endPort") else ""))
    return found


def _jumps(end: str, held: Sequence[str]) -> list[str]:
    return [f"  ip {end} vmap {{ {', '.join(sorted(held))} }}"] if held else []


def _holds(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, values = expression["key"], expression.get("values") or []
    return {
        "In": key in labels and labels[key] in values,
        "NotIn": labels.get(key) not in values,
        "Exists": key in labels,
        "DoesNotExist": key not in labels,
    }[expression["operator"]]
