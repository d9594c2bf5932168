"""The database's backup: its log as it is written, its data folder once a day, and a new data folder out of both."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path

import zstandard

from praxiscope_backup.adapters.postgres_programs import (
    make_new_folder,
    pack,
    prepare_recovery,
    read_data_folder,
    unpack_data_folder,
)
from praxiscope_backup.core import catalogue
from praxiscope_backup.core.catalogue import BackupBrokenError, Base
from praxiscope_backup.core.retention import Tiers, kept, needed_ranges
from praxiscope_backup.core.wal import (
    SEGMENT_BYTES,
    is_archived_name,
    is_needed,
    missing_numbers,
    parse_mark,
    parse_segment,
)
from praxiscope_common.errors import AlreadyExistsError, InvalidInputError
from praxiscope_common.storage.port import ObjectNotFoundError, ObjectStore

_MARK_WAIT_S = 60.0
_MARK_LOOK_S = 0.2


class InvalidWalNameError(InvalidInputError):
    """PostgreSQL archives no file of this name."""

    reason = "INVALID_WAL_NAME"


class WalConflictError(AlreadyExistsError):
    """The archive has another file of this name; two servers write into one archive. Give each a bucket of its own."""

    reason = "WAL_CONFLICT"


class DatabaseBackup:
    """Keeps a database's base backups and its log in an object store.

    Args:
        store: The backup store.
        now: The clock.
    """

    def __init__(self, store: ObjectStore, *, now: Callable[[], datetime]) -> None:
        """Does nothing yet."""
        self._store, self._now = store, now

    async def put_wal(self, path: Path, name: str) -> None:
        """Stores a file of the log; a second time does nothing.

        Raises:
            InvalidWalNameError: It is none.
            WalConflictError: There is another one of this name.
        """
        key = _key_of(name)
        data = await asyncio.to_thread(path.read_bytes)
        packed = await asyncio.to_thread(zstandard.ZstdCompressor(level=3).compress, data)
        try:
            held = await self._store.stat(key)
        except ObjectNotFoundError:
            await self._store.put(key, packed)
            return
        if held.sha256 != hashlib.sha256(packed).hexdigest() and await self._unpacked(key) != data:
            raise WalConflictError(f"The archive has another {name}.")

    async def drain(self, spool: Path) -> int:
        """Stores what PostgreSQL has laid into a folder, in its order, and takes it away there; returns how many files.

        Raises:
            WalConflictError: There is another file of the same name. It stays in the folder, with all that follow.
        """
        count = 0
        for path in await asyncio.to_thread(_files_of, spool):
            await self.put_wal(path, path.name)
            await asyncio.to_thread(path.unlink)
            count += 1
        return count

    async def take_base(self, *, program: str, environment: dict[str, str]) -> Base:
        """Reads the data folder of a running server into the store.

        Args:
            program: `pg_basebackup`.
            environment: Where the server is, as libpq has it.

        Raises:
            DatabaseNotReadableError: It could not be read.
            BackupBrokenError: The server archives no log, so that this backup would be worth nothing.
        """
        name = catalogue.name_of(self._now())
        label = f"praxiscope {name}"
        size_bytes = 0

        async def counted() -> AsyncIterator[bytes]:
            nonlocal size_bytes
            async for chunk in read_data_folder(label=label, program=program, environment=environment):
                size_bytes += len(chunk)
                yield chunk

        stored = await self._store.put(catalogue.base_key(name), pack(counted()))
        first_wal, last_wal = await self._await_mark(label)
        base = Base(
            name=name,
            ended=self._now(),
            first_wal=first_wal,
            last_wal=last_wal,
            size_bytes=size_bytes,
            sha256=stored.sha256,
        )
        await self._store.put(catalogue.manifest_key(name), base.to_json())
        return base

    async def bases(self) -> list[Base]:
        """Returns the finished base backups, oldest first."""
        found = []
        async for key in self._store.list(catalogue.BASES):
            if key.endswith("/base.json"):
                text = b"".join([chunk async for chunk in self._store.read(key)])
                found.append(catalogue.parse_base(text))
        return sorted(found, key=lambda base: base.began)

    async def restore(self, folder: Path, *, wal: Path, moment: datetime | None) -> Base:
        """Makes a data folder that recovers up to `moment` once a server is started in it.

        Args:
            folder: The data folder, not there yet.
            wal: Folder for the log that the recovery reads, not there yet; whoever started the server removes it afterwards.
            moment: In UTC; none is the end of the log.

        Returns:
            The base backup it was made of.

        Raises:
            NoBackupError: None had ended by then.
            BackupBrokenError: What is stored is not what was put there, or not whole. Nothing is left of the folders.
            FolderNotEmptyError: One of them is there.
        """
        base = catalogue.choose_base(await self.bases(), moment or self._now())
        digest = hashlib.sha256()

        async def checked() -> AsyncIterator[bytes]:
            async for chunk in self._store.read(catalogue.base_key(base.name)):
                digest.update(chunk)
                yield chunk
            if digest.hexdigest() != base.sha256:
                raise BackupBrokenError(f"The base backup {base.name} is not what was put there.")

        await self._fetch_wal(wal, base)
        try:
            await unpack_data_folder(checked(), folder)
        except BaseException:
            shutil.rmtree(wal, ignore_errors=True)
            raise
        prepare_recovery(folder, moment=moment, wal=wal)
        return base

    async def prune(self, tiers: Tiers) -> tuple[int, int]:
        """Removes base backups and parts of the log that nothing needs any more; returns how many of each."""
        now = self._now()
        every = await self.bases()
        keeping = kept(every, tiers=tiers, now=now)
        names = {base.name for base in keeping}
        for base in every:
            if base.name not in names:
                # What is known of it goes first: half of a backup must not count as one.
                await self._store.delete(catalogue.manifest_key(base.name))
                await self._store.delete(catalogue.base_key(base.name))
        removed = 0
        if keeping:
            ranges = needed_ranges(keeping, tiers=tiers, now=now)
            async for name in self._wal_names():
                if not is_needed(name, ranges=ranges):
                    await self._store.delete(catalogue.wal_key(name))
                    removed += 1
        return len(every) - len(keeping), removed

    async def problems(self, *, max_base_age_s: float) -> list[str]:
        """Returns what would keep a recovery from reaching the newest segment: no recent base backup, holes in the log."""
        bases = await self.bases()
        if not bases:
            return ["There is no base backup."]
        newest = bases[-1]
        found = []
        age_s = (self._now() - newest.ended).total_seconds()
        if age_s > max_base_age_s:
            found.append(f"The newest base backup, {newest.name}, is {age_s / 3600:.1f} hours old.")
        first = parse_segment(newest.first_wal)
        names = [name async for name in self._wal_names()]
        if first is None or first.number not in {s.number for s in map(parse_segment, names) if s}:
            found.append(f"The log's first segment of {newest.name} is missing.")
        elif missing := missing_numbers(names, first):
            found.append(f"The log has {len(missing)} holes after {newest.name}; the first is number {missing[0]}.")
        return found

    async def _fetch_wal(self, folder: Path, base: Base) -> None:
        """Writes the log from a base backup's first segment on, and the histories that show the way through timelines."""
        names = [name async for name in self._wal_names()]
        first, last = parse_segment(base.first_wal), parse_segment(base.last_wal)
        if first is None or last is None:
            raise BackupBrokenError(f"What is known of {base.name} names no log.")
        held = {segment.number for segment in map(parse_segment, names) if segment is not None}
        if missing := [number for number in range(first.number, last.number + 1) if number not in held]:
            raise BackupBrokenError(f"The log of {base.name} lacks {len(missing)} of its segments.")
        make_new_folder(folder)
        try:
            for name in names:
                if is_needed(name, ranges=[(first.number, None)]) and not name.endswith(".backup"):
                    data = await self._unpacked(catalogue.wal_key(name))
                    await asyncio.to_thread((folder / name).write_bytes, data)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    async def _await_mark(self, label: str) -> tuple[str, str]:
        """Returns the first and the last segment of a base backup, out of the mark that PostgreSQL archives after it."""
        for _ in range(int(_MARK_WAIT_S / _MARK_LOOK_S)):
            async for name in self._wal_names():
                if name.endswith(".backup"):
                    found, last_wal = parse_mark((await self._unpacked(catalogue.wal_key(name))).decode())
                    if found == label and last_wal:
                        return name[:24], last_wal
            await asyncio.sleep(_MARK_LOOK_S)
        raise BackupBrokenError(
            "The server's log does not arrive in this store, so that no recovery could use this backup; are archive_command set and `keep` running?"
        )

    async def _wal_names(self) -> AsyncIterator[str]:
        async for key in self._store.list(catalogue.WAL):
            yield key.removeprefix(catalogue.WAL).removesuffix(".zst")

    async def _unpacked(self, key: str) -> bytes:
        packed = b"".join([chunk async for chunk in self._store.read(key)])
        try:
            return await asyncio.to_thread(zstandard.ZstdDecompressor().decompress, packed, SEGMENT_BYTES)
        except zstandard.ZstdError as error:
            raise BackupBrokenError(f"{key} cannot be unpacked.") from error


def utc_now() -> datetime:
    """The clock."""
    return datetime.now(UTC)


def _files_of(spool: Path) -> list[Path]:
    """What is whole in the folder; PostgreSQL's command moves a file to its name once it is."""
    return sorted(path for path in spool.iterdir() if is_archived_name(path.name))


def _key_of(name: str) -> str:
    if not is_archived_name(name):
        raise InvalidWalNameError(metadata={"name": name[:60]})
    return catalogue.wal_key(name)
