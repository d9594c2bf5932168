"""The chart's own commands, with the chart's own variables, prepare an empty PostgreSQL: in any order, and twice.

What a pod would mount is laid out as files; what is called `postgres` there listens on loopback here. Nothing else is different.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import psycopg
import pytest

from praxiscope_common.kubernetes.secrets import make_secrets, parse_wanted
from tests.support.deploy import SERVICES, containers_of, environment_of, find, pod_of, rendered
from tests.support.programs import open_folder, running, settings_for
from tools.deploy.render import Manifest, of_kind
from tools.devstack.postgres import DATABASE, postgres_part, superuser_conninfo
from tools.devstack.secrets import StackSecrets

_PATIENCE_S = 100


class _Held:
    """Holds Secrets as the API server does."""

    def __init__(self, given: Mapping[str, Mapping[str, bytes]]) -> None:
        self.held = dict(given)

    def read_secret(self, name: str) -> Mapping[str, bytes] | None:
        return self.held.get(name)

    def create_secret(self, name: str, content: Mapping[str, bytes]) -> bool:
        self.held[name] = content
        return True


def job(name: str) -> Manifest:
    (found,) = [item for item in of_kind(rendered("light"), "Job") if item["metadata"]["name"].startswith(name)]
    return found


class Pod:
    """Runs containers of the chart as processes beside a real server."""

    def __init__(self, secrets: Path, port: int) -> None:
        self.secrets, self.port = secrets, port

    def environment(self, container: Manifest) -> dict[str, str]:
        told = {"PATH": "/usr/bin:/bin", "HOME": str(self.secrets)}
        for name, value in environment_of(container).items():
            if name.endswith("_DB_HOST"):
                assert value == "postgres"
                value = "127.0.0.1"
            elif name.endswith("_DB_PORT"):
                value = str(self.port)
            elif value.startswith("/tmp/"):
                value = f"{self.secrets}/{Path(value).name}"
            told[name] = value.replace("/run/secrets/praxiscope", str(self.secrets))
        return told

    def start(self, container: Manifest, command: list[str] | None = None) -> subprocess.Popen[str]:
        words = command or container["command"]
        assert words[0] == "python"
        return subprocess.Popen(
            [sys.executable, *words[1:]],
            env=self.environment(container),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, container: Manifest, command: list[str] | None = None) -> None:
        process = self.start(container, command)
        said, _ = process.communicate(timeout=_PATIENCE_S)
        assert process.returncode == 0, said


@pytest.fixture
def pod(tmp_path: Path) -> Iterator[Pod]:
    """An empty server, and the Secrets that the chart's Job makes, its superuser's password among them."""
    with open_folder("postgres") as folder:
        settings = settings_for(folder, "postgres")
        stack = StackSecrets(folder / "secrets")
        with running(postgres_part(settings, stack), folder / "postgres.log"):
            api = _Held({"postgres": {"password": stack.password("postgres").read_bytes()}})
            wanted = environment_of(pod_of(job("make-secrets"))["containers"][0])["PRAXISCOPE_SECRETS_WANTED"]
            make_secrets(api, parse_wanted(wanted))  # type: ignore[arg-type]  it has what is called
            for name, content in api.held.items():
                (tmp_path / name).mkdir()
                for key, value in content.items():
                    (tmp_path / name / key).write_bytes(value)
            made = Pod(tmp_path, settings.port("postgres"))
            made.superuser = superuser_conninfo(settings, stack, DATABASE)  # type: ignore[attr-defined]  for looking afterwards
            yield made


@pytest.mark.timeout(600)  # a dozen programs start, and machines are shared
def test_an_empty_database_becomes_one_that_every_service_can_use(pod: Pod) -> None:
    databases = [name for name, row in SERVICES.items() if row.get("database")]
    migrations = [f"migrate-{name}" for name, row in SERVICES.items() if row.get("migrate")]
    waiting = {
        name: pod.start(pod_of(find(rendered("light"), "Deployment", name))["initContainers"][0]) for name in databases
    }
    try:
        for _ in range(2):
            for name in ("database-roles", "migrate-jobs", *migrations):
                for container in containers_of(job(name)):
                    pod.run(container)
        for name, process in waiting.items():
            said, _ = process.communicate(timeout=_PATIENCE_S)
            assert process.returncode == 0, (name, said)
    finally:
        for process in waiting.values():
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
    (container,) = pod_of(job("bootstrap"))["containers"]
    words = container["command"]
    kept = words[words.index("--file") + 1]
    for _ in range(2):
        pod.run(container, words[words.index("--") + 1 :])
    written = json.loads((pod.secrets / Path(kept).name).read_text())
    assert written["email"] == environment_of(container)["PRAXISCOPE_AUTH_BOOTSTRAP_EMAIL"]
    with psycopg.connect(pod.superuser) as connection:  # type: ignore[attr-defined]  set by the fixture
        (accounts,) = connection.execute("SELECT count(*) FROM auth.account").fetchone() or (0,)
    assert accounts == 1
