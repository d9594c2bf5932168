"""Auth's settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from praxiscope_common.config import ConfigError, EnvironmentReader, Secret
from praxiscope_common.database import DatabaseConfig, read_database_config
from praxiscope_common.service import ServiceConfig, read_service_config

_PREFIX = "PRAXISCOPE_AUTH_"


@dataclass(frozen=True, kw_only=True)
class AuthConfig:
    """Settings of auth.

    Attributes:
        service: What every service has.
        database: Where rows are.
        signing_keys: RSA keys of access tokens, PEM; the first signs.
        service_keys: Folder with one public key a service.
    """

    service: ServiceConfig
    database: DatabaseConfig
    signing_keys: tuple[Secret, ...]
    service_keys: Path


@dataclass(frozen=True, kw_only=True)
class BootstrapConfig:
    """What the first start makes.

    Attributes:
        database: Where rows are.
        email: The first administrator's address.
        output: The file that gets the credentials; only its owner can read it.
    """

    database: DatabaseConfig
    email: str
    output: Path


def read_config(environ: Mapping[str, str]) -> AuthConfig:
    """Reads `PRAXISCOPE_AUTH_*`.

    Raises:
        ConfigError: With everything that is missing or not valid.
    """
    reader = EnvironmentReader(environ, _PREFIX)
    files = reader.words("SIGNING_KEY_FILES")
    config = AuthConfig(
        service=read_service_config(reader, "auth"),
        database=_database(reader),
        signing_keys=_read_keys(files),
        service_keys=reader.path("SERVICE_KEYS_DIR"),
    )
    reader.finish()
    return config


def read_bootstrap_config(environ: Mapping[str, str]) -> BootstrapConfig:
    """Reads what bootstrap needs."""
    reader = EnvironmentReader(environ, _PREFIX)
    config = BootstrapConfig(
        database=_database(reader),
        email=reader.text("BOOTSTRAP_EMAIL", "admin@praxiscope.local"),
        output=reader.path("BOOTSTRAP_FILE"),
    )
    reader.finish()
    return config


def read_migration_config(environ: Mapping[str, str]) -> DatabaseConfig:
    """Reads only what migrations need."""
    reader = EnvironmentReader(environ, _PREFIX)
    config = _database(reader)
    reader.finish()
    return config


def _database(reader: EnvironmentReader) -> DatabaseConfig:
    return read_database_config(reader, role="praxiscope_auth", search_path="auth")


def _read_keys(files: tuple[str, ...]) -> tuple[Secret, ...]:
    try:
        return tuple(Secret(Path(file).read_text(encoding="utf-8")) for file in files)
    except OSError as error:
        raise ConfigError([f"{_PREFIX}SIGNING_KEY_FILES names a file that cannot be read: {error}."]) from error
