"""The chart as the API server gets it, and what controllers, kubelet and Istio's injection would add: pods, their addresses, who answers for a service."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tools.deploy.render import NAMESPACE, Manifest, of_kind
from tools.mesh.pods import GATEWAY_PORTS, Plan
from tools.mesh.settings import ISTIO_NAMESPACE

NODES: Mapping[str, str] = {"node-a": "zone-a", "node-b": "zone-b"}
INGRESS = "ingress"
INGRESS_PORTS: Mapping[str, int] = {"http2": GATEWAY_PORTS[80], "https": GATEWAY_PORTS[443]}
_CORE = ("Namespace", "PriorityClass", "ServiceAccount", "Service")
_CLUSTER_WIDE = ("Namespace", "Node", "PriorityClass")
_EXCLUDED = "traffic.sidecar.istio.io/excludeInboundPorts"
_FIRST_HOST = 10  # of the addresses of pods
_GATEWAY_ACCOUNT = "istio-ingressgateway-service-account"


def path_of(item: Manifest) -> str:
    """Returns an object's path at the API server."""
    version, kind, metadata = item["apiVersion"], item["kind"], item["metadata"]
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    place = "" if kind in _CLUSTER_WIDE else f"/namespaces/{metadata['namespace']}"
    return f"{root}{place}/{_plural(kind)}/{metadata['name']}"


def is_of_istio(item: Manifest) -> bool:
    """Says whether an object is one of Istio's."""
    return ".istio.io/" in item["apiVersion"]


def for_api_server(manifests: Sequence[Manifest]) -> list[Manifest]:
    """Returns those of the chart's objects that a mesh is made of, in an order in which they can be applied, each with its namespace."""
    kept = [copy.deepcopy(item) for kind in _CORE for item in of_kind(manifests, kind)]
    kept += [copy.deepcopy(item) for item in manifests if is_of_istio(item)]
    for item in kept:
        if item["kind"] not in _CLUSTER_WIDE:
            item["metadata"].setdefault("namespace", NAMESPACE)
    return kept


def surroundings(certificate: str, key: str, *, credential: str) -> list[Manifest]:
    """Returns what is there before the chart is: nodes in two zones, and Istio's ingress gateway with a certificate.

    Args:
        certificate: The ingress' certificate, base64 of PEM.
        key: Its key, likewise.
        credential: The name of the Secret that the chart takes them from.
    """
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "ingress"}
    whom = {"kind": "ServiceAccount", "name": _GATEWAY_ACCOUNT, "namespace": ISTIO_NAMESPACE}
    ports = [
        {"name": name, "port": port, "targetPort": INGRESS_PORTS[name]}
        for name, port in (("http2", 80), ("https", 443))
    ]
    rights = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "watch", "list"]}
    secret = {"type": "kubernetes.io/tls", "data": {"tls.crt": certificate, "tls.key": key}}
    return [
        *(_object("v1", "Namespace", name, {}) for name in (ISTIO_NAMESPACE, "elsewhere")),
        *(_object("v1", "Node", name, {}, labels=_place(zone)) for name, zone in NODES.items()),
        _object("v1", "ServiceAccount", _GATEWAY_ACCOUNT, {}, ISTIO_NAMESPACE),
        _object("rbac.authorization.k8s.io/v1", "Role", "ingress", {"rules": [rights]}, ISTIO_NAMESPACE),
        _object(
            "rbac.authorization.k8s.io/v1",
            "RoleBinding",
            "ingress",
            {"roleRef": role, "subjects": [whom]},
            ISTIO_NAMESPACE,
        ),
        _object("v1", "Secret", credential, secret, ISTIO_NAMESPACE),
        _object(
            "v1",
            "Service",
            "istio-ingressgateway",
            {"spec": {"selector": {"istio": "ingressgateway"}, "ports": ports}},
            ISTIO_NAMESPACE,
        ),
        _object("v1", "ServiceAccount", "gateway", {}, "elsewhere"),
    ]


def plan_pods(manifests: Sequence[Manifest], twins: Mapping[str, tuple[str, str]]) -> dict[str, Plan]:
    """Returns one pod for each Deployment, the ingress, and more of some.

    Args:
        manifests: The chart's objects.
        twins: Pods beside another: whose pod it is like, and the node that it is on, by its name.

    Returns:
        Plans by the names of pods.
    """
    addresses = (f"10.244.0.{number}" for number in itertools.count(_FIRST_HOST))
    plans = {
        INGRESS: Plan(
            name=INGRESS,
            namespace=ISTIO_NAMESPACE,
            account=_GATEWAY_ACCOUNT,
            labels={"istio": "ingressgateway", "app": "istio-ingressgateway"},
            address=next(addresses),
            node="node-a",
            ports=INGRESS_PORTS,
            is_gateway=True,
            spec={"containers": [_container("proxy")]},
        )
    }
    found = {item["metadata"]["name"]: item for item in of_kind(manifests, "Deployment")}
    wanted = [*((name, name, "node-a") for name in found), *((name, *twin) for name, twin in twins.items())]
    for name, like, node in wanted:
        plans[name] = _plan(found[like]["spec"]["template"], name=name, address=next(addresses), node=node)
    return plans


