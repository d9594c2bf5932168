"""The mesh lets through what the contracts and the clients in the code say, tries nothing again, and cuts no stream."""

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from praxiscope_common.identity import VARIANT_KEY
from praxiscope_common.tokens import AUDIENCE, ISSUER
from tests.support import contracts
from tests.support.deploy import SERVICES, VALUES, find, labels_of, rendered
from tests.support.deploy_mesh import HEALTH, Call, accounts, is_let_in, is_wanted, methods, principal, route_of
from tools.deploy.render import NAMESPACE, Manifest, of_kind, render

INGRESS = "cluster.local/ns/istio-system/sa/istio-ingressgateway-service-account"
STRANGERS = (
    "cluster.local/ns/elsewhere/sa/gateway",
    "evil.local/ns/praxiscope/sa/gateway",
    f"cluster.local/ns/{NAMESPACE}/sa/default",
    f"cluster.local/ns/{NAMESPACE}/sa/migrate",
    INGRESS,
    "",
)


def verdicts(manifests: list[Manifest]) -> dict[tuple[str, str, str, bool], bool]:
    """Returns what the mesh says to each caller, service, method and token."""
    pods = {name: labels_of(find(manifests, "Deployment", name)) for name in SERVICES}
    return {
        (account, service, method, has_token): is_let_in(
            manifests, pods[service], Call(principal=principal(account), method=method, has_token=has_token)
        )
        for account in accounts()
        for service, row in SERVICES.items()
        if row["areas"]
        for method in (*methods(), HEALTH)
        for has_token in (False, True)
    }


def wanted() -> dict[tuple[str, str, str, bool], bool]:
    return {
        (account, service, method, has_token): (method == HEALTH or methods()[method][0] == service)
        and is_wanted(account, method, has_token)
        for account in accounts()
        for service, row in SERVICES.items()
        if row["areas"]
        for method in (*methods(), HEALTH)
        for has_token in (False, True)
    }


def test_every_caller_may_call_what_its_code_calls_and_nothing_else() -> None:
    found, expected = verdicts(rendered("prod")), wanted()
    assert len(found) > 5000
    assert {edge for edge in found if found[edge] != expected[edge]} == set()


@pytest.mark.parametrize("stranger", STRANGERS)
def test_strangers_call_nothing(stranger: str) -> None:
    manifests = rendered("prod")
    for name in SERVICES:
        labels = labels_of(find(manifests, "Deployment", name))
        if name != "gateway":
            for method in (*methods(), HEALTH):
                assert not is_let_in(manifests, labels, Call(principal=stranger, method=method, has_token=True))


def test_the_gateway_takes_the_ingress_and_the_model_server_takes_vision() -> None:
    manifests = rendered("prod")
    gateway, triton = (labels_of(find(manifests, "Deployment", name)) for name in ("gateway", "triton"))
    for port in (SERVICES["gateway"]["port"], SERVICES["gateway"]["grpcPort"]):
        assert is_let_in(manifests, gateway, Call(principal=INGRESS, method="/v1", has_token=False, port=port))
        assert not is_let_in(
            manifests, gateway, Call(principal=principal("auth"), method="/v1", has_token=True, port=port)
        )
    infer = "/inference.GRPCInferenceService/ModelInfer"
    assert is_let_in(manifests, triton, Call(principal=principal("vision-inference"), method=infer, has_token=False))
    assert not is_let_in(manifests, triton, Call(principal=principal("tracking"), method=infer, has_token=False))
    assert not is_let_in(manifests, triton, Call(principal=principal("vision-inference"), method="/x", has_token=False))


def _permissive(manifests: list[Manifest]) -> None:
    find(manifests, "AuthorizationPolicy", "library")["spec"]["rules"].append({})


def _no_principals(manifests: list[Manifest]) -> None:
    del find(manifests, "AuthorizationPolicy", "vision-inference")["spec"]["rules"][0]["from"]


def _no_paths(manifests: list[Manifest]) -> None:
    del find(manifests, "AuthorizationPolicy", "tracking")["spec"]["rules"][1]["to"][0]["operation"]["paths"]


def _no_token(manifests: list[Manifest]) -> None:
    del find(manifests, "AuthorizationPolicy", "rendering")["spec"]["rules"][1]["from"][0]["source"][
        "requestPrincipals"
    ]


def _wildcard(manifests: list[Manifest]) -> None:
    find(manifests, "AuthorizationPolicy", "auth")["spec"]["rules"][0]["from"][0]["source"]["principals"] = ["*"]


