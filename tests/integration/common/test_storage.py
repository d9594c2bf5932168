"""What every object store does: one suite over the file system and over S3 (SeaweedFS)."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from praxiscope_common import names
from praxiscope_common.config import Secret
from praxiscope_common.storage.configuration import StoreConfig, open_store
from praxiscope_common.storage.filesystem import FilesystemStore
from praxiscope_common.storage.port import (
    InvalidKeyError,
    ObjectNotFoundError,
    ObjectStore,
    StoreUnavailableError,
)
from praxiscope_common.storage.s3 import S3Store
from tests.support.programs import free_port, open_folder
from tests.support.seaweed import open_s3, start_seaweed
from tests.support.slow import SlowWay

LARGE = 17 << 20  # two whole parts of S3's multipart upload and a rest


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Store]:
    """A store in a running SeaweedFS."""
    with open_folder("seaweed") as folder, contextlib.ExitStack() as stack:
        yield asyncio.run(open_s3(start_seaweed(stack, folder)))


@pytest.fixture(params=["filesystem", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    """A store."""
    if request.param == "s3":
        return request.getfixturevalue("s3")  # type: ignore[no-any-return]
    return open_store(StoreConfig(root=tmp_path / "store"))


@pytest.fixture
def root() -> str:
    """A folder of keys that nobody else uses; ends with a slash."""
    return f"projects/{names.new_id()}/"


async def read(store: ObjectStore, key: str, start: int = 0, end: int | None = None) -> bytes:
    """Returns an object's bytes."""
    return b"".join([chunk async for chunk in store.read(key, start, end)])


async def keys(store: ObjectStore, prefix: str) -> list[str]:
    """Returns the keys under a prefix."""
    return [key async for key in store.list(prefix)]


async def in_pieces(content: bytes, size: int) -> AsyncIterator[bytes]:
    """Yields bytes a piece at a time."""
    for start in range(0, len(content), size):
        yield content[start : start + size]


