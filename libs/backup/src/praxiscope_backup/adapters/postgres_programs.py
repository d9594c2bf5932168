"""A running PostgreSQL's data folder as a stream, and a data folder out of such a stream that recovers by itself once it is started."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tarfile
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import zstandard

from praxiscope_backup.core.catalogue import BackupBrokenError
from praxiscope_common.errors import PreconditionError, UnavailableError

_CHUNK_BYTES = 1 << 20
_MAX_ERROR_BYTES = 2000
_LEVEL = 3


class DatabaseNotReadableError(UnavailableError):
    """The data folder could not be read from PostgreSQL; its own words are in the metadata."""

    reason = "DATABASE_NOT_READABLE"


class FolderNotEmptyError(PreconditionError):
    """A recovery never writes over a data folder; move the old one away first."""

    reason = "FOLDER_NOT_EMPTY"


async def read_data_folder(*, label: str, program: str, environment: dict[str, str]) -> AsyncIterator[bytes]:
    """Yields the data folder of a running server, as a tar file.

    Args:
        label: Stands in the mark that PostgreSQL archives when it is done.
        program: `pg_basebackup`.
        environment: Where the server is and who asks, as libpq has it.

    Raises:
        DatabaseNotReadableError: The program could not, at the beginning or later; what was yielded is then worth nothing.
    """
    # Without the log: the archive has it, and the program waits until it does.
    options = ["--pgdata=-", "--format=tar", "--wal-method=none", "--checkpoint=fast", f"--label={label}"]
    process = await asyncio.create_subprocess_exec(
        program,
        *options,
        "--no-password",
        "--no-manifest",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
        limit=_CHUNK_BYTES,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    errors = asyncio.create_task(_beginning(process.stderr))
    try:
        while chunk := await process.stdout.read(_CHUNK_BYTES):
            yield chunk
        code = await process.wait()
        said = await errors
        if code:
            raise DatabaseNotReadableError(retry_after_s=60.0, metadata={"stderr": said.strip()[-500:]})
    finally:
        errors.cancel()
        if process.returncode is None:
            process.kill()
            await process.wait()


async def pack(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yields the chunks packed with zstd."""
    compressor = zstandard.ZstdCompressor(level=_LEVEL).compressobj()
    async for chunk in chunks:
        if packed := await asyncio.to_thread(compressor.compress, chunk):
            yield packed
    yield compressor.flush()


async def unpack_data_folder(chunks: AsyncIterator[bytes], folder: Path) -> None:
    """Writes a data folder out of what `pack` made of it.

    Args:
        chunks: Packed bytes.
        folder: Not there yet; its parent is.

    Raises:
        FolderNotEmptyError: The folder is there.
        BackupBrokenError: The bytes are no packed tar file, or reach out of the folder. Nothing is left of it.
    """
    make_new_folder(folder)
    try:
        read_end, write_end = os.pipe()
        extraction = asyncio.create_task(asyncio.to_thread(_extract, os.fdopen(read_end, "rb"), folder))
        try:
            with os.fdopen(write_end, "wb", buffering=0) as pipe:
                async for chunk in chunks:
                    await asyncio.to_thread(_write_all, pipe, chunk)
        except BrokenPipeError:
            pass  # the extraction knows why
        except BaseException:
            with contextlib.suppress(BackupBrokenError):
                await extraction
            raise
        await extraction
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def prepare_recovery(folder: Path, *, moment: datetime | None, wal: Path) -> None:
    """Has the server that is started in a data folder recover up to a moment and then go on from there.

    It lets nobody in before it is there: who reads halfway reads what is not so, and who writes is refused.

    Args:
        folder: The data folder, as a base backup had it.
        moment: The last transaction that ended before it is the last that will be there; none is the end of the log.
            PostgreSQL ends with an error where no transaction in the log is younger.
        wal: Where the log's files are.
    """
    target = "" if moment is None else moment.strftime("%Y-%m-%d %H:%M:%S.%f+00")
    lines = [
        "",
        f'restore_command = \'cp "{wal}/%f" "%p"\'',
        # The folder may have been recovered before, to another moment.
        f"recovery_target_time = '{target}'",
        "recovery_target_inclusive = 'off'",
        "recovery_target_action = 'promote'",
        "recovery_target_timeline = 'latest'",
        "hot_standby = 'off'",
        "",
    ]
    with (folder / "postgresql.auto.conf").open("a", encoding="utf-8") as settings:
        settings.write("\n".join(lines))
    (folder / "recovery.signal").touch(mode=0o600)


def archive_command(spool: Path) -> str:
    """Returns PostgreSQL's setting that lays its log into a folder: whole under its name or not at all, and once only."""
    return f'cmp -s "%p" "{spool}/%f" || {{ cp "%p" "{spool}/.%f" && sync "{spool}/.%f" && mv "{spool}/.%f" "{spool}/%f"; }}'


def make_new_folder(folder: Path) -> None:
    """Makes a folder that only its owner may enter.

    Raises:
        FolderNotEmptyError: It is there.
    """
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError as error:
        raise FolderNotEmptyError(f"{folder.name} is there already; move it away first.") from error


def _extract(source: BinaryIO, folder: Path) -> None:
    """Writes folders and files, which is all that a data folder has; without `filter`, which the images' Python 3.11.2 does not know."""
    try:
        with (
            source,
            zstandard.ZstdDecompressor().stream_reader(source, closefd=False) as unpacked,
            tarfile.open(fileobj=unpacked, mode="r|", bufsize=_CHUNK_BYTES) as archive,
        ):
            for member in archive:
                path = _inside(folder, member.name)
                if member.isdir():
                    path.mkdir(parents=True, exist_ok=True)
                elif (content := archive.extractfile(member) if member.isreg() else None) is not None:
                    with path.open("xb") as file:
                        shutil.copyfileobj(content, file, _CHUNK_BYTES)
                else:
                    raise BackupBrokenError(
                        f"A base backup holds {member.name[:60]!r}, which is no file and no folder."
                    )
    except (
        tarfile.TarError,
        zstandard.ZstdError,
        EOFError,
        FileExistsError,
        FileNotFoundError,
        NotADirectoryError,
    ) as error:
        raise BackupBrokenError("A base backup cannot be unpacked.") from error
    # PostgreSQL starts on no folder that others may enter.
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o700 if path.is_dir() else 0o600)


def _inside(folder: Path, name: str) -> Path:
    found = PurePosixPath(name)
    if found.is_absolute() or ".." in found.parts:
        raise BackupBrokenError(f"A base backup reaches out of its folder: {name[:60]!r}.")
    return folder / found


def _write_all(pipe: BinaryIO, chunk: bytes) -> None:
    view = memoryview(chunk)
    while view:
        view = view[pipe.write(view) :]


async def _beginning(stream: asyncio.StreamReader) -> str:
    kept = b""
    while piece := await stream.read(4096):
        kept = (kept + piece)[:_MAX_ERROR_BYTES]
    return kept.decode("utf-8", "replace")
