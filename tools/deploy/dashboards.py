"""The dashboards as code. `make manifests` writes them as Grafana reads them into `deploy/helm/praxiscope/files/dashboards`.

A panel is there to answer a question, which stands in it; runbooks (docs/runbooks) name panels by their titles.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_WIDTH, _HEIGHT, _COLUMNS = 12, 8, 2
_SOURCE = {"type": "prometheus", "uid": "${source}"}
_FAILED = 'status=~"5..|INTERNAL|UNKNOWN|UNAVAILABLE|DATA_LOSS|DEADLINE_EXCEEDED"'


@dataclass(frozen=True, kw_only=True)
class Query:
    """One query of a panel.

    Attributes:
        expression: PromQL.
        legend: What its lines are called.
    """

    expression: str
    legend: str


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One picture.

    Attributes:
        title: Its title.
        question: What it answers.
        unit: Grafana's name of the unit.
        queries: What it shows.
    """

    title: str
    question: str
    unit: str
    queries: tuple[Query, ...]


@dataclass(frozen=True, kw_only=True)
class Dashboard:
    """A page of panels.

    Attributes:
        name: Its file's name.
        title: Its title.
        panels: Its panels, row by row.
    """

    name: str
    title: str
    panels: tuple[Panel, ...]


def _panel(title: str, question: str, unit: str, *queries: tuple[str, str]) -> Panel:
    return Panel(
        title=title,
        question=question,
        unit=unit,
        queries=tuple(Query(expression=expression, legend=legend) for expression, legend in queries),
    )


