"""The mesh as a whole: control plane, pods with their proxies, and what is applied to it."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tools.cluster.api import Api
from tools.cluster.certificates import Authority, Subject
from tools.deploy.render import Manifest
from tools.mesh import control_plane
from tools.mesh.objects import INGRESS, endpoints, for_api_server, is_of_istio, path_of, pod_objects, surroundings
from tools.mesh.pods import Plan, Pod, configure_links
from tools.mesh.settings import BRIDGE, COVERED, ISTIOD, MAIN_ADDRESS, RUN, MeshError

_MIB = 1 << 20
# Of /proc/…/stat (proc_pid_stat), counted from the field after the name: pages that are resident; time of its own and of those that it has waited for.
_RESIDENT, _TIMES = 21, slice(11, 15)
Say = Callable[[str], None]


class Mesh:
    """A mesh in the namespaces that this process is in.

    Attributes:
        api: The API server.
        pods: Its pods, by name.
        hosts: Addresses of names that pods and everything else here know.
        ingress_host: The name under which it is called from outside.
        ingress_authority: The certificate of who signed the ingress' certificate.
    """

    api: Api

    def __init__(self, *, ingress_host: str) -> None:
        """Describes it; nothing happens yet.

        Raises:
            MeshError: This process is not in namespaces of its own.
        """
        links = json.loads(subprocess.run(["ip", "-j", "link"], check=True, capture_output=True, text=True).stdout)
        if {link["ifname"] for link in links} != {"lo", BRIDGE}:
            raise MeshError("A mesh is started in namespaces of its own: `make test-mesh` makes them.")
        self.pods: dict[str, Pod] = {}
        self.hosts: dict[str, str] = {}
        self.ingress_host = ingress_host
        self.ingress_authority = RUN / "ingress" / "ca.crt"
        self._objects: dict[str, Manifest] = {}
        self._root = ""

    def start(self, manifests: Sequence[Manifest], plans: Mapping[str, Plan], say: Say, *, credential: str) -> None:
        """Starts the control plane, applies the chart, and starts every pod with its proxy.

        Args:
            manifests: The chart's objects.
            plans: Its pods.
            say: Told of each step, with its time.
            credential: The Secret that the ingress has its certificate from.

        Raises:
            MeshError: Something does not start.
            ApiError: The API server, or Istio's webhook, refuses an object.
        """
        lap = _laps(say)
        self.write_hosts()
        self.api = control_plane.start_api_server()
        lap("API server")
        authority = Authority(self.ingress_authority.parent)
        authority.issue("ingress", Subject(common_name=self.ingress_host, hosts=(self.ingress_host,)))
        pair = [
            base64.b64encode((self.ingress_authority.parent / f"ingress.{end}").read_bytes()).decode()
            for end in ("crt", "key")
        ]
        own = for_api_server(manifests)
        # Istiod may be there before the chart is, so that its webhook sees all of it.
        for item in surroundings(*pair, credential=credential):
            self._apply(item)
        self._root = control_plane.start_istiod(self.api, trusted=self.ingress_authority)
        lap("istiod")
        for item in own:
            self._apply(item)
        lap(f"{len(own)} objects of the chart")
        for plan in plans.values():
            self._announce(plan)
        services = [item for item in self._objects.values() if item["kind"] == "Service"]
        for item in endpoints(services, list(plans.values())):
            self._apply(item)
        self._write_hosts(services, plans)
        lap("pods announced")
        for plan in plans.values():
            self.start_pod(plan)
        lap("networks and proxies started")
        for pod in self.pods.values():
            pod.wait_until_ready()
        lap(f"{len(self.pods)} proxies ready")

    def start_pod(self, plan: Plan) -> Pod:
        """Starts a pod that the API server knows, with its proxy; does not wait for it."""
        pod = self.pods[plan.name] = Pod(plan)
        token = control_plane.token_of(self.api, namespace=plan.namespace, account=plan.account, pod=plan.name)
        pod.start_proxy(token, self._root)
        return pod

    def apply(self, item: Manifest) -> None:
        """Brings an object of the chart to what is given.

        Raises:
            ApiError: It is refused.
        """
        self.api.apply(path_of(item), _without_origin(item))

    def keep(self, item: Manifest) -> None:
        """Applies an object and takes it for what it is from now on.

        Raises:
            ApiError: It is refused.
        """
        self._apply(item)

    def delete(self, item: Manifest) -> None:
        """Deletes an object."""
        self.api.delete(path_of(item))

    def restore(self, item: Manifest) -> None:
        """Brings an object back to what was kept."""
        self.apply(self._objects[path_of(item)])

    def object(self, kind: str, name: str) -> Manifest:
        """Returns one of Istio's objects as it was kept."""
        (found,) = [
            item
            for item in self._objects.values()
            if item["kind"] == kind and item["metadata"]["name"] == name and is_of_istio(item)
        ]
        return found

    def refused_updates(self) -> Mapping[str, Sequence[str]]:
        """Returns, by pod, what proxies were told and did not take; istiod's view stands under its name."""
        found = {name: pod.refused_updates() for name, pod in self.pods.items()}
        found["istiod"] = control_plane.refused_updates()
        return {name: refused for name, refused in found.items() if refused}

    def memory_mib(self) -> Mapping[str, float]:
        """Returns what is resident, by program, of all that runs in these namespaces."""
        return _by_program(lambda fields: int(fields[_RESIDENT]) * os.sysconf("SC_PAGE_SIZE") / _MIB)

    def processor_s(self) -> Mapping[str, float]:
        """Returns how much of a processor's time programs have taken, by program, of all that still runs in these namespaces."""
        return _by_program(lambda fields: sum(map(int, fields[_TIMES])) / os.sysconf("SC_CLK_TCK"))

    def _announce(self, plan: Plan) -> None:
        pod, status = pod_objects(plan)
        self._apply(pod)
        self.api.apply(f"{path_of(status)}/status", status)

    def _apply(self, item: Manifest) -> None:
        answer = self.api.apply(path_of(item), _without_origin(item))
        self._objects[path_of(item)] = item if is_of_istio(item) else answer

    def _write_hosts(self, services: Sequence[Manifest], plans: Mapping[str, Plan]) -> None:
        """Names services as Kubernetes' DNS does for a pod of the chart's namespace."""
        for service in services:
            name, namespace = service["metadata"]["name"], service["metadata"]["namespace"]
            address = service["spec"].get("clusterIP")
            if address and address != "None":
                for form in (name, f"{name}.{namespace}", f"{name}.{namespace}.svc"):
                    self.hosts[form] = address
                self.hosts[f"{name}.{namespace}.svc.cluster.local"] = address
        self.hosts[self.ingress_host] = plans[INGRESS].address
        self.write_hosts()

    def write_hosts(self) -> None:
        """Makes the names known."""
        lines = ["127.0.0.1 localhost", f"{MAIN_ADDRESS} {ISTIOD}"]
        lines += [f"{address} {name}" for name, address in self.hosts.items()]
        (RUN / "hosts").write_text("\n".join([*lines, ""]), encoding="ascii")


