"""What runs in the cluster itself: names (CoreDNS), measures (metrics-server), and a place for volumes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tools.cluster.components import IMAGES
from tools.cluster.settings import DNS_SERVICE
from tools.cluster.volumes import STORAGE_CLASS

_SYSTEM = "kube-system"
_COREFILE = """\
.:53 {
    errors
    health :8080
    ready :8181
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        pods insecure
    }
    prometheus :9153
    cache 5
    loadbalance
}
"""
_SECURITY = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}
Manifest = Mapping[str, Any]


def addons() -> Sequence[Manifest]:
    """Returns the objects, in an order that they can be applied in."""
    return [STORAGE_CLASS, *_dns(), *_metrics()]


def _dns() -> Sequence[Manifest]:
    container = {
        "name": "coredns",
        "image": IMAGES["coredns"],
        "imagePullPolicy": "Never",
        "args": ["-conf", "/etc/coredns/Corefile"],
        # The port below 1024 is the pod's own network's, where anybody may listen.
        "securityContext": {**_SECURITY, "capabilities": {"drop": ["ALL"]}},
        "resources": {"requests": {"cpu": "20m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}},
        "livenessProbe": {"httpGet": {"path": "/health", "port": 8080}},
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8181}, "periodSeconds": 1},
        "volumeMounts": [{"name": "config", "mountPath": "/etc/coredns"}],
    }
    lists = [
        {"apiGroups": [""], "resources": ["endpoints", "services", "pods", "namespaces"], "verbs": ["list", "watch"]},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
    ]
    ports = [{"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "dns-tcp", "port": 53, "protocol": "TCP"}]
    spec = {"clusterIP": DNS_SERVICE, "selector": {"k8s-app": "kube-dns"}, "ports": ports}
    return [
        _object("v1", "ServiceAccount", "coredns", _SYSTEM),
        _object("rbac.authorization.k8s.io/v1", "ClusterRole", "system:coredns", rules=lists),
        _binding("system:coredns", "ClusterRole", "system:coredns", "coredns"),
        _object("v1", "ConfigMap", "coredns", _SYSTEM, data={"Corefile": _COREFILE}),
        _object("v1", "Service", "kube-dns", _SYSTEM, spec=spec),
        _deployment(
            "coredns",
            {"k8s-app": "kube-dns"},
            container,
            priorityClassName="system-cluster-critical",
            dnsPolicy="Default",
            volumes=[{"name": "config", "configMap": {"name": "coredns"}}],
        ),
    ]


def _metrics() -> Sequence[Manifest]:
    name = "metrics-server"
    container = {
        "name": name,
        "image": IMAGES[name],
        "imagePullPolicy": "Never",
        "args": [
            "--secure-port=10250",
            "--cert-dir=/tmp",
            "--kubelet-preferred-address-types=InternalIP",
            "--kubelet-insecure-tls",
            # A panic otherwise: one question must have an end before the next is asked.
            "--metric-resolution=10s",
            "--kubelet-request-timeout=5s",
        ],
        "ports": [{"name": "https", "containerPort": 10250}],
        "securityContext": {**_SECURITY, "capabilities": {"drop": ["ALL"]}, "runAsUser": 65532},
        "resources": {"requests": {"cpu": "20m", "memory": "48Mi"}, "limits": {"memory": "256Mi"}},
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": "https", "scheme": "HTTPS"}, "periodSeconds": 2},
        "volumeMounts": [{"name": "temporary", "mountPath": "/tmp"}],  # noqa: S108  inside the container
    }
    reads = [
        {"apiGroups": [""], "resources": ["nodes/metrics"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["pods", "nodes", "namespaces"], "verbs": ["get", "list", "watch"]},
    ]
    service = {"group": "metrics.k8s.io", "version": "v1beta1", "groupPriorityMinimum": 100, "versionPriority": 100}
    reader = _binding(f"{name}-reader", "Role", "extension-apiserver-authentication-reader", name, namespace=_SYSTEM)
    return [
        _object("v1", "ServiceAccount", name, _SYSTEM),
        _object("rbac.authorization.k8s.io/v1", "ClusterRole", f"system:{name}", rules=reads),
        _binding(f"system:{name}", "ClusterRole", f"system:{name}", name),
        _binding(f"{name}:system:auth-delegator", "ClusterRole", "system:auth-delegator", name),
        reader,
        _object(
            "v1",
            "Service",
            name,
            _SYSTEM,
            spec={"selector": {"k8s-app": name}, "ports": [{"name": "https", "port": 443, "targetPort": "https"}]},
        ),
        _object(
            "apiregistration.k8s.io/v1",
            "APIService",
            "v1beta1.metrics.k8s.io",
            spec={**service, "service": {"name": name, "namespace": _SYSTEM}, "insecureSkipTLSVerify": True},
        ),
        _deployment(
            name,
            {"k8s-app": name},
            container,
            priorityClassName="system-cluster-critical",
            volumes=[{"name": "temporary", "emptyDir": {}}],
        ),
    ]


def _deployment(name: str, labels: Mapping[str, str], container: Manifest, **pod: object) -> Manifest:
    template = {"metadata": {"labels": labels}, "spec": {"serviceAccountName": name, "containers": [container], **pod}}
    return _object(
        "apps/v1", "Deployment", name, _SYSTEM, spec={"selector": {"matchLabels": labels}, "template": template}
    )


def _binding(name: str, kind: str, role: str, account: str, *, namespace: str | None = None) -> Manifest:
    api = "rbac.authorization.k8s.io"
    return _object(
        f"{api}/v1",
        "RoleBinding" if namespace else "ClusterRoleBinding",
        name,
        namespace,
        roleRef={"apiGroup": api, "kind": kind, "name": role},
        subjects=[{"kind": "ServiceAccount", "name": account, "namespace": _SYSTEM}],
    )


def _object(version: str, kind: str, name: str, namespace: str | None = None, **more: object) -> Manifest:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **more}
