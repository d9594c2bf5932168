"""What the mesh is told by: etcd, Kubernetes' API server, and Istio's istiod with its own authority and its own check of what is applied."""

from __future__ import annotations

import base64
import os
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import yaml

from tools.cluster.api import Api, ApiError
from tools.cluster.certificates import Authority, Subject, write_identities, write_service_account_key
from tools.cluster.settings import PROGRAMS as KUBERNETES
from tools.mesh.components import CRDS
from tools.mesh.settings import (
    ISTIO_NAMESPACE,
    ISTIOD,
    KUBECTL,
    MAIN_ADDRESS,
    PROGRAMS,
    RUN,
    SERVICE_RANGE,
    MeshError,
)

API_PORT = 6443
PKI = RUN / "pki"
KUBECONFIG = PKI / "admin.yaml"
_DATABASE = "http://127.0.0.1:2379"
_ISSUER = "https://kubernetes.default.svc"
_READY_TIMEOUT_S = 90.0
_WEBHOOK_PORT, _XDS_PORT, _HTTP_PORT = 15017, 15012, 8080
# Upstream Envoy lacks Istio's own filters: with these off istiod does not ask for them, and Istio's own metrics are not there.
_WITHOUT_OWN_FILTERS = {"PILOT_ENABLE_METADATA_EXCHANGE": "false", "PILOT_ENABLE_ALPN_FILTER": "false"}
_MESH = {
    "trustDomain": "cluster.local",
    "rootNamespace": ISTIO_NAMESPACE,
    "enablePrometheusMerge": False,
    "enableTracing": False,
    # As Istio comes: the chart's own Sidecar has to close the way out.
    "outboundTrafficPolicy": {"mode": "ALLOW_ANY"},
}


def start(name: str, command: Sequence[str], environment: Mapping[str, str], *, folder: Path = RUN) -> int:
    """Starts a program whose output goes to a file of its own; it ends with the namespaces.

    Args:
        name: Of its log.
        command: Program and arguments.
        environment: All of its environment.
        folder: Where it runs.

    Returns:
        Its process.
    """
    log = RUN / "log" / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    into_log = (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    actions = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0), into_log, (os.POSIX_SPAWN_DUP2, 1, 2)]
    return os.posix_spawn("/usr/bin/env", ["env", f"--chdir={folder}", *command], environment, file_actions=actions)


def start_api_server() -> Api:
    """Starts etcd and the API server, waits until they answer, and makes them know Istio's objects."""
    authority = Authority(PKI)
    names = ("kubernetes", "kubernetes.default.svc", "localhost")
    authority.issue("apiserver", Subject(common_name="kube-apiserver", hosts=(*names, "127.0.0.1", MAIN_ADDRESS)))
    write_service_account_key(PKI / "service-accounts.key")
    write_identities(PKI, server=f"https://127.0.0.1:{API_PORT}")
    peers = "http://127.0.0.1:2380"
    etcd = {
        "data-dir": RUN / "etcd",
        "listen-client-urls": _DATABASE,
        "advertise-client-urls": _DATABASE,
        "listen-peer-urls": peers,
        "initial-advertise-peer-urls": peers,
        "initial-cluster": f"default={peers}",
    }
    environment = {"PATH": os.environ["PATH"]}
    # It is thrown away with the mesh, so it need not wait for the disk.
    start("etcd", [str(KUBERNETES / "etcd"), *_flags(etcd), "--unsafe-no-fsync"], environment)
    api_server = {
        "etcd-servers": _DATABASE,
        "secure-port": API_PORT,
        "bind-address": "0.0.0.0",  # noqa: S104  of namespaces of our own
        "advertise-address": MAIN_ADDRESS,
        "tls-cert-file": PKI / "apiserver.crt",
        "tls-private-key-file": PKI / "apiserver.key",
        "client-ca-file": PKI / "ca.crt",
        "service-account-issuer": _ISSUER,
        "api-audiences": f"{_ISSUER},istio-ca",
        "service-account-key-file": PKI / "service-accounts.key",
        "service-account-signing-key-file": PKI / "service-accounts.key",
        "token-auth-file": PKI / "tokens.csv",
        "authorization-mode": "RBAC",
        "disable-admission-plugins": "ServiceAccount",  # nobody makes the token that it waits for
        "service-cluster-ip-range": SERVICE_RANGE,
        "endpoint-reconciler-type": "none",
    }
    start("kube-apiserver", [str(KUBERNETES / "kube-apiserver"), *_flags(api_server)], environment)
    context = ssl.create_default_context(cafile=str(PKI / "ca.crt"))
    wait_until(lambda: _answers(f"https://127.0.0.1:{API_PORT}/readyz", context), "kube-apiserver")
    kubectl("apply", "--server-side", "-f", str(CRDS))
    kubectl("wait", "--for=condition=established", "crd", "--all")
    return Api(KUBECONFIG)


