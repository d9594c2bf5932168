"""The operator as the chart makes it where it is asked for: what it may ask, who reaches whom, what its settings say."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import jsonschema_rs
import pytest

from operator_service.config import read_config
from operator_service.core.batch import PodSettings, batch_spec, batch_status, job_document
from operator_service.core.resources import Owner, rollout_spec, rollout_status
from operator_service.core.rollout import Phase, Progress
from praxiscope_common.service_calls import CALLS
from tests.support.deploy import find, pod_of
from tests.support.deploy_network import reachable
from tests.support.deploy_schemas import problems
from tools.deploy.render import CHART, PROFILES, Manifest, load, of_kind, render
from tools.devstack.settings import PORTS

METRICS_PORT = 7494
LABELS = {
    "app.kubernetes.io/name": "batch-analysis",
    "app.kubernetes.io/part-of": "praxiscope",
    "app.kubernetes.io/instance": "praxiscope",
}


@cache
def with_operator(profile: str) -> tuple[Manifest, ...]:
    with TemporaryDirectory() as folder:
        return tuple(render(profile, values={"operator": {"enabled": True}}, folder=Path(folder)))


@pytest.mark.parametrize("profile", PROFILES)
def test_every_object_fits_its_schema(profile: str) -> None:
    assert [problem for item in with_operator(profile) for problem in problems(item, "1.35.0")] == []


def test_its_role_names_verbs_one_by_one_and_touches_no_secret() -> None:
    role = find(with_operator("light"), "Role", "operator")
    for rule in role["rules"]:
        assert "*" not in (*rule["verbs"], *rule["resources"], *rule["apiGroups"])
        assert "secrets" not in rule["resources"]
        assert not {"delete", "deletecollection", "escalate", "bind", "impersonate"} & set(rule["verbs"])
    assert not [item for item in of_kind(with_operator("light"), "ClusterRole", "ClusterRoleBinding")]


def test_who_reaches_whom() -> None:
    batch_pod = {"kind": "Pod", "metadata": {"name": "batch", "namespace": "praxiscope", "labels": LABELS}, "spec": {}}
    ports = sorted({*PORTS.values(), METRICS_PORT, 53, 443, 5432, 6443, 8333})
    edges = reachable([*with_operator("light"), batch_pod], ports)
    ours = {edge for edge in edges if {"operator", "batch-analysis"} & set(edge[:2])}
    api_server = {
        ("operator", name, port) for name in ("api-server", "database", "s3", "backup") for port in (443, 6443)
    }
    assert ours == api_server | {
        ("operator", "auth", PORTS["auth"]),
        ("operator", "vision-inference", PORTS["vision-inference"]),
        ("operator", "dns", 53),
        ("prometheus", "operator", METRICS_PORT),
        ("batch-analysis", "gateway", PORTS["gateway"]),
        ("batch-analysis", "dns", 53),
    }


def test_the_mesh_lets_it_call_what_its_code_calls() -> None:
    principal = "cluster.local/ns/praxiscope/sa/operator"
    allowed: set[str] = set()
    for policy in of_kind(with_operator("prod"), "AuthorizationPolicy"):
        for rule in policy["spec"].get("rules", []):
            if principal in rule["from"][0]["source"]["principals"]:
                allowed |= set(rule["to"][0]["operation"].get("paths", []))
    assert {path for path in allowed if "TokenService" not in path and "Export" not in path} == CALLS["operator"]


def test_its_program_takes_what_the_chart_tells_it(tmp_path: Path) -> None:
    container = pod_of(find(with_operator("light"), "Deployment", "operator"))["containers"][0]
    key = tmp_path / "private.pem"
    key.write_text("key", encoding="utf-8")
    environ = {entry["name"]: entry.get("value", "operator-0") for entry in container["env"]}
    environ |= {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "PRAXISCOPE_OPERATOR_PRIVATE_KEY_FILE": str(key)}
    config = read_config(environ)
    assert config.pod_name == "operator-0"
    assert config.pods.image.endswith("/praxiscope-operator:0.1.0")
    assert config.service.metrics_port == METRICS_PORT
    told = {name for name in environ if name.startswith("PRAXISCOPE_OPERATOR_")}
    source = Path(read_config.__code__.co_filename).read_text(encoding="utf-8")
    unread = {name for name in told if not re.search(rf'"{name.removeprefix("PRAXISCOPE_OPERATOR_")}"', source)}
    assert unread <= {f"PRAXISCOPE_OPERATOR_{name}" for name in _OF_EVERY_SERVICE}


_OF_EVERY_SERVICE = ("LOG_LEVEL", "METRICS_HOST", "METRICS_PORT", "OTLP_ENDPOINT", "PRIVATE_KEY_FILE", "AUTH_ADDRESS")
OWNER = Owner(kind="BatchAnalysis", name="study", uid="0123456789abcdef", generation=1)
VIDEO = f"projects/abc/assets/{'a' * 26}/versions/1"
BATCH: dict[str, Any] = {"spec": {"videos": [VIDEO], "apiKeySecret": {"name": "key"}}}
MODEL: dict[str, Any] = {"metadata": {"generation": 2}, "spec": {"model": "centernet", "version": 2, "memoryMiB": 64}}


def _schema(kind: str) -> jsonschema_rs.Draft202012Validator:
    """Returns a definition's schema, closed: a status that it does not name would be dropped by the API server."""
    (definition,) = load((CHART / "crds" / f"{kind}.yaml").read_text(encoding="utf-8"))
    return jsonschema_rs.Draft202012Validator(_closed(definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]))


def _closed(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items() if not key.startswith("x-")}
    closed.pop("format", None)
    if "properties" in schema:
        closed["properties"] = {name: _closed(value) for name, value in schema["properties"].items()}
        closed["additionalProperties"] = False
    return closed


def test_what_the_operator_writes_and_reads_fits_the_definitions() -> None:
    spec = batch_spec(BATCH)
    results = [{"index": 0, "video": VIDEO, "state": "Failed", "reason": "X", "message": "y", "operation": "z"}]
    status = batch_status(OWNER, {"status": {"active": 1}}, results, {}, "2026-01-01T00:00:00Z")
    assert list(_schema("batchanalyses").iter_errors({"spec": BATCH["spec"], "status": status})) == []
    progress = Progress(generation=2, phase=Phase.ROLLING_OUT)
    rolling = rollout_status(progress, percent=5, instances=["a"], before={}, now="2026-01-01T00:00:00Z")
    assert list(_schema("inferencemodels").iter_errors({"spec": MODEL["spec"], "status": rolling})) == []
    assert rollout_spec(MODEL).version == 2
    assert list(_schema("inferencemodels").iter_errors({"spec": {**MODEL["spec"], "memory": 5}}))
    job = job_document(OWNER, spec, PodSettings(image="i", pull_policy="Always", gateway_url="http://gateway:7400"))
    assert problems(job, "1.35.0") == []
    assert job["spec"]["template"]["metadata"]["labels"].items() >= LABELS.items()
