"""Which store a service uses, from its environment."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from praxiscope_common.config import EnvironmentReader, Secret
from praxiscope_common.storage.filesystem import FilesystemStore
from praxiscope_common.storage.port import ObjectStore
from praxiscope_common.storage.s3 import S3Store


@dataclass(frozen=True, kw_only=True)
class StoreConfig:
    """Where objects are.

    Attributes:
        kind: `filesystem` or `s3`.
        root: The folder of a file system store.
        endpoint_url: Where S3 is; empty for Amazon's own.
        region: S3's region.
        bucket: S3's bucket.
        access_key_id: S3's key id.
        secret_access_key: S3's secret.
    """

    kind: str = "filesystem"
    root: Path = Path()
    endpoint_url: str = ""
    region: str = "us-east-1"
    bucket: str = "praxiscope"
    access_key_id: str = ""
    secret_access_key: Secret = Secret("")  # noqa: RUF009  a Secret never changes


def read_store_config(reader: EnvironmentReader) -> StoreConfig:
    """Reads `…STORE_KIND` and what that kind needs."""
    if reader.text("STORE_KIND", "filesystem") == "s3":
        return StoreConfig(
            kind="s3",
            endpoint_url=reader.text("STORE_ENDPOINT_URL", ""),
            region=reader.text("STORE_REGION", "us-east-1"),
            bucket=reader.text("STORE_BUCKET", "praxiscope"),
            access_key_id=reader.text("STORE_ACCESS_KEY_ID"),
            secret_access_key=reader.secret_file("STORE_SECRET_ACCESS_KEY_FILE"),
        )
    return StoreConfig(root=reader.path("STORE_ROOT"))


def open_store(config: StoreConfig) -> ObjectStore:
    """Returns the store that `config` names."""
    if config.kind == "s3":
        return S3Store(
            endpoint_url=config.endpoint_url,
            region=config.region,
            bucket=config.bucket,
            access_key_id=config.access_key_id,
            secret_access_key=config.secret_access_key,
        )
    return FilesystemStore(config.root)