def start_istiod(api: Api, *, trusted: Path) -> str:
    """Starts istiod, waits until it answers, and has the API server ask it about every object of Istio's.

    Args:
        api: The API server.
        trusted: Whom it trusts when it fetches keys of tokens over HTTPS.

    Returns:
        The certificate of the mesh's authority.
    """
    files = {"mesh.yaml": _MESH, "networks.yaml": {"networks": {}}}
    for name, content in files.items():
        (RUN / name).write_text(yaml.safe_dump(content), encoding="utf-8")
    environment = {
        "PATH": os.environ["PATH"],
        "GOMAXPROCS": "1",
        "POD_NAMESPACE": ISTIO_NAMESPACE,
        "POD_NAME": "istiod-0",
        "SSL_CERT_FILE": str(trusted),
        # Its webhooks are ours to register: there is no Service that leads to it.
        "ISTIOD_CUSTOM_HOST": "localhost",
        "VALIDATION_WEBHOOK_CONFIG_NAME": "",
        "INJECTION_WEBHOOK_CONFIG_NAME": "",
        **_WITHOUT_OWN_FILTERS,
    }
    flags = {
        "registries": "Kubernetes",
        "clusterID": "Kubernetes",
        "kubeconfig": KUBECONFIG,
        "meshConfig": RUN / "mesh.yaml",
        "networksConfig": RUN / "networks.yaml",
        "httpAddr": f"127.0.0.1:{_HTTP_PORT}",
        "httpsAddr": f"127.0.0.1:{_WEBHOOK_PORT}",
        "grpcAddr": "127.0.0.1:15010",
        "secureGRPCAddr": f"{MAIN_ADDRESS}:{_XDS_PORT}",
        "monitoringAddr": "127.0.0.1:15014",
        "ctrlz_port": "0",
    }
    start("istiod", [str(PROGRAMS / "pilot-discovery"), "discovery", *_flags(flags)], environment)
    wait_until(lambda: _answers(f"http://127.0.0.1:{_HTTP_PORT}/ready"), "istiod")
    path = f"/api/v1/namespaces/{ISTIO_NAMESPACE}/configmaps/istio-ca-root-cert"
    root: list[str] = []

    def is_published() -> bool:
        try:
            root[:] = [str(api.get(path)["data"]["root-cert.pem"])]
        except ApiError:
            return False
        return True

    wait_until(is_published, "istiod")
    api.apply("/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/istiod", _webhook(root[0]))
    return root[0]


def kubectl(*arguments: str, content: str | None = None) -> str:
    """Runs kubectl and returns what it printed.

    Raises:
        MeshError: It fails.
    """
    command = [str(KUBECTL), "--kubeconfig", str(KUBECONFIG), *arguments]
    result = subprocess.run(command, input=content, capture_output=True, text=True, check=False)
    if result.returncode:
        raise MeshError(f"kubectl {' '.join(arguments[:3])} failed: {result.stderr.strip()[-2000:]}")
    return result.stdout


def wait_until(is_so: Callable[[], bool], name: str, *, timeout_s: float = _READY_TIMEOUT_S) -> None:
    """Waits until a program is ready.

    Raises:
        MeshError: It is not, in time; the message has its last words.
    """
    deadline_s = time.monotonic() + timeout_s
    while not is_so():
        if time.monotonic() > deadline_s:
            log = RUN / "log" / f"{name}.log"
            said = log.read_text(encoding="utf-8", errors="replace")[-2000:] if log.is_file() else ""
            raise MeshError(f"{name} was not ready after {timeout_s:.0f} s:\n{said}")
        time.sleep(0.05)


def refused_updates() -> Sequence[str]:
    """Returns what istiod heard from proxies that did not take what it sent."""
    log = RUN / "log" / "istiod.log"
    return [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if "ACK ERROR" in line]


def _webhook(root: str) -> Mapping[str, object]:
    rule = {
        "operations": ["CREATE", "UPDATE"],
        "apiGroups": ["security.istio.io", "networking.istio.io"],
        "apiVersions": ["*"],
        "resources": ["*"],
    }
    client = {
        "url": f"https://localhost:{_WEBHOOK_PORT}/validate",
        "caBundle": base64.b64encode(root.encode()).decode(),
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "istiod"},
        "webhooks": [
            {
                "name": "validation.istio.io",
                "clientConfig": client,
                "rules": [rule],
                "failurePolicy": "Fail",
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
            }
        ],
    }


def _answers(url: str, context: ssl.SSLContext | None = None) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2, context=context) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def _flags(values: Mapping[str, object]) -> list[str]:
    return [f"--{name}={value}" for name, value in values.items()]


def token_of(api: Api, *, namespace: str, account: str, pod: str) -> str:
    """Returns the token that kubelet would put into a pod for istiod."""
    wanted = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {
            "audiences": ["istio-ca"],
            "expirationSeconds": 43_200,
            "boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": pod},
        },
    }
    answer = api.ask_for(f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token", wanted)
    return str(answer["status"]["token"])


XDS_ADDRESS = f"{ISTIOD}:{_XDS_PORT}"