def prepare_namespaces() -> None:
    """Lays folders of ours over what programs write to, and makes the bridge that pods are on; for a process that is alone in its namespaces."""
    shutil.rmtree(RUN, ignore_errors=True)
    RUN.mkdir(parents=True)
    for place in COVERED:
        _run(["mount", "-t", "tmpfs", "-o", "mode=1777", "mesh", place])
    # Who is not in the file of names has none, and is told so at once: nobody listens where names are asked for.
    for name, text in (("hosts", "127.0.0.1 localhost\n"), ("resolv.conf", "nameserver 127.0.0.1\n")):
        (RUN / name).write_text(text, encoding="ascii")
        _run(["mount", "--bind", str(RUN / name), f"/etc/{name}"])
    bridge = [f"link add {BRIDGE} type bridge", f"addr add {MAIN_ADDRESS}/16 dev {BRIDGE}", f"link set {BRIDGE} up"]
    configure_links(["link set lo up", *bridge])


def _by_program(read: Callable[[Sequence[str]], float]) -> Mapping[str, float]:
    """Adds up something of the fields of `/proc/…/stat` after the name, by program; the most comes first."""
    found: dict[str, float] = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            name, _, rest = (folder / "stat").read_text(encoding="utf-8").partition("(")[2].rpartition(")")
        except OSError:
            continue  # it has just ended
        found[name] = found.get(name, 0.0) + read(rest.split())
    return dict(sorted(found.items(), key=lambda entry: -entry[1]))


def _without_origin(item: Manifest) -> Manifest:
    """Returns an object without what the API server itself writes."""
    metadata = {key: value for key, value in item["metadata"].items() if key in {"name", "namespace", "labels"}}
    return {key: value for key, value in item.items() if key != "status"} | {
        "metadata": metadata,
        **({"status": item["status"]} if item["kind"] == "Pod" and "status" in item else {}),
    }


def _run(command: Sequence[str]) -> None:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise MeshError(f"{' '.join(command)} failed: {result.stderr.strip()}")


def _laps(say: Say) -> Callable[[str], None]:
    started_s = before_s = time.monotonic()

    def lap(what: str) -> None:
        nonlocal before_s
        now_s = time.monotonic()
        say(f"{what}: {now_s - before_s:.1f} s (after {now_s - started_s:.1f})")
        before_s = now_s

    return lap
