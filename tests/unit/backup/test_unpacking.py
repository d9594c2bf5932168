"""A data folder out of a packed tar file: what is in it is written, and what does not belong into one is refused and leaves nothing."""

from __future__ import annotations

import io
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from praxiscope_backup.adapters.postgres_programs import pack, unpack_data_folder
from praxiscope_backup.core.catalogue import BackupBrokenError


async def _packed(members: list[tarfile.TarInfo]) -> AsyncIterator[bytes]:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for member in members:
            member.mode = 0o777
            member.size = 3 if member.isreg() else 0
            archive.addfile(member, io.BytesIO(b"abc"))

    async def plain() -> AsyncIterator[bytes]:
        yield file.getvalue()

    async for chunk in pack(plain()):
        yield chunk


def _member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type, found.linkname = kind, target
    return found


async def test_folders_and_files_are_written_and_nobody_else_may_enter(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    await unpack_data_folder(
        _packed([_member("backup_label"), _member("base", tarfile.DIRTYPE), _member("base/1")]), folder
    )
    assert {path.relative_to(folder).as_posix(): path.stat().st_mode & 0o777 for path in folder.rglob("*")} == {
        "backup_label": 0o600,
        "base": 0o700,
        "base/1": 0o600,
    }
    assert (folder / "base/1").read_bytes() == b"abc"


@pytest.mark.parametrize(
    "members",
    [
        pytest.param([_member("../outside")], id="up"),
        pytest.param([_member("base/../../outside")], id="up-from-within"),
        pytest.param([_member("/outside")], id="absolute"),
        pytest.param([_member("link", tarfile.SYMTYPE, "..")], id="link"),
        pytest.param([_member("link", tarfile.LNKTYPE, "/etc/passwd")], id="hard-link"),
        pytest.param([_member("pipe", tarfile.FIFOTYPE)], id="pipe"),
        pytest.param([_member("device", tarfile.CHRTYPE)], id="device"),
        pytest.param([_member("twice"), _member("twice")], id="twice"),
        pytest.param([_member("file"), _member("file/below")], id="below-a-file"),
        pytest.param([_member("nowhere/file")], id="in-no-folder"),
    ],
)
async def test_what_belongs_into_no_data_folder_leaves_nothing(tmp_path: Path, members: list[tarfile.TarInfo]) -> None:
    folder = tmp_path / "in" / "data"
    folder.parent.mkdir()
    with pytest.raises(BackupBrokenError):
        await unpack_data_folder(_packed(members), folder)
    assert [*tmp_path.rglob("*")] == [folder.parent]