def _trust_domain(manifests: list[Manifest]) -> None:
    source = find(manifests, "AuthorizationPolicy", "generation")["spec"]["rules"][0]["from"][0]["source"]
    source["principals"] = [item.replace("cluster.local", "cluster.locale") for item in source["principals"]]


def _one_too_few(manifests: list[Manifest]) -> None:
    find(manifests, "AuthorizationPolicy", "auth")["spec"]["rules"][1]["to"][0]["operation"]["paths"].pop()


def _wrong_pods(manifests: list[Manifest]) -> None:
    labels = find(manifests, "AuthorizationPolicy", "biomechanics")["spec"]["selector"]["matchLabels"]
    labels["app.kubernetes.io/name"] = "biomechanic"


def _gone_with_the_default(manifests: list[Manifest]) -> None:
    for name in ("tracking", "deny-all"):
        manifests.remove(find(manifests, "AuthorizationPolicy", name))


@pytest.mark.parametrize(
    "change",
    [
        _permissive,
        _no_principals,
        _no_paths,
        _no_token,
        _wildcard,
        _trust_domain,
        _one_too_few,
        _wrong_pods,
        _gone_with_the_default,
    ],
)
def test_a_policy_that_is_wrong_is_noticed(change: Callable[[list[Manifest]], None]) -> None:
    manifests = copy.deepcopy(rendered("prod"))
    change(manifests)
    assert verdicts(manifests) != wanted() or any(
        is_let_in(
            manifests,
            labels_of(find(manifests, "Deployment", name)),
            Call(principal="x", method=HEALTH, has_token=False),
        )
        for name in SERVICES
    )


def test_everything_is_encrypted_and_nothing_is_allowed_by_default() -> None:
    manifests = rendered("prod")
    (peers,) = of_kind(manifests, "PeerAuthentication")
    assert peers["spec"] == {"mtls": {"mode": "STRICT"}}
    assert find(manifests, "AuthorizationPolicy", "deny-all")["spec"] == {}
    for rule in of_kind(manifests, "DestinationRule"):
        assert rule["spec"]["trafficPolicy"]["tls"] == {"mode": "ISTIO_MUTUAL"}


def test_tokens_are_those_of_auth() -> None:
    (authentication,) = of_kind(rendered("prod"), "RequestAuthentication")
    (rule,) = authentication["spec"]["jwtRules"]
    assert (rule["issuer"], rule["audiences"]) == (ISSUER, [AUDIENCE])
    (key_set,) = [method for method in contracts.methods() if method.name == "GetKeySet"]
    assert rule["jwksUri"] == f"https://{VALUES['mesh']['ingress']['host']}{contracts.http_rule(key_set)}"
    for name, row in SERVICES.items():
        labels = labels_of(find(rendered("prod"), "Deployment", name))
        is_checked = authentication["spec"]["selector"]["matchLabels"].items() <= labels.items()
        assert is_checked == bool(row["areas"])  # the gateway also takes keys and cookies, and makes tokens of them


def test_another_address_has_the_keys_fetched_anew(tmp_path: Path) -> None:
    address = f"https://{VALUES['mesh']['ingress']['host']}/v1/auth/keys#again"
    (found,) = of_kind(render("prod", values={"mesh": {"jwksUri": address}}, folder=tmp_path), "RequestAuthentication")
    assert found["spec"]["jwtRules"][0]["jwksUri"] == address


def test_the_mesh_tries_nothing_again() -> None:
    # Clients do (praxiscope_common.client); without a word Istio tries twice more, and a second layer multiplies.
    for service in of_kind(rendered("prod"), "VirtualService"):
        for route in service["spec"]["http"]:
            assert route["retries"] == {"attempts": 0}, service["metadata"]["name"]
    # Whom nothing is said of is tried again.
    spoken_of = {host for item in of_kind(rendered("prod"), "VirtualService") for host in item["spec"]["hosts"]}
    called = {
        item["metadata"]["name"]
        for item in of_kind(rendered("prod"), "Service")
        if any(port["name"] != "http-metrics" for port in item["spec"]["ports"])
    }
    assert called - spoken_of == {"gateway"}  # which the ingress calls, by a host of its own


def test_variants_are_chosen_by_what_the_code_passes_on() -> None:
    assert VALUES["mesh"]["variantHeader"] == VARIANT_KEY


def test_no_time_is_so_short_that_istio_refuses_it() -> None:
    for item in rendered("prod"):
        if ".istio.io/" in item["apiVersion"]:
            assert not re.search(r"\b0(ms|s|m|h)\b", json.dumps(item["spec"])), item["metadata"]["name"]


