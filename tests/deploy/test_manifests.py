"""The plain manifests are what the chart makes, and kubectl's kustomize reads them."""

import subprocess

import pytest

from tests.support.deploy_schemas import problems
from tools.deploy.manifests import _FOR_KUBECTL, _plain, drifted
from tools.deploy.render import NAMESPACE, PROFILES, Manifest, key, load, program, render
from tools.devstack.settings import CHECKOUT

CLUSTER_WIDE = {"Namespace", "PriorityClass"}


def built(overlay: str) -> list[Manifest]:
    command = [program("kubectl"), "kustomize", f"deploy/k8s/overlays/{overlay}"]
    return load(subprocess.run(command, check=True, capture_output=True, text=True, cwd=CHECKOUT).stdout)


def test_nothing_was_changed_by_hand() -> None:
    assert list(drifted()) == [], "`make manifests` writes them anew"


@pytest.mark.parametrize("profile", PROFILES)
def test_an_overlay_is_what_helm_would_install(profile: str, tmp_path: object) -> None:
    manifests = {key(item): item for item in built(profile)}
    rendered = {key(item): _plain(item) for item in render(profile, values=_FOR_KUBECTL, folder=tmp_path)}  # type: ignore[arg-type]  a path
    assert set(manifests) == set(rendered)
    for name, item in manifests.items():
        namespace = item["metadata"].pop("namespace", None)
        assert (namespace is None) == (item["kind"] in CLUSTER_WIDE), name
        assert namespace in {None, NAMESPACE}
        assert item == rendered[name], name


@pytest.mark.parametrize("profile", PROFILES)
def test_an_overlay_fits_its_schemas_and_has_no_hook(profile: str) -> None:
    manifests = built(profile)
    assert [problem for item in manifests for problem in problems(item, "1.35.0")] == []
    assert all("helm.sh" not in str(item["metadata"]) for item in manifests)


def test_a_namespace_keeps_its_pods_to_the_rules() -> None:
    for profile in PROFILES:
        (namespace,) = [item for item in built(profile) if item["kind"] == "Namespace"]
        labels = namespace["metadata"]["labels"]
        assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
        assert ("istio-injection" in labels) == (profile == "prod")
