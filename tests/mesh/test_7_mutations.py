"""Wrong policies are noticed: the control for everything that the other tests find right. What Istio's own webhook refuses is not even kept."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support import mesh_checks as checks
from tests.support.deploy import VALUES
from tests.support.mesh import Laboratory, settles
from tools.cluster.api import ApiError
from tools.deploy.render import Manifest

pytestmark = pytest.mark.timeout(400)  # who is left alone is waited for
Problems = Callable[[Laboratory], Sequence[str]]
_NOTICED_WITHIN_S = 20.0
_SETTLED_WITHIN_S = 60.0
_POLICY = "AuthorizationPolicy"


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """A mistake in one object.

    Attributes:
        kind: Whose.
        name: Its name.
        change: Makes the mistake; nothing deletes the object.
        check: What has to notice.
    """

    kind: str
    name: str
    change: Callable[[Manifest], None] | None
    check: Problems


def edges_of(*pods: str) -> Problems:
    """Returns a check of who may call what, for some callers."""
    return lambda laboratory: checks.edge_problems(laboratory, pods)


def _source(item: Manifest, rule: int) -> dict[str, Any]:
    return item["spec"]["rules"][rule]["from"][0]["source"]


def _operation(item: Manifest, rule: int) -> dict[str, Any]:
    return item["spec"]["rules"][rule]["to"][0]["operation"]


def _permissive(item: Manifest) -> None:
    item["spec"]["mtls"]["mode"] = "PERMISSIVE"


def _no_principals(item: Manifest) -> None:
    del _source(item, 1)["principals"]


def _any_principal(item: Manifest) -> None:
    _source(item, 0)["principals"] = ["*"]


def _no_paths(item: Manifest) -> None:
    del _operation(item, 1)["paths"]


def _no_token(item: Manifest) -> None:
    del _source(item, 1)["requestPrincipals"]


def _trust_domain(item: Manifest) -> None:
    source = _source(item, 1)
    source["principals"] = [name.replace("cluster.local", "cluster.locale") for name in source["principals"]]


def _one_too_few(item: Manifest) -> None:
    _operation(item, 1)["paths"].pop()


def _wrong_pods(item: Manifest) -> None:
    item["spec"]["selector"]["matchLabels"]["app.kubernetes.io/name"] = "biomechanic"


def _everybody(item: Manifest) -> None:
    item["spec"]["rules"].append({})


def _any_audience(item: Manifest) -> None:
    del item["spec"]["jwtRules"][0]["audiences"]


def _another_issuer(item: Manifest) -> None:
    item["spec"]["jwtRules"][0]["issuer"] = "praxiscope"


def _weights(item: Manifest) -> None:
    for route in item["spec"]["http"]:
        if len(route["route"]) == 2:
            route["route"][0]["weight"], route["route"][1]["weight"] = 80, 20


def _header(item: Manifest) -> None:
    for route in item["spec"]["http"]:
        for match in route.get("match", []):
            if "headers" in match:
                match["headers"] = {"x-variant": match["headers"][VALUES["mesh"]["variantHeader"]]}


def _retries(item: Manifest) -> None:
    for route in item["spec"]["http"]:
        del route["retries"]  # which is Istio's default: twice more


def _timeout(item: Manifest) -> None:
    for route in item["spec"]["http"]:
        if "timeout" in route:
            route["timeout"] = "60s"


def _no_outliers(item: Manifest) -> None:
    del item["spec"]["trafficPolicy"]["outlierDetection"]


def _unencrypted(item: Manifest) -> None:
    item["spec"]["trafficPolicy"]["tls"]["mode"] = "DISABLE"


def _any_way_out(item: Manifest) -> None:
    item["spec"]["outboundTrafficPolicy"]["mode"] = "ALLOW_ANY"


MUTANTS = {
    "permissive": Mutant(
        kind="PeerAuthentication", name="default", change=_permissive, check=checks.plaintext_problems
    ),
    "no principals": Mutant(kind=_POLICY, name="library", change=_no_principals, check=edges_of("triton")),
    "any principal": Mutant(
        kind=_POLICY, name="auth", change=_any_principal, check=edges_of("stranger-elsewhere-gateway")
    ),
    "no paths": Mutant(kind=_POLICY, name="tracking", change=_no_paths, check=edges_of("gateway")),
    "no token": Mutant(kind=_POLICY, name="rendering", change=_no_token, check=edges_of("gateway")),
    "a slip in the trust domain": Mutant(
        kind=_POLICY, name="generation", change=_trust_domain, check=edges_of("gateway")
    ),
    "a method too few": Mutant(kind=_POLICY, name="auth", change=_one_too_few, check=edges_of("gateway")),
    "the wrong pods": Mutant(kind=_POLICY, name="biomechanics", change=_wrong_pods, check=edges_of("gateway")),
    "everybody": Mutant(kind=_POLICY, name="editing", change=_everybody, check=edges_of("stranger-praxiscope-migrate")),
    "a policy that is gone": Mutant(kind=_POLICY, name="vision-inference", change=None, check=edges_of("biomechanics")),
    "any audience": Mutant(
        kind="RequestAuthentication", name="access-tokens", change=_any_audience, check=checks.token_problems
    ),
    "another issuer": Mutant(
        kind="RequestAuthentication", name="access-tokens", change=_another_issuer, check=checks.token_problems
    ),
    "no tokens read": Mutant(
        kind="RequestAuthentication", name="access-tokens", change=None, check=checks.token_problems
    ),
    "other weights": Mutant(kind="VirtualService", name="tracking", change=_weights, check=checks.split_problems),
    "another header": Mutant(kind="VirtualService", name="tracking", change=_header, check=checks.variant_problems),
    "Istio's own retries": Mutant(
        kind="VirtualService", name="tracking", change=_retries, check=checks.repeat_problems
    ),
    "a timeout too long": Mutant(
        kind="VirtualService", name="tracking", change=_timeout, check=checks.timeout_problems
    ),
    "no outlier detection": Mutant(
        kind="DestinationRule", name="editing", change=_no_outliers, check=checks.outlier_problems
    ),
    "unencrypted calls": Mutant(
        kind="DestinationRule", name="biomechanics", change=_unencrypted, check=edges_of("gateway")
    ),
    "any way out": Mutant(kind="Sidecar", name="default", change=_any_way_out, check=checks.egress_problems),
}


@pytest.mark.usefixtures("outside")
@pytest.mark.parametrize("name", MUTANTS)
def test_a_wrong_policy_is_noticed(laboratory: Laboratory, name: str) -> None:
    mutant, mesh = MUTANTS[name], laboratory.mesh
    item = copy.deepcopy(mesh.object(mutant.kind, mutant.name))
    if mutant.change is None:
        mesh.delete(item)
    else:
        mutant.change(item)
        mesh.apply(item)
    try:
        noticed = settles(lambda: [] if mutant.check(laboratory) else ["nothing is noticed"], _NOTICED_WITHIN_S)
    finally:
        mesh.restore(mesh.object(mutant.kind, mutant.name))
    assert noticed == []
    assert settles(lambda: mutant.check(laboratory), _SETTLED_WITHIN_S) == []


def _no_weight(item: Manifest) -> None:
    item["spec"]["http"][-1]["route"][0]["weight"] = -10


def _unknown_retry(item: Manifest) -> None:
    item["spec"]["http"][-1]["retries"] = {"attempts": 2, "retryOn": "6xx"}


def _short_timeout(item: Manifest) -> None:
    item["spec"]["http"][-1]["timeout"] = "0s"


def _nothing_said(item: Manifest) -> None:
    item["spec"]["trafficPolicy"] = {}


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("VirtualService", _no_weight),
        ("VirtualService", _unknown_retry),
        ("VirtualService", _short_timeout),
        ("DestinationRule", _nothing_said),
    ],
)
def test_istio_refuses_what_makes_no_sense(
    laboratory: Laboratory, kind: str, change: Callable[[Manifest], None]
) -> None:
    item = copy.deepcopy(laboratory.mesh.object(kind, "tracking"))
    change(item)
    with pytest.raises(ApiError):
        laboratory.mesh.apply(item)


def test_no_proxy_has_refused_what_it_was_told(laboratory: Laboratory) -> None:
    assert laboratory.mesh.refused_updates() == {}
    updates = {
        name: sum(pod.statistics(r"^(cluster_manager\.cds|listener_manager\.lds)\.update_success$").values())
        for name, pod in laboratory.mesh.pods.items()
    }
    # The control: it was told something.
    assert min(updates.values()) >= 2
