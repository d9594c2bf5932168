"""Puts a model repository into the object store, and takes one out of it, file by file and checked.

    python -m models.repository publish --input FOLDER  --prefix PREFIX
    python -m models.repository fetch   --output FOLDER --prefix PREFIX --sha256 DIGEST

The store is the one that `PRAXISCOPE_MODELS_STORE_*` name. `publish` prints the digest of its manifest, which says each file's size and digest; whoever
fetches by that digest gets these bytes or none. Files lie under their digests, so that what was published is never changed, and nothing is sent twice.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from praxiscope_common.config import ConfigError, EnvironmentReader
from praxiscope_common.errors import DomainError
from praxiscope_common.storage.configuration import open_store, read_store_config
from praxiscope_common.storage.port import ObjectNotFoundError, ObjectStore

_CHUNK_BYTES = 1 << 20
_MAX_MANIFEST_BYTES = 1 << 20
_MAX_FILES = 10_000


class RepositoryError(Exception):
    """The repository is not what was asked for; the message says which file."""


async def publish(store: ObjectStore, folder: Path, prefix: str) -> str:
    """Stores every file of a repository, and its manifest.

    Args:
        store: The store.
        folder: The repository.
        prefix: What its keys start with, without a slash at the end.

    Returns:
        The manifest's SHA-256, in hex.

    Raises:
        RepositoryError: If there is no file.
    """
    files: dict[str, dict[str, str | int]] = {}
    for path in sorted(item for item in folder.rglob("*") if item.is_file()):
        digest, size_bytes = _digest(path)
        key = f"{prefix}/files/{digest}"
        if not await _is_there(store, key):
            await store.put(key, _chunks(path))
        files[path.relative_to(folder).as_posix()] = {"sha256": digest, "size_bytes": size_bytes}
    if not files:
        raise RepositoryError(f"{folder} holds no file")
    manifest = json.dumps({"files": files}, sort_keys=True).encode()
    sha256 = hashlib.sha256(manifest).hexdigest()
    await store.put(f"{prefix}/manifests/{sha256}.json", manifest)
    return sha256


async def fetch(store: ObjectStore, folder: Path, prefix: str, sha256: str) -> int:
    """Writes a repository into a folder, whole or not at all.

    Args:
        store: The store.
        folder: Where it goes; what is there already and right is left alone, anything else is removed.
        prefix: What its keys start with.
        sha256: The manifest's SHA-256.

    Returns:
        How many files were fetched now.

    Raises:
        RepositoryError: If a file is missing, has other bytes, or would lie outside the folder.
    """
    files = await _manifest(store, prefix, sha256)
    fetched = 0
    for name, (digest, size_bytes) in files.items():
        target = folder / name
        if target.is_file() and _digest(target) == (digest, size_bytes):
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        await _fetch_file(store, f"{prefix}/files/{digest}", target, digest, size_bytes)
        fetched += 1
    for path in [item for item in folder.rglob("*") if item.is_file()]:
        if path.relative_to(folder).as_posix() not in files:
            path.unlink()
    for path in sorted((item for item in folder.rglob("*") if item.is_dir()), reverse=True):
        if not any(path.iterdir()):
            shutil.rmtree(path)
    return fetched


async def _manifest(store: ObjectStore, prefix: str, sha256: str) -> Mapping[str, tuple[str, int]]:
    key = f"{prefix}/manifests/{sha256}.json"
    content = bytearray()
    try:
        async for chunk in store.read(key, 0, _MAX_MANIFEST_BYTES):
            content += chunk
    except ObjectNotFoundError as error:
        raise RepositoryError(
            f"{key} is not in the store; `python -m models.repository publish` puts it there"
        ) from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise RepositoryError(f"{key} is not what its name says")
    try:
        entries = json.loads(content)["files"]
        files = {str(name): (str(entry["sha256"]), int(entry["size_bytes"])) for name, entry in entries.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RepositoryError(f"{key} is no manifest: {error}") from error
    if len(files) > _MAX_FILES:
        raise RepositoryError(f"{key} names {len(files)} files; {_MAX_FILES} are the most")
    for name in files:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or not path.parts:
            raise RepositoryError(f"{key} names {name!r}, which lies outside the repository")
    return files


async def _fetch_file(store: ObjectStore, key: str, target: Path, digest: str, size_bytes: int) -> None:
    temporary = target.with_name(f".{target.name}.new")
    seen, seen_bytes = hashlib.sha256(), 0
    try:
        with temporary.open("wb") as file:
            async for chunk in store.read(key):
                seen.update(chunk)
                seen_bytes += len(chunk)
                if seen_bytes > size_bytes:
                    break
                file.write(chunk)
        if (seen.hexdigest(), seen_bytes) != (digest, size_bytes):
            raise RepositoryError(f"{key} ({target.name}) has other bytes than its manifest says")
        temporary.replace(target)
    except ObjectNotFoundError as error:
        raise RepositoryError(f"{key} ({target.name}) is not in the store") from error
    finally:
        temporary.unlink(missing_ok=True)


async def _is_there(store: ObjectStore, key: str) -> bool:
    try:
        await store.stat(key)
    except ObjectNotFoundError:
        return False
    return True


async def _chunks(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk


def _digest(path: Path) -> tuple[str, int]:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest(), path.stat().st_size


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Runs a command and returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m models.repository", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, folder in (("publish", "--input"), ("fetch", "--output")):
        command = commands.add_parser(name)
        command.add_argument(folder, type=Path, required=True, dest="folder")
        command.add_argument("--prefix", default="system/models/repository")
        if name == "fetch":
            command.add_argument("--sha256", required=True)
    options = parser.parse_args(arguments)
    reader = EnvironmentReader(environ, "PRAXISCOPE_MODELS_")
    config = read_store_config(reader)
    try:
        reader.finish()
        store = open_store(config)
        if options.command == "publish":
            sys.stdout.write(asyncio.run(publish(store, options.folder, options.prefix)) + "\n")
        else:
            count = asyncio.run(fetch(store, options.folder, options.prefix, options.sha256))
            sys.stdout.write(f"fetched {count} files\n")
    except (ConfigError, RepositoryError, DomainError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))  # noqa: TID251  a command's start
