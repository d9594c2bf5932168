"""The chart says what the local stack does: the same parts, ports, commands, variables and questions about health.

The local stack runs on every contributor's machine and in every test; a chart that differs from it would run nothing that was ever tried.
"""

import importlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from praxiscope_common.kubernetes.secrets import make_secrets, parse_wanted
from tests.support.deploy import SERVICES, VALUES, containers_of, environment_of, find, pod_of, rendered
from tools.deploy.render import Manifest, of_kind
from tools.devstack import stack as local
from tools.devstack.process import Part
from tools.devstack.settings import CHECKOUT, PORTS, Settings
from tools.devstack.stack import SERVICES as STACK_SERVICES
from tools.devstack.stack import WORKERS, Stack
from tools.devstack.triton import triton_command

STACK_ALONE = {"PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "PYTHONPATH"}
BOOTSTRAP = {"PRAXISCOPE_AUTH_BOOTSTRAP_FILE"}  # told to the Job that bootstraps
CONFIG_GO = CHECKOUT / "services/gateway/internal/config/config.go"


def kube(service: str) -> str:
    return service.replace("_", "-")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """The local stack with S3, not started."""
    settings = Settings(
        state=tmp_path_factory.mktemp("stack"),
        environment=Path("/venv"),
        model_environment=CHECKOUT / ".venv-models",
        gateway=Path("/app/gateway"),
        store_kind="s3",
    )
    return Stack(settings, lambda name, line: None)


class FakeApi:
    """Holds Secrets as the API server does, without one."""

    def __init__(self) -> None:
        self.held: dict[str, Mapping[str, bytes]] = {}

    def read_secret(self, name: str) -> Mapping[str, bytes] | None:
        return self.held.get(name)

    def create_secret(self, name: str, content: Mapping[str, bytes]) -> bool:
        self.held[name] = content
        return True


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Secrets that the chart's Job makes, as files."""
    api, folder = FakeApi(), tmp_path_factory.mktemp("secrets")
    (job,) = [item for item in of_kind(rendered("light"), "Job") if item["metadata"]["name"].startswith("make-secrets")]
    make_secrets(api, parse_wanted(environment_of(pod_of(job)["containers"][0])["PRAXISCOPE_SECRETS_WANTED"]))  # type: ignore[arg-type]  it has what is called
    for name, content in api.held.items():
        (folder / name).mkdir()
        for key, value in content.items():
            (folder / name / key).write_bytes(value)
    return folder


def workloads() -> Iterator[tuple[str, str, str]]:
    """Yields each workload's name, service and role, as the local stack has them."""
    for service in STACK_SERVICES:
        yield kube(service), service, "serve"
    for service in WORKERS:
        yield f"{kube(service)}-work", service, "work"


WORKLOADS = list(workloads())


def container(name: str, profile: str = "light") -> Manifest:
    (found,) = pod_of(find(rendered(profile), "Deployment", name))["containers"]
    return found


def test_every_part_of_the_stack_is_in_the_chart() -> None:
    assert {kube(service) for service in STACK_SERVICES} | {"gateway"} == set(SERVICES)
    assert {kube(service) for service in WORKERS} == {name for name, row in SERVICES.items() if "work" in row}
    assert {kube(name) for name in local._WITH_DATABASE} == {
        name for name, row in SERVICES.items() if row.get("database")
    }
    stored = {kube(service) for service in STACK_SERVICES if service != "auth"} | {"gateway"}
    assert stored == {name for name, row in SERVICES.items() if row.get("store")}
    peers = {kube(name): {kube(peer) for peer in found} for name, found in local._PEERS.items()}
    assert peers == {
        name: set(row["calls"]) for name, row in SERVICES.items() if row.get("calls") and name != "gateway"
    }


def test_every_folder_of_services_is_in_the_chart() -> None:
    folders = {kube(path.name) for path in (CHECKOUT / "services").iterdir() if path.is_dir()}
    assert folders == {*SERVICES, "operator"}, "that one has a template of its own, and a test: test_operator.py"


def test_ports_are_those_of_the_one_table() -> None:
    chart = {
        **{name: row["port"] for name, row in SERVICES.items()},
        **{f"{name}-metrics": row["metricsPort"] for name, row in SERVICES.items()},
        **{f"{name}-work-metrics": row["work"]["metricsPort"] for name, row in SERVICES.items() if "work" in row},
        "gateway-grpc": SERVICES["gateway"]["grpcPort"],
        **{f"triton-{kind}": VALUES["triton"][f"{kind}Port"] for kind in ("http", "grpc", "metrics")},
    }
    assert chart == {name: port for name, port in PORTS.items() if name not in {"postgres", "s3"}}
    assert len(set(PORTS.values())) == len(PORTS)


@pytest.mark.parametrize(("name", "service", "role"), WORKLOADS)
def test_commands_are_the_same(stack: Stack, name: str, service: str, role: str) -> None:
    part = stack._service(service, role, 0)
    assert container(name)["command"] == ["python", *part.command[1:]]


@pytest.mark.parametrize(("name", "service", "role"), WORKLOADS)
def test_variables_are_the_same(stack: Stack, name: str, service: str, role: str) -> None:
    part, told = stack._service(service, role, 0), environment_of(container(name))
    assert set(part.environment) - STACK_ALONE - BOOTSTRAP - set(told) == set()
    for variable in ("PYTHONUNBUFFERED", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "SVT_LOG"):
        assert told[variable] == part.environment[variable]
    for variable, value in part.environment.items():
        if variable.endswith(("_ADDRESS", "_PORT")) and variable not in STACK_ALONE and "_DB_" not in variable:
            assert _port(told[variable]) == _port(value), variable


def _port(value: str) -> str:
    return value.rpartition(":")[2]


class Watched(dict[str, str]):
    """Variables that remember which of them were read."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        super().__init__(variables)
        self.read: set[str] = set()

    def get(self, key: str, default: object = None) -> object:  # type: ignore[override]  as a dict's
        self.read.add(key)
        return super().get(key, default)


@pytest.mark.parametrize(("name", "service", "role"), WORKLOADS)
def test_a_service_reads_all_that_it_is_told_and_misses_nothing(
    secrets: Path, name: str, service: str, role: str
) -> None:
    told = {
        variable: value.replace("/run/secrets/praxiscope", str(secrets))
        for variable, value in environment_of(container(name)).items()
    }
    watched = Watched(told)
    config = importlib.import_module(f"{service}_service.config").read_config(watched)
    row = SERVICES[kube(service)]
    assert config.service.server.address == f"0.0.0.0:{row['port']}"
    metrics = row["metricsPort"] if role == "serve" else row["work"]["metricsPort"]
    assert (config.service.metrics_host, config.service.metrics_port) == ("0.0.0.0", metrics)
    assert {variable for variable in told if variable.startswith("PRAXISCOPE_")} - watched.read == set()
    if row.get("database"):
        chains = {chain.partition(":")[0] for chain in row["chains"]}
        assert set(config.database.search_path.split(",")) == chains


def test_the_gateway_reads_all_that_it_is_told_and_misses_nothing(stack: Stack) -> None:
    source = CONFIG_GO.read_text(encoding="utf-8")
    read = set(re.findall(r'r\.(?:text|optional|number|publicKey|folder)\("([A-Z_]+)"', source))
    read |= set(re.findall(r'"praxiscope\.\w+\.v1":\s+"([A-Z_]+)"', source))
    told = {
        name.removeprefix("PRAXISCOPE_GATEWAY_")
        for name in environment_of(container("gateway"))
        if name.startswith("PRAXISCOPE_")
    }
    assert told - read == set()
    part = stack._gateway()
    given = {
        name.removeprefix("PRAXISCOPE_GATEWAY_") for name in part.environment if name.startswith("PRAXISCOPE_GATEWAY_")
    }
    assert given - told == {"STORE_ROOT"}  # of the store in a folder, which a cluster does not have
    for name in sorted(told & given):
        if name.endswith("_ADDRESS"):
            expected = part.environment[f"PRAXISCOPE_GATEWAY_{name}"]
            assert _port(environment_of(container("gateway"))[f"PRAXISCOPE_GATEWAY_{name}"]) == _port(expected)
    assert list(part.command) == container("gateway")["command"]


def test_a_gateway_is_asked_what_the_stack_asks() -> None:
    source = Path(local.__file__).read_text(encoding="utf-8")
    assert "settings.address('gateway')}/readyz\"" in source
    assert f":{PORTS['gateway']}/readyz" in str(pod_of(find(rendered("light"), "Pod", "helm-test")))
    assert container("gateway")["readinessProbe"]["httpGet"]["path"] == "/healthz"
    assert '"/healthz"' in (CHECKOUT / "services/gateway/internal/front/front.go").read_text(encoding="utf-8")


@pytest.mark.parametrize("service", STACK_SERVICES)
def test_a_service_is_asked_what_the_stack_asks(service: str) -> None:
    probes = container(kube(service))
    for kind in ("startupProbe", "readinessProbe"):
        assert probes[kind]["grpc"] == {"port": PORTS[kube(service)]}  # of the whole server, as the stack's own probe


def test_the_model_server_is_started_and_asked_alike(stack: Stack) -> None:
    command, _ = triton_command(
        CHECKOUT / ".venv-models",
        CHECKOUT / ".praxiscope" / "triton",
        CHECKOUT / ".praxiscope" / "models",
        http_port=PORTS["triton-http"],
        grpc_port=PORTS["triton-grpc"],
        metrics_port=PORTS["triton-metrics"],
    )
    here = dict(item.lstrip("-").split("=", 1) for item in command[1:])
    there = dict(item.lstrip("-").split("=", 1) for item in container("triton")["args"])
    for flag in ("http-port", "grpc-port", "metrics-port", "allow-gpu-metrics", "pinned-memory-pool-byte-size"):
        assert there[flag] == here[flag], flag
    places = {"http-address", "grpc-address", "metrics-address", "backend-directory", "cache-directory"}
    assert set(here) - set(there) == places  # an image has its own folders, and a pod its own address
    part: Part = stack._triton()
    assert part.name == "triton"
    assert container("triton")["readinessProbe"]["httpGet"] == {"path": "/v2/health/ready", "port": "http"}


def test_the_model_server_loads_every_model_there_is() -> None:
    recipes = {path.parent.name for path in (CHECKOUT / "models").glob("*/recipe.json")}
    assert set(VALUES["triton"]["load"]) == recipes


def test_the_same_migrations_run() -> None:
    source = Path(local.__file__).read_text(encoding="utf-8")
    jobs = {
        item["metadata"]["name"]: pod_of(item)["containers"][0]["command"][2:]
        for item in of_kind(rendered("prod"), "Job")
    }
    assert jobs["migrate-jobs"] == ["praxiscope_common.jobs.migrate"]
    assert '"-m", "praxiscope_common.jobs.migrate"' in source
    named = set(re.search(r'for name in \(("auth", [^)]*)\)', source).group(1).replace('"', "").split(", "))  # type: ignore[union-attr]
    assert {kube(name) for name in named} == {name for name, row in SERVICES.items() if row.get("migrate")}
    for name in named:
        assert jobs[f"migrate-{kube(name)}"] == [f"{name}_service", "migrate"]
    with_chains = {kube(path.parents[2].name) for path in (CHECKOUT / "services").glob("*/src/*/migrations")}
    assert with_chains == {name for name, row in SERVICES.items() if row.get("migrate")}
    assert jobs["bootstrap"][-2:] == ["auth_service", "bootstrap"]
    assert set(environment_of(pod_of(find(rendered("prod"), "Job", "bootstrap"))["containers"][0])) >= BOOTSTRAP


def test_a_pod_waits_for_the_schemas_it_reads() -> None:
    for name, service, role in WORKLOADS:
        row = SERVICES[kube(service)]
        initial = pod_of(find(rendered("light"), "Deployment", name)).get("initContainers", [])
        assert bool(initial) == bool(row.get("database")), (name, role)
        if not initial:
            continue
        told = environment_of(container(name))
        awaited = environment_of(initial[0])
        assert awaited["PRAXISCOPE_AWAIT_CHAINS"] == ",".join(row["chains"])
        assert awaited["PRAXISCOPE_AWAIT_DB_HOST"] == told[f"PRAXISCOPE_{service.upper()}_DB_HOST"]
        assert awaited["PRAXISCOPE_AWAIT_DB_ROLE"] == f"praxiscope_{service}"


def test_roles_and_grants_are_those_of_the_stack() -> None:
    roles = {f"praxiscope_{name}" for name in (*local._WITH_DATABASE, "jobs")}
    told = {}
    for job in of_kind(rendered("light"), "Job"):
        for item in containers_of(job):
            told |= environment_of(item)
    assert set(told["PRAXISCOPE_JOBS_SERVICE_ROLES"].split(",")) == roles
    assert {word.partition("=")[0] for word in told["PRAXISCOPE_ROLES_PASSWORD_FILES"].split(",")} == roles
