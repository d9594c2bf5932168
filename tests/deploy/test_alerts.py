"""Alerts fire when they should and not close beside it, have a page each, and speak of series that are there."""

import copy
import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from praxiscope_common.telemetry.metrics import Metrics
from tests.support.deploy import find, rendered
from tools.deploy.dashboards import DASHBOARDS
from tools.deploy.render import CHART, load, of_kind, program, render
from tools.deploy.scrape import read_series
from tools.devstack.settings import CHECKOUT

RULES = CHART / "files" / "rules.yaml"
TESTS = CHECKOUT / "tests/deploy/rules_test.yaml"
RUNBOOKS = CHECKOUT / "docs/runbooks"
SCRAPE = CHECKOUT / "tests/deploy/scrape.json"
# Series of others, which no local stack has: name, labels, and who exports it.
OUTSIDE: Mapping[str, set[str]] = {
    "up": set(),
    "kube_pod_container_status_restarts_total": {"pod", "container"},
    "kube_pod_container_resource_limits": {"pod", "container", "resource"},
    "kube_deployment_status_replicas_available": {"deployment"},
    "kube_cronjob_status_last_successful_time": {"cronjob"},
    "container_memory_working_set_bytes": {"pod", "container"},
    "container_cpu_usage_seconds_total": {"pod", "container"},
    "kubelet_volume_stats_available_bytes": {"persistentvolumeclaim"},
    "kubelet_volume_stats_capacity_bytes": {"persistentvolumeclaim"},
    "pg_stat_activity_count": {"state"},
    "pg_settings_max_connections": set(),
    "DCGM_FI_DEV_FB_USED": {"pod", "gpu"},
    "DCGM_FI_DEV_FB_FREE": {"pod", "gpu"},
    "DCGM_FI_DEV_GPU_UTIL": {"pod", "gpu"},
}
TARGET = {"namespace", "job", "pod", "instance", "le"}  # what scraping adds, and what a histogram has
OPERATORS = {
    "namespace",
    "service",
    "pod",
    "container",
    "endpoint",
    "job",
    "instance",
}  # of each target of a ServiceMonitor
WORDS = frozenset(
    "sum rate time by max min avg and or unless on ignoring increase histogram_quantile count without topk vector".split()
)


@cache
def rules() -> list[dict[str, Any]]:
    return [rule for group in load(RULES.read_text())[0]["groups"] for rule in group["rules"]]


def names_in(expression: str) -> set[str]:
    """Returns the series an expression speaks of."""
    bare = re.sub(r'"[^"]*"|\{[^}]*\}|\[[^\]]*\]|\b(by|on|without|ignoring)\s*\([^)]*\)', " ", expression)
    return set(re.findall(r"[a-zA-Z_:][a-zA-Z0-9_:]*", bare)) - WORDS - {"e6"}


def labels_in(expression: str) -> dict[str, set[str]]:
    """Returns the labels by which an expression chooses, by series."""
    found: dict[str, set[str]] = {}
    for name, choice in re.findall(r"([a-zA-Z_:][a-zA-Z0-9_:]*)\{([^}]*)\}", expression):
        found.setdefault(name, set()).update(re.findall(r"([a-zA-Z_]\w*)\s*(?:=|!)", re.sub(r'"[^"]*"', '""', choice)))
    return found


@cache
def known() -> dict[str, set[str]]:
    """Returns every series that a scrape has, with its labels: the recorded one, and the services' own registries now."""
    found: dict[str, set[str]] = {name: set(labels) for name, labels in OUTSIDE.items()}
    for names in json.loads(SCRAPE.read_text())["series"].values():
        for name, labels in names.items():
            found.setdefault(name, set()).update(labels)
    found |= {rule["record"]: set() for rule in rules() if "record" in rule}
    return found


def expressions() -> Iterator[tuple[str, str]]:
    """Yields where each expression stands, and the expression."""
    for rule in rules():
        yield rule.get("alert") or rule["record"], rule["expr"]
    for dashboard in DASHBOARDS:
        for panel in dashboard.panels:
            for target in panel.queries:
                yield f"{dashboard.name}: {panel.title}", target.expression
    for profile in ("gpu", "prod"):
        for item in of_kind(rendered(profile), "ScaledObject"):
            for trigger in item["spec"]["triggers"]:
                if trigger["type"] == "prometheus":
                    yield f"scaler {item['metadata']['name']}", trigger["metadata"]["query"]


ALL = sorted(set(expressions()))


@pytest.mark.parametrize(
    ("where", "expression"), [pytest.param(*pair, id=f"{i}-{pair[0]}") for i, pair in enumerate(ALL)]
)
def test_every_series_is_there(where: str, expression: str) -> None:
    assert names_in(expression) - set(known()) == set(), where
    for name, labels in labels_in(expression).items():
        if ":" not in name:
            assert labels - known()[name] - TARGET == set(), where


def test_a_series_that_is_not_there_is_noticed() -> None:
    assert names_in('sum by (job) (rate(api_request_total{status="OK"}[5m]))') - set(known()) == {"api_request_total"}
    assert labels_in('queue_length{que="x"}') == {"queue_length": {"que"}}
    assert "que" not in known()["queue_length"]


def test_names_are_recorded_as_they_stand() -> None:
    text = '# TYPE a counter\na{x="1",y="}{ \\""} 2\nb_total 1e+06\n'
    assert read_series(text) == {"a": ["x", "y"], "b_total": []}


