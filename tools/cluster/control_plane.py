"""The control plane: etcd, API server, controller manager and scheduler, beside the first node's own programs."""

from __future__ import annotations

import json
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping

from tools.cluster.certificates import Authority, Subject, write_identities, write_service_account_key
from tools.cluster.debian import program_environment
from tools.cluster.node import PKI, Node
from tools.cluster.settings import API_PORT, API_SERVICE, PROGRAMS, RUN, SERVICE_RANGE, ClusterError, NodePlace

FIRST = NodePlace(number=1)
SERVER = f"https://{FIRST.address}:{API_PORT}"
_READY_TIMEOUT_S = 120.0
_DATABASE = "http://127.0.0.1:2379"
AUDIT_LOG = FIRST.run / "log" / "audit.log"
"""What pods of service accounts outside the system's own namespaces asked the API server, a JSON document a line."""

_AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived", "ResponseStarted"],
    "rules": [
        {"level": "None", "userGroups": ["system:serviceaccounts:kube-system"]},
        {"level": "Metadata", "userGroups": ["system:serviceaccounts"]},
        {"level": "None"},
    ],
}


def make_identities() -> None:
    """Makes the authority, the certificates and the tokens of a new cluster."""
    authority = Authority(PKI)
    names = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost")
    hosts = (*names, "127.0.0.1", FIRST.address, API_SERVICE)
    authority.issue("apiserver", Subject(common_name="kube-apiserver", hosts=hosts))
    authority.issue("front-proxy", Subject(common_name="front-proxy"))
    authority.issue(
        "kubelet-client", Subject(common_name="kube-apiserver-kubelet-client", organization="system:masters")
    )
    for number in (1, 2):
        place = NodePlace(number=number)
        subject = Subject(
            common_name=f"system:node:{place.name}", organization="system:nodes", hosts=(place.name, place.address)
        )
        authority.issue(place.name, subject)
    write_service_account_key(PKI / "service-accounts.key")
    write_identities(PKI, server=SERVER)


def start_api_server(node: Node) -> None:
    """Starts etcd and the API server; `wait_until_ready` says when it answers."""
    environment = program_environment({})
    peers = "http://127.0.0.1:2380"
    etcd = {
        "data-dir": RUN / "etcd",
        "listen-client-urls": _DATABASE,
        "advertise-client-urls": _DATABASE,
        "listen-peer-urls": peers,
        "initial-advertise-peer-urls": peers,
        "initial-cluster": f"default={peers}",
    }
    # It is thrown away with the cluster, so it need not wait for the disk.
    node.holder.spawn("etcd", [str(PROGRAMS / "etcd"), *_flags(etcd), "--unsafe-no-fsync"], environment=environment)
    AUDIT_LOG.parent.mkdir(parents=True, exist_ok=True)
    policy = PKI / "audit-policy.json"
    policy.write_text(json.dumps(_AUDIT_POLICY), encoding="utf-8")
    api_server = {
        "etcd-servers": _DATABASE,
        "audit-policy-file": policy,
        "audit-log-path": AUDIT_LOG,
        "secure-port": API_PORT,
        "bind-address": "0.0.0.0",  # noqa: S104  of the node's own network, which the machine alone reaches
        "advertise-address": FIRST.address,
        "tls-cert-file": PKI / "apiserver.crt",
        "tls-private-key-file": PKI / "apiserver.key",
        "client-ca-file": PKI / "ca.crt",
        "service-account-issuer": "https://kubernetes.default.svc",
        "service-account-key-file": PKI / "service-accounts.key",
        "service-account-signing-key-file": PKI / "service-accounts.key",
        "token-auth-file": PKI / "tokens.csv",
        "authorization-mode": "Node,RBAC",
        "enable-admission-plugins": "NodeRestriction,PodSecurity",
        "service-cluster-ip-range": SERVICE_RANGE,
        "kubelet-client-certificate": PKI / "kubelet-client.crt",
        "kubelet-client-key": PKI / "kubelet-client.key",
        "kubelet-certificate-authority": PKI / "ca.crt",
        "kubelet-preferred-address-types": "InternalIP",
        "requestheader-client-ca-file": PKI / "ca.crt",
        "requestheader-allowed-names": "front-proxy",
        "requestheader-username-headers": "X-Remote-User",
        "requestheader-group-headers": "X-Remote-Group",
        "requestheader-extra-headers-prefix": "X-Remote-Extra-",
        "proxy-client-cert-file": PKI / "front-proxy.crt",
        "proxy-client-key-file": PKI / "front-proxy.key",
        "enable-aggregator-routing": "true",
        "allow-privileged": "true",
    }
    command = [str(PROGRAMS / "kube-apiserver"), *_flags(api_server)]
    node.holder.spawn("kube-apiserver", command, environment=environment)