def test_streams_last_and_calls_end_a_little_after_the_services_own_time() -> None:
    manifests = rendered("prod")
    for method in (*contracts.methods(), *contracts.FOREIGN_SERVICE.methods):
        path = f"/{method.containing_service.full_name}/{method.name}"
        route = route_of(find(manifests, "VirtualService", methods()[path][0]), path)
        if method.client_streaming or method.server_streaming:
            assert "timeout" not in route, path  # which is none; Istio refuses `0s`
        else:
            own_s = 310.0 if method.name == "WaitOperation" else 30.0
            assert own_s < float(route["timeout"].rstrip("s")) <= own_s + 10, path


@pytest.mark.parametrize(
    ("content_type", "port"),
    [
        ("application/grpc+proto", "grpcPort"),
        ("application/grpc", "grpcPort"),
        ("application/json", "port"),
        ("", "port"),
    ],
)
def test_one_host_takes_http_and_native_grpc(content_type: str, port: str) -> None:
    manifests = rendered("prod")
    route = route_of(find(manifests, "VirtualService", "front"), "/", {"content-type": content_type})
    assert route["route"][0]["destination"]["port"]["number"] == SERVICES["gateway"][port]
    assert "timeout" not in route
    (gateway,) = of_kind(manifests, "Gateway")
    https, http = gateway["spec"]["servers"]
    assert https["tls"]["minProtocolVersion"] == "TLSV1_2"
    assert http["tls"] == {"httpsRedirect": True}


def test_every_destination_is_there() -> None:
    manifests = rendered("prod")
    services = {item["metadata"]["name"]: item for item in of_kind(manifests, "Service")}
    subsets = {
        item["spec"]["host"]: {subset["name"] for subset in item["spec"].get("subsets", [])}
        for item in of_kind(manifests, "DestinationRule")
    }
    for service in of_kind(manifests, "VirtualService"):
        for route in service["spec"]["http"]:
            for target in route["route"]:
                destination = target["destination"]
                assert destination["host"] in services
                assert destination.get("subset") in {None, *subsets.get(destination["host"], ())}
                if "port" in destination:
                    ports = [port["port"] for port in services[destination["host"]]["spec"]["ports"]]
                    assert destination["port"]["number"] in ports
    assert set(subsets) >= {name for name, row in SERVICES.items() if row["areas"]}


def test_the_way_out_is_closed_but_for_what_is_named() -> None:
    manifests = rendered("prod")
    (sidecar,) = of_kind(manifests, "Sidecar")
    assert sidecar["spec"]["outboundTrafficPolicy"] == {"mode": "REGISTRY_ONLY"}
    assert "*/*" not in sidecar["spec"]["egress"][0]["hosts"]
    hosts = {host for item in of_kind(manifests, "ServiceEntry") for host in item["spec"]["hosts"]}
    assert hosts == {"postgres.praxiscope.example", "s3.praxiscope.example", "s3.backup.example"}


def test_scrapes_pass_the_proxy_by_and_nothing_else_does() -> None:
    for manifest in of_kind(rendered("prod"), "Deployment"):
        annotations = manifest["spec"]["template"]["metadata"]["annotations"]
        ports = {
            port["name"]: port["containerPort"]
            for container in manifest["spec"]["template"]["spec"]["containers"]
            for port in container["ports"]
        }
        assert annotations["traffic.sidecar.istio.io/excludeInboundPorts"] == str(ports["metrics"])


def test_a_canary_gets_its_share_and_whoever_asks_for_it(tmp_path: Path) -> None:
    canary: dict[str, Any] = {"services": {"tracking": {"canary": {"tag": "0.2.0", "weight": 10, "replicas": 1}}}}
    manifests = render("prod", values=canary, folder=tmp_path)
    service = find(manifests, "VirtualService", "tracking")
    track = "/praxiscope.tracking.v1.TrackingService/Track"
    start = "/praxiscope.tracking.v1.TrackingService/TrackVideo"
    for method in (track, start):
        weights = {item["destination"]["subset"]: item["weight"] for item in route_of(service, method)["route"]}
        assert weights == {"stable": 90, "canary": 10}
        chosen = route_of(service, method, {VALUES["mesh"]["variantHeader"]: "canary"})
        assert [item["destination"]["subset"] for item in chosen["route"]] == ["canary"]
        assert chosen.get("timeout") == route_of(service, method).get("timeout")
    stable, other = (find(manifests, "Deployment", name) for name in ("tracking", "tracking-canary"))
    images = [item["spec"]["template"]["spec"]["containers"][0]["image"].rpartition(":")[2] for item in (stable, other)]
    assert images == ["0.1.0", "0.2.0"]
    assert "replicas" not in stable["spec"]
    assert other["spec"]["replicas"] == 1
    assert labels_of(other)["version"] == "canary"
