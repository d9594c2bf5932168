"""A pod of the mesh: a network namespace with Istio's own interception of its traffic, Istio's agent with Envoy, and whatever program stands behind them."""

from __future__ import annotations

import ctypes
import http.client
import json
import os
import re
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import yaml

from tools.cluster.debian import program_environment
from tools.mesh.components import BOOTSTRAP
from tools.mesh.control_plane import XDS_ADDRESS, start, wait_until
from tools.mesh.settings import BRIDGE, ENVOY, MAIN_ADDRESS, PROGRAMS, PROXY_USER_ID, RUN, MeshError

ADMIN_PORT, AGENT_PORT, STATUS_PORT = 15000, 15020, 15021
_INBOUND_PORT, _OUTBOUND_PORT = 15006, 15001
GATEWAY_PORTS: Mapping[int, int] = {80: 8080, 443: 8443}  # as Istio's own chart of an ingress gateway has them
# Kubelet and Prometheus ask the agent on these, past the proxy, as Istio's injection has it.
_PAST_THE_PROXY = (15090, STATUS_PORT, AGENT_PORT)
_REFUSED = re.compile(
    r"^(?:cluster_manager\.cds|listener_manager\.lds|.*\brds\b.*)\.update_rejected: ([1-9]\d*)$", re.M
)
_CLONE_NEWNET = 0x40000000  # linux/sched.h
_setns = ctypes.CDLL(None, use_errno=True).setns
_START_TIMEOUT_S = 10.0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A pod to be.

    Attributes:
        name: Its name.
        namespace: Its namespace.
        account: Its service account, which is its identity.
        labels: Its labels.
        address: Its address.
        node: The node that it is on.
        ports: Ports of its containers, by name.
        uncaptured_ports: Ports that are reached past the proxy.
        is_gateway: Whether it is a gateway of the mesh's own, which has no program behind it.
        certificate_s: How long its certificates last; nothing leaves that to Istio.
        spec: Its specification, for the API server.
    """

    name: str
    namespace: str
    account: str
    labels: Mapping[str, str]
    address: str
    node: str
    ports: Mapping[str, int]
    uncaptured_ports: Sequence[int] = ()
    is_gateway: bool = False
    certificate_s: int | None = None
    spec: Mapping[str, object] = field(default_factory=dict)

    @property
    def principal(self) -> str:
        """Its identity, as policies write it."""
        return f"cluster.local/ns/{self.namespace}/sa/{self.account}"


class Pod:
    """A pod that runs.

    Attributes:
        plan: What it is.
        folder: Of its proxy.
    """

    def __init__(self, plan: Plan) -> None:
        """Makes its network; nothing listens in it yet."""
        self.plan = plan
        self.folder = RUN / "pods" / plan.name
        self._holder_id = start(f"{plan.name}-network", ["unshare", "--net", "sleep", "infinity"], dict(os.environ))
        self._await_namespace()
        self._connect()

    def start_proxy(self, token: str, root: str) -> None:
        """Has Istio's agent redirect the pod's traffic, and starts it with its proxy; `wait_until_ready` says when it works.

        Args:
            token: The pod's token for istiod.
            root: The certificate of the mesh's authority.
        """
        if self.plan.is_gateway:
            self._balance_load()
        else:
            self._capture()
        for path, content in (
            ("var/run/secrets/tokens/istio-token", token),
            ("var/run/secrets/istio/root-cert.pem", root),
        ):
            file = self.folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content, encoding="ascii")
        for name in ("proxy", "certificates"):
            (self.folder / name).mkdir(exist_ok=True)
        for path in (self.folder, *self.folder.rglob("*")):
            os.chown(path, PROXY_USER_ID, PROXY_USER_ID)
        kind = "router" if self.plan.is_gateway else "sidecar"
        agent = [str(PROGRAMS / "pilot-agent"), "proxy", kind, "--domain", f"{self.plan.namespace}.svc.cluster.local"]
        user = ["--setuid", str(PROXY_USER_ID), "--setgid", str(PROXY_USER_ID)]
        self._run_for_ever(
            "proxy", [*self._inside(*user), *agent, "--proxyLogLevel=warning"], self._agent_environment()
        )

    def wait_until_ready(self) -> None:
        """Waits until the proxy has all it was told.

        Raises:
            MeshError: It does not get there.
        """
        wait_until(self._is_ready, f"{self.plan.name}-proxy")

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> int:
        """Starts a program in the pod and returns its process; its output goes to a log of its own."""
        return self._run_for_ever(name, [*self._inside(), *command], environment)

    def talk(self, command: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[str]:
        """Starts a program in the pod that is spoken to line by line."""
        return subprocess.Popen(
            [*self._inside(), *command],
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def connect(self, address: tuple[str, int], *, timeout_s: float = 5.0) -> socket.socket:
        """Returns a connection that is made from inside the pod, as its own programs make theirs."""
        own, other = (os.open(path, os.O_RDONLY) for path in ("/proc/thread-self/ns/net", self._namespace))
        try:
            self._enter(other)
            try:
                return socket.create_connection(address, timeout=timeout_s)
            finally:
                self._enter(own)
        finally:
            os.close(own)
            os.close(other)

    def ask(self, path: str, *, port: int = ADMIN_PORT, method: str = "GET", timeout_s: float = 10.0) -> str:
        """Returns what something in the pod answers on loopback, where no proxy stands between.

        Raises:
            MeshError: It answers with another status than 200.
        """
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
        connection.sock = self.connect(("127.0.0.1", port), timeout_s=timeout_s)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            text = answer.read().decode(errors="replace")
        finally:
            connection.close()
        if answer.status != 200:
            raise MeshError(f"{self.plan.name} answered {path} with {answer.status}: {text[:300]}")
        return text

    def statistics(self, pattern: str) -> Mapping[str, int]:
        """Returns those of the proxy's counters and gauges whose names hold a regular expression."""
        found = (line.rpartition(": ") for line in self.ask("/stats").splitlines())
        return {name: int(value) for name, _, value in found if value.isdigit() and re.search(pattern, name)}

    def refused_updates(self) -> Sequence[str]:
        """Returns what the proxy was told and did not take."""
        return [match.group(0) for match in _REFUSED.finditer(self.ask("/stats"))]

    def certificate_serials(self) -> Sequence[str]:
        """Returns the serial numbers of the certificates that the proxy shows at the moment."""
        held = json.loads(self.ask("/certs"))["certificates"]
        return sorted({entry["serial_number"] for item in held for entry in item.get("cert_chain", [])})

    def _agent_environment(self) -> Mapping[str, str]:
        plan = self.plan
        proxy = {
            "binaryPath": str(ENVOY),
            "configPath": str(self.folder / "proxy"),
            "proxyBootstrapTemplatePath": str(BOOTSTRAP),
            "discoveryAddress": XDS_ADDRESS,
            "concurrency": 1,
            "terminationDrainDuration": "1s",
            "proxyStatsMatcher": {"inclusionRegexps": [".*"]},
        }
        more = {} if plan.certificate_s is None else {"SECRET_TTL": f"{plan.certificate_s}s"}
        return {
            "PATH": os.environ["PATH"],
            "GOMAXPROCS": "1",
            "INSTANCE_IP": plan.address,
            "HOST_IP": MAIN_ADDRESS,
            "POD_NAME": plan.name,
            "POD_NAMESPACE": plan.namespace,
            "SERVICE_ACCOUNT": plan.account,
            "TRUST_DOMAIN": "cluster.local",
            "PILOT_CERT_PROVIDER": "istiod",
            "ISTIO_META_CLUSTER_ID": "Kubernetes",
            "ISTIO_META_NODE_NAME": plan.node,
            "ISTIO_META_INTERCEPTION_MODE": "REDIRECT",
            "ISTIO_META_WORKLOAD_NAME": plan.labels.get("app.kubernetes.io/name", plan.name),
            "ISTIO_METAJSON_LABELS": json.dumps(dict(plan.labels)),
            "OUTPUT_CERTS": str(self.folder / "certificates"),
            "PROXY_CONFIG": yaml.safe_dump(proxy),
            **more,
        }

    def _capture(self) -> None:
        """Redirects the pod's traffic with Istio's own rules, as its init container would."""
        past = ",".join(str(port) for port in sorted({*_PAST_THE_PROXY, *self.plan.uncaptured_ports}))
        command = [
            *(str(PROGRAMS / "pilot-agent"), "istio-iptables", "--native-nftables"),
            *("-p", str(_OUTBOUND_PORT), "-z", str(_INBOUND_PORT), "-u", str(PROXY_USER_ID), "-m", "REDIRECT"),
            *("-i", "*", "-x", "", "-b", "*", "-d", past),
        ]
        self._redirect(command, "")

    def _balance_load(self) -> None:
        """Does what a load balancer before an ingress gateway does: the ports that all know lead to the gateway's own."""
        ports = ", ".join(f"{known} : {own}" for known, own in GATEWAY_PORTS.items())
        rule = f"tcp dport {{ {', '.join(str(known) for known in GATEWAY_PORTS)} }} redirect to :tcp dport map {{ {ports} }}"
        table = f"table ip balancer {{\n chain in {{ type nat hook prerouting priority -100;\n {rule}\n }}\n}}\n"
        self._redirect(["nft", "-f", "-"], table)

    def _redirect(self, command: Sequence[str], text: str) -> None:
        result = subprocess.run(
            [*self._inside(), *command],
            env=program_environment({"GOMAXPROCS": "1"}),
            input=text,
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode:
            raise MeshError(f"{self.plan.name}'s traffic cannot be redirected: {result.stdout}{result.stderr}")

    def _connect(self) -> None:
        """Puts the pod's network on the bridge that all share."""
        link = "pod" + "-".join(self.plan.address.split(".")[2:])
        outside = [
            f"link add {link} type veth peer name eth0 netns {self._holder_id}",
            f"link set {link} master {BRIDGE} up",
        ]
        inside = [
            "link set lo up",
            f"addr add {self.plan.address}/16 dev eth0",
            "link set eth0 up",
            f"route add default via {MAIN_ADDRESS}",
        ]
        configure_links(outside)
        configure_links(inside, before=self._inside())

    def _await_namespace(self) -> None:
        own = os.readlink("/proc/self/ns/net")
        deadline_s = time.monotonic() + _START_TIMEOUT_S
        while os.readlink(self._namespace) == own:
            if time.monotonic() > deadline_s:
                raise MeshError(f"{self.plan.name} gets no network of its own.")
            time.sleep(0.005)

    def _is_ready(self) -> bool:
        try:
            self.ask("/healthz/ready", port=STATUS_PORT)
        except (MeshError, OSError, http.client.HTTPException):
            return False
        return True

    @property
    def _namespace(self) -> str:
        return f"/proc/{self._holder_id}/ns/net"

    def _inside(self, *options: str) -> list[str]:
        return ["nsenter", "--target", str(self._holder_id), "--net", *options, "--"]

    def _run_for_ever(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> int:
        self.folder.mkdir(parents=True, exist_ok=True)
        return start(f"{self.plan.name}-{name}", command, environment, folder=self.folder)

    @staticmethod
    def _enter(descriptor: int) -> None:
        # Of this thread alone; what it has opened keeps the network that it was opened in.
        if _setns(descriptor, _CLONE_NEWNET):
            raise MeshError(f"A pod's network cannot be entered: {os.strerror(ctypes.get_errno())}.")


def configure_links(lines: Sequence[str], *, before: Sequence[str] = ()) -> None:
    """Has `ip` do several things, with a command before it that says where.

    Raises:
        MeshError: One of them cannot be done.
    """
    text = "\n".join([*lines, ""])
    result = subprocess.run([*before, "ip", "-batch", "-"], input=text, capture_output=True, text=True, check=False)
    if result.returncode:
        raise MeshError(f"ip {lines}: {result.stderr.strip()}")
