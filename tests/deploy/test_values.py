"""Every value that is unknown or wrong is refused, with its path; what may be set does what it says."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.deploy import VALUES, find, pod_of
from tools.deploy.render import PROFILES, RenderError, of_kind, render

_ROW = {"port": 7470, "metricsPort": 7471, "areas": []}
WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("unknown at the top", {"replicas": 3}, "additional properties 'replicas'"),
    ("unknown in a service", {"services": {"auth": {"prot": 1}}}, "at '/services/auth': additional properties 'prot'"),
    ("unknown in a workload", {"services": {"tracking": {"work": {"replica": 1}}}}, "at '/services/tracking/work'"),
    ("unknown in the mesh", {"mesh": {"enable": True}}, "at '/mesh': additional properties 'enable'"),
    ("unknown in scaling", {"defaults": {"api": {"autoscaling": {"maximum": 3}}}}, "at '/defaults/api/autoscaling'"),
    ("latest", {"image": {"tag": "latest"}}, "at '/image/tag'"),
    ("no digest", {"image": {"digests": {"auth": "sha256:abc"}}}, "at '/image/digests/auth'"),
    ("port out of the table", {"services": {"auth": {"port": 80}}}, "at '/services/auth/port'"),
    ("text for a number", {"database": {"port": "5432"}}, "at '/database/port': got string, want integer"),
    ("number for text", {"store": {"region": 1}}, "at '/store/region'"),
    ("negative replicas", {"defaults": {"api": {"replicas": -1}}}, "at '/defaults/api/replicas'"),
    ("no quantity", {"postgres": {"size": "ten"}}, "at '/postgres/size'"),
    ("no level", {"defaults": {"logLevel": "LOUD"}}, "at '/defaults/logLevel'"),
    ("no TLS mode", {"database": {"tlsMode": "maybe"}}, "at '/database/tlsMode'"),
    ("no host", {"mesh": {"ingress": {"host": "https://x"}}}, "at '/mesh/ingress/host'"),
    ("no network", {"database": {"cidrs": ["everywhere"]}}, "at '/database/cidrs/0'"),
    ("no priority", {"services": {"auth": {"api": {"priority": "urgent"}}}}, "at '/services/auth/api/priority'"),
    ("weight above all", {"services": {"auth": {"canary": {"tag": "1", "weight": 101, "replicas": 1}}}}, "at '/services/auth/canary/weight'"),
    ("canary without a tag", {"services": {"auth": {"canary": {"weight": 1, "replicas": 1}}}}, "at '/services/auth/canary'"),
    ("database outside without a host", {"postgres": {"enabled": False}}, "at '/database/host'"),
    ("store outside without a key", {"objectStore": {"enabled": False}}, "at '/store/accessKeyId'"),
    ("models from S3 without a digest", {"triton": {"models": {"source": "store"}}}, "at '/triton/models/sha256'"),
    ("GPU without nodes", {"triton": {"gpu": {"enabled": True}}}, "at '/triton/nodeSelector'"),
    ("collector without a target", {"telemetry": {"collector": {"enabled": True}}}, "at '/telemetry/collector/exportEndpoint'"),
    ("two makers of Secrets", {"secrets": {"external": {"enabled": True}}}, "at '/secrets/generate'"),
    ("a database without its chain", {"services": {"x": {**_ROW, "database": True}}}, "at '/services/x'"),
    ("a worker without its port", {"services": {"x": {**_ROW, "work": {}}}}, "at '/services/x/work'"),
    ("a call to nobody", {"services": {"auth": {"calls": ["nobody"]}}}, 'services.auth.calls names "nobody"'),
    ("a call to itself", {"services": {"auth": {"calls": ["auth"]}}}, "services.auth.calls names the service itself"),
    ("an area of no contract", {"services": {"auth": {"areas": ["magic"]}}}, 'services.auth.areas names "magic"'),
    ("one port twice", {"services": {"auth": {"metricsPort": 7420}}}, "port 7420 is taken"),
    ("min above max", {"services": {"auth": {"api": {"autoscaling": {"enabled": True, "min": 9, "max": 2}}}}}, "min is 9, more than max, 2"),
    ("fallback below min", {"triton": {"autoscaling": {"enabled": True, "min": 3, "fallback": 1}}}, "fallback is 1, which is not between"),
    ("a service that must be", {"services": {"auth": None}}, "at '/services'"),
]  # fmt: skip


@pytest.mark.parametrize(("values", "expected"), [pytest.param(*case[1:], id=case[0]) for case in WRONG])
def test_a_wrong_value_is_refused_with_its_path(tmp_path: Path, values: dict[str, Any], expected: str) -> None:
    with pytest.raises(RenderError) as refused:
        render("light", values=values, folder=tmp_path)
    assert expected in str(refused.value)


def _unknown_in_every_map(value: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    free = {
        "digests",
        "nodeSelector",
        "selector",
        "labels",
        "files",
        "environment",
        "requests",
        "limits",
        "services",
        "global",
    }
    if not isinstance(value, dict) or (path and path[-1] in free - {"services"}):
        return []
    own = [] if path and path[-1] == "services" else [path]
    return [*own, *(found for name, part in value.items() for found in _unknown_in_every_map(part, (*path, name)))]


def test_no_map_of_ours_takes_a_name_it_does_not_know(tmp_path: Path) -> None:
    paths = _unknown_in_every_map(dict(VALUES))
    assert len(paths) > 45
    values: dict[str, Any] = {}
    for path in paths:
        place = values
        for name in path:
            place = place.setdefault(name, {})
        place["unheardOf"] = 1
    with pytest.raises(RenderError) as refused:
        render("light", values=values, folder=tmp_path)
    for path in paths:
        where = "/" + "/".join(path) if path else ""
        assert f"at '{where}': additional properties 'unheardOf' not allowed" in str(refused.value), where


@pytest.mark.parametrize("profile", PROFILES)
def test_a_new_service_is_one_row(tmp_path: Path, profile: str) -> None:
    row = {
        **_ROW,
        "calls": ["library"],
        "database": True,
        "store": True,
        "chains": ["jobs:praxiscope_common/jobs/migrations"],
        "work": {"metricsPort": 7472},
    }
    manifests = render(profile, values={"services": {"editing": row}}, folder=tmp_path)
    made = {
        (item["kind"], item["metadata"]["name"]) for item in manifests if item["metadata"]["name"].startswith("editing")
    }
    expected = {
        (kind, name)
        for name in ("editing", "editing-work")
        for kind in ("Deployment", "Service", "ServiceAccount", "PodDisruptionBudget", "NetworkPolicy")
    }
    assert expected <= made
    assert "editing" in str(find(manifests, "NetworkPolicy", "library")["spec"]["ingress"])


def test_rows_overrule_defaults_with_false_and_nothing(tmp_path: Path) -> None:
    row = {"api": {"autoscaling": {"enabled": False}, "replicas": 0}}
    manifests = render("prod", values={"services": {"auth": row}}, folder=tmp_path)
    assert find(manifests, "Deployment", "auth")["spec"]["replicas"] == 0
    assert "auth" not in {item["metadata"]["name"] for item in of_kind(manifests, "HorizontalPodAutoscaler")}


@pytest.mark.parametrize(
    ("gpu", "limit"),
    [
        ({"enabled": True}, ("nvidia.com/gpu", 1)),
        ({"enabled": True, "resource": "nvidia.com/mig-1g.10gb", "count": 2}, ("nvidia.com/mig-1g.10gb", 2)),
        ({"enabled": True, "resource": "nvidia.com/gpu.shared"}, ("nvidia.com/gpu.shared", 1)),
    ],
)
def test_a_gpu_or_a_slice_of_one_is_asked_for(tmp_path: Path, gpu: dict[str, Any], limit: tuple[str, int]) -> None:
    triton = pod_of(find(render("gpu", values={"triton": {"gpu": gpu}}, folder=tmp_path), "Deployment", "triton"))
    assert triton["containers"][0]["resources"]["limits"][limit[0]] == limit[1]
    assert triton["nodeSelector"]
    assert triton["tolerations"]
    assert triton["containers"][0]["image"].split("praxiscope-")[1].startswith("triton-gpu:")
    assert triton["initContainers"][0]["command"][2:4] == ["models.repository", "fetch"]
