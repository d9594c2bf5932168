"""Which parts there are, in which order they start, and what each is told."""

from __future__ import annotations

import asyncio
import urllib.request
from collections.abc import Sequence

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tools.devstack import postgres, seaweed
from tools.devstack.process import Part, Probe, RunningPart, Sink, run_to_end
from tools.devstack.secrets import StackSecrets
from tools.devstack.settings import CHECKOUT, PORTS, Settings, check_ports_free, inherited_environment
from tools.devstack.triton import triton_command

SERVICES = ("auth", "library", "vision_inference", "tracking", "biomechanics", "rendering", "generation", "editing")
WORKERS = ("tracking", "biomechanics", "rendering", "generation", "editing")
_WITH_DATABASE = SERVICES
_PEERS = {
    "vision_inference": ("library",),
    "tracking": ("library",),
    "biomechanics": ("library", "vision_inference", "tracking", "rendering"),
    "rendering": ("library",),
    "generation": ("library",),
    "editing": ("library",),
}
CREDENTIALS = "credentials.json"
_CONSOLE = CHECKOUT / ".praxiscope" / "console"


class Stack:
    """All parts of one stack."""

    def __init__(self, settings: Settings, sink: Sink) -> None:
        """Prepares the stack; nothing is started yet."""
        self.settings, self.sink = settings, sink
        self.secrets = StackSecrets(settings.state / "secrets")
        self.running: list[RunningPart] = []

    async def start(self) -> None:
        """Starts every part, those that others need first, and makes the first login where there is none.

        Raises:
            StackError: If a part cannot be started; what was started is the caller's to stop.
        """
        settings = self.settings
        check_ports_free(settings, [name for name in PORTS if name != "s3" or settings.store_kind == "s3"])
        stores = [postgres.postgres_part(settings, self.secrets)]
        if settings.store_kind == "s3":
            stores.append(seaweed.seaweed_part(settings, self.secrets))
        triton = asyncio.create_task(self._start(self._triton()))
        await self._start_all(stores)
        await self._prepare_database()
        services = [self._service(name, "serve", 0) for name in SERVICES]
        workers = [self._service(name, "work", index) for name in WORKERS for index in range(settings.worker_count)]
        await asyncio.gather(triton, self._start_all([*services, *workers, self._gateway()]))

    async def stop(self) -> None:
        """Stops every part, those that others need last."""
        groups: dict[int, list[RunningPart]] = {}
        for running in self.running:
            groups.setdefault(_stop_order(running.part.name), []).append(running)
        for order in sorted(groups):
            await asyncio.gather(*(running.stop() for running in groups[order]))

    async def _start(self, part: Part) -> None:
        running = RunningPart(part=part, sink=self.sink)
        self.running.append(running)
        await running.start()

    async def _start_all(self, parts: Sequence[Part]) -> None:
        async with asyncio.TaskGroup() as tasks:
            for part in parts:
                tasks.create_task(self._start(part))

    async def _prepare_database(self) -> None:
        roles = [f"praxiscope_{name}" for name in (*_WITH_DATABASE, "jobs")]
        await asyncio.to_thread(postgres.prepare_database, self.settings, self.secrets, roles)
        python = str(self.settings.python)
        jobs = {**self._base_environment(), **self._database_environment("jobs")}
        jobs["PRAXISCOPE_JOBS_SERVICE_ROLES"] = ",".join(roles)
        await asyncio.gather(
            run_to_end("migrate jobs", [python, "-m", "praxiscope_common.jobs.migrate"], jobs, self.sink),
            *(
                run_to_end(
                    f"migrate {name}", [python, "-m", f"{name}_service", "migrate"], self._environment(name), self.sink
                )
                for name in ("auth", "library", "vision_inference", "editing")
            ),
        )
        await run_to_end("bootstrap", [python, "-m", "auth_service", "bootstrap"], self._environment("auth"), self.sink)

    def _triton(self) -> Part:
        settings = self.settings
        command, environment = triton_command(
            settings.model_environment,
            CHECKOUT / ".praxiscope" / "triton",
            CHECKOUT / ".praxiscope" / "models",
            http_port=settings.port("triton-http"),
            grpc_port=settings.port("triton-grpc"),
            metrics_port=settings.port("triton-metrics"),
            otlp_traces_url=settings.otlp_http or None,
        )
        url = f"http://{settings.address('triton-http')}/v2/health/ready"
        return Part(
            name="triton",
            command=command,
            environment={**inherited_environment(), **environment},
            is_ready=lambda: asyncio.to_thread(_answers, url),
        )

    def _gateway(self) -> Part:
        settings = self.settings
        environment = {**self._base_environment(), **settings.extra}
        prefix = "PRAXISCOPE_GATEWAY_"
        environment |= {
            f"{prefix}ADDRESS": settings.address("gateway"),
            f"{prefix}METRICS_ADDRESS": settings.address("gateway-metrics"),
            f"{prefix}GRPC_ADDRESS": settings.address("gateway-grpc"),
            f"{prefix}OTLP_ENDPOINT": settings.otlp_grpc,
            f"{prefix}TICKET_PUBLIC_KEY_FILE": str(self.secrets.ed25519_key("tickets")[1]),
            f"{prefix}STORE_ROOT": str(self._store_root) if settings.store_kind == "filesystem" else "",
            f"{prefix}CONSOLE_ROOT": str(_CONSOLE) if _CONSOLE.is_dir() else "",
            **{f"{prefix}{name.upper()}_ADDRESS": settings.address(name.replace("_", "-")) for name in SERVICES},
        }
        url = f"http://{settings.address('gateway')}/readyz"
        return Part(
            name="gateway",
            command=[str(settings.gateway)],
            environment=environment,
            is_ready=lambda: asyncio.to_thread(_answers, url),
        )

    def _service(self, name: str, role: str, index: int) -> Part:
        settings = self.settings
        label = name.replace("_", "-")
        environment = self._environment(name)
        prefix = _prefix(name)
        if role == "work":
            label = f"{label}-work" + (f"-{index + 1}" if index else "")
            metrics = settings.port(f"{name}-work-metrics") if index == 0 else 0
            environment[f"{prefix}METRICS_PORT"] = str(metrics)
        ready: Probe = (
            (lambda: _is_serving(settings.address(name.replace("_", "-")))) if role == "serve" else _always_ready
        )
        return Part(
            name=label,
            command=[str(settings.python), "-m", f"{name}_service", role],
            environment=environment,
            is_ready=ready,
        )

    def _environment(self, name: str) -> dict[str, str]:
        """Returns what a service is told."""
        settings, prefix, label = self.settings, _prefix(name), name.replace("_", "-")
        environment = self._base_environment()
        environment |= {
            f"{prefix}ADDRESS": settings.address(label),
            f"{prefix}METRICS_PORT": str(settings.port(f"{label}-metrics")),
            f"{prefix}AUTH_ADDRESS": settings.address("auth"),
            f"{prefix}PRIVATE_KEY_FILE": str(self.secrets.rsa_key(name)),
            f"{prefix}OTLP_ENDPOINT": settings.otlp_grpc,
        }
        if name in _WITH_DATABASE:
            environment |= self._database_environment(name)
        if name != "auth":
            environment |= self._store_environment(prefix)
        for peer in _PEERS.get(name, ()):
            environment[f"{prefix}{peer.upper()}_ADDRESS"] = settings.address(peer.replace("_", "-"))
        if name == "auth":
            environment |= {
                f"{prefix}SIGNING_KEY_FILES": str(self.secrets.rsa_key("access-tokens")),
                f"{prefix}SERVICE_KEYS_DIR": str(
                    self.secrets.service_keys([item for item in SERVICES if item != "auth"])
                ),
                f"{prefix}BOOTSTRAP_FILE": str(settings.state / CREDENTIALS),
            }
        if name == "library":
            environment[f"{prefix}TICKET_KEY_FILE"] = str(self.secrets.ed25519_key("tickets")[0])
        if name == "vision_inference":
            environment[f"{prefix}TRITON_ADDRESS"] = settings.address("triton-grpc")
            environment[f"{prefix}TRITON_IS_LOCAL"] = "true"
            environment[f"{prefix}MODEL_CARDS"] = str(CHECKOUT / "models")
        if name in {"generation", "rendering", "editing"}:
            environment[f"{prefix}KERNELS_FOLDER"] = str(CHECKOUT / ".praxiscope" / "kernels")
        if name == "generation":
            environment[f"{prefix}POSE_PYTHON"] = str(CHECKOUT / ".venv-poses" / "bin" / "python")
        return environment | {key: value for key, value in settings.extra.items() if key.startswith(prefix)}

    @property
    def _store_root(self) -> str:
        return str(self.settings.state / "store")

    def _base_environment(self) -> dict[str, str]:
        return inherited_environment() | {
            "PYTHONUNBUFFERED": "1",
            "PYTHONPATH": "",
            # One thread a library: the stack's processes share the machine's cores among themselves.
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "SVT_LOG": "1",  # errors only
        }

    def _database_environment(self, name: str) -> dict[str, str]:
        prefix = _prefix(name)
        return {
            f"{prefix}DB_HOST": "127.0.0.1",
            f"{prefix}DB_PORT": str(self.settings.port("postgres")),
            f"{prefix}DB_PASSWORD_FILE": str(self.secrets.password(f"praxiscope_{name}")),
        }

    def _store_environment(self, prefix: str) -> dict[str, str]:
        if self.settings.store_kind == "filesystem":
            return {f"{prefix}STORE_KIND": "filesystem", f"{prefix}STORE_ROOT": self._store_root}
        return {
            f"{prefix}STORE_KIND": "s3",
            f"{prefix}STORE_ENDPOINT_URL": f"http://{self.settings.address('s3')}",
            f"{prefix}STORE_ACCESS_KEY_ID": seaweed.ACCESS_KEY_ID,
            f"{prefix}STORE_SECRET_ACCESS_KEY_FILE": str(self.secrets.password("s3")),
        }


def _prefix(name: str) -> str:
    return f"PRAXISCOPE_{name.upper()}_"


def _stop_order(name: str) -> int:
    if name == "gateway":
        return 0
    if name in {"postgres", "s3"}:
        return 3
    return 2 if name in {"triton", "auth", "library"} else 1


async def _is_serving(address: str) -> bool:
    try:
        async with grpc.aio.insecure_channel(address) as channel:
            answer = await health_pb2_grpc.HealthStub(channel).Check(  # type: ignore[attr-defined]  made at run time
                health_pb2.HealthCheckRequest(), timeout=2
            )
    except grpc.RpcError:
        return False
    return answer.status == health_pb2.HealthCheckResponse.SERVING


async def _always_ready() -> bool:
    return True


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False