def test_the_recorded_scrape_is_not_older_than_the_registries() -> None:
    recorded = set().union(*(set(names) for names in json.loads(SCRAPE.read_text())["series"].values()))
    own = {metric.name for metric in Metrics().registry.collect()}
    assert {name for name in own if not any(item.startswith(name) for item in recorded)} == set(), (
        "`python -m tools.deploy scrape` records it anew from a running stack"
    )


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program("promtool"), *arguments], check=False, capture_output=True, text=True, cwd=CHECKOUT)


def test_rules_are_rules_and_fire_when_they_should() -> None:
    for command in (("check", "rules", str(RULES)), ("test", "rules", str(TESTS))):
        result = promtool(*command)
        assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("alert", [rule["alert"] for rule in rules() if "alert" in rule])
def test_every_alert_is_tried_and_has_a_page(alert: str) -> None:
    tried = [test for block in load(TESTS.read_text())[0]["tests"] for test in block.get("alert_rule_test", [])]
    assert any(test["alertname"] == alert and test["exp_alerts"] for test in tried), "no test makes it fire"
    (rule,) = [rule for rule in rules() if rule.get("alert") == alert]
    assert rule["annotations"]["runbook_url"] == f"docs/runbooks/{alert}.md"
    page = (RUNBOOKS / f"{alert}.md").read_text(encoding="utf-8")
    assert page.startswith(f"# {alert}\n")
    for heading in ("## What it means", "## Look", "## Do"):
        assert heading in page
    assert rule["labels"]["severity"] in {"warning", "critical"}


def test_every_panel_answers_a_question_of_a_page_and_pages_name_no_others() -> None:
    pages = "\n".join(path.read_text(encoding="utf-8") for path in RUNBOOKS.glob("*.md"))
    named = set(re.findall(r"(?<!\*)\*([A-Z][^*\n]+)\*(?!\*)", pages))
    panels = {panel.title for dashboard in DASHBOARDS for panel in dashboard.panels}
    assert panels - named == set()
    assert named - panels == {"Last State"}, "which kubectl writes"


def test_what_the_operator_adds_hides_no_label_of_ours() -> None:
    """Prometheus moves a label of a scrape out of the way of a target's: by `endpoint` nothing would be found any more."""
    (monitor,) = of_kind(rendered("prod"), "ServiceMonitor")
    (endpoint,) = monitor["spec"]["endpoints"]
    dropped = {item["regex"] for item in endpoint["relabelings"] if item["action"] == "labeldrop"}
    recorded = json.loads(SCRAPE.read_text())["series"].values()
    own = {label for names in recorded for labels in names.values() for label in labels}
    assert own & OPERATORS == {"endpoint"}, "and dropping it is needed"
    assert own & (OPERATORS - dropped) == set()


def test_there_is_no_page_of_an_alert_that_is_gone() -> None:
    pages = {path.stem for path in RUNBOOKS.glob("*.md")} - {"README"}
    assert pages == {rule["alert"] for rule in rules() if "alert" in rule}


@pytest.mark.parametrize(
    ("change", "block"),
    [
        (("0.01 and", "0.10 and"), 0),
        (('status=~"5..|', 'status=~"4..|5..|'), 0),
        (("14.4 * 0.001 and", "1440 * 0.001 and"), 4),
        (("> 300", "> 100"), 5),
    ],
)
def test_a_changed_threshold_is_noticed(tmp_path: Path, change: tuple[str, str], block: int) -> None:
    text = RULES.read_text()
    assert change[0] in text
    (tmp_path / "rules.yaml").write_text(text.replace(*change))
    tests = copy.deepcopy(load(TESTS.read_text())[0])
    tests |= {"rule_files": ["rules.yaml"], "tests": [tests["tests"][block]]}
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump(tests))
    assert promtool("test", "rules", str(tmp_path / "tests.yaml")).returncode != 0


def test_the_operators_rules_are_these(tmp_path: Path) -> None:
    spec = find(rendered("prod"), "PrometheusRule", "praxiscope")["spec"]
    assert spec == load(RULES.read_text())[0]


def test_every_part_is_scraped() -> None:
    manifests = rendered("prod")
    (monitor,) = of_kind(manifests, "ServiceMonitor")
    (endpoint,) = monitor["spec"]["endpoints"]
    for service in of_kind(manifests, "Service"):
        assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
        ports = [port["name"] for port in service["spec"]["ports"]]
        assert endpoint["port"] in ports or service["metadata"]["name"] == "triton-instances", "scraped as `triton`"


@pytest.mark.parametrize("dashboard", [dashboard.name for dashboard in DASHBOARDS])
def test_a_dashboard_is_written_and_every_panel_answers_a_question(dashboard: str) -> None:
    (described,) = [item for item in DASHBOARDS if item.name == dashboard]
    config = find(rendered("prod"), "ConfigMap", f"dashboard-{dashboard}")
    written = json.loads(config["data"][f"{dashboard}.json"])
    assert written["uid"] == f"praxiscope-{dashboard}"
    assert [panel["title"] for panel in written["panels"]] == [panel.title for panel in described.panels]
    for panel in written["panels"]:
        assert panel["description"].endswith("?"), panel["title"]
        assert panel["targets"]


def test_there_are_five_dashboards(tmp_path: Path) -> None:
    assert len(DASHBOARDS) == 5
    assert render("light", values={"monitoring": {"enabled": True}}, folder=tmp_path)
