"""Where auth is put together; the only file that knows every class."""

from __future__ import annotations

import asyncio
import importlib.resources
import json
import logging
import os
import secrets as random_secrets
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path

from auth_service.adapters.accounts import Accounts
from auth_service.adapters.keys import ServiceKeys, TokenKeys
from auth_service.adapters.local_keys import LocalKeySource
from auth_service.adapters.passwords import Argon2Passwords
from auth_service.adapters.projects import Projects
from auth_service.adapters.tokens import Tokens
from auth_service.api.account_servicers import ProjectServicer, UserServicer
from auth_service.api.token_servicer import TokenServicer
from auth_service.config import AuthConfig, read_bootstrap_config, read_config, read_migration_config
from auth_service.core.roles import ROLES
from praxiscope.auth.v1 import auth_pb2_grpc
from praxiscope_common import database, names
from praxiscope_common.errors import DomainError
from praxiscope_common.server.runtime import Server, create_server, run_until_stopped
from praxiscope_common.service import ServiceRuntime
from praxiscope_common.tokens import TokenVerifier

logger = logging.getLogger(__name__)
_RETENTION_PERIOD_S = 300.0
_RENEW_KEY_BEFORE = timedelta(days=5)


class Auth:
    """Auth's parts, wired."""

    def __init__(self, config: AuthConfig, runtime: ServiceRuntime) -> None:
        """Builds everything; nothing is opened yet."""
        self.config, self.runtime = config, runtime
        self.database = database.Database(config.database)
        passwords = Argon2Passwords()
        self.keys = TokenKeys(config.signing_keys)
        runtime.verifier = TokenVerifier(source=LocalKeySource(self.keys, self.database))
        self.accounts = Accounts(database=self.database, passwords=passwords)
        self.projects = Projects(database=self.database)
        self.tokens = Tokens(
            database=self.database,
            passwords=passwords,
            keys=self.keys,
            service_keys=ServiceKeys(config.service_keys),
            verifier=runtime.verifier,
        )

    def create_server(self) -> Server:
        """Binds the server."""
        tokens = TokenServicer(self.tokens, self.keys.published)
        users, projects = UserServicer(self.accounts), ProjectServicer(self.projects)
        return create_server(
            self.config.service.server,
            self.runtime.stages(),
            servicers={
                "praxiscope.auth.v1.TokenService": lambda server: auth_pb2_grpc.add_TokenServiceServicer_to_server(
                    tokens, server
                ),
                "praxiscope.auth.v1.UserService": lambda server: auth_pb2_grpc.add_UserServiceServicer_to_server(
                    users, server
                ),
                "praxiscope.auth.v1.ProjectService": lambda server: auth_pb2_grpc.add_ProjectServiceServicer_to_server(
                    projects, server
                ),
            },
            probes={"database": self.database.probe},
        )

    async def keep_retention(self) -> None:
        """Removes what no longer matters, until cancelled."""
        while True:
            try:
                await self.tokens.forget_old()
            except DomainError as error:
                logger.warning("retention waits", extra={"reason": error.reason})
            await asyncio.sleep(_RETENTION_PERIOD_S)


async def serve(environ: Mapping[str, str]) -> None:
    """Serves until SIGTERM."""
    config = read_config(environ)
    runtime = ServiceRuntime.start(config.service, role="serve")
    auth = Auth(config, runtime)
    server = auth.create_server()
    await auth.database.open()
    try:
        await run_until_stopped(server, background=[runtime.verifier.follow_revocations(), auth.keep_retention()])
    finally:
        await auth.database.close()
        await runtime.stop()


async def migrate(environ: Mapping[str, str]) -> None:
    """Brings the schema `auth` to its newest state."""
    chain = importlib.resources.files("auth_service") / "migrations"
    await database.migrate(read_migration_config(environ), "auth", chain)


async def bootstrap(environ: Mapping[str, str]) -> None:
    """Makes the first administrator, project and key and writes them to a file.

    Later it renews a key that is about to end, or that was made before an owner could do what one can do now.
    """
    config = read_bootstrap_config(environ)
    connections = database.Database(config.database)
    await connections.open()
    try:
        accounts = Accounts(database=connections, passwords=Argon2Passwords())
        projects = Projects(database=connections)
        known: dict[str, str] = json.loads(config.output.read_text(encoding="utf-8")) if config.output.exists() else {}
        if not known:
            password = random_secrets.token_urlsafe(18)
            account = await accounts.create(
                email=config.email, display_name="Administrator", is_administrator=True, password=password
            )
            subject = names.USER.format(account.user_id)
            project = await projects.create(
                display_name="First project", creator=subject, owner_id=account.user_id, request_id=""
            )
            known = {
                "email": config.email,
                "password": password,
                "subject": subject,
                "project": names.PROJECT.format(project.project_id),
            }
        end = datetime.fromisoformat(known["api_key_expire_time"]) if "api_key_expire_time" in known else None
        permissions = " ".join(sorted(ROLES["owner"].permissions))
        is_outgrown = known.get("api_key_permissions", "") != permissions
        if end is None or is_outgrown or end - datetime.now(timezone.utc) < _RENEW_KEY_BEFORE:
            key, secret = await projects.create_key(
                names.PROJECT.parse(known["project"])[0],
                display_name="first key",
                permissions=(),
                expire_time=None,
                creator=known["subject"],
                held=ROLES["owner"].permissions,
            )
            known |= {
                "api_key": secret,
                "api_key_expire_time": key.expire_time.isoformat(),
                "api_key_permissions": permissions,
            }
            _write_private(config.output, json.dumps(known, indent=2))
    finally:
        await connections.close()


def _write_private(path: Path, text: str) -> None:
    """Writes a file that only its owner can read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    temporary.replace(path)