def some_bytes(count: int) -> bytes:
    """Returns bytes that repeat nowhere near a power of two."""
    return (bytes(range(251)) * (count // 251 + 1))[:count]


async def test_what_was_put_is_read_and_its_checksum_is_known(store: ObjectStore, root: str) -> None:
    content = some_bytes(100_000)
    info = await store.put(f"{root}a.bin", content)
    assert (info.key, info.size_bytes) == (f"{root}a.bin", 100_000)
    assert info.sha256 == hashlib.sha256(content).hexdigest()
    assert await store.stat(f"{root}a.bin") == info
    assert await read(store, f"{root}a.bin") == content


async def test_an_object_of_no_bytes_is_an_object(store: ObjectStore, root: str) -> None:
    info = await store.put(f"{root}empty", b"")
    assert info.sha256 == hashlib.sha256().hexdigest()
    assert await read(store, f"{root}empty") == b""
    assert (await store.stat(f"{root}empty")).size_bytes == 0


async def test_large_objects_come_in_pieces_and_are_the_same(store: ObjectStore, root: str) -> None:
    content = some_bytes(LARGE)
    info = await store.put(f"{root}large", in_pieces(content, 3_000_001))
    assert (info.size_bytes, info.sha256) == (LARGE, hashlib.sha256(content).hexdigest())
    assert await store.stat(f"{root}large") == info
    assert await read(store, f"{root}large") == content


@pytest.mark.parametrize(
    ("start", "end"), [(0, 10), (5, 6), (5, 5), (6, 5), (90, None), (90, 1000), (100, None), (500, None), (500, 600)]
)
async def test_ranges_are_as_pythons(store: ObjectStore, root: str, start: int, end: int | None) -> None:
    content = some_bytes(100)
    await store.put(f"{root}a", content)
    assert await read(store, f"{root}a", start, end) == (content[start:end] if end is None or end > start else b"")


async def test_putting_again_replaces(store: ObjectStore, root: str) -> None:
    await store.put(f"{root}a", b"one")
    info = await store.put(f"{root}a", b"three")
    assert await read(store, f"{root}a") == b"three"
    assert await store.stat(f"{root}a") == info


async def test_what_is_not_there_is_not_found(store: ObjectStore, root: str) -> None:
    with pytest.raises(ObjectNotFoundError):
        await store.stat(f"{root}a")
    with pytest.raises(ObjectNotFoundError):
        await read(store, f"{root}a")
    with pytest.raises(ObjectNotFoundError):
        await read(store, f"{root}a", 5, 5)
    with pytest.raises(ObjectNotFoundError):
        await asyncio.to_thread(store.open_seekable, f"{root}a")
    with pytest.raises(ObjectNotFoundError):
        await store.move(f"{root}a", f"{root}b")
    with pytest.raises(ObjectNotFoundError):
        await store.compose([f"{root}a"], f"{root}b")
    assert await keys(store, root) == []
    await store.delete(f"{root}a")
    await store.delete_prefix(f"{root}a/")


async def test_a_put_that_breaks_off_leaves_nothing(store: ObjectStore, root: str) -> None:
    class LineCutError(Exception):
        pass

    async def cut() -> AsyncIterator[bytes]:
        yield some_bytes(9 << 20)
        raise LineCutError

    with pytest.raises(LineCutError):
        await store.put(f"{root}a", cut())
    assert await keys(store, root) == []
    with pytest.raises(ObjectNotFoundError):
        await store.stat(f"{root}a")


async def test_moving_is_done_once_however_often_it_is_asked_for(store: ObjectStore, root: str) -> None:
    info = await store.put(f"{root}a", b"content")
    for _ in range(3):
        await store.move(f"{root}a", f"{root}deep/er/b")
    moved = await store.stat(f"{root}deep/er/b")
    assert (moved.sha256, moved.size_bytes) == (info.sha256, 7)
    assert await keys(store, root) == [f"{root}deep/er/b"]


async def test_joining_keeps_the_order_and_the_sources(store: ObjectStore, root: str) -> None:
    parts = [some_bytes(size) for size in (9 << 20, 0, 5, 1000)]
    sources = [f"{root}parts/{number:05d}" for number in range(len(parts))]
    for key, part in zip(sources, parts, strict=True):
        await store.put(key, part)
    info = await store.compose(sources, f"{root}whole")
    assert info.sha256 == hashlib.sha256(b"".join(parts)).hexdigest()
    assert await read(store, f"{root}whole") == b"".join(parts)
    assert await keys(store, f"{root}parts/") == sources
    assert (await store.compose([], f"{root}nothing")).size_bytes == 0


async def test_lists_are_in_order_and_of_the_folder_alone(store: ObjectStore, root: str) -> None:
    made = [f"{root}{name}" for name in ("a/1", "a/10", "a/2", "a/b/c", "ab/1", "b")]
    for key in reversed(made):
        await store.put(key, b"x")
    assert await keys(store, root) == made
    assert await keys(store, f"{root}a/") == made[:4]
    assert await keys(store, f"{root}none/") == []


async def test_deleting_a_folder_leaves_its_neighbours(store: ObjectStore, root: str) -> None:
    for name in ("a/1", "a/b/c", "ab/1"):
        await store.put(f"{root}{name}", b"x")
    await store.delete_prefix(f"{root}a/")
    assert await keys(store, root) == [f"{root}ab/1"]
    await store.put(f"{root}a/1", b"anew")
    assert (await store.stat(f"{root}a/1")).sha256 == hashlib.sha256(b"anew").hexdigest(), "no old checksum is left"


async def test_deleting_takes_the_checksum_along(store: ObjectStore, root: str) -> None:
    await store.put(f"{root}a", b"old")
    await store.delete(f"{root}a")
    assert await keys(store, root) == []
    with pytest.raises(ObjectNotFoundError):
        await store.stat(f"{root}a")


async def test_a_file_can_be_read_from_anywhere(store: ObjectStore, root: str) -> None:
    content = some_bytes(3_000_000)
    await store.put(f"{root}a", content)

    def walk() -> list[bytes]:
        with store.open_seekable(f"{root}a") as file:
            pieces = [file.read(10)]
            file.seek(2_999_995)
            pieces += [file.read(100), file.read(1)]
            file.seek(-5, io.SEEK_END)
            pieces.append(file.read())
            file.seek(1_000_000)
            file.seek(5, io.SEEK_CUR)
            pieces.append(file.read(1_500_000))
            assert file.tell() == 2_500_005
            file.seek(5_000_000)
            pieces.append(file.read(1))
            return pieces

    assert await asyncio.to_thread(walk) == [
        content[:10],
        content[2_999_995:],
        b"",
        content[-5:],
        content[1_000_005:2_500_005],
        b"",
    ]


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/",
        "/a",
        "a/",
        "a//b",
        "../a",
        "a/../b",
        "a/..",
        ".",
        "a/./b",
        ".hidden",
        "a b",
        "a\n",
        "a\x00b",
        "ü",
        "a" * 901,
        "a\\b",
    ],
    ids=repr,
)
async def test_a_key_never_leaves_its_root(store: ObjectStore, key: str) -> None:
    await store.put("projects/known", b"x")
    for work in (
        store.put(key, b"x"),
        store.stat(key),
        read(store, key),
        store.delete(key),
        store.move("projects/known", key),
        store.move(key, "projects/other"),
        store.locate_for_get(key, 60),
        store.locate_for_put(key, 1, 60),
    ):
        with pytest.raises(InvalidKeyError):
            await work
    with pytest.raises(InvalidKeyError):
        store.open_seekable(key)
    if key.rstrip("/") != "a":  # folders end with a slash
        with pytest.raises(InvalidKeyError):
            await store.delete_prefix(key)
        with pytest.raises(InvalidKeyError):
            await keys(store, key)


