"""What the mesh's tests put in place of Kubernetes' controllers says of the chart's objects what those would say."""

from __future__ import annotations

from typing import Any

import pytest

from tools.mesh.objects import endpoints, for_api_server, path_of, plan_pods, pod_objects, stranger

_NAMES = {"app.kubernetes.io/name": "library"}


def item(kind: str, name: str = "x", version: str = "v1", **content: Any) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": "praxiscope"}, **content}


def deployment(name: str, annotations: dict[str, str]) -> dict[str, Any]:
    ports = [{"name": "grpc", "containerPort": 7420}, {"name": "metrics", "containerPort": 7421}]
    spec = {"serviceAccountName": "library", "containers": [{"name": "library", "ports": ports}]}
    template = {"metadata": {"labels": _NAMES, "annotations": annotations}, "spec": spec}
    return item("Deployment", name, "apps/v1", spec={"template": template})


def service(*ports: dict[str, Any], selector: dict[str, str] = _NAMES) -> dict[str, Any]:
    return item("Service", "library", spec={"selector": selector, "ports": list(ports)})


@pytest.mark.parametrize(
    ("version", "kind", "path"),
    [
        ("v1", "Namespace", "/api/v1/namespaces/x"),
        ("v1", "Service", "/api/v1/namespaces/praxiscope/services/x"),
        ("scheduling.k8s.io/v1", "PriorityClass", "/apis/scheduling.k8s.io/v1/priorityclasses/x"),
        (
            "networking.istio.io/v1",
            "ServiceEntry",
            "/apis/networking.istio.io/v1/namespaces/praxiscope/serviceentries/x",
        ),
        ("networking.istio.io/v1", "Gateway", "/apis/networking.istio.io/v1/namespaces/praxiscope/gateways/x"),
        (
            "security.istio.io/v1",
            "AuthorizationPolicy",
            "/apis/security.istio.io/v1/namespaces/praxiscope/authorizationpolicies/x",
        ),
    ],
)
def test_an_object_has_the_path_that_the_api_server_gives_it(version: str, kind: str, path: str) -> None:
    assert path_of(item(kind, version=version)) == path


def test_accounts_come_before_what_names_them_and_others_objects_stay_away() -> None:
    policy = item("AuthorizationPolicy", version="security.istio.io/v1")
    given = [policy, item("Job"), item("Service"), item("ServiceAccount"), item("ScaledObject", version="keda.sh/v1")]
    assert [one["kind"] for one in for_api_server(given)] == ["ServiceAccount", "Service", "AuthorizationPolicy"]


def test_a_pod_is_what_its_template_says_and_takes_mtls() -> None:
    excluded = {"traffic.sidecar.istio.io/excludeInboundPorts": "7421"}
    plans = plan_pods([deployment("library", excluded)], {"library-far": ("library", "node-b")})
    assert {plan.address for plan in plans.values()} == {"10.244.0.10", "10.244.0.11", "10.244.0.12"}
    near, far = plans["library"], plans["library-far"]
    assert (near.uncaptured_ports, near.ports["grpc"], near.node, far.node) == ([7421], 7420, "node-a", "node-b")
    assert near.labels == {**_NAMES, "security.istio.io/tlsMode": "istio"}
    assert near.principal == "cluster.local/ns/praxiscope/sa/library"
    pod, status = pod_objects(far)
    assert (pod["spec"]["nodeName"], pod["spec"]["serviceAccountName"]) == ("node-b", "library")
    assert status["status"]["podIP"] == far.address


def test_who_answers_for_a_service_is_whom_its_selector_takes() -> None:
    plans = [*plan_pods([deployment("library", {})], {}).values()]
    plans.append(stranger("stranger", namespace="praxiscope", account="migrate", number=10))
    named, numbered = {"name": "grpc", "port": 80, "targetPort": "grpc"}, {"name": "other", "port": 81}
    (found,) = endpoints([service(named, numbered)], plans)
    assert [port["port"] for port in found["ports"]] == [7420, 81]
    assert [entry["targetRef"]["name"] for entry in found["endpoints"]] == ["library"]
    assert found["endpoints"][0]["zone"] == "zone-a"
    assert list(endpoints([service(named, selector={"app.kubernetes.io/name": "nobody"})], plans)) == []
