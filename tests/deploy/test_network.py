"""Who reaches whom: what NetworkPolicies let through is what the code calls, and nothing else."""

import copy
from collections.abc import Callable

import pytest

from praxiscope_common.service_calls import CALLS
from tests.support.deploy import SERVICES, VALUES, find, rendered
from tests.support.deploy_network import Edge, pods_of, reachable
from tools.deploy.render import PROFILES, Manifest, of_kind
from tools.devstack.settings import PORTS

LASTING = {"auth", "library", "vision-inference"}
DNS = 53
TRITON = VALUES["triton"]


def _all_ports(profile: str) -> list[int]:
    own = {
        port["port"] for policy in of_kind(rendered(profile), "NetworkPolicy")
        for direction in ("ingress", "egress") for rule in policy["spec"].get(direction) or [] for port in rule["ports"]
    }  # fmt: skip
    return sorted({*own, *PORTS.values(), 22, 80, 443, 5432, 8333, 15012})


def _kube(name: str) -> str:
    return name.replace("_", "-")


def _areas() -> dict[str, str]:
    return {area: service for service, row in SERVICES.items() for area in row["areas"]}


def calls_between_services() -> set[Edge]:
    """Returns the edges that the code's own table of calls makes, with the ports of the local stack."""
    edges: set[Edge] = set()
    for service, methods in CALLS.items():
        targets = {_areas()[method.split(".")[1]] for method in methods} | ({"auth"} - {service})
        for name in (_kube(service), f"{_kube(service)}-work"):
            edges |= {(name, target, PORTS[target]) for target in targets}
    edges |= {("gateway", _kube(service), PORTS[_kube(service)]) for service in CALLS}
    workers = {f"{name}-work" for name, row in SERVICES.items() if "work" in row}
    return {edge for edge in edges if not edge[0].endswith("-work") or edge[0] in workers}


def expected(profile: str) -> set[Edge]:
    """Returns every edge there should be."""
    manifests = rendered(profile)
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
        edges |= {(name, address, port) for name in keepers for address in ("api-server", "database", "s3")}
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
        senders = {name for name in pods if name not in jobs and name not in {"helm-test", "otel-collector"}}
        edges |= {(name, "otel-collector", port) for name in senders for port in (4317, 4318)}
        edges |= {("otel-collector", "traces", 4317), ("prometheus", "otel-collector", 8888)}
    return edges


@pytest.mark.parametrize("profile", PROFILES)
def test_what_is_let_through_is_what_is_called(profile: str) -> None:
    found = reachable(rendered(profile), _all_ports(profile))
    assert found - expected(profile) == set(), "these could be reached and never are"
    assert expected(profile) - found == set(), "these are called and could not be reached"


def _without_egress(manifests: list[Manifest]) -> None:
    find(manifests, "NetworkPolicy", "tracking")["spec"]["egress"].pop(0)


def _without_peers(manifests: list[Manifest]) -> None:
    del find(manifests, "NetworkPolicy", "auth")["spec"]["ingress"][1]["from"]


def _without_default(manifests: list[Manifest]) -> None:
    for name in ("default-deny", "names-and-mesh", "helm-test"):
        manifests.remove(find(manifests, "NetworkPolicy", name))


def _open_egress(manifests: list[Manifest]) -> None:
    find(manifests, "NetworkPolicy", "rendering")["spec"]["egress"].append({})


def _another_port(manifests: list[Manifest]) -> None:
    find(manifests, "NetworkPolicy", "library")["spec"]["ingress"][1]["ports"][0]["port"] = PORTS["auth"]


def _another_namespace(manifests: list[Manifest]) -> None:
    (peer,) = find(manifests, "NetworkPolicy", "auth")["spec"]["ingress"][0]["from"]
    peer["namespaceSelector"] = {}


@pytest.mark.parametrize(
    "change", [_without_egress, _without_peers, _without_default, _open_egress, _another_port, _another_namespace]
)
def test_a_policy_that_is_wrong_is_noticed(change: Callable[[list[Manifest]], None]) -> None:
    manifests = copy.deepcopy(rendered("light"))
    for policy in of_kind(manifests, "NetworkPolicy"):
        for direction in ("ingress", "egress"):
            for rule in policy["spec"].get(direction) or []:
                rule.setdefault("ports", None)
    change(manifests)
    assert reachable(manifests, _all_ports("light")) != expected("light")


@pytest.mark.parametrize("profile", PROFILES)
def test_every_rule_names_its_peers_and_its_ports(profile: str) -> None:
    for policy in of_kind(rendered(profile), "NetworkPolicy"):
        for direction, peers in (("ingress", "from"), ("egress", "to")):
            for rule in policy["spec"].get(direction) or []:
                assert rule[peers]
                assert rule["ports"]
                assert all(item for item in rule[peers])


def test_the_table_names_the_services_that_the_code_calls() -> None:
    for service, methods in CALLS.items():
        called = {_areas()[method.split(".")[1]] for method in methods}
        assert set(SERVICES[_kube(service)].get("calls", [])) == called
    assert set(SERVICES["gateway"]["calls"]) == {_kube(service) for service in CALLS}