async def test_many_at_once_do_not_mix(store: ObjectStore, root: str) -> None:
    contents = {f"{root}{number}": some_bytes(number * 1000) for number in range(20)}
    await asyncio.gather(*(store.put(key, content) for key, content in contents.items()))
    found = await asyncio.gather(*(read(store, key) for key in contents))
    assert found == list(contents.values())


async def test_the_same_key_written_at_once_holds_one_of_them_whole(store: ObjectStore, root: str) -> None:
    contents = [bytes([number]) * 200_000 for number in range(5)]
    await asyncio.gather(*(store.put(f"{root}a", in_pieces(content, 50_000)) for content in contents))
    assert await read(store, f"{root}a") in contents


async def test_it_says_that_it_is_there(store: ObjectStore) -> None:
    await store.probe()


# What is the file system's own


async def test_bytes_put_by_the_gateway_have_a_checksum_too(tmp_path: Path) -> None:
    store = FilesystemStore(tmp_path)
    (tmp_path / "objects" / "projects").mkdir(parents=True)
    (tmp_path / "objects" / "projects" / "a").write_bytes(b"by the blob handler")
    assert (await store.stat("projects/a")).sha256 == hashlib.sha256(b"by the blob handler").hexdigest()
    assert (await store.locate_for_get("projects/a", 60)).key == "projects/a"


async def test_a_folder_that_is_gone_is_a_store_that_is_away(tmp_path: Path) -> None:
    store = FilesystemStore(tmp_path / "store")
    (tmp_path / "store" / "writing").rmdir()
    with pytest.raises(StoreUnavailableError):
        await store.probe()
    with pytest.raises(StoreUnavailableError):
        await store.put("a", b"x")


# What is S3's own


def _send(method: str, url: str, body: bytes | None = None) -> tuple[int, bytes]:
    request = urllib.request.Request(url, data=body, method=method)
    if body is not None:
        request.add_header("Content-Type", "")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, b""


async def test_a_presigned_address_lets_one_in_without_keys_for_one_object(s3: S3Store, root: str) -> None:
    put = (await s3.locate_for_put(f"{root}a", 5, 60)).url
    status, _ = await asyncio.to_thread(_send, "PUT", put, b"12345")
    assert status == 200
    assert await read(s3, f"{root}a") == b"12345"
    assert (await s3.stat(f"{root}a")).sha256 == hashlib.sha256(b"12345").hexdigest()
    get = (await s3.locate_for_get(f"{root}a", 60)).url
    assert await asyncio.to_thread(_send, "GET", get) == (200, b"12345")
    await s3.put(f"{root}b", b"secret")
    status, _ = await asyncio.to_thread(_send, "GET", get.replace(f"{root}a", f"{root}b"))
    assert status == 403
    status, _ = await asyncio.to_thread(_send, "PUT", get, b"12345")
    assert status == 403
    assert s3_secret_is_hidden(put)


def s3_secret_is_hidden(url: str) -> bool:
    """Returns whether an address holds a signature and no secret."""
    return "X-Amz-Signature=" in url and "SecretKey" not in url


async def test_a_presigned_put_takes_as_many_bytes_as_were_promised(s3: S3Store, root: str) -> None:
    put = (await s3.locate_for_put(f"{root}a", 5, 60)).url
    status, _ = await asyncio.to_thread(_send, "PUT", put, b"123456")
    assert status == 403


async def test_an_s3_that_is_away_is_a_store_that_is_away() -> None:
    store = S3Store(
        endpoint_url=f"http://127.0.0.1:{free_port()}",
        region="us-east-1",
        bucket="praxiscope",
        access_key_id="x",
        secret_access_key=Secret("y"),
    )
    with pytest.raises(StoreUnavailableError):
        await store.stat("a")


# A slow store


