"""A model repository goes into a store and comes out the same to the byte, or not at all."""

import hashlib
import json
from pathlib import Path

import pytest

from models.repository import RepositoryError, fetch, main, publish
from praxiscope_common.storage.filesystem import FilesystemStore

PREFIX = "system/models/repository"


@pytest.fixture
def store(tmp_path: Path) -> FilesystemStore:
    return FilesystemStore(tmp_path / "store")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    for name, content in {
        "a/config.pbtxt": b"name: 'a'",
        "a/1/model.onnx": b"\x00" * 3_000_000,
        "b/1/model.onnx": b"b",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


async def test_it_comes_out_as_it_went_in(store: FilesystemStore, repository: Path, tmp_path: Path) -> None:
    sha256 = await publish(store, repository, PREFIX)
    assert await publish(store, repository, PREFIX) == sha256
    assert await fetch(store, tmp_path / "out", PREFIX, sha256) == 3
    assert contents(tmp_path / "out") == contents(repository)
    assert await fetch(store, tmp_path / "out", PREFIX, sha256) == 0


async def test_what_is_too_much_goes_and_what_was_changed_is_mended(
    store: FilesystemStore, repository: Path, tmp_path: Path
) -> None:
    sha256 = await publish(store, repository, PREFIX)
    out = tmp_path / "out"
    (out / "old/1").mkdir(parents=True)
    (out / "old/1/model.onnx").write_bytes(b"old")
    (out / "b/1").mkdir(parents=True)
    (out / "b/1/model.onnx").write_bytes(b"c")
    assert await fetch(store, out, PREFIX, sha256) == 3
    assert contents(out) == contents(repository)
    assert not (out / "old").exists()


async def test_an_older_repository_is_there_after_a_newer_one(
    store: FilesystemStore, repository: Path, tmp_path: Path
) -> None:
    older = await publish(store, repository, PREFIX)
    expected = contents(repository)
    (repository / "b/1/model.onnx").write_bytes(b"newer")
    newer = await publish(store, repository, PREFIX)
    assert newer != older
    await fetch(store, tmp_path / "out", PREFIX, newer)
    await fetch(store, tmp_path / "out", PREFIX, older)
    assert contents(tmp_path / "out") == expected


@pytest.mark.parametrize("content", [b"x", b"", b"b" * 100])
async def test_other_bytes_are_refused_and_nothing_of_them_stays(
    store: FilesystemStore, repository: Path, tmp_path: Path, content: bytes
) -> None:
    sha256 = await publish(store, repository, PREFIX)
    await store.put(f"{PREFIX}/files/{hashlib.sha256(b'b').hexdigest()}", content)
    with pytest.raises(RepositoryError, match="has other bytes than its manifest says"):
        await fetch(store, tmp_path / "out", PREFIX, sha256)
    assert set(contents(tmp_path / "out")) <= {"a/config.pbtxt", "a/1/model.onnx"}


async def test_a_file_that_is_gone_is_named(store: FilesystemStore, repository: Path, tmp_path: Path) -> None:
    sha256 = await publish(store, repository, PREFIX)
    await store.delete(f"{PREFIX}/files/{hashlib.sha256(b'b').hexdigest()}")
    with pytest.raises(RepositoryError, match=r"model\.onnx\) is not in the store"):
        await fetch(store, tmp_path / "out", PREFIX, sha256)


@pytest.mark.parametrize("name", ["../out", "/etc/passwd", "a/../../x", ""])
async def test_a_manifest_does_not_lead_outside(store: FilesystemStore, tmp_path: Path, name: str) -> None:
    manifest = json.dumps({"files": {name: {"sha256": "0" * 64, "size_bytes": 1}}}).encode()
    sha256 = hashlib.sha256(manifest).hexdigest()
    await store.put(f"{PREFIX}/manifests/{sha256}.json", manifest)
    with pytest.raises(RepositoryError, match="outside the repository"):
        await fetch(store, tmp_path / "out", PREFIX, sha256)


@pytest.mark.parametrize("manifest", [b"", b"[]", b'{"files": 1}', b'{"files": {"a": {}}}', b"\xff"])
async def test_what_is_no_manifest_is_refused(store: FilesystemStore, tmp_path: Path, manifest: bytes) -> None:
    sha256 = hashlib.sha256(manifest).hexdigest()
    await store.put(f"{PREFIX}/manifests/{sha256}.json", manifest)
    with pytest.raises(RepositoryError, match="is no manifest"):
        await fetch(store, tmp_path / "out", PREFIX, sha256)


async def test_a_manifest_is_what_its_name_says(store: FilesystemStore, tmp_path: Path) -> None:
    await store.put(f"{PREFIX}/manifests/{'0' * 64}.json", b"{}")
    with pytest.raises(RepositoryError, match="is not what its name says"):
        await fetch(store, tmp_path / "out", PREFIX, "0" * 64)


def test_the_command_publishes_and_fetches(
    repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    environ = {"PRAXISCOPE_MODELS_STORE_KIND": "filesystem", "PRAXISCOPE_MODELS_STORE_ROOT": str(tmp_path / "store")}
    assert main(["publish", "--input", str(repository)], environ) == 0
    sha256 = capsys.readouterr().out.strip()
    assert main(["fetch", "--output", str(tmp_path / "out"), "--sha256", sha256], environ) == 0
    assert contents(tmp_path / "out") == contents(repository)
    assert main(["fetch", "--output", str(tmp_path / "out"), "--sha256", "1" * 64], environ) == 1
    assert "is not in the store" in capsys.readouterr().err
    assert main(["publish", "--input", str(tmp_path / "nothing")], environ) == 1
