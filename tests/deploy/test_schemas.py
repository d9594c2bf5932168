"""Everything that the chart makes is what Kubernetes and the operators take, in each version that we say we run on."""

import copy
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from tests.support.deploy import VALUES, find, rendered
from tests.support.deploy_schemas import KUBERNETES, problems
from tools.deploy.render import CHART, PROFILES, TOOLS, load, run_helm
from tools.devstack.settings import CHECKOUT


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("kubernetes", KUBERNETES)
def test_every_object_fits_its_schema(profile: str, kubernetes: str) -> None:
    manifests = rendered(profile, kubernetes)
    assert len(manifests) > 80
    assert [problem for manifest in manifests for problem in problems(manifest, kubernetes)] == []


@pytest.mark.parametrize("profile", PROFILES)
def test_the_chart_passes_helms_own_lint(profile: str) -> None:
    assert "0 chart(s) failed" in run_helm(
        "lint", "--strict", str(CHART), "--values", str(CHART / "profiles" / f"{profile}.yaml")
    )


# One slip of the pen in each kind that the chart makes: where, and what is written there instead.
TYPOS: dict[str, tuple[str, str, str, Any]] = {
    "Deployment": ("light", "auth", "spec/template/spec/terminationGracePeriodSecond", 40),
    "StatefulSet": ("light", "postgres", "spec/serviceNam", "postgres"),
    "Service": ("light", "auth", "spec/ports/0/targetPrt", "grpc"),
    "CronJob": ("prod", "backup-objects", "spec/concurrencyPolicyy", "Forbid"),
    "Job": ("prod", "migrate-jobs", "spec/backoffLimit", "ten"),
    "NetworkPolicy": ("light", "auth", "spec/ingress/0/form", []),
    "PodDisruptionBudget": ("light", "auth", "spec/maxUnavailabel", 1),
    "HorizontalPodAutoscaler": ("prod", "auth", "spec/maxReplicas", "10"),
    "PriorityClass": ("light", "praxiscope-batch", "preemption", "Never"),
    "ServiceAccount": ("light", "auth", "automountServiceAccountTokens", False),
    "Role": ("light", "bootstrap", "rules/0/verb", ["get"]),
    "RoleBinding": ("light", "bootstrap", "roleRef/kin", "Role"),
    "Pod": ("light", "helm-test", "spec/restartPolicies", "Never"),
    "ScaledObject": ("prod", "tracking-work", "spec/fallback/failureTreshold", 3),
    "TriggerAuthentication": ("prod", "tracking-work", "spec/secretTargetRef/0/keys", "x"),
    "ExternalSecret": ("prod", "auth", "spec/target/creationPolicy", "Orphaned"),
    "PeerAuthentication": ("prod", "default", "spec/mtls/mode", "STRICTT"),
    "AuthorizationPolicy": ("prod", "auth", "spec/rules/0/to/0/operation/path", ["/"]),
    "RequestAuthentication": ("prod", "access-tokens", "spec/jwtRules/0/audience", ["praxiscope"]),
    "Sidecar": ("prod", "default", "spec/outboundTrafficPolicy/mode", "REGISTRY"),
    "ServiceEntry": ("prod", "database", "spec/resolutions", "DNS"),
    "Gateway": ("prod", "front", "spec/servers/0/tls/credentialname", "x"),
    "VirtualService": ("prod", "library", "spec/http/0/retries/perTryTimeut", "1s"),
    "DestinationRule": ("prod", "library", "spec/trafficPolicy/outlierDetection/baseEjectTime", "15s"),
    "ServiceMonitor": ("prod", "praxiscope", "spec/endpoint", []),
    "PrometheusRule": ("prod", "praxiscope", "spec/groups/0/rules/0/expression", "up"),
    "ConfigMap": ("prod", "otel-collector", "datas", {}),
}


def test_a_slip_is_planted_in_every_kind() -> None:
    assert set(TYPOS) == {manifest["kind"] for profile in PROFILES for manifest in rendered(profile)}


@pytest.mark.parametrize("kind", TYPOS)
def test_a_slip_of_the_pen_is_refused_with_its_path(kind: str) -> None:
    profile, name, path, value = TYPOS[kind]
    right = find(rendered(profile), kind, name)
    wrong = copy.deepcopy(right)
    *parents, last = path.split("/")
    place: Any = wrong
    for part in parents:
        place = place[int(part)] if part.isdigit() else place[part]
    place[last] = value
    assert problems(right, "1.35.0") == []
    (found, *_) = problems(wrong, "1.35.0")
    assert found.startswith(f"{kind}/{name} at ")
    assert last in found or str(value) in found


@pytest.mark.parametrize(
    "api_version", ["apps/v1beta1", "keda.sh/v1beta9", "networking.istio.io/v9", "autoscaling/v2beta2"]
)
def test_a_version_that_is_not_there_is_refused(api_version: str) -> None:
    manifest = {"apiVersion": api_version, "kind": "Deployment", "metadata": {"name": "x"}}
    assert "there is no such kind" in problems(manifest, "1.35.0")[0]


def test_the_chart_is_refused_where_kubernetes_is_too_old() -> None:
    with pytest.raises(Exception, match="kubeVersion"):
        run_helm(
            "template", "x", str(CHART), "--values", str(CHART / "profiles/light.yaml"), "--kube-version", "1.33.0"
        )


def test_schemas_are_those_of_the_versions_that_are_named() -> None:
    assert (TOOLS / "keda" / "scalers-schema.json").exists()
    chart = load((CHART / "Chart.yaml").read_text())[0]
    assert chart["kubeVersion"] == f">={KUBERNETES[0]}-0"
    assert (CHECKOUT / "deploy" / "helm").is_dir()


def test_the_example_that_admits_signed_images_only_is_a_policy_of_our_images() -> None:
    (policy,) = load((CHECKOUT / "docs/examples/signed-images.yaml").read_text(encoding="utf-8"))
    assert problems(policy, "1.35.0") == []
    (image,), (authority,) = policy["spec"]["images"], policy["spec"]["authorities"]
    assert image["glob"] == f"{VALUES['image']['registry']}/praxiscope-**"
    assert policy["spec"]["mode"] == "enforce"
    key = load_pem_public_key(authority["key"]["data"].encode())
    assert isinstance(key, EllipticCurvePublicKey), "what cosign's keys are"
    assert authority["attestations"][0]["predicateType"] == "https://cyclonedx.org/bom", "what `make sign` attests"
    wrong = copy.deepcopy(policy)
    wrong["spec"]["authorities"][0]["key"]["dat"] = wrong["spec"]["authorities"][0]["key"].pop("data")
    assert "ClusterImagePolicy/praxiscope at /spec/authorities/0/key" in problems(wrong, "1.35.0")[0]