@contextlib.asynccontextmanager
async def slowly(s3: S3Store, way: SlowWay, timeout_s: float) -> AsyncIterator[S3Store]:
    """The same bucket at the end of a slow way."""
    request = s3._client._request_signer
    credentials = request._credentials
    async with way.open() as port:
        yield S3Store(
            endpoint_url=f"http://127.0.0.1:{port}",
            region="us-east-1",
            bucket=s3._bucket,
            access_key_id=credentials.access_key,
            secret_access_key=Secret(credentials.secret_key),
            timeout_s=timeout_s,
        )


def way_to(s3: S3Store, latency_s: float) -> SlowWay:
    """Returns a slow way to a store."""
    port = int(s3._client.meta.endpoint_url.rpartition(":")[2])
    return SlowWay(host="127.0.0.1", port=port, latency_s=latency_s)


@pytest.mark.fault
async def test_a_slow_store_is_slow_and_stops_nothing_else(s3: S3Store, root: str) -> None:
    content = some_bytes(9 << 20)
    async with slowly(s3, way_to(s3, 0.1), 9.0) as store:
        lags_s: list[float] = []

        async def beat() -> None:
            while True:
                before_s = time.monotonic()
                await asyncio.sleep(0.05)
                lags_s.append(time.monotonic() - before_s - 0.05)

        beating = asyncio.create_task(beat())
        try:
            await asyncio.gather(*(store.put(f"{root}small/{number}", b"x") for number in range(8)))
            await store.put(f"{root}large", in_pieces(content, 1 << 20))
            joined = await store.compose([f"{root}large", f"{root}small/1"], f"{root}joined")
            await store.move(f"{root}joined", f"{root}moved")
            assert await read(store, f"{root}moved") == content + b"x"
        finally:
            beating.cancel()
    assert joined.sha256 == hashlib.sha256(content + b"x").hexdigest()
    assert max(lags_s) < 1.0, "a worker's heartbeat goes on meanwhile"


@pytest.mark.fault
async def test_a_store_that_stopped_answering_is_said_in_time_and_is_well_again_by_itself(
    s3: S3Store, root: str
) -> None:
    way = way_to(s3, 0.0)
    async with slowly(s3, way, 0.5) as store:
        await store.put(f"{root}before", b"1")
        way.latency_s = 5.0
        started_s = time.monotonic()
        with pytest.raises(StoreUnavailableError) as caught:
            await store.put(f"{root}meanwhile", b"2")
        assert time.monotonic() - started_s < 10
        assert caught.value.retry_after_s
        way.latency_s = 0.0
        await store.put(f"{root}meanwhile", b"3")
        assert await read(store, f"{root}meanwhile") == b"3"


# A full store

# A disk of 48 MB in a mount namespace of its own, that gets more room as soon as a file is there.
_SMALL_DISK = (
    'mount -t tmpfs -o size=48m tmpfs "$1" || exit 1; room=$2;'
    ' (for i in $(seq 600); do [ -e "$room" ] && break; sleep 0.2; done; mount -o remount,size=400m "$1") & shift 2; exec "$@"'
)
_ALONE = ("unshare", "--user", "--map-root-user", "--mount")


@pytest.mark.fault
def test_an_s3_without_room_is_said_keeps_what_it_has_and_is_well_again_with_room() -> None:
    if subprocess.run([*_ALONE, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this user may not make a mount namespace, so no disk is small enough to be filled")
    with open_folder("seaweed") as folder, contextlib.ExitStack() as stack:
        disk, room = folder / "seaweed", folder / "room"
        disk.mkdir()
        small = (*_ALONE, "sh", "-c", _SMALL_DISK, "sh", str(disk), str(room))
        asyncio.run(_fill(start_seaweed(stack, folder, wrapped=small), room))


async def _fill(config: StoreConfig, room: Path) -> None:
    store = await open_s3(config)
    await store.put("kept", b"kept")
    with pytest.raises(StoreUnavailableError) as caught:
        for number in range(100):
            await store.put(f"filler/{number}", os.urandom(1 << 20))
    assert caught.value.retry_after_s
    assert await read(store, "kept") == b"kept"
    room.touch()
    for _ in range(50):
        with contextlib.suppress(StoreUnavailableError):
            await store.put("after", os.urandom(1 << 20))
            break
        await asyncio.sleep(0.2)
    assert (await store.stat("after")).size_bytes == 1 << 20


def test_what_killed_processes_were_writing_goes_after_a_day(tmp_path: Path) -> None:
    FilesystemStore(tmp_path)
    new, old = tmp_path / "writing" / "new", tmp_path / "writing" / "old"
    for path, age_s in ((new, 3600), (old, 2 * 24 * 3600)):
        path.write_bytes(b"half")
        os.utime(path, (time.time() - age_s,) * 2)
    FilesystemStore(tmp_path)
    assert new.exists()
    assert not old.exists()
