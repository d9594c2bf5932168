"""The services in this process: the real app objects with real settings on real ports, over one database and one store."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
from opentelemetry.sdk.trace import TracerProvider

from auth_service.adapters.passwords import Argon2Passwords
from auth_service.app import Auth
from auth_service.config import read_config as read_auth_config
from auth_service.core.roles import PERMISSIONS, ROLES, SERVICE_PERMISSIONS
from auth_service.core.types import Grant
from biomechanics_service.app import Biomechanics
from biomechanics_service.config import read_config as read_biomechanics_config
from editing_service.app import Editing
from editing_service.config import read_config as read_editing_config
from generation_service.app import Generation
from generation_service.config import read_config as read_generation_config
from library_service.app import Library
from library_service.config import read_config as read_library_config
from praxiscope.library.v1 import asset_pb2, upload_service_pb2
from praxiscope_common import names
from praxiscope_common.client import open_channel
from praxiscope_common.credentials import AuthKeySource, ServiceIdentity
from praxiscope_common.jobs.worker import Worker
from praxiscope_common.server.runtime import Server
from praxiscope_common.service import ServiceConfig, ServiceRuntime
from praxiscope_common.storage.port import ObjectStore
from praxiscope_common.telemetry.metrics import Metrics
from praxiscope_common.tokens import TokenVerifier
from rendering_service.app import Rendering
from rendering_service.config import read_config as read_rendering_config
from tests.support.calls import Client
from tests.support.postgres import ROLES as DATABASE_ROLES
from tests.support.postgres import PostgresServer
from tests.support.programs import free_port
from tools.devstack.settings import CHECKOUT, inherited_environment
from tracking_service.app import Tracking
from tracking_service.config import read_config as read_tracking_config
from vision_inference_service.app import Vision
from vision_inference_service.config import read_config as read_vision_config

SERVICES = ("auth", "library", "vision_inference", "tracking", "biomechanics", "rendering", "generation", "editing")
PASSWORD = "correct horse battery staple"
VIDEO, IMAGE, DETECTIONS, FILE = (
    asset_pb2.Asset.KIND_VIDEO,
    asset_pb2.Asset.KIND_IMAGE,
    asset_pb2.Asset.KIND_DETECTIONS,
    asset_pb2.Asset.KIND_FILE,
)


@dataclass(frozen=True, kw_only=True)
class Served:
    """A service that answers.

    Attributes:
        app: Its parts.
        server: Its server.
        channel: A channel to it.
        client: Calls it and nothing else.
    """

    app: Any
    server: Server
    channel: grpc.aio.Channel
    client: Client

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self.server.port}"


@dataclass(frozen=True, kw_only=True)
class Tenant:
    """A project, its owner and the owner's token.

    Attributes:
        house: Where it lives.
        project_id: Its id.
        user_id: The owner's id.
        email: The owner's address; the password is `PASSWORD`.
        token: The owner's access token.
    """

    house: House
    project_id: str
    user_id: str
    email: str
    token: str

    @property
    def name(self) -> str:
        """`projects/{project}`."""
        return names.PROJECT.format(self.project_id)

    @property
    def subject(self) -> str:
        """`users/{user}`."""
        return names.USER.format(self.user_id)

    def token_with(self, permissions: Sequence[str] | frozenset[str], **grant: str) -> str:
        """Returns a token of the owner that holds just these permissions."""
        return self.house.issue(
            Grant(
                subject=self.subject,
                project_id=self.project_id,
                permissions=frozenset(permissions),
                session=names.new_id(),
                **grant,
            )
        )

    def token_without(self, permission: str) -> str:
        """Returns a token that holds every permission there is but one."""
        return self.token_with(PERMISSIONS - {permission})

    @property
    def everything(self) -> str:
        """A token that holds every permission there is."""
        return self.token_with(PERMISSIONS)

    def service_token(self, service: str, operation: str = "") -> str:
        """Returns a token with which a service acts for the owner."""
        permissions = ROLES["owner"].permissions | SERVICE_PERMISSIONS[service]
        return self.token_with(permissions, acting_service=service, operation=operation)

    def name_of(self, kind: str) -> str:
        """Returns a name of this project that nothing has, as in `name_of("assets")`."""
        return f"{self.name}/{kind}/{names.new_id()}"

    async def upload(self, content: bytes, file_name: str = "notes.txt", kind: int = FILE, asset: str = "") -> str:
        """Uploads a file and returns the name of its version."""
        client = self.house.client
        request = upload_service_pb2.CreateUploadRequest(
            parent=self.name,
            upload=upload_service_pb2.Upload(
                kind=kind,  # type: ignore[arg-type]  an enum's number
                file_name=file_name,
                size_bytes=len(content),
                sha256=hashlib.sha256(content).hexdigest(),
                asset=asset,
            ),
        )
        upload = (await client.ask("UploadService.CreateUpload", request, token=self.token)).message
        await self.put_parts(upload, content)
        completed = upload_service_pb2.CompleteUploadRequest(name=upload.name)
        made = (await client.ask("UploadService.CompleteUpload", completed, token=self.token)).message
        return str(made.latest_version)

    async def put_parts(self, upload: upload_service_pb2.Upload, content: bytes, numbers: Sequence[int] = ()) -> None:
        """Puts an upload's parts into the store, as the gateway's blob handler does."""
        size = upload.part_size_bytes
        for number in numbers or range(1, upload.part_count + 1):
            part = content[(number - 1) * size : number * size]
            await self.house.store.put(f"{upload.name}/parts/{number:05d}", part)


@dataclass(kw_only=True)
class House:
    """Every service that a test needs, over one database and one store.

    Attributes:
        postgres: The database server.
        database: The database.
        folder: Where the store is.
    """

    postgres: PostgresServer
    database: str
    folder: Path
    _stack: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)
    _served: dict[str, Served] = field(default_factory=dict)
    _password_hash: str = ""

    async def start(self) -> None:
        """Starts auth, library, vision without a model server, tracking, rendering, and biomechanics."""
        self._password_hash = await Argon2Passwords().hash(PASSWORD)
        for name in (
            "auth",
            "library",
            "vision_inference",
            "tracking",
            "rendering",
            "biomechanics",
            "generation",
            "editing",
        ):
            self._served[name] = await self._stack.enter_async_context(self.serve(name))
        channels = {name: item.channel for item in self._served.values() for name in item.server.service_names}
        self.client = Client(channels)
        self.ask = self.client.ask

    async def stop(self) -> None:
        """Ends what was started."""
        await self._stack.aclose()

    def served(self, name: str) -> Served:
        """Returns a service."""
        return self._served[name]

    @property
    def store(self) -> ObjectStore:
        """The object store that all share."""
        store: ObjectStore = self._served["library"].app.store
        return store

    def issue(self, grant: Grant, lifetime: timedelta = timedelta(hours=1)) -> str:
        """Returns an access token as auth issues it."""
        return str(self._served["auth"].app.keys.issue(grant, lifetime).access_token)

    async def tenant(self, role: str = "owner") -> Tenant:
        """Makes a project and a person who holds a role in it."""
        auth: Auth = self._served["auth"].app
        project = await auth.projects.create(display_name="A project", creator="tests", owner_id=None, request_id="")
        user_id, email = await self.person()
        await auth.projects.add_member(project.project_id, user_id=user_id, email="", roles=[role])
        token = self.issue(
            Grant(
                subject=names.USER.format(user_id),
                project_id=project.project_id,
                roles=(role,),
                permissions=ROLES[role].permissions,
                session=names.new_id(),
            )
        )
        return Tenant(house=self, project_id=project.project_id, user_id=user_id, email=email, token=token)

    async def person(self, *, is_administrator: bool = False) -> tuple[str, str]:
        """Makes an account with the password `PASSWORD`; returns its id and its address."""
        auth: Auth = self._served["auth"].app
        user_id = names.new_id()
        email = f"{user_id}@example.org"
        async with auth.database.transaction() as connection:
            await connection.execute(
                "INSERT INTO auth.account (user_id, email, display_name, password_hash, is_administrator)"
                " VALUES (%s, %s, 'A person', %s, %s)",
                [user_id, email, self._password_hash, is_administrator],
            )
        return user_id, email

    def environment(self, name: str, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """Returns what a service is told, as the dev stack tells it."""
        secrets, prefix = self.postgres.secrets, f"PRAXISCOPE_{name.upper()}_"
        told = {
            "ADDRESS": "127.0.0.1:0",
            "DRAIN_S": "0",
            "GRACE_S": "5",
            "AUTH_ADDRESS": self._address("auth"),
            "PRIVATE_KEY_FILE": str(secrets.rsa_key(name)),
            "STORE_ROOT": str(self.folder / "store"),
        }
        if name in DATABASE_ROLES:
            told |= {
                "DB_HOST": "127.0.0.1",
                "DB_PORT": str(self.postgres.port),
                "DB_NAME": self.database,
                "DB_PASSWORD_FILE": str(secrets.password(DATABASE_ROLES[name])),
            }
        told |= {f"{peer.upper()}_ADDRESS": self._address(peer) for peer in SERVICES if peer not in (name, "auth")}
        if name == "auth":
            told["SIGNING_KEY_FILES"] = str(secrets.rsa_key("access-tokens"))
            told["SERVICE_KEYS_DIR"] = str(
                secrets.service_keys([*(item for item in SERVICES if item != "auth"), "operator"])
            )
        if name == "library":
            told["TICKET_KEY_FILE"] = str(secrets.ed25519_key("tickets")[0])
        if name in {"generation", "rendering", "editing"}:
            told["KERNELS_FOLDER"] = str(CHECKOUT / ".praxiscope" / "kernels")
        if name == "generation":
            told["POSE_PYTHON"] = str(CHECKOUT / ".venv-poses" / "bin" / "python")
        if name == "vision_inference":
            told |= {"TRITON_ADDRESS": f"127.0.0.1:{free_port()}", "MODEL_CARDS": str(CHECKOUT / "models")}
        told |= extra or {}
        return {f"{prefix}{key}": value for key, value in told.items()}

    def process_environment(self, name: str, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """Returns the whole environment of a service that runs as a process of its own."""
        return inherited_environment() | {"PYTHONUNBUFFERED": "1"} | self.environment(name, extra)

    @contextlib.asynccontextmanager
    async def serve(self, name: str, extra: Mapping[str, str] | None = None) -> AsyncIterator[Served]:
        """Serves a service until the end of the block; `extra` are settings without their prefix, as in `MAX_PIXELS`."""
        app = self.build(name, extra)
        server: Server = app.create_server()
        background: list[Awaitable[None]] = [app.runtime.verifier.follow_revocations(), server.follow_readiness()]
        if name == "library":
            background.append(app.operations.follow_changes())
        if name == "vision_inference":
            background.append(app.choice.follow())
        if name == "editing":
            background.append(app.snapshots.write_offered())
        if hasattr(app, "database"):
            await app.database.open()
        await server.start()
        channel = open_channel(f"127.0.0.1:{server.port}")
        tasks = [asyncio.ensure_future(item) for item in background]
        client = Client(dict.fromkeys(server.service_names, channel))
        try:
            yield Served(app=app, server=server, channel=channel, client=client)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await channel.close()
            await server.server.stop(0)
            await self.close(app)

    def build(self, name: str, extra: Mapping[str, str] | None = None) -> Any:
        """Builds a service's parts."""
        environ = self.environment(name, extra)
        match name:
            case "auth":
                auth_config = read_auth_config(environ)
                return Auth(auth_config, _runtime(auth_config.service))
            case "library":
                library_config = read_library_config(environ)
                return Library(library_config, _runtime(library_config.service))
            case "vision_inference":
                vision_config = read_vision_config(environ)
                return Vision(vision_config, _runtime(vision_config.service))
            case "tracking":
                tracking_config = read_tracking_config(environ)
                return Tracking(tracking_config, _runtime(tracking_config.service))
            case "biomechanics":
                biomechanics_config = read_biomechanics_config(environ)
                return Biomechanics(biomechanics_config, _runtime(biomechanics_config.service))
            case "rendering":
                rendering_config = read_rendering_config(environ)
                return Rendering(rendering_config, _runtime(rendering_config.service))
            case "generation":
                generation_config = read_generation_config(environ)
                return Generation(generation_config, _runtime(generation_config.service))
            case "editing":
                editing_config = read_editing_config(environ)
                return Editing(editing_config, _runtime(editing_config.service))
        raise LookupError(name)

    @contextlib.asynccontextmanager
    async def work(self, name: str, extra: Mapping[str, str] | None = None) -> AsyncIterator[Worker]:
        """Runs a service's worker in this process until the end of the block."""
        app = self.build(name, extra)
        await app.database.open()
        try:
            async with working(app.create_worker()) as worker:
                yield worker
        finally:
            await self.close(app)

    async def close(self, app: Any) -> None:
        """Closes a service's parts."""
        if hasattr(app, "stop"):
            await app.stop()
        if hasattr(app, "database"):
            await app.database.close()
        await app.runtime.stop()

    def _address(self, name: str) -> str:
        return self._served[name].address if name in self._served else "127.0.0.1:9"


@contextlib.asynccontextmanager
async def working(worker: Worker) -> AsyncIterator[Worker]:
    """Runs a worker in this process until the end of the block."""
    stop = asyncio.Event()
    task = asyncio.create_task(worker.run(stop))
    try:
        yield worker
    finally:
        stop.set()
        await task


class _Traces(TracerProvider):
    """Traces of a service in this process. Tests start programs through a fork that is replaced at once; in between nothing starts threads."""

    def _handle_fork(self) -> None:
        """Leaves the child as it is: the original gathers facts about the machine in threads, which crashes some forks of a process with many."""


def _runtime(config: ServiceConfig) -> ServiceRuntime:
    """Returns what a process holds, without the parts that are the process's own: its log and its global tracer."""
    channel = open_channel(config.auth_address)
    return ServiceRuntime(
        config=config,
        metrics=Metrics(),
        traces=_Traces(),
        auth_channel=channel,
        verifier=TokenVerifier(source=AuthKeySource(channel)),
        identity=ServiceIdentity(service=config.name, private_key=config.private_key, channel=channel),
    )


def claims_of(token: str) -> dict[str, Any]:
    """Returns what a JWT says, unchecked."""
    body = token.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))))