DASHBOARDS = (
    Dashboard(
        name="overview",
        title="Praxiscope: overview",
        panels=(
            _panel("Parts up", "Which parts answer?", "none", ("sum by (job) (up)", "{{job}}")),
            _panel("Calls", "How much is asked of each service?", "reqps", ("job:api_requests:rate5m", "{{job}}")),
            _panel(
                "Failed calls",
                "Which service fails, and how often?",
                "percentunit",
                ("job:api_failures:ratio5m", "{{job}}"),
            ),
            _panel(
                "Budget of failures",
                "How fast does the month's budget burn, over an hour and over three days?",
                "none",
                ("gateway:failures:ratio_rate1h / 0.001", "one hour"),
                ("gateway:failures:ratio_rate3d / 0.001", "three days"),
            ),
            _panel("Queues", "What waits, and where?", "none", ("queue:length:max", "{{queue}}")),
            _panel(
                "Memory",
                "Who is close to the limit?",
                "percentunit",
                (
                    "max by (pod, container) (container_memory_working_set_bytes)"
                    ' / max by (pod, container) (kube_pod_container_resource_limits{resource="memory"})',
                    "{{pod}} {{container}}",
                ),
            ),
            _panel(
                "Processors",
                "Who is busy?",
                "none",
                ("sum by (pod) (rate(container_cpu_usage_seconds_total[5m]))", "{{pod}}"),
            ),
            _panel(
                "Restarts",
                "What does not stay up?",
                "none",
                ("sum by (pod) (increase(kube_pod_container_status_restarts_total[15m]))", "{{pod}}"),
            ),
        ),
    ),
    Dashboard(
        name="api",
        title="Praxiscope: calls",
        panels=(
            _panel(
                "Requests by path",
                "What is asked of the gateway?",
                "reqps",
                ('sum by (endpoint) (rate(api_requests_total{job="gateway"}[5m]))', "{{endpoint}}"),
            ),
            _panel(
                "Answers by status",
                "What does the gateway answer?",
                "reqps",
                ('sum by (status) (rate(api_requests_total{job="gateway"}[5m]))', "{{status}}"),
            ),
            _panel(
                "Slowest twentieth",
                "Which service makes callers wait?",
                "s",
                ("job:api_latency:p95_5m", "{{job}}"),
            ),
            _panel(
                "Failures by method",
                "Which method fails, and with what?",
                "reqps",
                (
                    f"sum by (job, endpoint, status) (rate(api_requests_total{{{_FAILED}}}[5m]))",
                    "{{job}} {{endpoint}} {{status}}",
                ),
            ),
            _panel(
                "Duration by method",
                "Which method is slow?",
                "s",
                (
                    "histogram_quantile(0.95, sum by (job, endpoint, le) (rate(api_request_duration_seconds_bucket[5m])))",
                    "{{job}} {{endpoint}}",
                ),
            ),
            _panel(
                "Refused by us",
                "Who is told to come back later?",
                "reqps",
                (
                    'sum by (job) (rate(api_requests_total{status=~"429|RESOURCE_EXHAUSTED"}[5m]))'
                    " or 0 * sum by (job) (rate(api_requests_total[5m]))",
                    "{{job}}",
                ),
            ),
        ),
    ),
    Dashboard(
        name="inference",
        title="Praxiscope: looking at pictures",
        panels=(
            _panel(
                "Pictures a second",
                "How much is looked at?",
                "none",
                ("sum by (stage) (rate(frames_total[5m]))", "{{stage}}"),
            ),
            _panel(
                "Queues by priority",
                "Does work wait, and whose?",
                "none",
                ("max by (queue, priority) (queue_length)", "{{queue}} {{priority}}"),
            ),
            _panel("Oldest job", "How late is the work?", "s", ("max by (queue) (queue_oldest_seconds)", "{{queue}}")),
            _panel(
                "Attempts",
                "How many attempts end, and how?",
                "none",
                ("sum by (task, outcome) (rate(job_duration_seconds_count[5m]))", "{{task}} {{outcome}}"),
            ),
            _panel(
                "Attempts' duration",
                "How long does work take?",
                "s",
                ("histogram_quantile(0.95, sum by (task, le) (rate(job_duration_seconds_bucket[15m])))", "{{task}}"),
            ),
            _panel(
                "Workers",
                "Are there enough of them?",
                "none",
                ('kube_deployment_status_replicas_available{deployment=~".*-work"}', "{{deployment}}"),
            ),
        ),
    ),
    Dashboard(
        name="models",
        title="Praxiscope: models",
        panels=(
            _panel(
                "Answers by model",
                "How much is each model asked?",
                "reqps",
                ("sum by (model) (rate(nv_inference_request_success[5m]))", "{{model}}"),
            ),
            _panel(
                "Failures by model",
                "Which model fails?",
                "reqps",
                ("sum by (model) (rate(nv_inference_request_failure[5m]))", "{{model}}"),
            ),
            _panel(
                "Slowest twentieth by model",
                "How long do we wait for each model?",
                "s",
                ("model:inference_latency:p95_5m", "{{model}}"),
            ),
            _panel(
                "Requests that wait",
                "Is the model server behind?",
                "none",
                ("sum by (model) (rate(nv_inference_queue_duration_us[5m])) / 1e6", "{{model}}"),
            ),
            _panel(
                "Computing",
                "How busy does each model keep its instances?",
                "none",
                ("sum by (model) (rate(nv_inference_compute_infer_duration_us[5m])) / 1e6", "{{model}}"),
            ),
            _panel(
                "GPU",
                "Is the GPU busy, and is its memory full?",
                "percent",
                ("max by (pod, gpu) (DCGM_FI_DEV_GPU_UTIL)", "{{pod}} busy"),
                (
                    "100 * max by (pod, gpu) (DCGM_FI_DEV_FB_USED) / (max by (pod, gpu) (DCGM_FI_DEV_FB_USED) + max by (pod, gpu) (DCGM_FI_DEV_FB_FREE))",
                    "{{pod}} memory",
                ),
            ),
        ),
    ),
    Dashboard(
        name="business",
        title="Praxiscope: what it is used for",
        panels=(
            _panel(
                "Analyses an hour",
                "How many videos are analysed?",
                "none",
                (
                    '3600 * sum by (task, outcome) (rate(job_duration_seconds_count{outcome="succeeded"}[1h]))',
                    "{{task}}",
                ),
            ),
            _panel(
                "Hours of work an hour",
                "What does each kind of work cost?",
                "none",
                ("sum by (task) (rate(job_duration_seconds_sum[1h]))", "{{task}}"),
            ),
            _panel(
                "Uploads",
                "How much comes in?",
                "reqps",
                ('sum(rate(api_requests_total{job="gateway", endpoint=~"/v1/projects/./uploads.*"}[1h]))', "uploads"),
            ),
            _panel(
                "Calls by area",
                "What is used?",
                "reqps",
                ('sum by (job) (rate(api_requests_total{job!="gateway"}[1h]))', "{{job}}"),
            ),
            _panel(
                "Processors by part",
                "What does each part cost?",
                "none",
                ('sum by (container) (rate(container_cpu_usage_seconds_total{container!=""}[1h]))', "{{container}}"),
            ),
        ),
    ),
)


def dashboard_files() -> Mapping[str, str]:
    """Returns each dashboard as Grafana reads it, by its file's name."""
    return {f"{dashboard.name}.json": json.dumps(_grafana(dashboard), indent=1) + "\n" for dashboard in DASHBOARDS}


def _grafana(dashboard: Dashboard) -> dict[str, Any]:
    return {
        "uid": f"praxiscope-{dashboard.name}",
        "title": dashboard.title,
        "tags": ["praxiscope"],
        "schemaVersion": 39,
        "timezone": "utc",
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [{"name": "source", "type": "datasource", "query": "prometheus"}]},
        "panels": [_grafana_panel(index, panel) for index, panel in enumerate(dashboard.panels)],
    }


def _grafana_panel(index: int, panel: Panel) -> dict[str, Any]:
    return {
        "id": index + 1,
        "type": "timeseries",
        "title": panel.title,
        "description": panel.question,
        "datasource": _SOURCE,
        "gridPos": {"h": _HEIGHT, "w": _WIDTH, "x": _WIDTH * (index % _COLUMNS), "y": _HEIGHT * (index // _COLUMNS)},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": _targets(panel.queries),
    }


def _targets(queries: Sequence[Query]) -> list[dict[str, Any]]:
    return [
        {"refId": chr(ord("A") + index), "datasource": _SOURCE, "expr": query.expression, "legendFormat": query.legend}
        for index, query in enumerate(queries)
    ]
