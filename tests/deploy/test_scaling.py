"""Autoscalers ask what there is to be asked: KEDA's own keys, a query that PostgreSQL takes, and numbers that mean what they say."""

import copy
import json
import math
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from functools import cache
from typing import Any

import psycopg
import pytest

from tests.support.deploy import SERVICES, VALUES, find, rendered
from tests.support.postgres import PostgresServer
from tools.deploy.render import TOOLS, Manifest, of_kind

SCALED = [
    pytest.param(item, id=f"{profile}-{item['metadata']['name']}")
    for profile in ("gpu", "prod")
    for item in of_kind(rendered(profile), "ScaledObject")
]


@cache
def scalers() -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for scaler in json.loads((TOOLS / "keda" / "scalers-schema.json").read_text())["scalers"]:
        found.setdefault(scaler["type"], []).extend(scaler["parameters"])
    return found


def problems(scaled: Manifest) -> Iterator[str]:
    """Yields what is wrong with the triggers' keys, which the CRD takes whatever they are."""
    for index, trigger in enumerate(scaled["spec"]["triggers"]):
        if trigger["type"] not in scalers():
            yield f"triggers/{index}: there is no scaler {trigger['type']}"
            continue
        parameters = scalers()[trigger["type"]]
        known = {item["name"] for item in parameters if item.get("metadataVariableReadable")}
        known |= {f"{item['name']}FromEnv" for item in parameters if item.get("envVariableReadable")}
        needed = {
            item["name"]
            for item in parameters
            if not item.get("optional")
            and item.get("metadataVariableReadable")
            and not item.get("triggerAuthenticationVariableReadable")
        }
        told = set(trigger["metadata"])
        yield from (f"triggers/{index}/metadata/{name}: unknown" for name in sorted(told - known))
        yield from (f"triggers/{index}/metadata/{name}: missing" for name in sorted(needed - told))
        yield from (
            f"triggers/{index}/metadata/{name}: no text"
            for name, value in trigger["metadata"].items()
            if not isinstance(value, str)
        )


@pytest.mark.parametrize("scaled", SCALED)
def test_keda_knows_every_key(scaled: Manifest) -> None:
    assert list(problems(scaled)) == []


@pytest.mark.parametrize(("name", "other"), [("targetQueryValue", "targetQueryValu"), ("query", "querie")])
def test_a_key_that_keda_does_not_know_is_refused_with_its_path(name: str, other: str) -> None:
    scaled = copy.deepcopy(find(rendered("prod"), "ScaledObject", "tracking-work"))
    metadata = scaled["spec"]["triggers"][0]["metadata"]
    metadata[other] = metadata.pop(name)
    assert f"triggers/0/metadata/{other}: unknown" in list(problems(scaled))


@pytest.mark.parametrize("scaled", SCALED)
def test_scalers_can_fall_back_and_settle(scaled: Manifest) -> None:
    spec = scaled["spec"]
    assert spec["minReplicaCount"] <= spec["fallback"]["replicas"] <= spec["maxReplicaCount"]
    # KEDA falls back only from values that are shared out among replicas.
    assert {trigger["metricType"] for trigger in spec["triggers"]} == {"AverageValue"}
    behavior = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert behavior["scaleDown"]["stabilizationWindowSeconds"] >= 300
    deployment = find(rendered("prod"), "Deployment", spec["scaleTargetRef"]["name"])
    assert "replicas" not in deployment["spec"]


def test_every_worker_is_scaled_by_its_own_queue() -> None:
    manifests = rendered("prod")
    for service, row in SERVICES.items():
        if "work" not in row:
            continue
        scaled = find(manifests, "ScaledObject", f"{service}-work")
        (trigger,) = scaled["spec"]["triggers"]
        assert f"queue_name = '{service.replace('-', '_')}'" in trigger["metadata"]["query"]
        assert trigger["metadata"]["userName"] == f"praxiscope_{service.replace('-', '_')}"
        reference = find(manifests, "TriggerAuthentication", trigger["authenticationRef"]["name"])
        assert reference["spec"]["secretTargetRef"][0]["name"] == service


def test_prometheus_is_asked_only_where_it_is(profile: str = "light") -> None:
    assert of_kind(rendered(profile), "ScaledObject", "HorizontalPodAutoscaler") == []
    queries = [
        trigger["metadata"]["query"] for trigger in find(rendered("gpu"), "ScaledObject", "triton")["spec"]["triggers"]
    ]
    assert any("nv_inference_queue_duration_us" in query for query in queries)
    assert any("DCGM_FI_DEV_GPU_UTIL" in query for query in queries)


@pytest.mark.parametrize(
    ("waiting", "running", "oldest_s", "expected"),
    [(0, 0, 0, 0), (3, 0, 1, 3), (3, 2, 1, 5), (1, 0, 601, 11), (0, 4, 9999, 4), (20, 0, 61, 20)],
)
def test_the_query_counts_jobs_and_how_long_they_have_waited(
    postgres: PostgresServer, database: str, waiting: int, running: int, oldest_s: int, expected: int
) -> None:
    trigger = find(rendered("prod"), "ScaledObject", "tracking-work")["spec"]["triggers"][0]["metadata"]
    now = datetime.now(timezone.utc)
    with psycopg.connect(postgres.superuser(database), autocommit=True) as connection:
        connection.execute("SET search_path TO jobs")  # for what inserting sets off; the query needs none
        for index, status in enumerate([*["todo"] * waiting, *["doing"] * running, "succeeded", "failed"]):
            age_s = oldest_s if index == 0 or status == "doing" else 0
            _insert(connection, "tracking", status, now - timedelta(seconds=age_s), f"t{index}")
        _insert(connection, "rendering", "todo", now - timedelta(hours=5), "other")
        connection.execute("RESET search_path")
        (value,) = connection.execute(trigger["query"].encode()).fetchone()  # type: ignore[misc]  one row
    assert float(value) == expected
    assert math.ceil(float(value) / int(trigger["targetQueryValue"])) == math.ceil(
        expected / VALUES["defaults"]["work"]["autoscaling"]["jobs"]
    )


def _insert(connection: psycopg.Connection[Any], queue: str, status: str, created: datetime, name: str) -> None:
    row = connection.execute(
        "INSERT INTO jobs.procrastinate_jobs (queue_name, task_name, status, args) VALUES (%s, 'work', %s::jobs.procrastinate_job_status, '{}') RETURNING id",
        [queue, status],
    ).fetchone()
    connection.execute(
        "INSERT INTO jobs.operation (operation_id, project_id, service, method, target, creator, permissions, request, request_sha256, priority, state,"
        " max_attempts, create_time, job_id) VALUES (%s, 'p', %s, 'm', 't', 'c', '{}', '', '', 0, 'queued', 8, %s, %s)",
        [f"{queue}-{name}", queue, created, row[0] if row else None],
    )