def stranger(name: str, *, namespace: str, account: str, number: int) -> Plan:
    """Returns a pod with a proxy that is none of the chart's, to call from."""
    return Plan(
        name=name,
        namespace=namespace,
        account=account,
        labels={"app": name, "security.istio.io/tlsMode": "istio"},
        address=f"10.244.1.{number}",
        node="node-a",
        ports={},
        spec={"containers": [_container("caller")], "securityContext": _RESTRICTED_POD},
    )


def pod_objects(plan: Plan) -> tuple[Manifest, Manifest]:
    """Returns a pod's object, and the status that kubelet would give it."""
    spec = {**plan.spec, "nodeName": plan.node, "serviceAccountName": plan.account}
    pod = _object("v1", "Pod", plan.name, {"spec": spec}, plan.namespace, labels=plan.labels)
    conditions = [{"type": name, "status": "True"} for name in ("Ready", "ContainersReady", "Initialized")]
    addresses = {"podIP": plan.address, "podIPs": [{"ip": plan.address}]}
    status = {"status": {"phase": "Running", "conditions": conditions, **addresses}}
    return pod, _object("v1", "Pod", plan.name, status, plan.namespace)


def endpoints(services: Sequence[Manifest], plans: Sequence[Plan]) -> Iterator[Manifest]:
    """Yields who answers for each service, as Kubernetes' controller would write it: the pods that its selector takes."""
    for service in services:
        namespace, selector = service["metadata"]["namespace"], service["spec"]["selector"]
        chosen = [
            plan for plan in plans if plan.namespace == namespace and selector.items() <= dict(plan.labels).items()
        ]
        if not chosen:
            continue
        ports = [
            {"name": port["name"], "port": _number(port, chosen[0]), "appProtocol": port.get("appProtocol")}
            for port in service["spec"]["ports"]
        ]
        labels = {"kubernetes.io/service-name": service["metadata"]["name"]}
        yield _object(
            "discovery.k8s.io/v1",
            "EndpointSlice",
            f"{service['metadata']['name']}-1",
            {"addressType": "IPv4", "ports": ports, "endpoints": [_endpoint(plan) for plan in chosen]},
            namespace,
            labels=labels,
        )


_RESTRICTED_POD = {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}}


def _container(name: str) -> dict[str, Any]:
    security = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    return {"name": name, "image": "none.praxiscope.example/none:0", "securityContext": security}


def _plan(template: Manifest, *, name: str, address: str, node: str) -> Plan:
    spec = copy.deepcopy(template["spec"])
    ports = {port["name"]: port["containerPort"] for item in spec["containers"] for port in item.get("ports", [])}
    excluded = template["metadata"].get("annotations", {}).get(_EXCLUDED, "")
    # What injection adds: without it nobody would know that the pod takes mTLS.
    labels = {**template["metadata"]["labels"], "security.istio.io/tlsMode": "istio"}
    return Plan(
        name=name,
        namespace=NAMESPACE,
        account=spec["serviceAccountName"],
        labels=labels,
        address=address,
        node=node,
        ports=ports,
        uncaptured_ports=[int(port) for port in excluded.split(",") if port],
        spec=spec,
    )


def _endpoint(plan: Plan) -> dict[str, Any]:
    return {
        "addresses": [plan.address],
        "conditions": {"ready": True, "serving": True, "terminating": False},
        "nodeName": plan.node,
        "zone": NODES[plan.node],
        "targetRef": {"kind": "Pod", "name": plan.name, "namespace": plan.namespace},
    }


def _number(port: Mapping[str, Any], plan: Plan) -> int:
    target = port.get("targetPort", port["port"])
    return target if isinstance(target, int) else plan.ports[target]


def _place(zone: str) -> dict[str, str]:
    return {"topology.kubernetes.io/region": "region", "topology.kubernetes.io/zone": zone}


def _object(
    version: str,
    kind: str,
    name: str,
    content: Mapping[str, Any],
    namespace: str = "",
    *,
    labels: Mapping[str, str] | None = None,
) -> Manifest:
    metadata: dict[str, Any] = {"name": name}
    if namespace:
        metadata["namespace"] = namespace
    if labels:
        metadata["labels"] = dict(labels)
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **content}


def _plural(kind: str) -> str:
    name = kind.lower()
    if name.endswith("y") and name[-2] not in "aeiou":
        return f"{name[:-1]}ies"
    return f"{name}es" if name.endswith("s") else f"{name}s"
