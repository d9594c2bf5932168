"""Istio and Envoy with our services behind them. `make test-mesh` runs these, and nothing else does: without its variable nothing here is even collected.

`python -m tools.mesh run` has made the namespaces that all of this is in; whatever is started here ends with them.
"""

from __future__ import annotations

import copy
import dataclasses
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.deploy import SERVICES
from tests.support.mesh import (
    CONTROL_PORT,
    HOST,
    MAX_REQUESTS,
    SHORT_CERTIFICATE_S,
    SHORT_CERTIFICATES,
    UNARY_TIMEOUT_S,
    WAIT_TIMEOUT_S,
    Answered,
    Call,
    Caller,
    Laboratory,
    note,
    settles,
)
from tests.support.mesh_checks import CLOSED_PORT, STORE_PORT
from tests.support.mesh_tokens import GOOD, make_tokens
from tests.support.programs import open_folder, running
from tools.deploy.render import NAMESPACE, render
from tools.devstack.postgres import postgres_part
from tools.devstack.settings import CHECKOUT, inherited_environment
from tools.mesh import services
from tools.mesh.mesh import Mesh
from tools.mesh.objects import plan_pods, stranger
from tools.mesh.settings import MAIN_ADDRESS, MeshError

if not os.environ.get("PRAXISCOPE_TEST_MESH"):
    collect_ignore_glob = ["test_*.py"]

_CREDENTIAL = "praxiscope-tls"
# A second pod of a service, in the same zone or in another; each is a stand-in.
_TWINS = {"editing-twin": ("editing", "node-a"), "rendering-far": ("rendering", "node-b")}
_STAND_INS = ("tracking-canary", "library-canary", "triton", "otel-collector", *_TWINS)
VALUES: dict[str, Any] = {
    "namespace": {"create": True},
    "services": {
        "tracking": {"canary": {"tag": "0.2.0", "weight": 10, "replicas": 1}},
        "library": {"canary": {"tag": "0.2.0", "weight": 0, "replicas": 1}},  # for whoever asks for it, and nobody else
    },
    "mesh": {"unaryTimeoutS": UNARY_TIMEOUT_S, "waitTimeoutS": WAIT_TIMEOUT_S, "maxRequests": MAX_REQUESTS},
    "database": {"host": services.DATABASE_HOST, "port": services.DATABASE_PORT, "tlsMode": "disable"},
    "store": {"endpointUrl": "http://store.outside.example:9000", "host": "store.outside.example", "port": 9000},
    "triton": {"autoscaling": {"enabled": False}},
}


@pytest.fixture(scope="session")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    """The mesh, up, with the chart's profile `prod` in it and our services behind their proxies."""
    folder = tmp_path_factory.mktemp("mesh")
    manifests, light = render("prod", values=VALUES, folder=folder), render("light")
    try:
        mesh = Mesh(ingress_host=HOST)
        plans = plan_pods(manifests, _TWINS)
        for name in SHORT_CERTIFICATES:
            plans[name] = dataclasses.replace(plans[name], certificate_s=SHORT_CERTIFICATE_S)
        for number, (namespace, account) in enumerate((("elsewhere", "gateway"), (NAMESPACE, "migrate")), start=10):
            name = f"stranger-{namespace}-{account}"
            plans[name] = stranger(name, namespace=namespace, account=account, number=number)
        mesh.hosts |= dict.fromkeys((services.DATABASE_HOST, "store.outside.example"), MAIN_ADDRESS)
        started_s = time.monotonic()
        mesh.start(manifests, plans, _say, credential=_CREDENTIAL)
        note("control plane and proxies, from nothing running to ready, s", round(time.monotonic() - started_s, 1))
    except MeshError as error:
        pytest.exit(str(error), returncode=3)
    services.write_secrets(light)
    with open_folder("database") as place:
        settings, secrets = services.database_settings(place)
        part = postgres_part(settings, secrets)
        services.let_pods_in(place)
        with running(part, place / "postgres.log", services.DATABASE_OPTIONS):
            started_s = time.monotonic()
            services.prepare_database(settings, secrets, manifests)
            processes = _start_programs(mesh)
            note(
                "database, migrations and our services behind their proxies, s", round(time.monotonic() - started_s, 1)
            )
            callers = {name: Caller(pod) for name, pod in mesh.pods.items() if not pod.plan.is_gateway}
            made = Laboratory(
                mesh=mesh, manifests=manifests, callers=callers, tokens=make_tokens(), processes=processes
            )
            _have_keys_fetched(made)
            yield made
            note(
                "time of a processor, s",
                {name: round(used_s) for name, used_s in mesh.processor_s().items() if used_s >= 1},
            )
            for caller in callers.values():
                caller.close()
            mesh.api.close()
            note("memory, MiB", {name: round(mib) for name, mib in mesh.memory_mib().items() if mib >= 10})


@pytest.fixture
def outside() -> Iterator[None]:
    """Something that listens outside the mesh: where the store would be, and where nothing should be."""
    listeners = [socket.create_server((MAIN_ADDRESS, port)) for port in (STORE_PORT, CLOSED_PORT)]
    for listener in listeners:
        threading.Thread(target=_answer, args=(listener,), daemon=True).start()
    yield
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def _answer(listener: socket.socket) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            connection.recv(1000)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\noutside")


def _start_programs(mesh: Mesh) -> dict[str, int]:
    """Starts what stands behind the proxies; returns the processes of our own services."""
    processes: dict[str, int] = {}
    for name, pod in mesh.pods.items():
        if name in _STAND_INS:
            port = pod.plan.ports.get("grpc") or pod.plan.ports["otlp-grpc"]
            words = [sys.executable, "-m", "tests.support.mesh_stand_in", name, f"0.0.0.0:{port}", str(CONTROL_PORT)]
            pod.start("service", words, {**inherited_environment(), "PYTHONPATH": str(CHECKOUT)})
        elif name in SERVICES:
            processes[name] = services.start_service(pod)
    for name, pod in mesh.pods.items():
        if name in SERVICES:
            services.wait_for_service(pod)
    return processes


def _have_keys_fetched(laboratory: Laboratory) -> None:
    """Has istiod ask for the keys of tokens anew, as docs/kubernetes.md says: when it asked first there was nobody to answer, as in any new installation."""
    item = copy.deepcopy(laboratory.mesh.object("RequestAuthentication", "access-tokens"))
    item["spec"]["jwtRules"][0]["jwksUri"] += "#again"
    started_s = time.monotonic()
    laboratory.mesh.keep(item)
    metadata = (("authorization", f"Bearer {laboratory.tokens[GOOD]}"),)
    call = Call(address="library:7420", method="/praxiscope.library.v1.AssetService/GetAsset", metadata=metadata)

    def problems() -> list[str]:
        outcome = laboratory.callers["gateway"].one(call)
        return [] if outcome.answered is Answered.SERVICE else [str(outcome)]

    assert settles(problems, timeout_s=30) == []
    note("from another address of the keys to a token that holds, s", round(time.monotonic() - started_s, 1))


def _say(text: str) -> None:
    print(f"  {text}", flush=True)
