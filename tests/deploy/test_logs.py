"""Logs into Elasticsearch: what Fluent Bit is told reads our lines, sends what is listed and no more, and is bounded. Fluent Bit is not run here."""

import ast
import copy
import fnmatch
import json
import logging
import re
import subprocess
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from typing import Any

import pytest

from praxiscope_common.telemetry.logs import JsonFormatter
from tests.support.deploy import containers_of, find, pod_of
from tests.support.deploy_schemas import KUBERNETES, problems
from tools.deploy.render import NAMESPACE, Manifest, load, of_kind, program
from tools.devstack.settings import CHECKOUT

FOLDER = CHECKOUT / "deploy" / "logs"
# What may hold words of whoever sent something, and is not sent on.
WORDS = {"error", "why", "exception", "stack", "problem", "stderr"}
ADDED = {"pod", "namespace", "container", "node"}
CONTAINER = "a" * 64
_MIB = {"k": 1 / 1024, "M": 1.0, "Mi": 1.0, "Gi": 1024.0}


@cache
def _built() -> str:
    command = [program("kubectl"), "kustomize", "deploy/logs"]
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=CHECKOUT).stdout


def built() -> list[Manifest]:
    return load(_built())


def config(name: str = "fluent-bit") -> dict[str, Any]:
    return load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))[0]


def filters(name: str) -> list[dict[str, Any]]:
    return [item for item in config()["pipeline"]["filters"] if item["name"] == name]


def allowed() -> list[str]:
    (found,) = [item["allowlist_key"] for item in filters("record_modifier") if "allowlist_key" in item]
    return found


def size_mib(text: str) -> float:
    number, unit = re.fullmatch(r"(\d+)(\w+)", text).groups()  # type: ignore[union-attr]
    return int(number) * _MIB[unit]


