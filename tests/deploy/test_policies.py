"""What every workload of every profile must have, whatever else it is."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.deploy import (
    PROGRAMS,
    SERVICES,
    VALUES,
    containers_of,
    environment_of,
    everything,
    find,
    labels_of,
    matches,
    pod_of,
    rendered,
)
from tools.deploy.render import PROFILES, Manifest, of_kind, render

PODS = [
    pytest.param(profile, manifest, id=f"{profile}-{manifest['kind']}-{manifest['metadata']['name']}")
    for profile, manifest in everything()
    if manifest["kind"] in (*PROGRAMS, "Pod")
]
LASTING = [case for case in PODS if case.values[1]["kind"] in {"Deployment", "StatefulSet"}]
KEEPERS = frozenset({"make-secrets", "bootstrap"})  # the only ones that call the API server


@pytest.mark.parametrize(("profile", "manifest"), PODS)
def test_pods_fit_pod_security_restricted(profile: str, manifest: Manifest) -> None:
    pod = pod_of(manifest)
    security = pod["securityContext"]
    assert security["runAsNonRoot"] is True
    assert security["runAsUser"] >= 10_000
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
    assert {kind for volume in pod.get("volumes", []) for kind in volume} <= {"name", "secret", "configMap", "emptyDir"}
    for container in containers_of(manifest):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert all("hostPort" not in port for port in container.get("ports", []))


@pytest.mark.parametrize(("profile", "manifest"), PODS)
def test_containers_ask_for_what_they_need_and_are_bounded(profile: str, manifest: Manifest) -> None:
    for container in containers_of(manifest):
        resources = container["resources"]
        assert {"cpu", "memory"} <= set(resources["requests"])
        # No limit on the processor: throttled in the middle of a call it would be slow while the machine is idle.
        assert "memory" in resources["limits"]
        assert _bytes(resources["requests"]["memory"]) <= _bytes(resources["limits"]["memory"])
    for volume in pod_of(manifest).get("volumes", []):
        if "emptyDir" in volume and volume["name"] != "models":
            assert "sizeLimit" in volume["emptyDir"], volume["name"]


def _bytes(quantity: str) -> float:
    number, unit = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", quantity).groups()
    return float(number) * {"": 1, "Mi": 2**20, "Gi": 2**30}[unit]


@pytest.mark.parametrize(("profile", "manifest"), PODS)
def test_images_are_named_exactly(profile: str, manifest: Manifest) -> None:
    for container in containers_of(manifest):
        name, _, tag = container["image"].partition("@")[0].rpartition(":")
        assert name, container["image"]
        assert tag not in {"", "latest"}


def test_an_image_with_a_digest_is_taken_by_it(tmp_path: Any) -> None:
    digest = "sha256:" + "a" * 64
    manifests = render("light", values={"image": {"digests": {"auth": digest}}}, folder=tmp_path)
    (container,) = pod_of(find(manifests, "Deployment", "auth"))["containers"]
    assert container["image"] == f"{VALUES['image']['registry']}/praxiscope-auth@{digest}"


@pytest.mark.parametrize(("profile", "manifest"), PODS)
def test_only_keepers_of_secrets_hold_a_token_of_the_api_server(profile: str, manifest: Manifest) -> None:
    pod = pod_of(manifest)
    name = labels_of(manifest)["app.kubernetes.io/name"]
    assert pod["automountServiceAccountToken"] is (name in KEEPERS)
    account = find(rendered(profile), "ServiceAccount", pod["serviceAccountName"])
    assert account["automountServiceAccountToken"] is False


@pytest.mark.parametrize("profile", PROFILES)
def test_every_lasting_workload_has_an_identity_of_its_own(profile: str) -> None:
    accounts = [pod_of(item)["serviceAccountName"] for item in of_kind(rendered(profile), "Deployment", "StatefulSet")]
    assert len(accounts) == len(set(accounts))


@pytest.mark.parametrize("profile", PROFILES)
def test_rights_name_what_they_are_for(profile: str) -> None:
    roles = of_kind(rendered(profile), "Role", "ClusterRole")
    for role in roles:
        assert role["kind"] == "Role"
        for rule in role["rules"]:
            assert rule["resources"] == ["secrets"]
            assert set(rule["verbs"]) <= {"create", "get", "update"}
            assert ("resourceNames" in rule) != (rule["verbs"] == ["create"])
    assert {role["metadata"]["name"] for role in roles} <= KEEPERS


@pytest.mark.parametrize(("profile", "manifest"), LASTING)
def test_starting_readiness_and_life_are_three_questions(profile: str, manifest: Manifest) -> None:
    for container in pod_of(manifest)["containers"]:
        probes = [container[f"{kind}Probe"] for kind in ("startup", "readiness", "liveness")]
        assert probes[0]["failureThreshold"] * probes[0]["periodSeconds"] >= 60
        assert probes[2]["failureThreshold"] * probes[2]["periodSeconds"] >= 60
        if "grpc" in probes[0]:
            # What a service needs may be away: it is then not ready, and killing it would not help.
            assert "service" not in probes[1]["grpc"]
            assert probes[2]["grpc"]["service"] == "liveness"


@pytest.mark.parametrize(("profile", "manifest"), LASTING)
def test_what_is_told_to_end_has_time_to(profile: str, manifest: Manifest) -> None:
    pod = pod_of(manifest)
    (container,) = pod["containers"]
    told = {
        name.rpartition("_")[0].rpartition("_")[2]: float(value)
        for name, value in environment_of(container).items()
        if name.endswith(("_GRACE_S", "_DRAIN_S"))
    }
    triton = [
        float(item.partition("=")[2]) for item in container.get("args", []) if item.startswith("--exit-timeout-secs=")
    ]
    slept = container["lifecycle"]["preStop"].get("sleep", {}).get("seconds", 0)
    assert pod["terminationGracePeriodSeconds"] > slept + sum(told.values()) + sum(triton)


@pytest.mark.parametrize(("profile", "manifest"), LASTING)
def test_a_budget_stands_for_every_lasting_workload(profile: str, manifest: Manifest) -> None:
    budgets = [
        budget
        for budget in of_kind(rendered(profile), "PodDisruptionBudget")
        if matches(budget["spec"]["selector"], labels_of(manifest))
    ]
    assert len(budgets) == 1
    assert budgets[0]["spec"]["maxUnavailable"] >= 1  # or no machine could ever be emptied


@pytest.mark.parametrize("profile", PROFILES)
def test_selectors_find_the_pods_they_are_meant_for_and_no_others(profile: str) -> None:
    manifests = rendered(profile)
    lasting = of_kind(manifests, "Deployment", "StatefulSet")
    for manifest in lasting:
        found = [other for other in lasting if matches(manifest["spec"]["selector"], labels_of(other))]
        assert found == [manifest]
    for service in of_kind(manifests, "Service"):
        found = [other for other in lasting if matches({"matchLabels": service["spec"]["selector"]}, labels_of(other))]
        assert [item["metadata"]["name"] for item in found] == [service["metadata"]["name"].removesuffix("-instances")]
        ports = {port.get("name"): port for item in found for c in pod_of(item)["containers"] for port in c["ports"]}
        for port in service["spec"]["ports"]:
            assert port["targetPort"] in ports
            assert port["port"] == ports[port["targetPort"]]["containerPort"]


@pytest.mark.parametrize("profile", PROFILES)
def test_ports_say_which_protocol_they_speak(profile: str) -> None:
    for service in of_kind(rendered(profile), "Service"):
        for port in service["spec"]["ports"]:
            assert port["appProtocol"] in {"grpc", "http", "tcp"}
            assert re.match(rf"{port['appProtocol']}(-|$)", port["name"]), port


@pytest.mark.parametrize("profile", PROFILES)
def test_replicas_are_said_where_nothing_scales_and_nowhere_else(profile: str) -> None:
    manifests = rendered(profile)
    scaled = {
        item["spec"]["scaleTargetRef"]["name"] for item in of_kind(manifests, "HorizontalPodAutoscaler", "ScaledObject")
    }
    targets = [
        item["spec"]["scaleTargetRef"]["name"] for item in of_kind(manifests, "HorizontalPodAutoscaler", "ScaledObject")
    ]
    assert len(targets) == len(scaled), "two autoscalers would pull at one workload"
    for manifest in of_kind(manifests, "Deployment"):
        assert ("replicas" in manifest["spec"]) != (manifest["metadata"]["name"] in scaled)
    assert bool(scaled) == (profile != "light")


def _texts(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, part in value.items():
            yield from _texts(part, f"{path}/{name}")
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from _texts(part, f"{path}/{index}")
    elif isinstance(value, str):
        yield path, value


def test_nothing_secret_stands_in_the_chart() -> None:
    for _, manifest in everything():
        assert manifest["kind"] != "Secret", "Secrets are made in the cluster or come from outside"
        for path, text in _texts(manifest):
            assert "PRIVATE KEY" not in text, path
    secret = re.compile(r"(PASSWORD|SECRET|KEY|TOKEN)S?$")
    for _, manifest in everything():
        if manifest["kind"] in PROGRAMS:
            for container in containers_of(manifest):
                for name, value in environment_of(container).items():
                    assert not secret.search(name), f"{name} would hold {value!r}; a file's path goes to {name}_FILE"


@pytest.mark.parametrize(("profile", "manifest"), PODS)
def test_secrets_are_files_that_are_there(profile: str, manifest: Manifest) -> None:
    pod = pod_of(manifest)
    keys = _keys_of_secrets(profile)
    volumes = {volume["name"]: volume["secret"] for volume in pod.get("volumes", []) if "secret" in volume}
    for container in containers_of(manifest):
        mounts = {
            mount["mountPath"]: volumes[mount["name"]]["secretName"]
            for mount in container.get("volumeMounts", [])
            if mount["name"] in volumes
        }
        named = [value for value in environment_of(container).values() if value.startswith("/run/secrets/praxiscope/")]
        for path in named:
            folder = path if path in mounts else path.rpartition("/")[0]
            assert folder in mounts, path
            if folder != path:
                assert path.rpartition("/")[2] in keys[mounts[folder]], path
    for volume in volumes.values():
        assert volume["secretName"] in keys
        assert volume["defaultMode"] == 0o440


def _keys_of_secrets(profile: str) -> Mapping[str, set[str]]:
    """Returns the keys of each Secret, as the Job makes it or the vault gives it."""
    manifests = rendered(profile)
    external = {
        item["metadata"]["name"]: {row["secretKey"] for row in item["spec"]["data"]}
        for item in of_kind(manifests, "ExternalSecret")
    }
    for job in of_kind(manifests, "Job"):
        for container in containers_of(job):
            wanted = environment_of(container).get("PRAXISCOPE_SECRETS_WANTED")
            if wanted:
                import json

                external |= {name: set(keys) for name, keys in json.loads(wanted).items()}
    if profile == "gpu":
        external["store"] = {"secret-access-key"}  # of the S3 outside; docs/kubernetes.md says how it is made
    return external


def test_the_job_makes_every_secret_that_services_need() -> None:
    from praxiscope_common.kubernetes.secrets import parse_wanted

    for profile in ("light", "gpu"):
        (job,) = [
            item for item in of_kind(rendered(profile), "Job") if item["metadata"]["name"].startswith("make-secrets")
        ]
        wanted = parse_wanted(environment_of(pod_of(job)["containers"][0])["PRAXISCOPE_SECRETS_WANTED"])
        services = {name for name, row in SERVICES.items() if row.get("protocol") != "http"}
        assert services <= set(wanted)
        assert set(wanted["service-keys"]) == {f"{name.replace('-', '_')}.pem" for name in services - {"auth"}}


@pytest.mark.parametrize("profile", PROFILES)
def test_what_is_stored_outlives_the_chart(profile: str) -> None:
    for manifest in of_kind(rendered(profile), "StatefulSet"):
        assert manifest["spec"]["persistentVolumeClaimRetentionPolicy"] == {
            "whenDeleted": "Retain",
            "whenScaled": "Retain",
        }
        assert manifest["spec"]["volumeClaimTemplates"]
    assert of_kind(rendered(profile), "PersistentVolumeClaim") == []


@pytest.mark.parametrize("profile", PROFILES)
def test_jobs_end_and_may_be_tried_again(profile: str) -> None:
    for job in of_kind(rendered(profile), "Job"):
        assert job["spec"]["activeDeadlineSeconds"] > 0
        assert job["spec"]["backoffLimit"] > 0
        assert pod_of(job)["restartPolicy"] == "OnFailure"


def test_jobs_are_hooks_where_the_database_is_there_and_named_by_what_they_run_where_it_is_not() -> None:
    prod = [job["metadata"] for job in of_kind(rendered("prod"), "Job")]
    assert all("helm.sh/hook" in metadata["annotations"] for metadata in prod)
    light = {
        job["metadata"]["name"]: job["metadata"].get("annotations", {}) for job in of_kind(rendered("light"), "Job")
    }
    assert [name for name, annotations in light.items() if "helm.sh/hook" in annotations] == ["make-secrets"]
    assert all(re.search(r"-[0-9a-f]{10}$", name) for name in light if name != "make-secrets")


def test_a_job_that_runs_something_else_is_another_job(tmp_path: Any) -> None:
    def names(tag: str) -> set[str]:
        manifests = render("light", values={"image": {"tag": tag}}, folder=tmp_path)
        return {job["metadata"]["name"] for job in of_kind(manifests, "Job")} - {"make-secrets"}

    assert names("1.0.0") == names("1.0.0")
    assert not names("1.0.0") & names("1.0.1")


def test_what_holds_state_never_makes_room_and_jobs_that_pods_wait_for_are_no_less_than_they() -> None:
    """On a full node an API's pod would otherwise push out the database that it waits for, and wait for ever."""
    manifests = rendered("light")
    values = {item["metadata"]["name"]: item["value"] for item in of_kind(manifests, "PriorityClass")}
    priorities = {
        kind: [values[pod_of(item)["priorityClassName"]] for item in of_kind(manifests, kind) if _is_waited_for(item)]
        for kind in PROGRAMS
    }
    assert min(priorities["StatefulSet"]) > max(priorities["Deployment"])
    assert min(priorities["Job"]) >= max(priorities["Deployment"])


