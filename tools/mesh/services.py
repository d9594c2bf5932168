"""Our services in their pods, with the chart's own commands and variables, and the database that stands outside the mesh.

What a pod would mount lies in a folder that everything here sees under the same path; the store is a folder instead of S3, and no model server is there.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from praxiscope_common import roles
from praxiscope_common.config import Secret
from praxiscope_common.kubernetes.secrets import make_secrets, parse_wanted
from tools.deploy.render import Manifest, of_kind
from tools.devstack.postgres import DATABASE, superuser_conninfo
from tools.devstack.secrets import StackSecrets
from tools.devstack.settings import CHECKOUT, PORTS, Settings, inherited_environment
from tools.mesh.control_plane import wait_until
from tools.mesh.pods import Pod
from tools.mesh.settings import MAIN_ADDRESS, RUN, MeshError

DATABASE_HOST = "database.outside.example"
DATABASE_PORT = PORTS["postgres"]
DATABASE_OPTIONS = ("-c", f"listen_addresses=127.0.0.1,{MAIN_ADDRESS}", "-c", "fsync=off")
CREDENTIALS = RUN / "credentials.json"
SECRETS = Path("/run/secrets/praxiscope")  # where the chart mounts them
_PLACES: Mapping[str, Path | str] = {
    "/app/console": "",
    "/app/models": CHECKOUT / "models",
    "/app/kernels": CHECKOUT / ".praxiscope" / "kernels",
    "/app/poses/bin/python": CHECKOUT / ".venv-poses" / "bin" / "python",
    "/tmp/credentials.json": CREDENTIALS,  # noqa: S108  as the chart says it
}
_READY_TIMEOUT_S = 60.0


class _Held:
    """Holds Secrets, as the API server does for the Job that makes them."""

    def __init__(self, given: Mapping[str, Mapping[str, bytes]]) -> None:
        self.held: dict[str, Mapping[str, bytes]] = dict(given)

    def read_secret(self, name: str) -> Mapping[str, bytes] | None:
        return self.held.get(name)

    def create_secret(self, name: str, content: Mapping[str, bytes]) -> bool:
        self.held[name] = content
        return True


def database_settings(folder: Path) -> tuple[Settings, StackSecrets]:
    """Returns how the database outside is set up."""
    settings = Settings(
        state=folder,
        environment=CHECKOUT / ".venv",
        model_environment=CHECKOUT / ".venv-models",
        gateway=CHECKOUT / "bin" / "gateway",
    )
    return settings, StackSecrets(folder / "secrets")


def let_pods_in(folder: Path) -> None:
    """Has the database take connections from pods, whose proxies make them."""
    with (folder / "postgres" / "pg_hba.conf").open("a", encoding="ascii") as file:
        file.write("host all all 10.244.0.0/16 scram-sha-256\n")


def write_secrets(light: Sequence[Manifest]) -> None:
    """Makes the Secrets as the chart's Job does, and lays them where pods find them."""
    (job,) = [item for item in of_kind(light, "Job") if item["metadata"]["name"].startswith("make-secrets")]
    (container,) = job["spec"]["template"]["spec"]["containers"]
    held: Any = _Held({})
    make_secrets(held, parse_wanted(_variables(container)["PRAXISCOPE_SECRETS_WANTED"]))
    for name, content in held.held.items():
        for key, value in content.items():
            file = SECRETS / name / key
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(value)


def prepare_database(settings: Settings, secrets: StackSecrets, manifests: Sequence[Manifest]) -> None:
    """Makes roles, and runs the chart's own Jobs that bring schemas to their newest state and make the first project.

    Raises:
        MeshError: One of them fails.
    """
    passwords = {
        f"praxiscope_{file.parent.name.replace('-', '_')}": Secret(file.read_text(encoding="utf-8"))
        for file in SECRETS.glob("*/database-password")
    }
    roles.prepare_database(superuser_conninfo(settings, secrets), DATABASE, passwords)
    jobs = {item["metadata"]["name"]: item for item in of_kind(manifests, "Job")}
    for name in (*sorted(name for name in jobs if name.startswith("migrate-")), "bootstrap"):
        (container,) = jobs[name]["spec"]["template"]["spec"]["containers"]
        # What comes before `--` would keep what the command writes as a Secret.
        words = container["command"]
        words = words[words.index("--") + 1 :] if "--" in words else words
        command = [sys.executable, *words[1:]]
        result = subprocess.run(command, env=_environment(container), capture_output=True, text=True, check=False)
        if result.returncode:
            raise MeshError(f"{name} failed: {(result.stdout + result.stderr).strip()[-2000:]}")


def start_service(pod: Pod) -> int:
    """Starts the program of a pod of the chart with the chart's own command and variables and returns its process; does not wait for it."""
    (container,) = _containers(pod)
    words = container["command"]
    command = [str(CHECKOUT / "bin" / "gateway")] if words[0] == "/app/gateway" else [sys.executable, *words[1:]]
    return pod.start("service", command, _environment(container))


def wait_for_service(pod: Pod) -> None:
    """Waits until a pod's program takes connections.

    Raises:
        MeshError: It does not, in time; the message has its last words.
    """

    def listens() -> bool:
        try:
            for name, port in pod.plan.ports.items():
                if name != "metrics":
                    pod.connect(("127.0.0.1", port)).close()
        except OSError:
            return False
        return True

    wait_until(listens, f"{pod.plan.name}-service", timeout_s=_READY_TIMEOUT_S)


def _containers(pod: Pod) -> Sequence[Mapping[str, Any]]:
    return pod.plan.spec["containers"]  # type: ignore[return-value]  a Deployment's


def _variables(container: Mapping[str, Any]) -> dict[str, str]:
    return {entry["name"]: entry["value"] for entry in container.get("env", [])}


def _environment(container: Mapping[str, Any]) -> dict[str, str]:
    told: dict[str, str] = {}
    for name, value in _variables(container).items():
        told[name] = str(_PLACES.get(value, value))
        if name.endswith("_STORE_KIND"):
            told[name] = "filesystem"
            told[name.replace("_KIND", "_ROOT")] = str(RUN / "store")
    (RUN / "store").mkdir(exist_ok=True)
    return {**inherited_environment(), "PYTHONPATH": "", **told}
