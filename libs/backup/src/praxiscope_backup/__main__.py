"""`python -m praxiscope_backup COMMAND`: what PostgreSQL, CronJobs and a person in need call. docs/backup.md says when."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from praxiscope_backup.config import BackupConfig, read_config
from praxiscope_backup.core.catalogue import Base, parse_moment
from praxiscope_backup.database import DatabaseBackup, utc_now
from praxiscope_backup.objects import ObjectBackup
from praxiscope_common.config import ConfigError
from praxiscope_common.errors import DomainError
from praxiscope_common.storage.configuration import open_store
from praxiscope_common.storage.port import ObjectStore
from praxiscope_common.storage.s3 import S3Store

_LATEST = "latest"
_LOOK_S = 1.0
_PAUSE_S = 10.0


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Runs one command and returns its exit code."""
    options = _parser().parse_args(arguments)
    try:
        config = read_config(environ, needs=options.needs)
        return asyncio.run(_run(options, config))
    except (ConfigError, DomainError, OSError) as error:
        details = getattr(error, "metadata", None)
        sys.stderr.write(f"{error}{f' {dict(details)}' if details else ''}\n")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m praxiscope_backup", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    def add(name: str, explained: str, *needs: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=explained, description=explained)
        made.set_defaults(needs=frozenset(needs))
        return made

    keep = add(
        "keep", "Stores the log's files that PostgreSQL lays into a folder, as they come; runs until it is ended."
    )
    keep.add_argument("spool", type=Path)
    add("base", "Takes a base backup of the database.", "database")
    add("mirror", "Copies new objects.", "source")
    add("prune", "Removes what has been kept long enough.")
    add("versions", "Has the platform's bucket keep what is deleted or overwritten for a while.", "source")
    add("list", "Prints the base backups and the moments that can be reached.")
    add("check", "Ends with 1 where a recovery would not reach the newest moment.")
    restore = add("restore-database", "Makes a data folder that recovers to a moment once PostgreSQL is started in it.")
    restore.add_argument("folder", type=Path, help="not there yet")
    restore.add_argument(
        "--wal", required=True, type=Path, help="folder for the log that the recovery reads, not there yet"
    )
    restore.add_argument(
        "--time", required=True, metavar="2026-11-29T02:15:00Z", help=f"or {_LATEST}: as far as the log goes"
    )
    again = add("restore-objects", "Copies back the objects that are missing of those of a moment.", "source")
    again.add_argument("--time", required=True, metavar="2026-11-29T02:15:00Z")
    return parser


async def _run(options: argparse.Namespace, config: BackupConfig) -> int:
    store = open_store(config.store)
    database = DatabaseBackup(store, now=utc_now)
    if options.command in {"base", "mirror"}:
        await store.probe()  # which makes the bucket the first time
    match options.command:
        case "keep":
            await _keep(store, database, options.spool)
        case "base":
            _say(_described(await _take_base(database, config)))
        case "list":
            for base in await database.bases():
                _say(_described(base))
        case "check":
            found = await database.problems(max_base_age_s=timedelta(hours=config.max_base_age_hours).total_seconds())
            for problem in found:
                sys.stderr.write(f"{problem}\n")
            return 1 if found else 0
        case "restore-database":
            base = await database.restore(options.folder, wal=options.wal, moment=_moment(options.time))
            _say(f"made of {_described(base)}")
        case "prune":
            bases, segments = await database.prune(config.tiers)
            copies = await ObjectBackup(store, store, now=utc_now).prune(days=config.object_days)
            _say(f"removed: {bases} base backups, {segments} files of the log, {copies} objects")
        case _:
            await _with_objects(options, config)
    return 0


async def _keep(store: ObjectStore, database: DatabaseBackup, spool: Path) -> None:
    """What cannot be stored stays in the folder, and PostgreSQL's own way of telling that its disk fills up goes on working."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    is_known = False
    while not stop.is_set():
        pause_s = _LOOK_S
        try:
            if not is_known:
                await store.probe()
                is_known = True
            await database.drain(spool)
        except DomainError as error:
            sys.stderr.write(f"{error} The log waits in {spool}.\n")
            pause_s = _PAUSE_S
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), pause_s)
    await database.drain(spool)


async def _with_objects(options: argparse.Namespace, config: BackupConfig) -> None:
    source = open_store(config.source)
    objects = ObjectBackup(source, open_store(config.store), now=utc_now)
    match options.command:
        case "mirror":
            done = await objects.mirror()
            _say(
                f"objects: {done.copied} copied, {done.held} there already, {done.gone} gone from the platform's store"
            )
        case "restore-objects":
            _say(f"objects: {await objects.restore(moment=parse_moment(options.time))} copied back")
        case _:
            if not isinstance(source, S3Store):
                _say("A file system keeps no versions; nothing was done.")
                return
            await source.probe()
            await source.keep_versions(days=config.object_days)
            _say(f"what is deleted or overwritten is kept for {config.object_days} days")


async def _take_base(database: DatabaseBackup, config: BackupConfig) -> Base:
    # Found here, since it is started with a path of its own.
    program = shutil.which(config.program)
    if program is None:
        raise ConfigError([f"PRAXISCOPE_BACKUP_PROGRAM: there is no program {config.program}."])
    with tempfile.TemporaryDirectory(prefix="praxiscope-backup-") as folder:
        words = Path(folder) / "pgpass"
        words.touch(mode=0o600)
        password = config.database_password.reveal().replace("\\", "\\\\").replace(":", "\\:")
        words.write_text(f"*:*:*:*:{password}\n", encoding="utf-8")
        environment = {
            "PGHOST": config.database_host,
            "PGPORT": str(config.database_port),
            "PGUSER": config.database_user,
            "PGPASSFILE": str(words),
            "PGSSLMODE": config.database_tls_mode,
            "PATH": os.defpath,
        }
        return await database.take_base(program=program, environment=environment)


def _moment(text: str) -> datetime | None:
    """Returns a moment, or none for the end of the log."""
    return None if text == _LATEST else parse_moment(text)


def _described(base: Base) -> str:
    return f"{base.name}  {base.size_bytes / 2**20:.0f} MiB  reaches from {base.ended:%Y-%m-%dT%H:%M:%SZ} on"


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))  # noqa: TID251  a command's start