def _is_waited_for(manifest: Manifest) -> bool:
    """Whether it may have a class: Helm's hooks are there before classes are."""
    return "helm.sh/hook" not in manifest["metadata"].get("annotations", {})


def test_light_is_upgraded_on_two_cores() -> None:
    """A rolling upgrade has two of everything for a while, but for what holds state."""
    wanted_m = 0
    for item in of_kind(rendered("light"), "Deployment", "StatefulSet"):
        own_m = sum(_milli(container["resources"]["requests"]["cpu"]) for container in pod_of(item)["containers"])
        wanted_m += own_m * (2 if item["kind"] == "Deployment" else 1)
    assert wanted_m <= 1800, "the rest is the cluster's own"


def _milli(processors: str) -> int:
    return int(processors[:-1]) if processors.endswith("m") else 1000 * int(processors)


def test_the_gateway_is_told_its_own_word_for_a_warning(tmp_path: Path) -> None:
    """Go says WARN where Python says WARNING; told the other, the gateway does not start."""
    for level, told in (("WARNING", "WARN"), ("INFO", "INFO")):
        manifests = render("light", values={"defaults": {"logLevel": level}}, folder=tmp_path)
        for name, expected in (("gateway", told), ("auth", level)):
            (container,) = pod_of(find(manifests, "Deployment", name))["containers"]
            assert environment_of(container)[f"PRAXISCOPE_{name.upper()}_LOG_LEVEL"] == expected