def start_controllers(node: Node) -> None:
    """Starts controller manager and scheduler; before the API server is ready they would end at once."""
    environment = program_environment({})
    for name, identity, more in (
        ("kube-controller-manager", "controller-manager", _controller_flags()),
        ("kube-scheduler", "scheduler", {}),
    ):
        kubeconfig = PKI / f"{identity}.yaml"
        flags = {
            "kubeconfig": kubeconfig,
            "authentication-kubeconfig": kubeconfig,
            "authorization-kubeconfig": kubeconfig,
            "leader-elect": "false",
            "bind-address": "127.0.0.1",
            **more,
        }
        node.holder.spawn(name, [str(PROGRAMS / name), *_flags(flags)], environment=environment)


def wait_until_ready(node: Node) -> None:
    """Waits for the API server.

    Raises:
        ClusterError: It does not become ready; the message has its last words.
    """
    context = ssl.create_default_context(cafile=str(PKI / "ca.crt"))

    def is_ready() -> bool:
        try:
            with urllib.request.urlopen(f"{SERVER}/readyz", timeout=2, context=context) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    wait_for(is_ready, "the API server", timeout_s=_READY_TIMEOUT_S, log_of=(node, "kube-apiserver"))


def wait_for(is_so: Callable[[], bool], what: str, *, timeout_s: float, log_of: tuple[Node, str] | None = None) -> None:
    """Waits until something is so.

    Raises:
        ClusterError: It is not, in time.
    """
    deadline_s = time.monotonic() + timeout_s
    while not is_so():
        if time.monotonic() > deadline_s:
            said = ""
            if log_of is not None:
                node, name = log_of
                path = node.place.run / "log" / f"{name}.log"
                said = f":\n{path.read_text(encoding='utf-8', errors='replace')[-2000:]}" if path.exists() else ""
            raise ClusterError(f"{what} was not ready after {timeout_s:.0f} s{said}")
        time.sleep(0.1)


def is_node_ready(listed: str, name: str) -> bool:
    """Says whether a node is ready, by what `kubectl get nodes -o json` printed."""
    for item in json.loads(listed or '{"items": []}')["items"]:
        if item["metadata"]["name"] == name:
            conditions = {entry["type"]: entry["status"] for entry in item["status"].get("conditions", [])}
            return conditions.get("Ready") == "True"
    return False


def _controller_flags() -> Mapping[str, object]:
    return {
        "use-service-account-credentials": "true",
        "service-account-private-key-file": PKI / "service-accounts.key",
        "root-ca-file": PKI / "ca.crt",
        "cluster-signing-cert-file": PKI / "ca.crt",
        "cluster-signing-key-file": PKI / "ca.key",
        "allocate-node-cidrs": "false",
        "node-monitor-period": "1s",
        "flex-volume-plugin-dir": "/var/lib/kubelet/volume-plugins",  # it makes the folder, and would in the machine's /usr
        # One small cluster on one machine: what is fair among many would only be slow.
        "kube-api-qps": 300,
        "kube-api-burst": 600,
    }


def _flags(values: Mapping[str, object]) -> list[str]:
    return [f"--{name}={value}" for name, value in values.items()]
