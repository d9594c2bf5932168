"""A Prometheus of the test's own that scrapes a local stack as the operator has it scrape a cluster: the chart's ServiceMonitor, rules and labels."""

import copy
import json
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.support.deploy import rendered
from tools.deploy.render import CHART, NAMESPACE, Manifest, load, of_kind, program
from tools.devstack.settings import PORTS

RULES = CHART / "files" / "rules.yaml"
_METRICS_PORT = "http-metrics"
_INTERVAL_S = 1  # the chart's is 15; a test does not wait so long for the second look that a rate needs
_START_TIMEOUT_S = 20.0
_QUERY_TIMEOUT_S = 10.0


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One answer to a query.

    Attributes:
        labels: Its labels.
        value: Its value.
    """

    labels: dict[str, str]
    value: float


@dataclass(frozen=True, kw_only=True)
class Prometheus:
    """A Prometheus that runs.

    Attributes:
        url: Its address.
    """

    url: str

    def ask(self, expression: str) -> list[Sample]:
        """Returns what an expression gives now."""
        answer = httpx.get(f"{self.url}/api/v1/query", params={"query": expression}, timeout=_QUERY_TIMEOUT_S).json()
        assert answer["status"] == "success", f"{expression}: {answer.get('error')}"
        return [Sample(labels=item["metric"], value=float(item["value"][1])) for item in answer["data"]["result"]]

    def targets(self) -> dict[str, str]:
        """Returns the health of what is scraped, by job."""
        answer = httpx.get(f"{self.url}/api/v1/targets", params={"state": "active"}, timeout=_QUERY_TIMEOUT_S).json()
        return {item["labels"]["job"]: item["health"] for item in answer["data"]["activeTargets"]}


def scrape_configs(manifests: Sequence[Manifest], *, port_offset: int) -> list[dict[str, Any]]:
    """Returns what the operator makes of the chart's ServiceMonitor, with the local stack's processes in the place of pods.

    Source: prometheus-operator v0.85, pkg/prometheus/promcfg.go: the labels that each target gets, then the monitor's own relabelings.
    """
    (monitor,) = of_kind(manifests, "ServiceMonitor")
    (endpoint,) = monitor["spec"]["endpoints"]
    wanted = monitor["spec"]["selector"]["matchLabels"].items()
    job_label = f"__meta_kubernetes_service_label_{_label(monitor['spec']['jobLabel'])}"
    relabelings: list[dict[str, Any]] = [
        {"source_labels": ["__meta_kubernetes_namespace"], "target_label": "namespace"},
        {"source_labels": ["__meta_kubernetes_service_name"], "target_label": "service"},
        {"source_labels": ["__meta_kubernetes_pod_name"], "target_label": "pod"},
        {"source_labels": ["__meta_kubernetes_pod_container_name"], "target_label": "container"},
        {"source_labels": ["__meta_kubernetes_service_name"], "target_label": "job", "replacement": "${1}"},
        {"source_labels": [job_label], "target_label": "job", "regex": "(.+)", "replacement": "${1}"},
        {"target_label": "endpoint", "replacement": endpoint["port"]},
        *(_relabeling(item) for item in endpoint.get("relabelings", [])),
    ]
    targets = []
    for service in of_kind(manifests, "Service"):
        name, labels = service["metadata"]["name"], service["metadata"]["labels"]
        has_port = any(port["name"] == endpoint["port"] for port in service["spec"]["ports"])
        if not (wanted <= labels.items() and has_port and f"{name}-metrics" in PORTS):
            continue
        discovered = {f"__meta_kubernetes_service_label_{_label(key)}": value for key, value in labels.items()}
        discovered |= {
            "__meta_kubernetes_namespace": NAMESPACE,
            "__meta_kubernetes_service_name": name,
            "__meta_kubernetes_pod_name": f"{name}-0",
            "__meta_kubernetes_pod_container_name": name,
        }
        targets.append({"targets": [f"127.0.0.1:{PORTS[f'{name}-metrics'] + port_offset}"], "labels": discovered})
    return [
        {
            "job_name": f"serviceMonitor/{NAMESPACE}/{monitor['metadata']['name']}/0",
            "honor_labels": endpoint.get("honorLabels", False),
            "metrics_path": endpoint.get("path", "/metrics"),
            "static_configs": targets,
            "relabel_configs": relabelings,
        }
    ]


def _label(name: str) -> str:
    return "".join(character if character.isalnum() else "_" for character in name)


def _relabeling(item: dict[str, Any]) -> dict[str, Any]:
    """Returns one of the monitor's relabelings as Prometheus spells it."""
    names = {"sourceLabels": "source_labels", "targetLabel": "target_label"}
    return {names.get(key, key): value for key, value in item.items()}


@contextmanager
def run_prometheus(folder: Path, *, port_offset: int, exporters: str) -> Iterator[Prometheus]:
    """Runs Prometheus over a local stack until the end of the block.

    Args:
        folder: Where it keeps what it sees.
        port_offset: The stack's.
        exporters: `host:port` of a page with the series of what a cluster has and a local stack has not.
    """
    rules = copy.deepcopy(load(RULES.read_text(encoding="utf-8"))[0])
    for group in rules["groups"]:
        group["interval"] = f"{_INTERVAL_S}s"
    (folder / "rules.yaml").write_text(yaml.safe_dump(rules), encoding="utf-8")
    page = {"targets": [exporters], "labels": {"exported_by": "others"}}
    others = {"job_name": "exporters", "honor_labels": True, "static_configs": [page]}
    config = {
        "global": {"scrape_interval": f"{_INTERVAL_S}s", "scrape_timeout": f"{_INTERVAL_S}s"},
        "rule_files": ["rules.yaml"],
        "scrape_configs": [*scrape_configs(rendered("prod"), port_offset=port_offset), others],
    }
    (folder / "prometheus.yaml").write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [
        program("prometheus"),
        f"--config.file={folder / 'prometheus.yaml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}",
    ]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _await_ready(process, f"http://{address}/-/ready", folder / "prometheus.log")
        yield Prometheus(url=f"http://{address}")
    finally:
        process.terminate()
        process.wait(_START_TIMEOUT_S)


def _await_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline_s = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline_s and process.poll() is None:
        try:
            if httpx.get(url, timeout=1).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"Prometheus is not ready:\n{log.read_text(encoding='utf-8', errors='replace')[-3000:]}")