def written() -> Iterator[str]:
    """Yields every field that a line of ours may have: the formatter's, those of `extra=` in the code, and those of the gateway's slog."""
    yield from ("severity", "service", "logger", "message", "request_id", "trace_id", "span_id", "exception")
    for root in ("libs", "services"):
        for path in (CHECKOUT / root).rglob("src/**/*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.keyword) and node.arg == "extra" and isinstance(node.value, ast.Dict):
                    yield from (str(ast.literal_eval(key)) for key in node.value.keys if key is not None)
    for path in (CHECKOUT / "services/gateway").rglob("*.go"):
        if not path.name.endswith("_test.go"):
            for call in re.findall(r"slog\.(?:Debug|Info|Warn|Error)\((.*?)\)\n", path.read_text("utf-8"), re.DOTALL):
                yield from re.findall(r', ?\s*"(\w+)",', call)


def record_of(line: str, *, name: str = f"gateway-5d4-x_{NAMESPACE}_gateway-{CONTAINER}.log") -> dict[str, Any] | None:
    """Does with a line what Fluent Bit is told to: the same patterns, formats and lists; None is what is not sent."""
    (tail,) = config()["pipeline"]["inputs"]
    file = f"/var/log/containers/{name}"
    if not fnmatch.fnmatch(file, tail["path"]):
        return None
    parsers = {item["name"]: item for item in config("parsers")["parsers"]}
    place = re.fullmatch(parsers["place"]["regex"].replace("(?<", "(?P<"), file)
    assert place is not None
    record: dict[str, Any] = {"log": line, "file": file, **place.groupdict()}
    try:
        document = json.loads(line)
    except ValueError:
        document = None
    if isinstance(document, dict):
        record = {key: value for key, value in record.items() if key != "log"} | document
        stamp = record.pop(parsers["praxiscope"]["time_key"])
        shown = re.sub(r"(\.\d{1,6})\d*", r"\1", stamp)  # %L takes nanoseconds, Python microseconds
        record["@timestamp"] = datetime.strptime(shown, parsers["praxiscope"]["time_format"].replace(".%L", ".%f"))
    (grep,) = filters("grep")
    key, _, pattern = grep["regex"].partition(" ")
    if not re.search(pattern, str(record.get(key, ""))):
        return None
    record["node"] = "one"
    return {key: value for key, value in record.items() if key in {*allowed(), "@timestamp"}}


@pytest.mark.parametrize("kubernetes", KUBERNETES)
def test_every_object_fits_its_schema(kubernetes: str) -> None:
    assert {item["kind"] for item in built()} == {
        "Namespace",
        "ServiceAccount",
        "DaemonSet",
        "NetworkPolicy",
        "ConfigMap",
    }
    assert [problem for item in built() for problem in problems(item, kubernetes)] == []
    wrong = copy.deepcopy(find(built(), "DaemonSet", "fluent-bit"))
    wrong["spec"]["template"]["spec"]["toleration"] = []
    assert "toleration" in problems(wrong, kubernetes)[0]


def test_it_reads_the_node_and_may_nothing_else() -> None:
    pod = pod_of(find(built(), "DaemonSet", "fluent-bit"))
    assert pod["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
    (container,) = containers_of(find(built(), "DaemonSet", "fluent-bit"))
    assert container["securityContext"] == {
        "runAsUser": 0,
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    mounts = {mount["name"]: mount for mount in container["volumeMounts"]}
    hosts = {volume["name"]: volume["hostPath"]["path"] for volume in pod["volumes"] if "hostPath" in volume}
    assert hosts == {"logs": "/var/log", "state": "/var/lib/praxiscope-logs"}
    assert mounts["logs"]["readOnly"] is True
    assert not of_kind(built(), "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding")
    assert re.search(r":\d+\.\d+\.\d+$", container["image"])


def test_what_it_is_told_is_what_lies_here_and_a_change_is_rolled_out() -> None:
    (told,) = of_kind(built(), "ConfigMap")
    volumes = pod_of(find(built(), "DaemonSet", "fluent-bit"))["volumes"]
    assert re.fullmatch(r"fluent-bit-\w{10}", told["metadata"]["name"])
    assert {"name": "config", "configMap": {"name": told["metadata"]["name"]}} in volumes
    assert set(told["data"]) == {"fluent-bit.yaml", "output.yaml", "parsers.yaml"}
    assert config()["includes"] == ["output.yaml"]
    assert config()["service"]["parsers_file"] == "parsers.yaml"
    names = {item["parser"] for item in filters("parser")}
    assert names == {item["name"] for item in config("parsers")["parsers"]}


def test_what_waits_is_bounded_on_disk_and_in_memory() -> None:
    (tail,) = config()["pipeline"]["inputs"]
    (output,) = config("output")["pipeline"]["outputs"]
    (container,) = containers_of(find(built(), "DaemonSet", "fluent-bit"))
    assert tail["storage.type"] == "filesystem"
    assert size_mib(output["storage.total_limit_size"]) <= 1024
    memory = size_mib(tail["mem_buf_limit"]) + size_mib(config()["service"]["storage.backlog.mem_limit"])
    assert memory <= size_mib(container["resources"]["limits"]["memory"]) / 2
    state = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}["state"]
    assert config()["service"]["storage.path"].startswith(f"{state}/")
    assert tail["db"].startswith(f"{state}/")
    assert output["retry_limit"] == "no_limits", "what goes is said by the bound alone"


def test_credentials_come_from_a_secret_and_the_way_is_encrypted() -> None:
    (output,) = config("output")["pipeline"]["outputs"]
    (container,) = containers_of(find(built(), "DaemonSet", "fluent-bit"))
    kept = {item["name"] for item in container["env"] if "secretKeyRef" in item["valueFrom"]}
    assert {output["http_user"], output["http_passwd"]} == {f"${{{name}}}" for name in kept}
    assert (output["tls"], output["tls.verify"]) == (True, True)
    (policy,) = of_kind(built(), "NetworkPolicy")
    ports = {port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]}
    assert ports == {53, output["port"]}
    assert all(rule.get("to") for rule in policy["spec"]["egress"])


def test_every_field_that_we_write_is_sent_or_known_to_hold_words() -> None:
    fields = set(written())
    assert {"elapsed_ms", "operation_id", "exit_code", "stack"} <= fields, "and the code is read"
    assert fields - WORDS - set(allowed()) == set(), (
        "say in deploy/logs/fluent-bit.yaml that it is sent, or here that it is not"
    )
    assert set(allowed()) - fields - ADDED == set(), "nothing writes these"
    assert not WORDS & set(allowed())
    assert len(allowed()) == len(set(allowed()))


def test_a_services_line_arrives_with_its_fields_and_without_words() -> None:
    record = logging.makeLogRecord(
        {"name": "tracking.worker", "levelname": "ERROR", "msg": "job failed", "operation_id": "o1", "error": "Jane's video", "email": "jane@example.org"}
    )  # fmt: skip
    found = record_of(JsonFormatter("tracking").format(record))
    assert found is not None
    stamp = found.pop("@timestamp")
    assert abs(stamp.timestamp() - record.created) < 0.001
    assert found == {
        "severity": "ERROR",
        "service": "tracking",
        "logger": "tracking.worker",
        "message": "job failed",
        "operation_id": "o1",
        "pod": "gateway-5d4-x",
        "namespace": NAMESPACE,
        "container": "gateway",
        "node": "one",
    }


@pytest.mark.parametrize("stamp", ["2026-11-29T08:00:00.123456789Z", "2026-11-29T08:00:00.5+01:00"])
def test_the_gateways_line_arrives_with_its_numbers(stamp: str) -> None:
    line = {
        "time": stamp,
        "severity": "INFO",
        "message": "request",
        "service": "gateway",
        "status": 503,
        "elapsed_ms": 1.5,
    }
    found = record_of(json.dumps(line))
    assert found is not None
    assert (found["status"], found["elapsed_ms"]) == (503, 1.5)
    assert found["@timestamp"].utcoffset() is not None


@pytest.mark.parametrize(
    "line",
    [
        "2026-11-29 08:00:00 UTC DETAIL:  Key (email)=(jane@example.org) already exists.",
        '{"email": "jane@example.org", "time": "2026-11-29T08:00:00.1Z"}',
        '"INFO"',
        "",
    ],
)
def test_a_line_that_is_not_ours_stays_on_the_node(line: str) -> None:
    assert record_of(line) is None


def test_another_namespaces_lines_are_not_read() -> None:
    line = '{"time": "2026-11-29T08:00:00.1Z", "severity": "INFO", "message": "x"}'
    assert record_of(line) is not None
    assert record_of(line, name=f"a_other_praxiscope-{CONTAINER}.log") is None
    assert record_of(line, name=f"a_praxiscope-logs_fluent-bit-{CONTAINER}.log") is None
